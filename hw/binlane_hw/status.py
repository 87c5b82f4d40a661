"""How things are: NICs, huge pages, and whether what was recorded is still in force."""

from . import holders, hugepages, iommu, mounts, pci, virtual_functions


def nic_status(machine, network, device, state):
    entry = state.nic(device.address) if state else None
    return {
        "address": device.address,
        "id": f"{device.vendor.removeprefix('0x')}:{device.device.removeprefix('0x')}",
        "driver": device.driver,
        "override": device.override or None,
        "in_place": device.in_place,
        "iommu_group": device.group,
        "iommu_translates": iommu.translates(machine, device.group),
        "numa_node": device.node,
        "virtual_functions": virtual_functions.count(machine, device.address),
        "interfaces": list(device.interfaces),
        "in_use": [why for name in device.interfaces for why, _ in network.reasons(name)],
        "held_by": [
            {"process": process, "name": name}
            for process, name in holders.holders(machine, holders.nodes_of(machine, device))
        ],
        "ours": entry is not None,
    }


def pages_status(machine):
    return [
        {
            "node": node,
            "size": size,
            "count": hugepages.count(machine, node, kib),
            "free": hugepages.free(machine, node, kib),
        }
        for node in hugepages.nodes(machine)
        for size, kib in hugepages.SIZES_KIB.items()
        if hugepages.supported(machine, node, kib)
    ]


def differences(machine, state):
    """Sentences: what is no longer as `up` or `bind` set it."""
    found = []
    for entry in state.nics:
        device = pci.read_device(machine, entry["address"])
        if device is None:
            found.append(f"{entry['address']} is no longer there")
        elif device.driver != entry["driver"]:
            found.append(f"{entry['address']} is with {device.driver or 'no driver'}, not {entry['driver']}")
    for entry in state.functions:
        have = virtual_functions.count(machine, entry["address"])
        if have != entry["count"]:
            found.append(f"{entry['address']} has {have} virtual functions, not {entry['count']}")
    for entry in state.pages:
        file = hugepages.file_of(entry["node"], entry["size_kib"])
        have = machine.number(file)
        if have < entry["set"]:
            found.append(f"{file} is {have}, not {entry['set']}")
    if state.mount and not mounts.mounted(machine, state.mount):
        found.append(f"no hugetlbfs is mounted at {state.mount}")
    return found


def status(machine, network, state):
    return {
        "state": "down" if state is None else "up",
        "differences": differences(machine, state) if state else [],
        "iommu": iommu.present(machine),
        "nics": [nic_status(machine, network, device, state) for device in pci.nics(machine)],
        "hugepages": pages_status(machine),
        "hugetlbfs": mounts.mounted(machine),
    }


def text_of(found):
    lines = [
        f"binlane-hw: {found['state']}; IOMMU {'on' if found['iommu'] else 'off'}"
        f"; hugetlbfs at {mounts.HUGEPAGES}: {'mounted' if found['hugetlbfs'] else 'not mounted'}"
    ]
    lines += [f"DIFFERENT: {text}" for text in found["differences"]]
    for nic in found["nics"]:
        parts = [nic["address"], nic["id"], nic["driver"] or "no driver"]
        parts.append(f"node {nic['numa_node']}" if nic["numa_node"] >= 0 else "node unknown")
        if nic["iommu_group"] is not None:
            parts.append(f"IOMMU group {nic['iommu_group']}")
        if nic["ours"]:
            parts.append("given to DPDK")
        if nic["in_place"]:
            parts.append("works in place")
        if nic["virtual_functions"]:
            parts.append(f"{nic['virtual_functions']} virtual functions")
        parts += [f"held by {each['name']} ({each['process']})" for each in nic["held_by"]]
        lines.append("  ".join(parts + [name for name in nic["interfaces"]]))
        lines += [f"    {why}" for why in nic["in_use"]]
    lines += [
        f"node {row['node']}: {row['count']} huge pages of {row['size']}, {row['free']} free"
        for row in found["hugepages"]
    ]
    return "\n".join(lines)
