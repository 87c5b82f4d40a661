"""What was found before `up` or `bind`, and what they set: all that `down` and `unbind` need.

The record is in a folder of root's below /run, so it disappears at a reboot together with everything
that it describes. It is not in /var/lib/binlane, because root runs commands made of it, and binlaned's
user may write there.
"""

import json
from dataclasses import asdict, dataclass, field

FOLDER = "/run/binlane-hw"
FILE = "state.json"
VERSION = 1


class StateError(Exception):
    """The record cannot be read."""


@dataclass
class State:
    group: str = ""
    # {"address", "driver", "created", "before": {"driver", "module", "override", "interfaces"},
    #  "node": {"path", "mode", "uid", "gid"} or None}
    nics: list = field(default_factory=list)
    functions: list = field(default_factory=list)  # {"address", "count", "autoprobe"}
    pages: list = field(default_factory=list)  # {"node", "size_kib", "before", "set"}
    mount: str = ""  # where we mounted hugetlbfs
    modules: list = field(default_factory=list)  # those that we loaded, in that order
    no_iommu: str = ""  # the switch's value before, if we changed it

    def text(self):
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    def nic(self, address):
        return next((entry for entry in self.nics if entry["address"] == address), None)

    def joined(self, other):
        """This and what a later `bind` adds."""
        return State(
            group=self.group,
            nics=self.nics + other.nics,
            functions=self.functions + other.functions,
            pages=self.pages + other.pages,
            mount=self.mount or other.mount,
            modules=self.modules + other.modules,
            no_iommu=self.no_iommu or other.no_iommu,
        )

    def parted(self, address):
        """What `unbind` undoes, and what remains; nothing remains after the last NIC."""
        leaving = State(group=self.group, nics=[self.nic(address)])
        staying = State(**{**asdict(self), "nics": [e for e in self.nics if e["address"] != address]})
        if not (staying.nics or staying.functions or staying.pages or staying.mount):
            return self, None
        return leaving, staying


def load(machine, folder=FOLDER):
    """None if nothing is recorded."""
    name = f"{folder}/{FILE}"
    if not machine.exists(name):
        return None
    try:
        found = json.loads(machine.read(name))
        if found.pop("version") != VERSION:
            raise ValueError("another version of binlane-hw wrote it")
        return State(**found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(f"cannot read {name}: {error}") from error
