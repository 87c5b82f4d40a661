"""Processes that have something open: a device node such as /dev/vfio/3, or a file of huge pages."""

import os

PROCESSES = "/proc"


def holders(machine, nodes=(), folder=None):
    """Of one of these nodes, or of a file in this folder: pairs of process id and program name. Only
    root sees the files of other users' processes."""
    found = []
    for name in machine.names(PROCESSES):
        if not name.isdigit():
            continue
        open_files = f"{PROCESSES}/{name}/fd"
        for file in machine.names(open_files):
            try:
                target = os.readlink(machine.path(f"{open_files}/{file}"))
            except OSError:
                continue
            if target in nodes or (folder and target.startswith(folder + "/")):
                found.append((int(name), machine.read(f"{PROCESSES}/{name}/comm", "?")))
                break
    return found


def nodes_of(machine, device):
    """The device nodes by which user space would hold this device."""
    found = []
    if device.group is not None:
        found += [f"/dev/vfio/{device.group}", f"/dev/vfio/noiommu-{device.group}"]
    found += [f"/dev/{name}" for name in machine.names(f"/sys/bus/pci/devices/{device.address}/uio")]
    return found
