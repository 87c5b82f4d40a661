"""`binlane-bench`'s comparison of commits: real servers, one mode after another, round after round.

Every figure of a row is of one cell: one mode, one load, one number of clients, one round. Nothing
is averaged here; tools/bench_ratios.py does that from the rows.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from lab.bench import modes as bench_modes
from lab.servers import admin, flavour
from lab.traffic import sysbench
from lab.bench.lab import BenchLab
from lab.bench.meter import Meter
from lab.bench.modes import HOT_ROW, INSERT, OPEN_LOOP, SYSBENCH
from lab.chaos.audit import copy_journals, held_by_replicas
from lab.traffic.load import Load
from lab.audit.verify import file_number

ROUNDS_DEFAULT = 5
BUDGET_DEFAULT_S = 3600
OPEN_LOOP_SHARE = 0.5  # of what the same mode did in a closed loop
# A load ends by itself; this much after its time it hangs.
LOAD_GRACE_S = 90
LATENCIES = ("p50_us", "p99_us", "p999_us", "max_us")


class Void(Exception):
    """A run whose figures must not be used, and why."""


class CommitBench:
    """All rounds of one run; `rows` fills during the run."""

    def __init__(self, rounds, seconds, budget_s, quick, say):
        self.rounds = rounds
        self.seconds = seconds
        self.end_s = time.monotonic() + budget_s
        self.say = say
        words = flavour.chosen()
        self.modes = bench_modes.modes(quick, words.fed)
        if not words.fed:
            self.say(f"no rows of replicas that execute what Binlane got: {words.not_yet()}")
        self.rows = []
        self.lab = BenchLab(max(mode.pollers for mode in self.modes))
        self.loads = 0
        # The longest that the modes of the ratios, and that any one mode, took in a round.
        self.ratios_took_s = 0
        self.mode_took_s = 0

    def run(self):
        with self.lab:
            self._prepare()
            for number in range(1, self.rounds + 1):
                self._round(number)
            self._check_journals()
        return self.rows

    def _prepare(self):
        """Every table exists, and no cell is the first to use it."""
        for options in ({}, {"hot_row": True}):
            self._load(clients=1, transactions=1, **options)
        if sysbench.installed():
            sysbench.prepare(self.lab.source)
        else:
            self.say("sysbench is not installed: no rows of it")

    def _round(self, number):
        # Forward and backward in turns, so that what changes in the course of a round hits all alike.
        ratios = [mode for mode in self.modes if mode.in_ratios][:: 1 if number % 2 else -1]
        begun = time.monotonic()
        for mode in ratios:
            self._mode(mode, number)
        self.ratios_took_s = max(self.ratios_took_s, time.monotonic() - begun)
        for mode in self.modes:
            if mode.in_ratios:
                continue
            # Each round of the ratios comes before everything else.
            reserved_s = (self.rounds - number) * self.ratios_took_s + self.mode_took_s
            if time.monotonic() + reserved_s > self.end_s:
                self.say(f"round {number}: no time for {mode.name} and what follows it")
                return
            self._mode(mode, number)

    def _mode(self, mode, number):
        begun = time.monotonic()
        try:
            self.lab.enter(mode)
            entered_s = time.monotonic() - begun
            labels = {
                "round": number,
                "remote_delay_us": mode.delay_us,
                "replicas_apply": mode.applies,
                "settings": self.lab.settings(mode),
            }
            for load, clients in mode.cells:
                if load != SYSBENCH or sysbench.installed():
                    self.rows.append(self._cell(mode, load, clients, labels))
            if mode.binlane:
                found = admin.request(self.lab.cluster(mode).daemon.admin_socket, "histograms")
                self.rows += stage_rows(mode, number, found["stages"])
        finally:
            self.lab.leave(mode)
        took_s = time.monotonic() - begun
        self.mode_took_s = max(self.mode_took_s, took_s)
        p50s = ", ".join(
            f"{row['load']} {row['clients']}: {row['p50_us']:.0f}"
            for row in self.rows
            if (row["name"], row["round"]) == (mode.name, number)
        )
        self.say(
            f"round {number} {mode.name} ({took_s:.1f} s, {entered_s:.1f} to begin): p50 in us {p50s}"
        )

    def _cell(self, mode, load, clients, labels):
        meter = Meter(
            self.lab.source,
            self.lab.replica_daemons(mode),
            self.lab.measured_processes(mode),
            self.lab.folder,
        )
        if load == SYSBENCH:
            result = sysbench.write_only(self.lab.source, clients, self.seconds)
        else:
            result = self._own_load(mode, load, clients)
        cost = meter.read()
        self.lab.check(mode)
        check(mode, cost, result, self.lab.flavour)
        commits = max(1, result["commits"])
        return {
            "name": mode.name,
            "clients": clients,
            **{key: result[key] for key in LATENCIES},
            "per_s": result["per_s"],
            "yes_tx": cost["yes_tx"],
            "no_tx": cost["no_tx"],
            "load": load,
            "commits": result["commits"],
            "device_flushes": cost["device_flushes"],
            "journal_writes": cost["journal_writes"],
            "cpu_s_per_1000_commits": 1000 * cost["cpu_s"] / commits,
            "rate": result.get("rate"),
            **labels,
        }

    def _own_load(self, mode, load, clients):
        options = {"clients": clients, "seconds": self.seconds}
        if load == HOT_ROW:
            options["hot_row"] = True
        if load == OPEN_LOOP:
            options["rate"] = OPEN_LOOP_SHARE * statistics.median(
                row["per_s"]
                for row in self.rows
                if (row["name"], row.get("load"), row.get("clients")) == (mode.name, INSERT, clients)
            )
        summary = self._load(**options)
        return {**summary, "per_s": summary["commits_per_second"], "rate": options.get("rate")}

    def _load(self, **options):
        self.loads += 1
        folder = self.lab.folder / f"load{self.loads}"
        load = Load(folder, self.lab.source, recorded=False, **options).start()
        try:
            summary = load.finish(options.get("seconds", 0) + LOAD_GRACE_S)
        finally:
            load.process.stop()
        if summary["errors"] or summary["clients_that_gave_up"]:
            raise Void(f"the load met errors: {summary}")
        return summary

    def _check_journals(self):
        """kill -9 of every replica right after the last commit: the journals must hold that commit."""
        ours = [mode for mode in self.modes if mode.binlane and not mode.applies]
        for mode in {mode.setup: mode for mode in reversed(ours)}.values():
            try:
                self.lab.enter(mode)
                self._load(clients=8, seconds=self.seconds)
                for daemon in self.lab.replica_daemons(mode):
                    daemon.kill()
                self._check_journals_of(mode)
            finally:
                self.lab.leave(mode)

    def _check_journals_of(self, mode):
        name, offset = self.lab.source.binlog_end()
        last_commit = (file_number(name), offset)
        copies = copy_journals(self.lab.cluster(mode).replicas, self.lab.folder)
        ends, differences = held_by_replicas(copies, self.lab.source.binlogs())
        if differences:
            raise Void(f"{mode.name}: {differences}")
        if not any(end >= last_commit for end in ends.values()):
            raise Void(f"{mode.name}: the last commit ends at {last_commit}, journals at {ends}")
        self.say(
            f"{mode.name}: after kill -9 the journals end at {ends}, the last commit at {last_commit}"
        )


def stage_rows(mode, number, stages):
    """Where the time of this mode's commits went, over all of its cells, as binlaned counted it."""
    return [
        {
            "name": "stage",
            "mode": mode.name,
            "stage": stage["stage"],
            "replica": stage["replica"],
            "round": number,
            "count": stage["count"],
            "p50_us": stage["p50_ns"] / 1000,
            "p99_us": stage["p99_ns"] / 1000,
            "p999_us": stage["p999_ns"] / 1000,
            "max_us": stage["max_ns"] / 1000,
        }
        for stage in stages
    ]


def check(mode, cost, result, words):
    """A run that silently went asynchronous must not pass, nor a baseline that waited."""
    if result["commits"] == 0:
        raise Void(f"{mode.name}: nothing was committed")
    # The load's own set-up may add to what was acknowledged.
    if mode.waits and (cost["no_tx"] or cost["yes_tx"] < words.yes_tx_min(result["commits"])):
        raise Void(
            f"{mode.name}: of {result['commits']} commits {cost['yes_tx']} were acknowledged, "
            f"{cost['no_tx']} were not"
        )
    if not mode.waits and (cost["yes_tx"] or cost["no_tx"]):
        raise Void(f"{mode.name}: semi-sync was on: {cost}")
    # A device without a volatile cache is asked for none.
    if cost["device_flushes"] and cost["device_flushes"] < cost["journal_writes"]:
        raise Void(f"{mode.name}: fewer flushes than durable writes of the journals: {cost}")


def run(rounds, seconds, budget_s, quick, json_path):
    """The process's exit status; the rows that were taken are written even when the run is void."""

    def say(text):
        print(text, file=sys.stderr, flush=True)

    bench = CommitBench(rounds, seconds, budget_s, quick, say)
    try:
        bench.run()
    finally:
        Path(json_path).write_text(json.dumps({"rows": bench.rows}, indent=1) + "\n")
    return 0
