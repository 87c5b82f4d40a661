"""The verbs of binlane-hw."""

import grp
import json
import os
import sys
from pathlib import Path

from . import advice, exit_code, options
from . import state as state_file
from . import status as status_view
from .machine import Machine
from .network import Network
from .plan import make_plan
from .refusal import Refusal
from .request import Request
from .runner import StepFailed, run
from .step import script
from .undo import make_undo


def say(text):
    print(text, flush=True)


def complain(text):
    print(f"binlane-hw: {text}", file=sys.stderr, flush=True)


def refuse(refusals):
    for each in refusals:
        complain(f"refused: {each}")
    return exit_code.REFUSED


def comment(text):
    return "".join(f"# {line}\n" for line in text)


class Commands:
    def __init__(self, machine, network, arguments):
        self.machine = machine
        self.network = network
        self.arguments = arguments
        self.folder = arguments.state_dir
        self.state = state_file.load(machine, self.folder)

    def _needs_root(self):
        if self.machine.root == Path("/") and os.geteuid() != 0:
            return [Refusal(self.arguments.verb, "only root may do this", "use sudo")]
        return []

    def _request(self, nics, functions=(), pages=(), page_size="2M", cores=""):
        """With the group's number; the second value is why there is none."""
        name = self.arguments.group
        try:
            gid = grp.getgrnam(name).gr_gid
        except KeyError:
            return None, [
                Refusal(f"group {name}", "there is no such group", "run systemd-sysusers, or name it: --group")
            ]
        request = Request(
            nics=tuple(nics), functions=tuple(functions), driver=self.arguments.driver, pages=tuple(pages),
            page_size=page_size, group=name, gid=gid, no_iommu=self.arguments.no_iommu, cores=cores,
        )
        return request, []

    def _show(self, plan, proposals=()):
        say(script(plan.steps) + comment([*plan.notes, *proposals]).rstrip())
        return exit_code.DONE

    def _carry_out(self, plan):
        """None, or the step that failed."""
        for note in plan.notes:
            say(note)
        try:
            run(plan.steps, say)
        except StepFailed as error:
            complain(str(error))
            return error
        return None

    def _apply(self, plan, undo_record):
        """Carries a plan out, or restores what its first steps changed."""
        refusals = self._needs_root()
        if refusals:
            return refuse(refusals)
        failed = self._carry_out(plan)
        if failed is None:
            return exit_code.DONE
        if failed.done == 0:
            # Not even the record was made. One that is there is another call's.
            return exit_code.FAILED
        complain("undoing what was done")
        undo = make_undo(self.machine, plan.state, self.folder, undo_record)
        if undo.refusals or self._carry_out(undo):
            complain("not everything is undone: mend the cause, then run binlane-hw down")
        return exit_code.FAILED

    def _asked(self):
        """The plan of `plan` and `up`, with its request."""
        given = self.arguments
        if self.state is not None:
            return None, [
                Refusal("up", "NICs or huge pages are given to DPDK already", "run binlane-hw down first, or bind")
            ]
        if not (given.nic or given.vfs or given.hugepages):
            return None, [Refusal(given.verb, "nothing is asked for", "name a NIC: --nic ADDRESS")]
        request, refusals = self._request(
            dict.fromkeys(given.nic), given.vfs, given.hugepages, given.page_size, given.cores or ""
        )
        if refusals:
            return None, refusals
        plan = make_plan(self.machine, self.network, request, self.folder)
        return (request, plan), plan.refusals

    def plan(self):
        asked, refusals = self._asked()
        if refusals:
            return refuse(refusals)
        request, plan = asked
        return self._show(plan, advice.proposals(self.machine, request))

    def up(self):
        asked, refusals = self._asked()
        if refusals:
            return refuse(refusals)
        return self._apply(asked[1], None)

    def bind(self):
        nic = self.arguments.nic
        if self.state is not None and self.state.nic(nic):
            return refuse([Refusal(nic, "it is given to DPDK already", f"binlane-hw unbind {nic} takes it back")])
        request, refusals = self._request([nic])
        if refusals:
            return refuse(refusals)
        plan = make_plan(self.machine, self.network, request, self.folder, self.state)
        if plan.refusals:
            return refuse(plan.refusals)
        return self._show(plan) if self.arguments.dry_run else self._apply(plan, self.state)

    def _restore(self, undo):
        if undo.refusals:
            return refuse(undo.refusals)
        if self.arguments.dry_run:
            return self._show(undo)
        refusals = self._needs_root()
        if refusals:
            return refuse(refusals)
        return exit_code.FAILED if self._carry_out(undo) else exit_code.DONE

    def down(self):
        if self.state is None:
            nothing = "nothing is given to DPDK"
            say(comment([nothing]).rstrip() if self.arguments.dry_run else nothing)
            return exit_code.DONE
        return self._restore(make_undo(self.machine, self.state, self.folder))

    def unbind(self):
        nic = self.arguments.nic
        entry = self.state.nic(nic) if self.state else None
        if entry is None:
            return refuse([
                Refusal(nic, "binlane-hw did not give it to DPDK", f"driverctl unset-override {nic}")
            ])
        if entry["created"]:
            return refuse([
                Refusal(nic, "it is a virtual function that `up` made", "binlane-hw down removes all of them")
            ])
        leaving, staying = self.state.parted(nic)
        return self._restore(make_undo(self.machine, leaving, self.folder, staying))

    def status(self):
        found = status_view.status(self.machine, self.network, self.state)
        say(json.dumps(found, indent=1) if self.arguments.json else status_view.text_of(found))
        if found["differences"]:
            return exit_code.DIFFERENT
        return exit_code.DOWN if found["state"] == "down" else exit_code.DONE


def main(words=None, machine=None, network=None, environment=None):
    """`machine` and `network` are the real ones, unless a test gives others."""
    arguments = options.parser().parse_args(words)
    machine = machine or Machine()
    network = network or Network.of(machine, os.environ if environment is None else environment)
    try:
        return getattr(Commands(machine, network, arguments), arguments.verb)()
    except state_file.StateError as error:
        return refuse([Refusal("record", str(error), f"restart the machine, or remove {arguments.state_dir}")])
