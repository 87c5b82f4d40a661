"""One step: a sentence, and the shell commands that carry it out.

`plan` prints the script of all steps and `up` gives the same text to sh, so neither can do what the
other does not. Every write to the kernel is followed by a look at its effect.
"""

import shlex
from dataclasses import dataclass

from . import kernel_modules, pci

# What the commands of all steps use. The kernel needs some milliseconds, or seconds for a large NIC.
PREAMBLE = r"""set -eu
step() { echo "$1"; }
# await CONDITION MESSAGE: until the condition holds, or for 10 s.
await() {
  tries=110
  until eval "$1"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then echo "$2" >&2; exit 1; fi
    if [ "$tries" -ge 100 ]; then sleep 0.01; else sleep 0.1; fi
  done
}
"""
HEREDOC_END = "END_OF_STATE"


@dataclass(frozen=True)
class Step:
    text: str
    shell: str


class Steps:
    """Makes steps, with all paths below the machine's root."""

    def __init__(self, machine):
        self.machine = machine

    def _path(self, name):
        return shlex.quote(str(self.machine.path(name)))

    def _write(self, name, value):
        return f"printf '%s\\n' {shlex.quote(str(value))} >{self._path(name)}"

    def load_module(self, name):
        return Step(f"load the kernel module {name}", f"modprobe {name}")

    def unload_module(self, name):
        return Step(
            f"unload the kernel module {name}",
            # modprobe may fail because a module that this one needed is used by another one.
            f"modprobe -r {name} 2>/dev/null || true\n"
            f"[ ! -e {self._path(kernel_modules.folder(name))} ] || echo 'the kernel module {name} stays loaded' >&2",
        )

    def override(self, address, driver):
        text = f"{address}: reserve it for {driver}" if driver else f"{address}: reserve it for no driver"
        return Step(text, self._write(f"{pci.folder(address)}/driver_override", driver))

    def unbind(self, address, driver):
        link = f"{self._path(pci.folder(address))}/driver"
        return Step(
            f"{address}: take it from {driver}",
            self._write(f"{pci.DRIVERS}/{driver}/unbind", address)
            + f"\nawait '[ ! -e {link} ]' '{address}: {driver} does not let go of it'",
        )

    def _await_driver(self, address, driver):
        link = f"{self._path(pci.folder(address))}/driver"
        return (
            f"\nawait '[ {link} -ef {self._path(f'{pci.DRIVERS}/{driver}')} ]'"
            f" '{address}: {driver} did not take it; dmesg says why'"
        )

    def probe(self, address, driver):
        """By the override."""
        return Step(
            f"{address}: give it to {driver}",
            self._write("/sys/bus/pci/drivers_probe", address) + self._await_driver(address, driver),
        )

    def bind(self, address, driver, module):
        """To exactly this driver; loads its module if it was unloaded meanwhile."""
        load = ""
        if module:
            load = f"[ -e {self._path(f'{pci.DRIVERS}/{driver}')} ] || modprobe {shlex.quote(module)}\n"
        return Step(
            f"{address}: give it back to {driver}",
            load
            # Loading the module may have bound it.
            + f"[ -e {self._path(pci.folder(address))}/driver ] || "
            + self._write(f"{pci.DRIVERS}/{driver}/bind", address)
            + self._await_driver(address, driver),
        )

    def give_node(self, address, group):
        """The group's number is known once the device is bound, and of a virtual function once it is."""
        return Step(
            f"{address}: let the group {group} open its device node",
            f"number=$(readlink {self._path(pci.folder(address))}/iommu_group)\n"
            f"node={self._path('/dev/vfio')}/${{number##*/}}\n"
            f"await '[ -e \"$node\" ]' \"$node does not appear\"\n"
            f'chgrp {shlex.quote(group)} "$node"\n'
            'chmod 0660 "$node"',
        )

    def restore_node(self, path, owner):
        return Step(
            f"give {path} back to whom it belonged",
            f"chown {owner['uid']}:{owner['gid']} {self._path(path)}\n"
            f"chmod {owner['mode']:04o} {self._path(path)}",
        )

    def set_functions(self, address, count, autoprobe):
        """No kernel driver takes the new functions, whatever the device does otherwise."""
        here = pci.folder(address)
        return Step(
            f"{address}: make {count} virtual functions",
            self._write(f"{here}/sriov_drivers_autoprobe", 0)
            + f"\n{self._write(f'{here}/sriov_numvfs', count)}"
            + f"\nawait '[ -e {self._path(here)}/virtfn{count - 1} ]'"
            + f" '{address}: its virtual functions do not appear'"
            + f"\n{self._write(f'{here}/sriov_drivers_autoprobe', autoprobe)}",
        )

    def remove_functions(self, address, autoprobe):
        here = pci.folder(address)
        return Step(
            f"{address}: remove its virtual functions",
            self._write(f"{here}/sriov_drivers_autoprobe", autoprobe)
            + f"\n{self._write(f'{here}/sriov_numvfs', 0)}"
            + f"\nawait '[ ! -e {self._path(here)}/virtfn0 ]'"
            + f" '{address}: its virtual functions do not disappear'",
        )

    def more_pages(self, file, count):
        here = self._path(file)
        return Step(
            f"{count} huge pages in {file}",
            self._write(file, count)
            + f"\nhave=$(cat {here})"
            + f'\n[ "$have" -ge {count} ] || {{ echo "the kernel found only $have of {count} huge pages'
            + ' in one piece: restart the machine, and run this before memory is in use" >&2; exit 1; }',
        )

    def fewer_pages(self, file, count):
        here = self._path(file)
        return Step(
            f"{count} huge pages in {file}, as before",
            self._write(file, count)
            + f"\nhave=$(cat {here})"
            + f'\n[ "$have" -le {count} ] || {{ echo "some process still uses huge pages: $have are left'
            + f', {count} are wanted" >&2; exit 1; }}',
        )

    def mount(self, point, page_size, gid):
        here = self._path(point)
        return Step(
            f"mount hugetlbfs at {point}",
            f"mkdir -p {here}\nmount -t hugetlbfs -o pagesize={page_size},gid={gid},mode=0770 hugetlbfs {here}",
        )

    def unmount(self, point):
        here = self._path(point)
        return Step(f"unmount {point}", f"umount {here}\nrmdir {here}")

    def switch_no_iommu(self, switch, value):
        here = self._path(switch)
        return Step(
            f"VFIO without an IOMMU: {value}",
            f'if [ ! -e {here} ]; then echo "this kernel has no VFIO without IOMMU'
            ' (CONFIG_VFIO_NOIOMMU; Debian\'s has not): use --driver uio_pci_generic" >&2; exit 1; fi\n'
            + self._write(switch, value),
        )

    def record(self, state, folder, file, replace):
        """Without `replace` an `up` that runs at the same time wins or loses, but is not overwritten."""
        where = self._path(f"{folder}/{file}")
        return Step(
            "record what was found, for `binlane-hw down`",
            f"mkdir -p -m 0700 {self._path(folder)}\n"
            + ("" if replace else "set -C\n")
            + f"cat >{where}{'.new' if replace else ''} <<'{HEREDOC_END}'\n{state.text()}\n{HEREDOC_END}"
            + (f"\nmv {where}.new {where}" if replace else "\nset +C"),
        )

    def forget(self, folder, file):
        return Step(
            "remove the record", f"rm -f {self._path(f'{folder}/{file}')}\nrmdir {self._path(folder)}"
        )


def script(steps):
    """One text for sh that carries out all steps, or stops at the first that fails."""
    parts = ["#!/bin/sh", PREAMBLE]
    parts += [f"step {shlex.quote(step.text)}\n{step.shell}\n" for step in steps]
    return "\n".join(parts)
