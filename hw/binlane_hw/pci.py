"""PCI devices: which there are, who drives them, and which network interfaces they are."""

import re
from dataclasses import dataclass

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"
ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
NETWORK_CLASS = "0x02"
BRIDGE_CLASS = "0x06"
# Their DPDK drivers work beside the kernel's driver, so there is nothing to bind.
IN_PLACE = {"mlx5_core", "mlx4_core", "mana"}
# What sysfs shows in driver_override where nothing was written.
NO_OVERRIDE = ("", "(null)")


def full_address(text):
    """0000:01:00.0 for 01:00.0 and 0000:01:00.0; None for what is no PCI address."""
    text = text.lower()
    for candidate in (text, "0000:" + text):
        if ADDRESS.fullmatch(candidate):
            return candidate
    return None


@dataclass(frozen=True)
class PciDevice:
    address: str
    kind: str  # the class, such as 0x020000
    vendor: str
    device: str
    driver: str | None
    module: str | None  # of the driver
    override: str  # "" if there is none
    group: str | None  # the IOMMU group's number
    node: int  # -1 if the machine does not say
    interfaces: tuple

    @property
    def is_nic(self):
        return self.kind.startswith(NETWORK_CLASS)

    @property
    def is_bridge(self):
        return self.kind.startswith(BRIDGE_CLASS)

    @property
    def in_place(self):
        return self.driver in IN_PLACE


def folder(address):
    return f"{DEVICES}/{address}"


def interfaces(machine, address):
    """The names of a device's network interfaces; virtio's are one folder further down."""
    parents = [folder(address)]
    parents += [f"{folder(address)}/{n}" for n in machine.names(folder(address)) if n.startswith("virtio")]
    return tuple(name for parent in parents for name in machine.names(f"{parent}/net"))


def read_device(machine, address):
    """None if there is no such device."""
    here = folder(address)
    if not machine.exists(here):
        return None
    driver = machine.link(f"{here}/driver")
    override = machine.read(f"{here}/driver_override")
    return PciDevice(
        address=address,
        kind=machine.read(f"{here}/class"),
        vendor=machine.read(f"{here}/vendor"),
        device=machine.read(f"{here}/device"),
        driver=driver,
        module=machine.link(f"{DRIVERS}/{driver}/module") if driver else None,
        override="" if override in NO_OVERRIDE else override,
        group=machine.link(f"{here}/iommu_group"),
        node=machine.number(f"{here}/numa_node", -1),
        interfaces=interfaces(machine, address),
    )


def nics(machine):
    found = (read_device(machine, address) for address in machine.names(DEVICES))
    return [device for device in found if device.is_nic]
