"""A machine in a folder: the files of /sys, /proc and /dev that binlane-hw reads and writes, and a
thread in place of the kernel, which acts on what is written there.

The programs that only root may call (modprobe, mount, umount) are scripts that change the same folder.
"""

import grp
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path

GROUP = grp.getgrgid(os.getgid()).gr_name
LOOK_S = 0.01
NODES = (0, 1)
NODE_MIB = 4096
UP, DOWN = "0x1003", "0x1002"  # an interface's flags
VIRTUAL_OFFSET, VIRTUAL_STRIDE = 128, 2
# As Debian's kernel names drivers and modules.
USER_DRIVERS = ("vfio-pci", "uio_pci_generic")

MODPROBE = """#!/bin/sh
for driver; do :; done
case $driver in
  vfio-pci) module=vfio_pci ;;
  *) module=$driver ;;
esac
here=@ROOT@/sys/bus/pci/drivers/$driver
if [ "$1" = -r ]; then exec rm -rf "@ROOT@/sys/module/$module" "$here"; fi
mkdir -p "@ROOT@/sys/module/$module"
case $driver in
  vfio-pci | uio_pci_generic)
    mkdir -p "$here" && : >"$here/bind" && : >"$here/unbind" && ln -sfn "../../../../module/$module" "$here/module" ;;
esac
"""
MOUNT = """#!/bin/sh
for point; do :; done
echo "hugetlbfs ${point#@ROOT@} hugetlbfs $4 0 0" >>@ROOT@/proc/mounts
"""
UMOUNT = """#!/bin/sh
point=${1#@ROOT@}
grep -v " $point " @ROOT@/proc/mounts >@ROOT@/proc/mounts.new
cat @ROOT@/proc/mounts.new >@ROOT@/proc/mounts
rm @ROOT@/proc/mounts.new
"""
PROGRAMS = {"modprobe": MODPROBE, "mount": MOUNT, "umount": UMOUNT}


class FakeMachine:
    """A context manager."""

    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="bl-hw-", dir="/tmp"))
        self.devices = {}  # address: {"kernel": driver, "interface": its name or False, "group": number}
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="kernel")

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            shutil.rmtree(self.root)
            raise
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        shutil.rmtree(self.root)

    # What is there.

    def path(self, name):
        return self.root / name.lstrip("/")

    def write(self, name, text=""):
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, name):
        return self.path(name).read_text().strip()

    def link(self, name, target):
        where = self.path(name)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.symlink_to(target)

    def _build(self):
        for folder in ("dev", "run", "sys/module", "sys/kernel/iommu_groups", "sys/class/net"):
            self.path(folder).mkdir(parents=True)
        self.write("sys/bus/pci/drivers_probe")
        self.write("proc/mounts", "sysfs /sys sysfs rw 0 0\n")
        self.write("proc/cmdline", "root=/dev/sda1 iommu=pt\n")
        self.write("proc/cpuinfo", "vendor_id : GenuineIntel\n")
        self.write("sys/devices/system/cpu/present", "0-7\n")
        for node in NODES:
            here = f"sys/devices/system/node/node{node}"
            kib = NODE_MIB * 1024
            self.write(
                f"{here}/meminfo",
                f"Node {node} MemTotal: {kib} kB\nNode {node} MemFree: {kib // 2} kB\n"
                f"Node {node} Active(file): {kib // 8} kB\nNode {node} Inactive(file): {kib // 8} kB\n",
            )
            self.write(f"{here}/hugepages/hugepages-2048kB/nr_hugepages", "16\n")
            self.write(f"{here}/hugepages/hugepages-2048kB/free_hugepages", "16\n")
        for name, text in PROGRAMS.items():
            self.program(name, text)

    def program(self, name, text):
        """In place of one that only root may call."""
        self.write(f"bin/{name}", text.replace("@ROOT@", str(self.root)))
        self.path(f"bin/{name}").chmod(0o755)

    def add_driver(self, name):
        here = f"sys/bus/pci/drivers/{name}"
        if not self.path(here).exists():
            self.write(f"{here}/bind")
            self.write(f"{here}/unbind")
            self.path(f"sys/module/{name}").mkdir()
            self.link(f"{here}/module", f"../../../../module/{name}")

    def add(self, address, driver="e1000e", interface=False, group=None, kind="0x020000", node=1, functions=0):
        """A device that the kernel has given to `driver`, or to none."""
        here = f"sys/bus/pci/devices/{address}"
        for name, text in {
            "class": kind, "vendor": "0x8086", "device": "0x10d3", "numa_node": node, "driver_override": "(null)",
        }.items():
            self.write(f"{here}/{name}", f"{text}\n")
        if functions:
            for name, value in {
                "sriov_totalvfs": functions, "sriov_numvfs": 0, "sriov_drivers_autoprobe": 1,
                "sriov_offset": VIRTUAL_OFFSET, "sriov_stride": VIRTUAL_STRIDE,
            }.items():
                self.write(f"{here}/{name}", f"{value}\n")
        if group is not None:
            self.link(f"{here}/iommu_group", f"../../../../kernel/iommu_groups/{group}")
            self.path(f"sys/kernel/iommu_groups/{group}/devices/{address}").mkdir(parents=True)
            self.write(f"sys/kernel/iommu_groups/{group}/type", "DMA-FQ\n")
        self.devices[address] = {"kernel": driver, "interface": interface, "group": group}
        if driver:
            self.add_driver(driver)
            self._attach(address, driver)

    def _new_interface(self):
        """As the kernel names one: the lowest number that is free."""
        number = 0
        while self.path(f"sys/class/net/eth{number}").exists():
            number += 1
        self.write(f"sys/class/net/eth{number}/ifindex", f"{number + 2}\n")
        self.write(f"sys/class/net/eth{number}/flags", f"{DOWN}\n")
        return f"eth{number}"

    def index(self, interface):
        return int(self.read(f"sys/class/net/{interface}/ifindex"))

    def process(self, number, name, file):
        """One that has a device node open."""
        self.write(f"proc/{number}/comm", f"{name}\n")
        self.link(f"proc/{number}/fd/5", file)

    # What the kernel does.

    def _attach(self, address, driver):
        device = self.devices[address]
        here = f"sys/bus/pci/devices/{address}"
        self.link(f"{here}/driver", f"../../drivers/{driver}")
        if driver == device["kernel"] and device["interface"]:
            device["interface"] = self._new_interface()
            self.path(f"{here}/net/{device['interface']}").mkdir(parents=True)
        if driver == "vfio-pci" and device["group"] is not None:
            node = f"dev/vfio/{device['group']}"
            self.write(node)
            self.path(node).chmod(0o600)

    def _detach(self, address):
        device = self.devices[address]
        here = self.path(f"sys/bus/pci/devices/{address}")
        driver = os.path.basename(os.readlink(here / "driver"))
        (here / "driver").unlink()
        shutil.rmtree(here / "net", ignore_errors=True)
        if driver == device["kernel"] and device["interface"]:
            shutil.rmtree(self.path(f"sys/class/net/{device['interface']}"))
        if driver == "vfio-pci" and device["group"] is not None:
            self.path(f"dev/vfio/{device['group']}").unlink()
            if not os.listdir(self.path("dev/vfio")):
                self.path("dev/vfio").rmdir()

    def _taken(self, file):
        """What was written to a file that keeps nothing."""
        text = file.read_text().strip()
        if text:
            file.write_text("")
        return text

    def _functions(self, address, wanted):
        here = f"sys/bus/pci/devices/{address}"
        have = len(list(self.path(here).glob("virtfn*")))
        bus = int(address.split(":")[1], 16)
        driver = "igbvf" if self.read(f"{here}/sriov_drivers_autoprobe") == "1" else None
        for number in range(have, wanted):
            at = (bus << 8) + VIRTUAL_OFFSET + number * VIRTUAL_STRIDE
            name = f"0000:{at >> 8:02x}:{at >> 3 & 31:02x}.{at & 7}"
            self.add(name, driver=driver, group=100 + number)
            self.link(f"{here}/virtfn{number}", f"../{name}")
        if wanted == 0 and have:
            for number in range(have):
                link = self.path(f"{here}/virtfn{number}")
                name = os.path.basename(os.readlink(link))
                link.unlink()
                if self.path(f"sys/bus/pci/devices/{name}/driver").is_symlink():
                    self._detach(name)
                shutil.rmtree(self.path(f"sys/bus/pci/devices/{name}"))
                shutil.rmtree(self.path(f"sys/kernel/iommu_groups/{100 + number}"))
                del self.devices[name]

    def turn(self):
        """Acts on everything that was written since the last turn."""
        with self._lock:
            for address in list(self.devices):
                override = self.path(f"sys/bus/pci/devices/{address}/driver_override")
                if override.exists() and override.read_bytes() == b"\n":
                    override.write_text("(null)\n")
            for folder in self.path("sys/bus/pci/drivers").glob("*"):
                try:
                    leaving, coming = self._taken(folder / "unbind"), self._taken(folder / "bind")
                except FileNotFoundError:
                    continue  # being unloaded
                if leaving:
                    self._detach(leaving)
                if coming:
                    self._attach(coming, folder.name)
            probed = self._taken(self.path("sys/bus/pci/drivers_probe"))
            if probed and not self.path(f"sys/bus/pci/devices/{probed}/driver").is_symlink():
                override = self.read(f"sys/bus/pci/devices/{probed}/driver_override")
                self._attach(probed, self.devices[probed]["kernel"] if override == "(null)" else override)
            for file in self.path("sys/bus/pci/devices").glob("*/sriov_numvfs"):
                text = file.read_text().strip()
                if text:
                    self._functions(file.parent.name, int(text))

    def _watch(self):
        while not self._end.wait(LOOK_S):
            self.turn()

    # What a test compares.

    def dump(self):
        """Every file with its content and mode, every folder, every link; not our programs."""
        self.turn()
        found = {}
        with self._lock:
            for folder, folders, files in os.walk(self.root):
                for name in folders + files:
                    path = Path(folder) / name
                    key = str(path.relative_to(self.root))
                    if key.startswith("bin"):
                        continue
                    mode = stat.S_IMODE(path.lstat().st_mode)
                    if path.is_symlink():
                        found[key] = ("link", os.readlink(path))
                    elif path.is_dir():
                        found[key] = ("folder", mode)
                    else:
                        found[key] = ("file", mode, path.read_text())
        return found
