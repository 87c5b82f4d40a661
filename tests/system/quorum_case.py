"""What cases share whose replicas come and go: commits that wait, states, counters."""

import threading
import time

import harness
from lab.audit import ledger
from lab.machine import waiting
from lab.servers.cli import binlane

TIMEOUT_MS = 1_000
SERVER_TIMEOUT_MS = 30_000
# Bounds for "soon": generous, because other programs share the machine.
SOON_S = 20
RECOVER_S = 90


class Committer(threading.Thread):
    """One statement on a connection of its own, which may wait long."""

    def __init__(self, server, statement, **connection):
        super().__init__(daemon=True)
        self.connection = server.connect(answer_timeout_s=180, database="check_db", **connection)
        self.connection_id = self.connection.thread_id()
        self.statement = statement
        self.ended_at = None
        self.error = None
        self.start()

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(self.statement)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
        self.ended_at = time.monotonic()

    @property
    def waiting(self):
        return self.ended_at is None

    def finish(self, timeout_s):
        """Waits for the statement's end, good or bad."""
        self.join(timeout_s)
        if self.is_alive():
            raise waiting.WaitTimeout(f"waited {timeout_s} s for {self.statement}")


class QuorumCase(harness.ClusterCase):
    """Each case begins in SEMISYNC with all replicas up and the ledger closed."""

    CLUSTER = {"timeout_ms": TIMEOUT_MS, "server_timeout_ms": SERVER_TIMEOUT_MS}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source_row = 0
        cls.cluster.source.query("CREATE TABLE check_db.counted (id INT PRIMARY KEY) ENGINE=InnoDB")

    def setUp(self):
        for replica in self.cluster.replicas:
            if not replica.daemon.process.alive:
                replica.daemon.start()
        if not self.cluster.daemon.process.alive:
            self.cluster.daemon.start()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()

    def run_binlane(self, *arguments, code=0):
        """Runs the CLI on the source's daemon; fails unless it ends with `code`."""
        outcome = binlane(self.cluster.daemon, *arguments)
        self.assertEqual(outcome.code, code, f"binlane {' '.join(map(str, arguments))}: {outcome}")
        return outcome

    def wait_semi_sync(self):
        self.cluster.wait_state("SEMISYNC", RECOVER_S)
        self.wait_server("ON")

    def wait_server(self, status):
        waiting.until(
            lambda: self.source.semi_sync()["status"] == status,
            f"the server's own status {status}",
            SOON_S,
        )

    def wait_async(self):
        self.cluster.wait_state("ASYNC", SOON_S)
        self.wait_server("OFF")

    def kill_replicas(self):
        for replica in self.cluster.replicas:
            replica.daemon.kill()

    def start_replicas(self):
        for replica in self.cluster.replicas:
            replica.daemon.start()

    @classmethod
    def next_insert(cls):
        cls.source_row += 1
        return f"INSERT INTO counted VALUES ({cls.source_row})"

    def commit(self):
        connection = self.source.connect(answer_timeout_s=120, database="check_db")
        with connection, connection.cursor() as cursor:
            cursor.execute(self.next_insert())

    def begin_commit(self, **connection):
        return Committer(self.source, self.next_insert(), **connection)

    def wait_sessions(self, count):
        waiting.until(
            lambda: self.source.semi_sync()["wait_sessions"] >= count,
            f"{count} sessions to wait for their quorum",
            SOON_S,
        )

    def counters(self):
        return self.cluster.source_status()["counters"]

    def ledger_file(self):
        return self.cluster.daemon.data_dir / "ledger.jsonl"

    def intervals(self):
        return ledger.read(self.ledger_file())[0]
