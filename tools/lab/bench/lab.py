"""The servers and daemons of the comparison of commits, brought into one mode after another.

The source's server runs from the first round to the last. All else is started for a mode and ended
after it, so that a round of the baseline shares the machine with nothing: check() reads that from the
processes themselves.
"""

import sys

from lab.machine import waiting
from lab.bench.modes import UDP, VHOST
from lab.servers.cluster import Cluster
from lab.machine.process import Process

SETTLE_S = 60
# What "for ever" means in a round: a run that waits this long for an ACK went wrong.
TIMEOUT_MS = 60_000
USER = "bench"
PASSWORD = "bench"
POLLER = "import os\nwhile True: os.sched_yield()"
SETTINGS = (
    "version",
    "sync_binlog",
    "innodb_flush_log_at_trx_commit",
    "innodb_flush_method",
    "binlog_format",
)
SEMI_SYNC_SETTINGS = ("enabled", "wait_point", "timeout")


class BenchLab:
    """Use as a context manager; enter(mode) and leave(mode) in between."""

    def __init__(self, pollers_max):
        first = Cluster(("r1",), timeout_ms=TIMEOUT_MS, name="bench1")
        self.folder = first.folder
        self.source = first.source
        self.flavour = first.flavour
        # By BenchMode.setup, each with a state of its own: a change of the quorum rule would need the
        # replicas of both rules, and is not what is compared.
        shared = {"timeout_ms": TIMEOUT_MS, "source": first.source}
        self.clusters = {
            (1, VHOST): first,
            (2, VHOST): Cluster(("r1", "r2"), name="bench2", **shared),
            (1, UDP): Cluster(("r1",), name="bench3", port=UDP, **shared),
        }
        self.stock = first.replica("r1").server
        self.pollers = [
            Process(
                [sys.executable, "-c", POLLER],
                self.folder / f"poller{i}.pid",
                self.folder / "poller.log",
            )
            for i in range(pollers_max)
        ]

    def __enter__(self):
        try:
            for server in (self.source, self.stock):
                server.initialize()
                server.start()
            self.clusters[1, VHOST].create_user()
            self.source.create_account(USER, PASSWORD, "REPLICATION SLAVE", "127.0.0.1")
            self.stock.stop()
        except BaseException:
            self._stop(remove=False)
            raise
        return self

    def __exit__(self, kind, *_):
        self._stop(remove=kind is None)

    def _stop(self, remove):
        for poller in self.pollers:
            poller.stop()
        for cluster in reversed(self.clusters.values()):
            cluster.stop(remove)
        if not remove:
            kept = " ".join(str(cluster.folder) for cluster in self.clusters.values())
            print(f"kept: {kept}", file=sys.stderr)

    def cluster(self, mode):
        """The daemons that this mode of Binlane has."""
        return self.clusters[mode.setup]

    def replica_daemons(self, mode):
        """The replicas' binlaned of this mode."""
        return [replica.daemon for replica in self.cluster(mode).replicas] if mode.binlane else []

    def every_process(self):
        """{name: (Process, whether a mode has it)} of all but the source's server."""
        return {
            **{
                f"binlaned in {daemon.folder}": (
                    daemon.process,
                    lambda mode, c=cluster: mode.binlane and self.cluster(mode) is c,
                )
                for cluster in self.clusters.values()
                for daemon in cluster.daemons
            },
            "the replica's server": (
                self.stock.process,
                lambda mode: mode.stock_replicas > 0 or mode.applies,
            ),
            **{
                f"poller {i}": (poller, lambda mode, i=i: i < mode.pollers)
                for i, poller in enumerate(self.pollers)
            },
        }

    def check(self, mode):
        """Raises unless exactly the processes of this mode are alive and do what they should."""
        for name, (process, wanted) in self.every_process().items():
            if process.alive != wanted(mode):
                raise RuntimeError(f"{mode.name}: {name} is alive: {process.alive}")
        if mode.applies and self.stock.replica_status().get("Replica_SQL_Running") != "Yes":
            raise RuntimeError(f"{mode.name}: {self.stock.replica_status()}")

    def measured_processes(self, mode):
        """Whose processor time counts: servers and daemons, not what keeps the machine awake."""
        others = [
            process
            for process, wanted in self.every_process().values()
            if wanted(mode) and process not in self.pollers
        ]
        return [self.source.process, *others]

    def enter(self, mode):
        """Everything of this mode up and in step."""
        for poller in self.pollers[: mode.pollers]:
            poller.start()
        if mode.binlane:
            self._start_binlane(mode)
        elif mode.stock_replicas:
            self._start_stock(mode)
        self.check(mode)

    def leave(self, mode):
        """Everything of this mode gone, and the server's semi-sync off."""
        for poller in self.pollers[: mode.pollers]:
            poller.stop()
        if mode.binlane:
            self.cluster(mode).daemon.stop()
            for daemon in self.replica_daemons(mode):
                daemon.stop()
        if self.stock.process.alive:
            # Its data are of no use after the round.
            self.stock.kill()
        self.source.set_semi_sync("enabled", "OFF")

    def settings(self, mode):
        """The settings that the servers of this mode report themselves."""
        semi_sync = (self.flavour.semi_sync(name) for name in SEMI_SYNC_SETTINGS)
        found = {name: self.source.variable(name) for name in (*SETTINGS, *semi_sync)}
        if mode.stock_replicas:
            found["replica_sync_relay_log"] = self.stock.variable("sync_relay_log")
        return found

    def _start_binlane(self, mode):
        cluster = self.cluster(mode)
        cluster.daemon.config["source"]["wait_point"] = mode.wait_point
        cluster.daemon.config["danger_faults"] = {"delay_us": mode.delay_us}
        cluster.start_daemons()
        cluster.wait_state("SEMISYNC")
        cluster.wait_closed_ledger()
        if mode.applies:
            self._start_server_at_the_end()
            cluster.replicas[0].follow()
            self._wait_running("Replica_SQL_Running")

    def _start_stock(self, mode):
        if mode.semi_sync:
            self.source.set_semi_sync("wait_point", f"'{mode.wait_point}'")
            self.source.set_semi_sync("timeout", TIMEOUT_MS)
            self.source.set_semi_sync("enabled", "ON")
        self._start_server_at_the_end()
        enabled = "ON" if mode.semi_sync else "OFF"
        self.stock.query(f"SET GLOBAL {self.flavour.semi_sync_replica} = {enabled}")
        self.stock.query(f"SET GLOBAL sync_relay_log = {mode.sync_relay_log}")
        start = self.flavour.start_replica if mode.applies else self.flavour.start_io_thread
        self.stock.execute(*self.flavour.follow(self.source.port, USER, PASSWORD), start)
        self._wait_running("Replica_IO_Running")
        if mode.semi_sync:
            waiting.until(self._stock_semi_sync, "the server's own semi-sync", SETTLE_S)

    def _stock_semi_sync(self):
        found = self.source.semi_sync()
        return found["clients"] == 1 and found["status"] == "ON"

    def _start_server_at_the_end(self):
        """The replica's server, following from where the source is now: what happened in between
        is nothing that this mode should have to catch up with."""
        self.stock.start()
        self.stock.execute(self.flavour.stop_replica, self.flavour.reset_replica)
        # The tables must be there; the rows of earlier rounds need not be, because none comes twice.
        self.stock.query("CREATE DATABASE IF NOT EXISTS bench")
        created = self.source.query("SHOW CREATE TABLE bench.numbered")[0][1]
        self.stock.query(created.replace("TABLE ", "TABLE IF NOT EXISTS bench.", 1))
        self.stock.begin_after(self.source.written_set())

    def _wait_running(self, thread):
        waiting.until(
            lambda: self.stock.replica_status().get(thread) == "Yes",
            lambda: f"{thread} of the replica's server: {self.stock.log_file.read_text()[-500:]}",
            SETTLE_S,
        )
