"""What binlane-hw proposes and does not do: the kernel command line, TuneD, binlaned's configuration.

The first two need a restart of the machine and belong to more than Binlane.
"""

from . import cores, mounts

COMMAND_LINE = "/proc/cmdline"
PROCESSORS = "/proc/cpuinfo"
TUNED = "/usr/sbin/tuned-adm"
TUNED_PROFILE = "cpu-partitioning"
TUNED_VARIABLES = "/etc/tuned/cpu-partitioning-variables.conf"
MIB_PER_PAGE = {"2M": 2, "1G": 1024}


def wanted_words(machine, request):
    words = []
    if request.driver == "vfio-pci" and not request.no_iommu:
        if "GenuineIntel" in machine.read(PROCESSORS):
            words.append("intel_iommu=on")
        # Devices of the kernel then reach memory untranslated and cost nothing; VFIO translates its own.
        words.append("iommu=pt")
    if request.page_size == "1G" and request.pages:
        # Memory is in one piece only at boot.
        total = sum(count for _, count in request.pages)
        words += ["hugepagesz=1G", f"hugepages={total}"]
    if request.cores and not machine.exists(TUNED):
        lanes = cores.parse(request.cores)
        others = cores.text_of(cores.present(machine) - lanes)
        lanes = cores.text_of(lanes)
        words += [f"isolcpus=managed_irq,domain,{lanes}", f"nohz_full={lanes}", f"rcu_nocbs={lanes}"]
        words += [f"irqaffinity={others}"] if others else []
    return words


def command_line(machine, request):
    have = machine.read(COMMAND_LINE).split()
    missing = [word for word in wanted_words(machine, request) if word not in have]
    if not missing:
        return []
    return [
        "Proposed for the kernel command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub",
        "and a restart of the machine):",
        "  " + " ".join(missing),
    ]


def tuned(machine, request):
    if not request.cores:
        return []
    if not machine.exists(TUNED):
        return [f"The package tuned has a profile, {TUNED_PROFILE}, that also moves other threads and",
                f"interrupts off the processors {request.cores}."]
    return [
        f"Proposed for TuneD, which keeps everything else off the processors {request.cores}:",
        f"  echo isolated_cores={request.cores} >>{TUNED_VARIABLES}",
        f"  tuned-adm profile {TUNED_PROFILE}",
    ]


def configuration(request):
    lines = []
    devices = [f'port = "dpdk:{address}"' for address in request.nics]
    if devices:
        lines.append("In /etc/binlane/binlaned.toml:")
        lines += [f"  {device}" for device in devices]
    if request.pages:
        total = sum(count for _, count in request.pages) * MIB_PER_PAGE[request.page_size]
        lines.append("  [eal]")
        lines.append(f'  arguments = ["-m", "{total}", "--huge-dir", "{mounts.HUGEPAGES}"]')
    elif request.driver == "uio_pci_generic" and devices:
        lines.append("UIO programs the NIC with physical addresses, so binlaned needs huge pages (--hugepages)")
        lines.append("and [eal] arguments without --no-huge.")
    if request.driver == "uio_pci_generic" or request.no_iommu:
        lines.append("Without an IOMMU binlaned has to run as root: User=root in a drop-in of its unit.")
    if request.cores:
        lines += ["  [lane]", f"  cpu = {min(cores.parse(request.cores))}"]
    return lines


def proposals(machine, request):
    """Lines of text."""
    return command_line(machine, request) + tuned(machine, request) + configuration(request)


