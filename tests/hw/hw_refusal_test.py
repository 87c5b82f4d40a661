"""What binlane-hw refuses: it says why and what to do, and changes nothing."""

import ipaddress
import unittest

from hw_case import GROUP, NIC, OTHER, USED, Address, HwCase, Route


class Refusals(HwCase):
    def refused(self, *words, why, way_out):
        """Whatever the verb is that would do it."""
        before = self.fake.dump()
        code, told, complained = self.call(*words)
        self.assertEqual((code, told), (3, ""), complained)
        self.assertIn(why, complained)
        self.assertIn(way_out, complained.partition("Way out: ")[2])
        self.assertEqual(self.fake.dump(), before)
        return complained

    def nic_is_refused(self, why, way_out, *options, nic=NIC):
        for verb in ("plan", "up"):
            self.refused(verb, "--group", GROUP, "--nic", nic, *options, why=why, way_out=way_out)
        return self.refused("bind", nic, "--group", GROUP, *options, why=why, way_out=way_out)

    # What the kernel's network does with it.

    def test_an_address(self):
        for text in ("10.0.0.1/24", "2001:db8::1/64"):
            self.addresses = [Address(self.fake.index("eth1"), text)]
            self.nic_is_refused(f"eth1 has the address {text}", "ip addr flush dev eth1")

    def test_an_address_of_another_nic_is_no_reason(self):
        self.addresses = [Address(self.fake.index("eth2"), "10.0.0.1/24")]
        self.do("plan", "--group", GROUP, "--nic", NIC)

    def test_a_route_in_any_table(self):
        self.routes = [Route(self.fake.index("eth1"), "10.9.0.0/16", 100)]
        self.nic_is_refused("eth1 is the way of the route 10.9.0.0/16 (table 100)", "ip route show table all dev eth1")

    def test_a_member_of_a_bond(self):
        self.fake.link("sys/class/net/eth1/master", "../bond0")
        self.nic_is_refused("eth1 is part of bond0", "ip link set eth1 nomaster")

    def test_a_vlan_on_top(self):
        self.fake.link("sys/class/net/eth1/upper_eth1.5", "../eth1.5")
        self.nic_is_refused("eth1 is part of eth1.5", "delete the VLAN")

    def test_an_interface_that_is_switched_on(self):
        self.fake.write("sys/class/net/eth1/flags", "0x1003\n")
        self.nic_is_refused("eth1 is switched on", "ip link set eth1 down")

    def test_the_session_that_asks(self):
        self.session = ipaddress.ip_address("10.0.0.1")
        self.addresses = [Address(self.fake.index("eth1"), "10.0.0.1/24")]
        self.nic_is_refused("eth1 carries the SSH session that you type in (10.0.0.1)", "use another NIC")

    def test_the_session_through_a_bridge_on_a_bond(self):
        self.session = ipaddress.ip_address("10.0.0.1")
        self.fake.link("sys/class/net/eth1/master", "../bond0")
        self.fake.link("sys/class/net/bond0/upper_br0", "../br0")
        self.fake.write("sys/class/net/br0/ifindex", "9\n")
        self.addresses = [Address(9, "10.0.0.1/24")]
        told = self.nic_is_refused("eth1 carries the SSH session", "use another NIC")
        self.assertIn("eth1 is part of bond0, br0", told)

    def test_an_interface_in_a_container(self):
        self.fake.path(f"sys/bus/pci/devices/{NIC}/net/eth1").rmdir()
        self.nic_is_refused("its interface is not here: a container may have it", "network namespace")

    def test_a_nic_whose_virtual_functions_are_in_use(self):
        self.fake.write(f"sys/bus/pci/devices/{NIC}/sriov_numvfs", "2\n")
        self.fake.turn()
        self.nic_is_refused("its 2 virtual functions would disappear", "one of those")

    # What is no NIC, or somebody's.

    def test_an_unknown_device(self):
        self.nic_is_refused("no such PCI device", f"one of its NICs: {USED}, {NIC}, {OTHER}", nic="0000:77:00.0")

    def test_a_disk(self):
        self.fake.add("0000:05:00.0", driver="nvme", kind="0x010802", group=20)
        self.nic_is_refused("it is no NIC (class 0x010802)", "status", nic="0000:05:00.0")

    def test_a_process_holds_it(self):
        self.up("--nic", NIC)
        self.fake.process(77, "binlaned", "/dev/vfio/11")
        why, way_out = "binlaned (process 77) holds it", "systemctl stop binlaned"
        for words in (("down",), ("down", "--dry-run"), ("unbind", NIC)):
            self.refused(*words, why=why, way_out=way_out)
        self.fake.path("run/binlane-hw/state.json").unlink()
        self.nic_is_refused(why, way_out)

    def test_a_process_holds_huge_pages(self):
        self.up("--nic", NIC, "--hugepages", "8")
        self.fake.process(77, "binlaned", "/dev/hugepages_binlane/map_0")
        self.refused(
            "down", why="/dev/hugepages_binlane: binlaned (process 77) holds it", way_out="systemctl stop binlaned"
        )

    def test_a_process_holds_it_by_uio(self):
        self.fake.write("sys/kernel/iommu_groups/11/type", "identity\n")
        self.up("--nic", NIC, "--driver", "uio_pci_generic")
        self.fake.path(f"sys/bus/pci/devices/{NIC}/uio/uio0").mkdir(parents=True)
        self.fake.process(77, "binlaned", "/dev/uio0")
        self.refused("down", why="binlaned (process 77) holds it", way_out="systemctl stop binlaned")

    # The IOMMU.

    def test_a_shared_group(self):
        self.fake.add("0000:01:00.2", driver="ahci", kind="0x010601", group=11)
        self.nic_is_refused("it shares IOMMU group 11 with 0000:01:00.2, which ahci uses", "another slot")

    def test_a_shared_group_that_moves_as_a_whole(self):
        self.fake.add("0000:04:00.0", interface=True, group=14)
        self.fake.add("0000:04:00.1", interface=True, group=14)
        self.fake.add("0000:00:1c.0", driver="pcieport", kind="0x060400", group=14)
        self.nic_is_refused("it shares IOMMU group 14 with 0000:04:00.1", "in one command", nic="0000:04:00.0")
        self.do("plan", "--group", GROUP, "--nic", "0000:04:00.0", "--nic", "0000:04:00.1")

    def test_no_iommu(self):
        self.fake.path(f"sys/bus/pci/devices/{NIC}/iommu_group").unlink()
        told = self.nic_is_refused("no IOMMU is switched on", "intel_iommu=on")
        for way_out in ("--driver uio_pci_generic", "--no-iommu"):
            self.assertIn(way_out, told)
        self.do("plan", "--group", GROUP, "--nic", NIC, "--driver", "uio_pci_generic")
        self.do("plan", "--group", GROUP, "--nic", NIC, "--no-iommu")

    def test_no_iommu_in_debians_kernel(self):
        """Found out when the module is loaded: everything is undone."""
        self.fake.path(f"sys/bus/pci/devices/{NIC}/iommu_group").unlink()
        before = self.fake.dump()
        code, _, complained = self.call("up", "--group", GROUP, "--nic", NIC, "--no-iommu")
        self.assertEqual(code, 1)
        self.assertIn("use --driver uio_pci_generic", complained)
        self.assertEqual(self.fake.dump(), before)

    def test_no_iommu_where_there_is_one(self):
        self.nic_is_refused("this machine's IOMMU is switched on", "leave the option out", "--no-iommu")

    def test_uio_under_an_iommu_that_translates(self):
        self.nic_is_refused(
            "the IOMMU translates its addresses", "iommu=pt", "--driver", "uio_pci_generic"
        )

    # Memory, virtual functions, and the request itself.

    def up_is_refused(self, *words, why, way_out):
        for verb in ("plan", "up"):
            self.refused(verb, "--group", GROUP, *words, why=why, way_out=way_out)

    def test_pages_that_do_not_fit(self):
        """Half the memory is free and a quarter is the page cache; a sixteenth is kept."""
        most = (4096 * 3 // 4 - 4096 // 16) // 2
        self.up_is_refused(
            "--hugepages", f"0={most + 1}", why=f"{most + 1} more huge pages of 2M do not fit",
            way_out=f"{most} would fit",
        )
        self.do("plan", "--group", GROUP, "--hugepages", f"0={most}")

    def test_pages_on_a_node_that_is_not_there(self):
        self.up_is_refused("--hugepages", "7=1", why="no such memory node", way_out="[0, 1]")

    def test_more_virtual_functions_than_the_nic_has(self):
        self.up_is_refused("--vfs", f"{NIC}=5", why="it can have 4 virtual functions, not 5", way_out="fewer")

    def test_virtual_functions_of_a_nic_that_the_kernel_does_not_drive(self):
        self.fake.add("0000:06:00.0", driver=None, group=15, functions=4)
        self.up_is_refused("--vfs", "0000:06:00.0=2", why="is the kernel's, and it has none", way_out="give it back")

    def test_virtual_functions_that_are_there(self):
        self.fake.write(f"sys/bus/pci/devices/{NIC}/sriov_numvfs", "2\n")
        self.fake.turn()
        self.up_is_refused("--vfs", f"{NIC}=4", why="it has 2 virtual functions already", way_out="--nic")

    def test_a_nic_and_its_virtual_functions(self):
        self.up_is_refused("--vfs", f"{NIC}=2", "--nic", NIC, why="both --nic and --vfs", way_out="leave one")

    def test_nothing_is_asked_for(self):
        self.up_is_refused(why="nothing is asked for", way_out="--nic ADDRESS")

    def test_no_such_group(self):
        self.refused("up", "--nic", NIC, "--group", "no-such", why="no such group", way_out="systemd-sysusers")

    def test_a_second_up(self):
        self.up("--nic", NIC)
        self.up_is_refused("--nic", OTHER, why="given to DPDK already", way_out="binlane-hw down")
        self.refused("bind", NIC, "--group", GROUP, why="given to DPDK already", way_out=f"unbind {NIC}")

    def test_an_unbind_of_what_is_not_ours(self):
        self.refused("unbind", NIC, why="did not give it to DPDK", way_out="driverctl unset-override")
        self.up("--vfs", f"{NIC}=2")
        self.refused("unbind", "0000:01:10.0", why="a virtual function that `up` made", way_out="down")

    def test_a_record_that_cannot_be_read(self):
        self.fake.write("run/binlane-hw/state.json", '{"version": 9}')
        self.refused("down", why="another version of binlane-hw wrote it", way_out="remove /run/binlane-hw")

    def test_everything_is_said_at_once(self):
        self.addresses = [Address(self.fake.index("eth1"), "10.0.0.1/24")]
        told = self.refused(
            "up", "--group", GROUP, "--nic", NIC, "--nic", "77:00.0", "--hugepages", "7=1", why="10.0.0.1/24",
            way_out="ip addr flush",
        )
        self.assertEqual(told.count("refused: "), 3)

    def test_wrong_words(self):
        for words in (("up", "--nic", "eth1"), ("up", "--hugepages", "x=1"), ("up", "--cores", "3-1"), ("bind",)):
            self.assertEqual(self.call(*words)[0], 2, words)


if __name__ == "__main__":
    unittest.main()
