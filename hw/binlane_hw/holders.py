"""Processes that have a device node open, such as /dev/vfio/3."""

import os

PROCESSES = "/proc"


def holders(machine, nodes):
    """Pairs of process id and program name. Only root sees the files of other users' processes."""
    found = []
    for name in machine.names(PROCESSES):
        if not name.isdigit():
            continue
        folder = f"{PROCESSES}/{name}/fd"
        for file in machine.names(folder):
            try:
                target = os.readlink(machine.path(f"{folder}/{file}"))
            except OSError:
                continue
            if target in nodes:
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
