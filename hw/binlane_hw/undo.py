"""From the record to the steps that restore what was found.

Only what `up` or `bind` set is restored: what somebody changed meanwhile is left, and said. It reads
the machine as it is now, so it also undoes an `up` that failed half-way, or a `down` that did.
"""

import re

from . import hugepages, kernel_modules, mounts, pci, refusal, virtual_functions
from . import state as state_file
from .plan import Plan
from .step import Steps


class Undo:
    def __init__(self, machine, state):
        self.machine = machine
        self.state = state
        self.make = Steps(machine)
        self.plan = Plan(state=state)

    def _step(self, step):
        self.plan.steps.append(step)

    def _note(self, text):
        self.plan.notes.append(text)

    def _nic(self, entry):
        address, before, ours = entry["address"], entry["before"], entry["driver"]
        device = pci.read_device(self.machine, address)
        if device is None:
            if not entry["created"]:
                self._note(f"{address} is no longer there")
            return
        self.plan.refusals += refusal.of_holders(self.machine, device)
        if entry["created"]:
            return  # it disappears with the other virtual functions
        if device.driver not in (ours, None, before["driver"]):
            self._note(f"{address} was given to {device.driver} meanwhile, and stays there")
            return
        if device.override != before["override"]:
            self._step(self.make.override(address, before["override"]))
        if device.driver != before["driver"]:
            if device.driver:
                self._step(self.make.unbind(address, device.driver))
            if before["driver"]:
                self._step(self.make.bind(address, before["driver"], before["module"]))
        node = entry["node"]
        if node and self.machine.owner(node["path"]) not in (None, _owner(node)):
            self._step(self.make.restore_node(node["path"], _owner(node)))

    def _functions(self, entry):
        address = entry["address"]
        have = virtual_functions.count(self.machine, address)
        if have not in (0, entry["count"]):
            self._note(f"{address} has {have} virtual functions, not our {entry['count']}: they stay")
        elif have or virtual_functions.autoprobe(self.machine, address) != entry["autoprobe"]:
            self._step(self.make.remove_functions(address, entry["autoprobe"]))

    def _pages(self, entry):
        file = hugepages.file_of(entry["node"], entry["size_kib"])
        have = self.machine.number(file)
        if have > entry["set"] or have < entry["before"]:
            self._note(f"somebody changed {file} to {have} meanwhile: it stays so")
        elif have != entry["before"]:
            self._step(self.make.fewer_pages(file, entry["before"]))

    def build(self, folder, remaining):
        for entry in sorted(self.state.nics, key=_by_interface):
            self._nic(entry)
        for entry in reversed(self.state.functions):
            self._functions(entry)
        if self.state.mount:
            # Files of a binlaned that was killed hold pages until the file system is gone.
            if mounts.mounted(self.machine, self.state.mount):
                self.plan.refusals += refusal.of_mount(self.machine, self.state.mount)
                self._step(self.make.unmount(self.state.mount))
        for entry in reversed(self.state.pages):
            self._pages(entry)
        switch = kernel_modules.NO_IOMMU_SWITCH
        if self.state.no_iommu and self.machine.read(switch, "N") != self.state.no_iommu:
            self._step(self.make.switch_no_iommu(switch, self.state.no_iommu))
        for name in reversed(self.state.modules):
            if kernel_modules.loaded(self.machine, name):
                self._step(self.make.unload_module(name))
        if remaining is None:
            self._step(self.make.forget(folder, state_file.FILE))
        else:
            self._step(self.make.record(remaining, folder, state_file.FILE, replace=True))
        return self.plan


def _by_interface(entry):
    """The kernel gives a new interface the lowest number that is free, so in this order each gets its own
    back. Where udev names interfaces by their place, any order would do."""
    return [[int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", name)]
            for name in entry["before"]["interfaces"]]


def _owner(node):
    return {key: node[key] for key in ("mode", "uid", "gid")}


def make_undo(machine, state, folder=state_file.FOLDER, remaining=None):
    """`remaining` is what an `unbind` of one NIC leaves on record."""
    return Undo(machine, state).build(folder, remaining)
