"""From a request and the machine to steps: what `plan` prints and `up` carries out."""

from dataclasses import dataclass, field

from . import hugepages, kernel_modules, mounts, pci, refusal, virtual_functions
from . import state as state_file
from .state import State
from .step import Steps


@dataclass
class Plan:
    refusals: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    notes: list = field(default_factory=list)  # sentences
    state: State = None


def placed_pages(machine, request):
    """The request's huge pages by node; without a node they go where the first NIC is."""
    addresses = [*request.nics, *(address for address, _ in request.functions)]
    device = pci.read_device(machine, addresses[0]) if addresses else None
    home = device.node if device is not None and device.node >= 0 else 0
    placed = {}
    for node, count in request.pages:
        node = home if node is None else node
        placed[node] = placed.get(node, 0) + count
    return placed


def find_refusals(machine, network, request):
    found = []
    for address in request.nics:
        found += refusal.of_nic(machine, network, address, request)
    for address, count in request.functions:
        found += refusal.of_functions(machine, address, count, request)
    for node, count in placed_pages(machine, request).items():
        found += refusal.of_pages(machine, node, count, request)
    if request.no_iommu and any(
        device is not None and device.group is not None
        for device in (pci.read_device(machine, address) for address in request.nics)
    ):
        found.append(
            refusal.Refusal("--no-iommu", "this machine's IOMMU is switched on", "leave the option out")
        )
    return found


class Planner:
    def __init__(self, machine, request):
        self.machine = machine
        self.request = request
        self.make = Steps(machine)
        self.plan = Plan(state=State(group=request.group))

    def _step(self, step):
        self.plan.steps.append(step)

    def _modules(self):
        absent = kernel_modules.absent(self.machine, self.request.driver)
        for name in absent:
            self._step(self.make.load_module(name))
        self.plan.state.modules = absent

    def _no_iommu(self):
        switch = kernel_modules.NO_IOMMU_SWITCH
        self.plan.state.no_iommu = self.machine.read(switch, "N")
        self._step(self.make.switch_no_iommu(switch, "Y"))

    def _nic(self, device):
        request, make = self.request, self.make
        node = f"/dev/vfio/{device.group}"
        owner = self.machine.owner(node) if device.group else None
        self.plan.state.nics.append({
            "address": device.address,
            "driver": request.driver,
            "created": False,
            "before": {
                "driver": device.driver,
                "module": device.module,
                "override": device.override,
                "interfaces": list(device.interfaces),
            },
            "node": {"path": node, **owner} if owner else None,
        })
        if device.driver != request.driver:
            self._step(make.override(device.address, request.driver))
            if device.driver:
                self._step(make.unbind(device.address, device.driver))
            self._step(make.probe(device.address, request.driver))
        self._node(device.address)

    def _node(self, address):
        if self.request.driver == "vfio-pci" and not self.request.no_iommu:
            self._step(self.make.give_node(address, self.request.group))

    def _functions(self, address, count):
        request, make = self.request, self.make
        autoprobe = virtual_functions.autoprobe(self.machine, address)
        self.plan.state.functions.append({"address": address, "count": count, "autoprobe": autoprobe})
        self._step(make.set_functions(address, count, autoprobe))
        for function in virtual_functions.addresses(self.machine, address, count):
            self.plan.state.nics.append({
                "address": function,
                "driver": request.driver,
                "created": True,
                "before": {"driver": None, "module": None, "override": "", "interfaces": []},
                "node": None,
            })
            self._step(make.override(function, request.driver))
            self._step(make.probe(function, request.driver))
            self._node(function)

    def _pages(self):
        size_kib = hugepages.SIZES_KIB[self.request.page_size]
        for node, count in placed_pages(self.machine, self.request).items():
            before = hugepages.count(self.machine, node, size_kib)
            entry = {"node": node, "size_kib": size_kib, "before": before, "set": before + count}
            self.plan.state.pages.append(entry)
            self._step(self.make.more_pages(hugepages.file_of(node, size_kib), before + count))
        if self.plan.state.pages and not mounts.mounted(self.machine):
            self.plan.state.mount = mounts.HUGEPAGES
            self._step(self.make.mount(mounts.HUGEPAGES, self.request.page_size, self.request.gid))

    def build(self, folder, earlier):
        devices = [pci.read_device(self.machine, address) for address in self.request.nics]
        moving = [device for device in devices if not device.in_place]
        for device in devices:
            if device.in_place:
                self.plan.notes.append(
                    f"{device.address} stays in place: DPDK works beside its driver {device.driver}"
                )
        if moving or self.request.functions:
            self._modules()
            if self.request.no_iommu:
                self._no_iommu()
        for address, count in self.request.functions:
            self._functions(address, count)
        for device in moving:
            self._nic(device)
        self._pages()
        if self.plan.steps:
            # First, so that whatever happens next can be undone.
            whole = self.plan.state if earlier is None else earlier.joined(self.plan.state)
            record = self.make.record(whole, folder, state_file.FILE, replace=earlier is not None)
            self.plan.steps.insert(0, record)
        return self.plan


def make_plan(machine, network, request, folder=state_file.FOLDER, earlier=None):
    """`earlier` is the record that a `bind` adds to."""
    refusals = find_refusals(machine, network, request)
    if refusals:
        return Plan(refusals=refusals)
    return Planner(machine, request).build(folder, earlier)
