"""The virtual functions that a physical function has, and the addresses that new ones will get."""

from . import pci


def count(machine, address):
    return machine.number(f"{pci.folder(address)}/sriov_numvfs")


def most(machine, address):
    return machine.number(f"{pci.folder(address)}/sriov_totalvfs")


def autoprobe(machine, address):
    return machine.number(f"{pci.folder(address)}/sriov_drivers_autoprobe", 1)


def addresses(machine, address, wanted):
    """A function's routing id is its physical function's, plus an offset, plus a stride for each one
    before it (PCI Express, "SR-IOV"); the kernel shows both numbers."""
    domain, bus, slot, function = (int(part, 16) for part in pci.ADDRESS.fullmatch(address).groups())
    offset = machine.number(f"{pci.folder(address)}/sriov_offset")
    stride = machine.number(f"{pci.folder(address)}/sriov_stride")
    first = (bus << 8 | slot << 3 | function) + offset
    found = []
    for number in range(wanted):
        at = first + number * stride
        found.append(f"{domain:04x}:{at >> 8:02x}:{at >> 3 & 0x1F:02x}.{at & 7}")
    return found
