"""Huge pages of each memory node: how many there are, and how many more would fit."""

import re

NODES = "/sys/devices/system/node"
SIZES_KIB = {"2M": 2048, "1G": 1048576}
# This part of a node's memory stays with everything else.
KEPT_PART = 16
# What the kernel can free at once, beside what is free.
RECLAIMABLE = ("MemFree", "Active(file)", "Inactive(file)")


def nodes(machine):
    return [int(name[4:]) for name in machine.names(NODES) if re.fullmatch(r"node\d+", name)]


def file_of(node, size_kib):
    return f"{NODES}/node{node}/hugepages/hugepages-{size_kib}kB/nr_hugepages"


def supported(machine, node, size_kib):
    return machine.exists(file_of(node, size_kib))


def count(machine, node, size_kib):
    return machine.number(file_of(node, size_kib))


def free(machine, node, size_kib):
    return machine.number(file_of(node, size_kib).replace("nr_", "free_"))


def memory(machine, node):
    """KiB by name, such as MemTotal."""
    text = machine.read(f"{NODES}/node{node}/meminfo")
    return {name: int(kib) for name, kib in re.findall(r"Node \d+ ([\w()]+): +(\d+)", text)}


def room_kib(machine, node):
    """How much of a node's memory new huge pages may take."""
    found = memory(machine, node)
    return sum(found.get(name, 0) for name in RECLAIMABLE) - found.get("MemTotal", 0) // KEPT_PART
