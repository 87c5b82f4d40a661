"""IOMMU groups: what can reach memory together, and whether the IOMMU translates its addresses."""

from . import pci

GROUPS = "/sys/kernel/iommu_groups"
# The kernel's domain types that translate are DMA and DMA-FQ; identity passes addresses through.
TRANSLATES = "DMA"
# A group whose other devices have these drivers, or none, can be given away.
VIABLE = ("vfio-pci", "pci-stub")


def present(machine):
    return bool(machine.names(GROUPS))


def members(machine, group):
    return machine.names(f"{GROUPS}/{group}/devices")


def translates(machine, group):
    """False also without an IOMMU, when there is no group."""
    return group is not None and machine.read(f"{GROUPS}/{group}/type").startswith(TRANSLATES)


def others_in_use(machine, device, moving):
    """Devices of the same group that a kernel driver holds, so that VFIO would not give the group to
    anybody. Bridges belong to every group that they lead to. `moving` are moved as well."""
    found = []
    for address in members(machine, device.group) if device.group else []:
        other = pci.read_device(machine, address)
        if other is None or address in moving or other.is_bridge:
            continue
        if other.driver not in (None, *VIABLE):
            found.append(other)
    return found
