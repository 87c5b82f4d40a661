"""What binlane-hw changes, and that it restores all of it, on a machine in a folder."""

import json
import unittest

from hw_case import GROUP, NIC, OTHER, Address, HwCase

EVERYTHING = ("--nic", NIC, "--nic", OTHER, "--hugepages", "0=8", "--hugepages", "32", "--cores", "2-3")


class UpAndDown(HwCase):
    def there_and_back(self, *words):
        """The machine as `up` left it; afterwards it is as before."""
        before = self.fake.dump()
        self.up(*words)
        between = self.fake.dump()
        self.assertNotEqual(before, between)
        self.do("down")
        self.assertEqual(self.fake.dump(), before)
        return between

    def test_nics_pages_and_mounts(self):
        """The interfaces get their names back, too, though the kernel gives the lowest that is free."""
        between = self.there_and_back(*EVERYTHING)
        self.assertEqual(between[f"sys/bus/pci/devices/{NIC}/driver"], ("link", "../../drivers/vfio-pci"))
        self.assertEqual(between["dev/vfio/11"][1], 0o660)
        self.assertIn("hugetlbfs /dev/hugepages_binlane hugetlbfs", between["proc/mounts"][2])
        counts = [between[f"sys/devices/system/node/node{n}/hugepages/hugepages-2048kB/nr_hugepages"] for n in (0, 1)]
        # Without a node they are where the NIC is.
        self.assertEqual([int(text) for _, _, text in counts], [16 + 8, 16 + 32])

    def test_virtual_functions(self):
        between = self.there_and_back("--vfs", f"{NIC}=2")
        for function in ("0000:01:10.0", "0000:01:10.2"):
            self.assertEqual(
                between[f"sys/bus/pci/devices/{function}/driver"], ("link", "../../drivers/vfio-pci")
            )
        # Their own NIC stays the kernel's, with whatever address it has.
        self.assertEqual(between[f"sys/bus/pci/devices/{NIC}/driver"], ("link", "../../drivers/e1000e"))
        self.assertEqual(between[f"sys/bus/pci/devices/{NIC}/sriov_drivers_autoprobe"][2], "1\n")

    def test_virtual_functions_disappear_as_they_are(self):
        self.up("--vfs", f"{NIC}=2")
        self.assertNotIn("0000:01:10.", self.do("down", "--dry-run"))

    def test_uio(self):
        self.fake.write("sys/kernel/iommu_groups/11/type", "identity\n")
        self.there_and_back("--nic", NIC, "--driver", "uio_pci_generic")

    def test_a_nic_without_driver(self):
        self.fake.add("0000:02:00.0", driver=None, group=13)
        self.there_and_back("--nic", "0000:02:00.0")

    def test_an_override_that_somebody_set(self):
        self.fake.write(f"sys/bus/pci/devices/{NIC}/driver_override", "e1000e\n")
        self.there_and_back("--nic", NIC)

    def test_a_nic_that_vfio_has_already(self):
        """Its driver stays; its device node goes back to root."""
        self.up("--nic", NIC)
        self.fake.path("run/binlane-hw/state.json").unlink()
        self.fake.path("run/binlane-hw").rmdir()
        self.fake.path("dev/vfio/11").chmod(0o600)
        self.assertNotIn("give it to", self.do("plan", "--group", GROUP, "--nic", NIC))
        between = self.there_and_back("--nic", NIC)
        self.assertEqual(between["dev/vfio/11"][1], 0o660)
        self.assertEqual(self.driver(NIC), "vfio-pci")

    def test_a_driver_in_place_is_left_there(self):
        """With its address."""
        self.fake.add("0000:03:00.0", driver="mlx5_core", interface=True, group=13)
        self.addresses = [Address(self.fake.index("eth3"), "10.0.0.1/24")]
        before = self.fake.dump()
        self.assertIn("stays in place", self.up("--nic", "0000:03:00.0"))
        self.assertEqual(self.fake.dump(), before)

    def test_a_hugetlbfs_that_is_there(self):
        """The mount unit's, for example: it stays, and is there once."""
        self.fake.write("proc/mounts", "hugetlbfs /dev/hugepages_binlane hugetlbfs rw,gid=998 0 0\n")
        between = self.there_and_back("--hugepages", "0=8")
        self.assertEqual(between["proc/mounts"][2].count("hugepages_binlane"), 1)

    def test_the_kernels_module_was_unloaded_meanwhile(self):
        before = self.fake.dump()
        self.up("--nic", NIC, "--nic", OTHER)
        self.fake.program(
            "modprobe",
            "#!/bin/sh\nif [ $1 = -r ]; then rm -r @ROOT@/sys/module/* @ROOT@/sys/bus/pci/drivers/vfio-pci; fi\n"
            "d=@ROOT@/sys/bus/pci/drivers/e1000e; mkdir -p $d @ROOT@/sys/module/e1000e; : >$d/bind; : >$d/unbind\n"
            "ln -sfn ../../../../module/e1000e $d/module\n",
        )
        driver = self.fake.path("sys/bus/pci/drivers/e1000e")
        for name in ("bind", "unbind", "module"):
            (driver / name).unlink()
        driver.rmdir()
        self.do("down")
        self.assertEqual(self.driver(NIC), "e1000e")
        self.assertEqual(self.fake.dump(), before)


class OnePath(HwCase):
    """The scripts that are printed do what the verbs do."""

    def test_plan_run_by_sh_is_up(self):
        before = self.fake.dump()
        for words in (EVERYTHING, ("--vfs", f"{NIC}=3", "--nic", OTHER)):
            script = self.do("plan", "--group", GROUP, *words)
            self.assertEqual(self.fake.dump(), before)
            self.shell(script)
            by_script = self.fake.dump()
            self.do("down")
            self.up(*words)
            self.assertEqual(self.fake.dump(), by_script)
            self.shell(self.do("down", "--dry-run"))
            self.assertEqual(self.fake.dump(), before)

    def test_bind_and_unbind(self):
        before = self.fake.dump()
        self.shell(self.do("bind", NIC, "--group", GROUP, "--dry-run"))
        by_script = self.fake.dump()
        self.shell(self.do("unbind", NIC, "--dry-run"))
        self.assertEqual(self.fake.dump(), before)
        self.do("bind", NIC, "--group", GROUP)
        self.assertEqual(self.fake.dump(), by_script)

    def test_the_proposals_are_comments(self):
        script = self.do("plan", "--group", GROUP, *EVERYTHING)
        for words in (
            "#   intel_iommu=on isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3 irqaffinity=0-1,4-7\n",
            f'#   port = "dpdk:{NIC}"',
            '#   arguments = ["-m", "80", "--huge-dir", "/dev/hugepages_binlane"]',
        ):
            self.assertIn(words, script)
        # This machine's kernel has it.
        self.assertNotIn("iommu=pt ", script)
        self.fake.write("usr/sbin/tuned-adm")
        script = self.do("plan", "--group", GROUP, *EVERYTHING)
        self.assertIn("#   echo isolated_cores=2-3 >>/etc/tuned/cpu-partitioning-variables.conf\n", script)
        self.assertNotIn("nohz_full", script)


class OneByOne(HwCase):
    def test_bind_beside_what_is_up(self):
        before = self.fake.dump()
        self.up("--nic", NIC, "--hugepages", "8")
        self.do("bind", OTHER, "--group", GROUP)
        self.do("unbind", NIC)
        self.assertEqual((self.driver(NIC), self.driver(OTHER)), ("e1000e", "vfio-pci"))
        self.assertEqual(self.pages(1), 24)
        self.do("down")
        self.assertEqual(self.fake.dump(), before)

    def test_the_last_unbind_leaves_nothing(self):
        before = self.fake.dump()
        self.do("bind", NIC, "--group", GROUP)
        self.do("bind", OTHER, "--group", GROUP)
        self.do("unbind", NIC)
        self.do("unbind", OTHER)
        self.assertEqual(self.fake.dump(), before)

    def test_down_twice(self):
        self.up("--nic", NIC)
        self.do("down")
        self.assertIn("nothing is given", self.do("down"))
        self.shell(self.do("down", "--dry-run"))


class Failures(HwCase):
    def test_what_was_done_is_undone(self):
        """The mount is the last step."""
        before = self.fake.dump()
        self.fake.program("mount", "#!/bin/sh\necho no such file system >&2; exit 32\n")
        code, _, complained = self.call("up", "--group", GROUP, *EVERYTHING)
        self.assertEqual(code, 1)
        self.assertIn("no such file system", complained)
        self.assertIn("undoing", complained)
        after = self.fake.dump()
        # mkdir came before mount, and an empty folder in /dev is no harm.
        after.pop("dev/hugepages_binlane")
        self.assertEqual(after, before)

    def test_a_bind_that_fails_keeps_the_earlier_record(self):
        self.up("--nic", OTHER)
        between = self.fake.dump()
        self.fake.program("chgrp", "#!/bin/sh\necho not you >&2; exit 1\n")
        code, _, complained = self.call("bind", NIC, "--group", GROUP)
        self.assertEqual(code, 1)
        self.assertIn("not you", complained)
        self.assertEqual(self.fake.dump(), between)

    def test_memory_that_is_not_in_one_piece(self):
        """The kernel makes fewer pages than it was told to, and says nothing."""
        here = self.fake.path("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages")
        here.unlink()
        here.symlink_to("/dev/null")
        code, _, complained = self.call("up", "--group", GROUP, "--nic", NIC, "--hugepages", "0=8")
        self.assertEqual(code, 1)
        self.assertIn("of 8 huge pages in one piece: restart", complained)
        self.assertEqual(self.driver(NIC), "e1000e")

    def test_another_up_at_the_same_time(self):
        """Whichever records first goes on; the other one changes nothing."""
        script = self.do("plan", "--group", GROUP, "--nic", NIC)
        self.up("--nic", OTHER)
        between = self.fake.dump()
        with self.assertRaises(AssertionError):
            self.shell(script)
        self.assertEqual(self.fake.dump(), between)

    def test_another_up_that_was_quicker(self):
        """Its record came between our look and our first step: it is not ours to undo."""
        record = self.fake.path("run/binlane-hw/state.json")
        self.fake.program("mkdir", f"#!/bin/sh\n/bin/mkdir \"$@\"\necho theirs >{record}\n")
        code, _, complained = self.call("up", "--group", GROUP, "--nic", NIC)
        self.assertEqual(code, 1)
        self.assertNotIn("undoing", complained)
        self.assertEqual((record.read_text(), self.driver(NIC)), ("theirs\n", "e1000e"))

    def test_a_module_that_is_still_used_stays(self):
        self.up("--nic", NIC)
        self.fake.program("modprobe", "#!/bin/sh\nexit 1\n")
        self.assertIn("the kernel module vfio-pci stays loaded", self.do("down"))
        self.assertEqual(self.driver(NIC), "e1000e")

    def test_what_others_changed_meanwhile_stays(self):
        self.fake.add_driver("other")
        self.up("--nic", NIC, "--hugepages", "0=8")
        self.fake.path(f"sys/bus/pci/devices/{NIC}/driver").unlink()
        self.fake.link(f"sys/bus/pci/devices/{NIC}/driver", "../../drivers/other")
        self.fake.write("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "100\n")
        told = self.do("down")
        self.assertIn(f"{NIC} was given to other meanwhile", told)
        self.assertEqual((self.driver(NIC), self.pages(0)), ("other", 100))

    def test_pages_that_somebody_uses(self):
        self.up("--nic", NIC, "--hugepages", "0=8")
        here = self.fake.path("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages")
        self.fake.program("cat", f"#!/bin/sh\n[ $1 != {here} ] || {{ echo 20; exit 0; }}\nexec /bin/cat \"$@\"\n")
        code, _, complained = self.call("down")
        self.assertEqual(code, 1)
        self.assertIn("some process still uses huge pages: 20 are left, 16 are wanted", complained)
        self.fake.path("bin/cat").unlink()
        self.do("down")


class Status(HwCase):
    def test_down(self):
        self.fake.write("sys/class/net/eth1/flags", "0x1003\n")
        code, told, _ = self.call("status")
        self.assertEqual(code, 4)
        self.assertIn("binlane-hw: down; IOMMU on", told)
        self.assertIn(f"{NIC}  8086:10d3  e1000e  node 1  IOMMU group 11  eth1\n    eth1 is switched on", told)
        self.assertIn("node 0: 16 huge pages of 2M, 16 free", told)

    def test_up(self):
        self.up(*EVERYTHING)
        self.fake.process(77, "binlaned", "/dev/vfio/11")
        found = json.loads(self.do("status", "--json"))
        self.assertEqual((found["state"], found["differences"]), ("up", []))
        nic = next(each for each in found["nics"] if each["address"] == NIC)
        self.assertEqual((nic["driver"], nic["ours"], nic["numa_node"]), ("vfio-pci", True, 1))
        self.assertEqual(nic["held_by"], [{"process": 77, "name": "binlaned"}])
        self.assertIn("held by binlaned (77)", self.do("status"))

    def test_something_differs(self):
        self.up(*EVERYTHING)
        self.fake.write("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "5\n")
        self.fake.write("proc/mounts")
        self.fake.path(f"sys/bus/pci/devices/{NIC}/driver").unlink()
        code, told, _ = self.call("status")
        self.assertEqual(code, 5)
        for words in ("is 5, not 24", "no hugetlbfs is mounted", f"{NIC} is with no driver, not vfio-pci"):
            self.assertIn(words, told)


if __name__ == "__main__":
    unittest.main()
