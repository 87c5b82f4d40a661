"""ChaosRun: what every chaos run does, whatever its cluster is like.

It draws steps from the seed, brings their faults upon processes and heals them, waits until commits
go on under semi-sync, and audits. A cluster's own part (which process is meant, what is read, how
the books are balanced) stands in chaos_flat.py and chaos_ha.py.
"""

import subprocess
import threading
import time
from dataclasses import dataclass

import pymysql

from lab.chaos import audit as chaos_audit
from lab.machine import waiting
from lab.chaos.plan import KILL, PAUSE, RESTART, plan
from lab.traffic.load import Load, read_acknowledged
from lab.machine.programs import REPOSITORY

TIMEOUT_MS = 1_000
SERVER_TIMEOUT_MS = 5_000
JOURNAL_SIZE_MB = 8
CLIENTS = 8
PACE = 400
ROWS_PER_TRANSACTION = "1,1,3,1,20"
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


@dataclass(frozen=True)
class Audit:
    rows: int  # under quorum
    ends: dict  # of the replicas' journals
    losses: list
    faults: list  # what else must not be


class Failure(Exception):
    """Something that must never happen did."""


class ChaosRun:
    # Names of the replicas in the plan, and whether it draws promotions.
    REPLICAS = ()
    PROMOTIONS = False

    def __init__(self, minutes, seed, port, say, cluster):
        self.minutes = minutes
        self.seed = seed
        self.port = port
        self.say = say
        self.cluster = cluster
        self.events_file = cluster.folder / "events.log"
        self.books = chaos_audit.Books(flavour=cluster.flavour)
        self.load = None
        self.begun = time.monotonic()
        self.rotators = []
        self.paused = {}  # process: its label
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

    # --- what a cluster says for itself ----------------------------------------------------------

    @property
    def source_server(self):
        raise NotImplementedError

    @property
    def source_daemon(self):
        raise NotImplementedError

    def machines(self):
        """{label: server or daemon} of everything there is."""
        raise NotImplementedError

    def machine(self, target):
        """(label, machine) of a plan's target, as things stand now."""
        raise NotImplementedError

    def start_cluster(self):
        raise NotImplementedError

    def load_target(self):
        """The load's server and further options."""
        raise NotImplementedError

    def promote(self, promotion):
        raise NotImplementedError

    def evidence(self):
        """What an audit needs of the disks, read while the source's binlaned is stopped."""
        raise NotImplementedError

    def judge(self, acknowledged, evidence):
        """Audit: the transactions that were acknowledged by then, against the evidence."""
        raise NotImplementedError

    def wait_equal(self):
        """Until everybody has all that the source has."""
        raise NotImplementedError

    def verify(self):
        """(what is wrong, figures), when all is quiet."""
        raise NotImplementedError

    # --- the books -----------------------------------------------------------------------------

    def audit(self):
        """What was acknowledged under a quorum is held by one, now, without the source's help."""
        until_ns = time.monotonic_ns()
        self.wait_polls()
        daemon = self.source_daemon.process
        daemon.pause()
        try:
            acknowledged, _ = read_acknowledged(self.load.acknowledged_file)
            evidence = self.evidence()
        finally:
            daemon.resume()
        audit = self.judge([t for t in acknowledged if t.ended_ns < until_ns], evidence)
        self.counts["audits"] += 1
        self.counts["audited_rows"] += audit.rows
        self.event(f"audit: {audit.rows} rows under quorum, journals end at {audit.ends}")
        self.lost += audit.losses
        if audit.losses or audit.faults:
            raise Failure(f"audit: {audit.losses[:3]} {audit.faults[:3]}")

    def split_acks(self):
        return self.books.split_acks(self.under_quorum)

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
        for name, machine in self.machines().items():
            if machine not in self.down and not machine.process.alive:
                raise Failure(f"{name} ended by itself:\n{machine.process.log_tail()}")

    # --- faults --------------------------------------------------------------------------------

    def hit(self, label, machine, kind):
        self.event(f"{kind}: {label}")
        if kind == KILL:
            self.counts["kills"] += 1
            self.down |= {machine}
            machine.kill()
        elif kind == PAUSE:
            self.counts["pauses"] += 1
            self.paused[machine] = label
            machine.process.pause()
        elif kind == RESTART:
            self.counts["restarts"] += 1
            self.restart_begins(label, machine)

    def restart_begins(self, label, machine):
        # A server that is still starting does not hear a SIGTERM, and would have to be killed.
        self.until(machine.answers, f"{label} to answer before it is asked to end", RECOVER_S)
        self.down |= {machine}
        if not machine.stop():
            raise Failure(f"{label} did not end when asked:\n{machine.process.log_tail()}")

    def heal(self, label, machine):
        if machine in self.paused:
            machine.process.resume()
            del self.paused[machine]
            self.event(f"resumed: {label}")
        elif machine in self.down:
            machine.process.start()
            self.down -= {machine}
            self.event(f"started: {label}")

    def rotate(self):
        """FLUSH BINARY LOGS in the background: it may have to wait for whatever is broken."""
        server = self.source_server

        def flush():
            try:
                server.query("FLUSH BINARY LOGS", ROTATE_S)
                self.counts["rotations"] += 1
            except pymysql.err.Error:
                pass  # the server is away; rotation is weather here, nothing rests on it

        self.rotators.append(threading.Thread(target=flush, daemon=True))
        self.rotators[-1].start()

    def step(self, step):
        self.counts["steps"] += 1
        meant = {hit.target: self.machine(hit.target) for hit in step.hits}
        for hit in step.hits:
            self.hit(*meant[hit.target], hit.kind)
        if step.rotate:
            self.rotate()
        # How long a fault lasts is part of the fault; nothing is expected of this time.
        time.sleep(step.hold_s)
        for target in step.heal_order:
            self.heal(*meant[target])
        if step.promote:
            self.promote(step.promote)
        if step.settle or step.audit:
            self.settle()
        if step.audit:
            self.audit()

    # --- checks --------------------------------------------------------------------------------

    def source_status(self):
        return (self.source_daemon.try_status() or {}).get("source") or {}

    def in_semi_sync(self):
        source = self.source_status()
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
        source = self.source_status()
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
        counters = self.source_status().get("counters") or {}
        return counters.get("polls", 0)

    def wait_polls(self):
        """Waits until the ledger records what the server has released by itself so far."""
        goal = self.polls() + POLLS_BEFORE_AUDIT
        self.until(lambda: self.polls() >= goal, "the server to be polled", POLLS_S)

    def wait_closed_ledger(self):
        self.until(
            lambda: (self.source_status().get("ledger") or {}).get("open") == 0,
            lambda: f"the ledger's intervals to close: {self.source_status().get('ledger')}",
            SETTLE_S,
        )

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
        self.wait_closed_ledger()
        self.wait_equal()
        self.event("comparing archives, servers and what was acknowledged")
        return self.verify()

    # --- the run -------------------------------------------------------------------------------

    def run(self):
        self.event(
            f"seed {self.seed}, commit {commit_name()}, {self.minutes:g} minutes, {self.port}; "
            f"everything is in {self.cluster.folder}"
        )
        self.start_cluster()
        self.wait_closed_ledger()
        server, options = self.load_target()
        self.load = Load(
            self.cluster.folder / "load",
            server,
            clients=CLIENTS,
            pace=PACE,
            rows_per_transaction=ROWS_PER_TRANSACTION,
            failures_max=FAILURES_MAX,
            response_timeout=CLIENT_PATIENCE_S,
            **options,
        ).start()
        self.settle()
        end = time.monotonic() + 60 * self.minutes
        steps = plan(self.seed, self.REPLICAS, promotions=self.PROMOTIONS)
        while time.monotonic() < end:
            self.check_alive()
            self.step(next(steps))
        return self.finish()

    def close(self, keep):
        for machine in self.machines().values():
            if machine.process.alive:
                machine.process.resume()
        if self.load is not None:
            self.load.process.stop()
        self.cluster.stop(remove=not keep)
