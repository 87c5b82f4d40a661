"""Chaos: processes are killed, stopped and restarted at random while clients write numbered rows.

Then the books are balanced from files and servers: whatever a client was told is committed has to
be there. In between, audits freeze the source's binlaned and read the replicas' journals as they
are on disk: what was acknowledged under a quorum must be held by a quorum at that very moment,
without the source's help.
"""

import json
import random
import subprocess
import threading
import time
from pathlib import Path

import pymysql

from . import chaos_audit, ledger, verify, waiting
from .chaos_plan import KILL, PAUSE, RESTART, plan
from .cluster import Cluster
from .load import Load, read_acknowledged
from .programs import REPOSITORY

MINUTES_DEFAULT = 1.0
REPLICAS = ("r1", "r2", "r3")
QUORUM_COUNT = 2
TIMEOUT_MS = 1_000
SERVER_TIMEOUT_MS = 5_000
JOURNAL_SIZE_MB = 8
CLIENTS = 8
PACE = 400
ROWS_PER_TRANSACTION = "1,1,3,1,20"
PORTS = {"vhost": "vhost:{run}/{name}.vhost", "udp": "udp"}
SMALL_SERVER = {"innodb-buffer-pool-size": "64M"}
# A client tries again for as long as a server may be away.
FAILURES_MAX = 100_000
CLIENT_PATIENCE_S = 40
# Bounds; none is a measure of what is normal.
RECOVER_S = 120
COMMITS_S = 60
SETTLE_S = 180
POLLS_S = 20
ROTATE_S = 30
# Polls of the server that must have ended before an audit believes the ledger.
POLLS_BEFORE_AUDIT = 3


def commit_name():
    done = subprocess.run(
        ["git", "-C", REPOSITORY, "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout.strip() or "unknown"


class Failure(Exception):
    """Something that must never happen did."""


class Chaos:
    def __init__(self, minutes, seed, port, say=print):
        self.minutes = minutes
        self.seed = seed
        self.port = port
        self.say = say
        self.cluster = Cluster(
            replica_names=REPLICAS,
            quorum=f"ANY {QUORUM_COUNT} ({', '.join(REPLICAS)})",
            timeout_ms=TIMEOUT_MS,
            server_timeout_ms=SERVER_TIMEOUT_MS,
            port=PORTS[port],
            journal_size_mb=JOURNAL_SIZE_MB,
            source_options=SMALL_SERVER,
            replica_options=SMALL_SERVER,
            name="chaos",
        )
        self.processes = {
            "source server": self.cluster.source,
            "source binlaned": self.cluster.daemon,
        }
        for replica in self.cluster.replicas:
            self.processes[f"{replica.name} server"] = replica.server
            self.processes[f"{replica.name} binlaned"] = replica.daemon
        self.ledger_file = self.cluster.daemon.data_dir / "ledger.jsonl"
        self.events_file = self.cluster.folder / "events.log"
        self.books = chaos_audit.Books()
        self.load = None
        self.begun = time.monotonic()
        self.rotators = []
        self.paused = set()
        self.down = frozenset()  # what was ended on purpose
        self.lost = []
        self.under_quorum = {}
        self.counts = {
            "kills": 0,
            "pauses": 0,
            "restarts": 0,
            "promotions": 0,
            "steps": 0,
            "audits": 0,
            "audited_rows": 0,
            "rotations": 0,
        }

    # --- the record ----------------------------------------------------------------------------

    def event(self, text):
        line = f"{time.monotonic() - self.begun:7.2f}s {text}"
        with open(self.events_file, "a", encoding="utf-8") as log:
            log.write(line + "\n")
        self.say(line)

    def until(self, condition, what, timeout_s):
        def checked():
            self.check_alive()
            return condition()

        return waiting.until(checked, what, timeout_s)

    def check_alive(self):
        """Nothing may end that was not killed: a failed assertion would show here."""
        for name, machine in self.processes.items():
            if machine not in self.down and not machine.process.alive:
                raise Failure(f"{name} ended by itself:\n{machine.process.log_tail()}")

    # --- faults --------------------------------------------------------------------------------

    def hit(self, name, kind):
        machine = self.processes[name]
        self.event(f"{kind}: {name}")
        if kind == KILL:
            self.counts["kills"] += 1
            self.down |= {machine}
            machine.kill()
        elif kind == PAUSE:
            self.counts["pauses"] += 1
            self.paused.add(name)
            machine.process.pause()
        elif kind == RESTART:
            self.counts["restarts"] += 1
            # A MariaDB that is still starting does not hear a SIGTERM, and would have to be killed.
            self.until(machine.answers, f"{name} to answer before it is asked to end", RECOVER_S)
            self.down |= {machine}
            if not machine.stop():
                raise Failure(f"{name} did not end when asked:\n{machine.process.log_tail()}")

    def heal(self, name):
        machine = self.processes[name]
        if name in self.paused:
            machine.process.resume()
            self.paused.discard(name)
            self.event(f"resumed: {name}")
            return
        machine.process.start()
        self.down -= {machine}
        self.event(f"started: {name}")

    def rotate(self):
        """FLUSH BINARY LOGS in the background: it may have to wait for whatever is broken."""

        def flush():
            try:
                self.cluster.source.query("FLUSH BINARY LOGS", ROTATE_S)
                self.counts["rotations"] += 1
            except pymysql.err.Error:
                pass  # the server is away; rotation is weather here, nothing rests on it

        self.rotators.append(threading.Thread(target=flush, daemon=True))
        self.rotators[-1].start()

    def promote(self, replica):
        raise Failure(f"promotion of {replica}: this run does not know how")

    def step(self, step):
        self.counts["steps"] += 1
        for hit in step.hits:
            self.hit(hit.target, hit.kind)
        if step.rotate:
            self.rotate()
        # How long a fault lasts is part of the fault; nothing is expected of this time.
        time.sleep(step.hold_s)
        for name in step.heal_order:
            self.heal(name)
        if step.promote:
            self.promote(step.promote)
        if step.settle or step.audit:
            self.settle()
        if step.audit:
            self.audit()

    # --- checks --------------------------------------------------------------------------------

    def in_semi_sync(self):
        source = self.cluster.source_status()
        return source.get("state") == "SEMISYNC" and source["server"]["status_on"]

    def settle(self):
        self.until(self.in_semi_sync, self.describe_source, RECOVER_S)
        mark = self.load.acknowledged_count() + 2 * CLIENTS
        self.until(
            lambda: self.load.acknowledged_count() >= mark,
            lambda: f"commits to go on\n{self.describe_source()}",
            COMMITS_S,
        )

    def describe_source(self):
        source = self.cluster.source_status()
        shown = {
            key: source.get(key)
            for key in ("state", "problem", "written", "synced", "quorum", "server", "dump")
        }
        replicas = [
            (r["name"], r["connected"], r["refusal"], r["durable"])
            for r in source.get("replicas") or []
        ]
        return f"semi-sync again; source {shown}, replicas {replicas}"

    def polls(self):
        counters = self.cluster.source_status().get("counters") or {}
        return counters.get("polls", 0)

    def audit(self):
        until_ns = time.monotonic_ns()
        goal = self.polls() + POLLS_BEFORE_AUDIT
        # What the server let go by itself until then stands in the ledger after its next polls.
        self.until(lambda: self.polls() >= goal, "the server to be polled", POLLS_S)
        daemon = self.cluster.daemon.process
        daemon.pause()
        try:
            acknowledged, _ = read_acknowledged(self.load.acknowledged_file)
            intervals, _ = ledger.read(self.ledger_file)
            binlogs = self.cluster.source.binlogs()
            copies = chaos_audit.copy_journals(self.cluster.replicas, self.cluster.folder)
        finally:
            daemon.resume()
        acknowledged = [t for t in acknowledged if t.ended_ns < until_ns]
        positions = self.books.read(binlogs)
        counted, missing = chaos_audit.under_quorum(acknowledged, positions, intervals)
        ends, differences = chaos_audit.held_by_replicas(copies, binlogs)
        losses = [f"row {row}: acknowledged, not in the source's binlogs" for row in missing]
        losses += chaos_audit.losses_without_source(counted, ends, QUORUM_COUNT)
        self.counts["audits"] += 1
        self.counts["audited_rows"] += len(counted)
        self.event(f"audit: {len(counted)} rows under quorum, journals end at {ends}")
        self.lost += losses
        if losses or differences:
            raise Failure(f"audit: {losses[:3]} {differences[:3]}")

    def finish(self):
        """Heals, waits until all have everything, and balances the books."""
        self.event("healed; ending the load")
        for rotator in self.rotators:
            rotator.join(ROTATE_S + 5)
        self.settle()
        self.audit()
        summary = self.load.stop()
        if summary["clients_that_gave_up"]:
            raise Failure(f"{summary['clients_that_gave_up']} clients gave up: {summary}")
        self.until(self.in_semi_sync, self.describe_source, RECOVER_S)
        self.cluster.wait_closed_ledger(SETTLE_S)
        binlogs = self.cluster.source.binlogs()
        for replica in self.cluster.replicas:
            self.until(
                lambda archive=replica.daemon.archive: verify.archive_at_end(binlogs, archive),
                f"{replica.name}'s archive to reach the end of the source's binlogs",
                SETTLE_S,
            )
        self.cluster.wait_replicas_applied(SETTLE_S)
        return self.verify(binlogs)

    def verify(self, binlogs):
        self.event("comparing archives, servers and what was acknowledged")
        problems = []
        for replica in self.cluster.replicas:
            problems += verify.archive_differences(binlogs, replica.daemon.archive)
        servers = [(replica.name, replica.server) for replica in self.cluster.replicas]
        problems += verify.table_differences(self.cluster.source, servers)
        acknowledged, in_doubt = read_acknowledged(self.load.acknowledged_file)
        intervals, exposed_groups = ledger.read(self.ledger_file)
        positions = self.books.read(binlogs)
        self.under_quorum, missing = chaos_audit.under_quorum(acknowledged, positions, intervals)
        self.lost += [f"row {row}: not in the source's binlogs" for row in missing]
        told = chaos_audit.keys(acknowledged)
        # No machine was lost, so even what was released without a quorum has to be everywhere.
        for name, server in [("source", self.cluster.source), *servers]:
            there = chaos_audit.rows_of_server(server)
            self.lost += [f"row {row}: not on {name}'s server" for row in told if row not in there]
        problems += [f"one GTID, two contents: {conflict}" for conflict in self.books.conflicts]
        return problems, {
            "acked": len(told),
            "acked_transactions": len(acknowledged),
            "acked_under_quorum": len(self.under_quorum),
            "in_doubt_transactions": len(in_doubt),
            "ledger_intervals": len(intervals),
            "exposed_groups": exposed_groups,
            "binlog_files": len(binlogs),
        }

    # --- the run -------------------------------------------------------------------------------

    def run(self):
        self.event(
            f"seed {self.seed}, commit {commit_name()}, {self.minutes:g} minutes, {self.port}; "
            f"quorum ANY {QUORUM_COUNT} of {len(REPLICAS)}; everything is in {self.cluster.folder}"
        )
        self.cluster.start()
        self.cluster.wait_closed_ledger()
        self.load = Load(
            self.cluster.folder / "load",
            self.cluster.source,
            clients=CLIENTS,
            pace=PACE,
            rows_per_transaction=ROWS_PER_TRANSACTION,
            failures_max=FAILURES_MAX,
            response_timeout=CLIENT_PATIENCE_S,
        ).start()
        self.settle()
        end = time.monotonic() + 60 * self.minutes
        steps = plan(self.seed, REPLICAS, promotions=False)
        while time.monotonic() < end:
            self.check_alive()
            self.step(next(steps))
        return self.finish()

    def close(self, keep):
        for name in sorted(self.paused):
            self.processes[name].process.resume()
        if self.cluster.daemon.process.alive:
            self.cluster.daemon.process.resume()
        if self.load is not None:
            self.load.process.stop()
        self.cluster.stop(remove=not keep)


def run(minutes=MINUTES_DEFAULT, json_path=None, seed=None, port="vhost", keep=False):
    """The process's exit status."""
    seed = random.SystemRandom().randrange(1 << 31) if seed is None else seed
    chaos = Chaos(minutes, seed, port, lambda line: print(line, flush=True))
    error, problems, result = None, [], {"acked": 0}
    try:
        problems, result = chaos.run()
    except (Exception, KeyboardInterrupt) as caught:  # pylint: disable=broad-except
        error = f"{type(caught).__name__}: {caught}"
        chaos.event(error)
    split_acks = chaos.books.split_acks(chaos.under_quorum)
    ok = error is None and not problems and not chaos.lost and not split_acks
    ok = ok and result["acked"] > 0 and chaos.counts["audits"] > 0
    result = {
        **chaos.counts,
        **result,
        "acked_lost": len(chaos.lost),
        "split_acks": len(split_acks),
        "ok": ok,
        "seed": seed,
        "port": port,
        "minutes": minutes,
        "commit": commit_name(),
        "error": error,
        "problems": [*problems, *chaos.lost, *map(str, split_acks)][:20],
    }
    chaos.close(keep=keep or not ok)
    for key, value in result.items():
        print(f"  {key:<22} {value}")
    if not ok:
        again = f"./dev chaos --minutes {minutes:g} --seed {seed} --port {port}"
        print(f"everything is kept in {chaos.cluster.folder}; again: {again}")
    print("OK" if ok else "FAILED", flush=True)
    if json_path:
        Path(json_path).write_text(json.dumps(result, indent=2) + "\n")
    return 0 if ok else 1
