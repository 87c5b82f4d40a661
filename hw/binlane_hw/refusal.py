"""Why a request is not carried out: every reason at once, each with a way out."""

from dataclasses import dataclass

from . import holders, hugepages, iommu, kernel_modules, pci, virtual_functions

# These make no network interface.
USER_SPACE_DRIVERS = (*kernel_modules.DRIVERS, "pci-stub", "igb_uio")


@dataclass(frozen=True)
class Refusal:
    what: str  # a PCI address, or what else it is about
    why: str
    way_out: str

    def __str__(self):
        return f"{self.what}: {self.why}. Way out: {self.way_out}."


def _held(what, found):
    if not found:
        return []
    words = ", ".join(f"{name} (process {process})" for process, name in found)
    return [Refusal(what, f"{words} holds it", "end that process first, as by systemctl stop binlaned")]


def of_holders(machine, device):
    return _held(device.address, holders.holders(machine, holders.nodes_of(machine, device)))


def of_mount(machine, point):
    """A hugetlbfs in which somebody has files open cannot be unmounted."""
    return _held(point, holders.holders(machine, folder=point))


def of_address(machine, address):
    """For what is no NIC of this machine."""
    device = pci.read_device(machine, address)
    if device is None:
        known = ", ".join(each.address for each in pci.nics(machine)) or "none"
        return [Refusal(address, "this machine has no such PCI device", f"name one of its NICs: {known}")]
    if not device.is_nic:
        return [
            Refusal(address, f"it is no NIC (class {device.kind})", "`binlane-hw status` lists the NICs")
        ]
    return []


def of_hidden(machine, device):
    """What depends on the device and does not show in this network namespace."""
    have = virtual_functions.count(machine, device.address)
    if have:
        return [
            Refusal(
                device.address,
                f"its {have} virtual functions would disappear",
                "give one of those to DPDK instead, or remove them",
            )
        ]
    if not device.interfaces and device.driver not in (None, *USER_SPACE_DRIVERS):
        return [
            Refusal(
                device.address,
                f"{device.driver} drives it, and its interface is not here: a container may have it",
                "end that container, or bring the interface back from its network namespace",
            )
        ]
    return []


def of_iommu(machine, device, request):
    found = []
    if request.driver == "vfio-pci" and device.group is None and not request.no_iommu:
        found.append(
            Refusal(
                device.address,
                "no IOMMU is switched on, and vfio-pci needs one",
                "switch VT-d or AMD-Vi on in the firmware and add intel_iommu=on to the kernel command "
                "line; or use --driver uio_pci_generic (binlaned then has to run as root); or use "
                "--no-iommu, with which whoever has the NIC can read and write all memory",
            )
        )
    if request.driver == "vfio-pci":
        moving = set(request.nics)
        for other in iommu.others_in_use(machine, device, moving):
            found.append(
                Refusal(
                    device.address,
                    f"it shares IOMMU group {device.group} with {other.address}, which {other.driver} uses",
                    "put the NIC into another slot, or give both devices away in one command",
                )
            )
    if request.driver == "uio_pci_generic" and iommu.translates(machine, device.group):
        found.append(
            Refusal(
                device.address,
                "the IOMMU translates its addresses, and under UIO it would receive nothing",
                "use vfio-pci, or add iommu=pt to the kernel command line and restart the machine",
            )
        )
    return found


def of_nic(machine, network, address, request):
    wrong = of_address(machine, address)
    if wrong:
        return wrong
    device = pci.read_device(machine, address)
    if device.in_place:
        return []
    found = of_hidden(machine, device) + [
        Refusal(address, why, way_out)
        for interface in device.interfaces
        for why, way_out in network.reasons(interface)
    ]
    return found + of_holders(machine, device) + of_iommu(machine, device, request)


def of_functions(machine, address, count, request):
    wrong = of_address(machine, address)
    if wrong:
        return wrong
    if address in request.nics:
        return [Refusal(address, "both --nic and --vfs name it", "leave one of them out")]
    device = pci.read_device(machine, address)
    most, have = virtual_functions.most(machine, address), virtual_functions.count(machine, address)
    if have:
        return [
            Refusal(address, f"it has {have} virtual functions already", "give those with --nic, or remove them")
        ]
    if count > most:
        return [
            Refusal(
                address,
                f"it can have {most} virtual functions, not {count}",
                "ask for fewer, or allow SR-IOV in the firmware",
            )
        ]
    if device.driver in (None, *USER_SPACE_DRIVERS):
        return [
            Refusal(
                address,
                f"the driver that makes virtual functions is the kernel's, and it has {device.driver or 'none'}",
                "give it back to its kernel driver first",
            )
        ]
    # A virtual function gets an IOMMU group of its own if its physical function has one.
    return of_iommu(machine, device, request) if device.group is None else []


def of_pages(machine, node, count, request):
    size_kib = hugepages.SIZES_KIB[request.page_size]
    if not hugepages.supported(machine, node, size_kib):
        return [
            Refusal(
                f"node {node}",
                f"there is no such memory node with pages of {request.page_size}",
                f"name one of the nodes {hugepages.nodes(machine)}, and 2M",
            )
        ]
    room = hugepages.room_kib(machine, node)
    if count * size_kib > room:
        fit = max(room // size_kib, 0)
        return [
            Refusal(
                f"node {node}",
                f"{count} more huge pages of {request.page_size} do not fit into its memory",
                f"{fit} would fit",
            )
        ]
    return []
