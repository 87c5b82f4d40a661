"""Kernel modules: what the drivers for user space need, and whether it is loaded."""

# The driver's own module is the last one; the first is what VFIO needs to program the IOMMU.
NEEDED = {
    "vfio-pci": ("vfio_iommu_type1", "vfio-pci"),
    "uio_pci_generic": ("uio_pci_generic",),
}
DRIVERS = tuple(NEEDED)
NO_IOMMU_SWITCH = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


def folder(name):
    return "/sys/module/" + name.replace("-", "_")


def loaded(machine, name):
    return machine.exists(folder(name))


def absent(machine, driver):
    return [name for name in NEEDED[driver] if not loaded(machine, name)]
