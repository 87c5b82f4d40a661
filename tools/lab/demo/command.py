"""The demo: a commit on a real server waits for durable replicas, through every kind of kill -9.

The load runs from the first to the last second. One after the other: one replica's binlaned dies
(nobody notices), the other dies too (after the timeout commits go on, on the record), both come
back (catch-up, and semi-sync again by itself), the source's binlaned dies and comes back; binlogs
rotate all the while. Then the books are balanced, from the files themselves.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from lab.audit import ledger, rows, verify
from lab.machine import waiting
from lab.servers.cluster import Cluster
from lab.demo.display import Display, duration
from lab.traffic.load import Load, read_acknowledged
from lab.demo.watch import Rotator, Watch

SECONDS_MIN = 20
SECONDS_DEFAULT = 30
TIMEOUT_MS = 1000
SERVER_TIMEOUT_MS = 5000
QUORUM_COUNT = 1
CLIENTS = 8
# Transactions per second the load aims at: enough to fill every group commit and pipeline, and
# what two replicas on the same two cores can apply.
PACE = 1000
ROWS_PER_TRANSACTION = "1,1,1,10"
ROTATIONS = 12
# Shares of the run's length at which the next thing happens.
FIRST_KILL_AT = 0.10
SECOND_KILL_AT = 0.25
RESTART_AT = 0.45
SOURCE_KILL_AT = 0.70
# Bounds; none is a measure of what is normal.
BEGIN_S = 20
DEGRADE_S = 20
RECOVER_S = 90
SETTLE_S = 90
COMMITS_S = 20


class Demo:
    def __init__(self, seconds, display):
        self.seconds = max(SECONDS_MIN, seconds)
        self.display = display
        self.cluster = Cluster(
            timeout_ms=TIMEOUT_MS,
            server_timeout_ms=SERVER_TIMEOUT_MS,
            quorum=f"ANY {QUORUM_COUNT} (r1, r2)",
            name="demo",
        )
        self.flavour = self.cluster.flavour
        self.watch = Watch(self.cluster, display)
        self.load = None
        self.rotator = None
        self.ledger_file = self.cluster.daemon.data_dir / "ledger.jsonl"
        # The ledger also records a server whose semi-sync is off when binlaned starts.
        self.exposed_before = 0
        self.checks = []
        self.result = {}

    def event(self, text):
        at = f"{self.watch.elapsed_s:5.1f}s " if self.load else "       "
        self.display.event(f"{at} {text}")

    def check(self, good, text):
        self.checks.append({"ok": bool(good), "check": text})
        if not good:
            self.event(f"NOT TRUE: {text}")

    def until(self, condition, what, timeout_s):
        return waiting.until(condition, what, timeout_s, self.watch.tick)

    def until_share(self, share):
        """Lets the run continue until this share of its length has passed."""
        end = self.watch.begun + share * self.seconds
        while time.monotonic() < end:
            self.watch.tick()

    def commits_go_on(self, what):
        """Waits until every client could have committed again; a stall is a failed demo."""
        mark = self.load.acknowledged_count() + 4 * CLIENTS
        self.until(lambda: self.load.acknowledged_count() >= mark, what, COMMITS_S)

    def run(self):
        self.event(
            f"starting a source and two replicas on {self.flavour.product}, each with its binlaned; "
            "quorum ANY 1"
        )
        self.cluster.start()
        if not self.flavour.fed:
            self.event(f"NOT SHOWN: {self.flavour.not_yet()}: their servers stay empty")
        self.cluster.wait_closed_ledger()
        self.exposed_before = ledger.read(self.ledger_file)[1]
        self.load = Load(
            self.cluster.folder / "load",
            self.cluster.source,
            clients=CLIENTS,
            pace=PACE,
            rows_per_transaction=ROWS_PER_TRANSACTION,
        )
        self.watch.start(self.load)
        self.rotator = Rotator(self.cluster.source, self.seconds / ROTATIONS)
        self.rotator.start()
        self.event("semi-sync is on, the load runs")
        self.commits_go_on("the first commits")
        self.kill_one_replica()
        self.kill_the_other()
        self.start_both()
        self.kill_the_source()
        self.until_share(1.0)
        self.finish_load()
        self.verify()

    def kill_one_replica(self):
        self.until_share(FIRST_KILL_AT)
        degrades = self.watch.degrades.value
        self.event("kill -9: binlaned of r1")
        self.cluster.replica("r1").daemon.kill()
        self.commits_go_on("commits with one replica of two")
        self.until_share(SECOND_KILL_AT)
        self.check(
            self.watch.state == "SEMISYNC" and self.watch.degrades.value == degrades,
            "with one replica of two gone, semi-sync stayed on without a degrade",
        )

    def kill_the_other(self):
        self.event("kill -9: binlaned of r2, so that no quorum is left")
        entries = self.watch.ledger.get("entries", 0)
        self.cluster.replica("r2").daemon.kill()
        self.until(self._degraded, "the degrade, here and at the server", DEGRADE_S)
        self.event(f"degraded after the timeout of {TIMEOUT_MS} ms; commits go on, on the record")
        self.check(
            self.watch.ledger.get("open", 0) >= 1 and self.watch.ledger["entries"] > entries,
            "the ledger has grown by an interval, and it is open",
        )
        self.commits_go_on("commits while degraded")
        self.until_share(RESTART_AT)

    def _degraded(self):
        return self.watch.state == "ASYNC" and self.watch.server_status == "OFF"

    def _in_semi_sync(self):
        return self.watch.state == "SEMISYNC" and self.watch.server_status == "ON"

    def start_both(self):
        self.event("starting both again")
        for replica in self.cluster.replicas:
            replica.daemon.start()
        self.until(self._in_semi_sync, "semi-sync again by itself", RECOVER_S)
        self.event("caught up, and semi-sync again by itself")
        self.commits_go_on("commits after the recovery")
        self.until_share(SOURCE_KILL_AT)

    def kill_the_source(self):
        self.event("kill -9: binlaned of the source, and start")
        self.watch.look()
        self.cluster.daemon.kill()
        self.cluster.daemon.start()
        self.until(self._in_semi_sync, "semi-sync after the source's restart", RECOVER_S)
        self.event("semi-sync again")
        self.commits_go_on("commits after the source's restart")

    def finish_load(self):
        self.rotator.stop()
        self.event("ending the load")
        summary = self.load.stop()
        self.watch.look()
        self.until(self._in_semi_sync, "semi-sync at the end", RECOVER_S)
        self.cluster.wait_closed_ledger(SETTLE_S, self.watch.tick)
        self.check(not self.rotator.errors, f"rotations without an error {self.rotator.errors[:1]}")
        self.check(summary["clients_that_gave_up"] == 0, "no client gave up")
        self.result.update(
            commits=summary["commits"],
            rows=summary["rows"],
            commit_p50_us=summary["p50_us"],
            commit_p99_us=summary["p99_us"],
            commit_max_us=summary["max_us"],
            errors=summary["errors"],
            rotations=self.rotator.rotations,
            semi_sync_commits=self.watch.semi_sync_commits.value,
            degrades=self.watch.degrades.value,
            recoveries=self.watch.recoveries.value,
            states=self.watch.states,
        )

    def verify(self):
        self.event("comparing the archives with the source's binlogs, byte by byte")
        binlogs = self.cluster.source.binlogs()
        written = verify.lengths(binlogs)
        archives = [replica.daemon.archive for replica in self.cluster.replicas]
        for archive in archives:
            self.until(
                lambda archive=archive: verify.archive_at_end(written, archive),
                f"{archive} to reach the end of the source's binlogs",
                SETTLE_S,
            )
        differences = [d for archive in archives for d in verify.archive_differences(written, archive)]
        self.check(not differences, f"archives are identical {differences[:3]}")

        replicas_identical = self.compare_tables() if self.flavour.fed else None

        self.event("looking up every acknowledged row in the archives")
        intervals, exposed = ledger.read(self.ledger_file)
        exposed -= self.exposed_before
        acknowledged, _ = read_acknowledged(self.load.acknowledged_file)
        rows_under_quorum, losses = verify.acknowledged_losses(
            acknowledged,
            rows.rows_of_files(binlogs, self.flavour),
            [
                rows.rows_of_files([archive / b.name for b in binlogs], self.flavour)
                for archive in archives
            ],
            intervals,
            QUORUM_COUNT,
        )
        self.check(not losses, f"no acknowledged row is lost {losses[:3]}")
        self.check(
            len(acknowledged) == self.result["commits"],
            "the acknowledged log and the load's count agree",
        )
        self.check(self.result["degrades"] >= 1, "there was a degrade")
        self.check(self.result["recoveries"] >= 1, "there was a recovery")
        self.check(self.result["semi_sync_commits"] > 0, "commits waited for their quorum")
        self.check(exposed > 0, "the ledger names the commits that were exposed")
        self.count_commits(exposed)
        self.result.update(
            exposed_commits=exposed,
            archives_identical=not differences,
            replicas_identical=replicas_identical,
            not_shown=self.flavour.not_yet(),
            acked_lost=len(losses),
            rows_under_quorum=rows_under_quorum,
            binlog_files=len(binlogs),
            binlog_bytes=sum(binlog.stat().st_size for binlog in binlogs),
        )

    def compare_tables(self):
        self.event("comparing the tables of the three servers")
        self.cluster.wait_replicas_applied()
        tables = verify.table_differences(self.cluster.source, self.cluster.followers)
        self.check(not tables, f"replicas are identical {tables[:3]}")
        return not tables

    def count_commits(self, exposed):
        """The server counts who waited for a quorum, the ledger who did not; the load is not the
        only one that commits, so together they may count more than the load does, never less."""
        if not self.flavour.counts_commits:
            self.event(
                f"{self.flavour.product} counts groups of commits that waited, not commits, so "
                "their sum is not compared with the load's; every row was looked up"
            )
            return
        unaccounted = self.result["commits"] - self.result["semi_sync_commits"] - exposed
        self.check(unaccounted <= 0, f"every commit waited or is on the record ({unaccounted})")


def server_facts(server):
    version = server.query("SELECT VERSION()")[0][0]
    return {"name": server.flavour.product, "version": version}


def print_result(result, stream=sys.stdout):
    for key, value in result.items():
        if key == "checks":
            continue
        if key.endswith("_us"):
            value = duration(value)
        print(f"  {key:<20} {value}", file=stream)
    print("OK" if result["ok"] else "FAILED", file=stream)


def save_logs(cluster):
    """Keeps what explains a failure; the data folders go."""
    kept = Path(tempfile.mkdtemp(prefix="binlane-demo-logs-"))
    for process in [d.process for d in cluster.daemons] + [s.process for s in cluster.servers]:
        if process.log_file.exists():
            name = "-".join(process.log_file.relative_to(cluster.folder).parts)
            (kept / name).write_bytes(process.log_file.read_bytes())
    return kept


def run(seconds=SECONDS_DEFAULT, json_path=None):
    """The process's exit status."""
    demo = Demo(seconds, Display())
    error = None
    try:
        demo.run()
        demo.result["server"] = server_facts(demo.cluster.source)
    except (Exception, KeyboardInterrupt) as caught:  # pylint: disable=broad-except
        error = f"{type(caught).__name__}: {caught}"
        demo.event(error)
    ok = error is None and all(check["ok"] for check in demo.checks)
    try:
        if not ok:
            demo.event(f"logs are in {save_logs(demo.cluster)}")
        if demo.rotator is not None and demo.rotator.is_alive():
            demo.rotator.stop()
        if demo.load is not None:
            demo.load.process.stop()
    finally:
        demo.cluster.stop()
    demo.result.update(ok=ok, error=error, checks=demo.checks)
    print_result(demo.result)
    if json_path:
        Path(json_path).write_text(json.dumps(demo.result, indent=2) + "\n")
    return 0 if ok else 1
