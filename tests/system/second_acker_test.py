"""Whatever else than Binlane releases a commit is seen: a stock semi-sync replica beside Binlane
(safety rule S23), and MariaDB's comparison of binlog names as text (S17). And what a restart leaves
in the ledger, or ends."""

import struct

import harness
from lab.audit import ledger
from lab.machine import waiting
from lab.servers import flavour
from lab.servers.cli import binlane
from lab.servers.cluster import Cluster
from lab.servers.fleet import BINLANE_USER
from lab.servers.server import Server
from quorum_case import QuorumCase, RECOVER_S, SOON_S

LONG_TIMEOUT_MS = 90_000
LONG_SERVER_TIMEOUT_MS = 120_000
ACCOUNT = "stock"
STOCK_SERVER_ID = 77
FIRST_NUMBER = 999_997
LIMIT = 1_000_000
COM_BINLOG_DUMP = 0x12
SEMI_SYNC_MAGIC = b"\xef"
FAR_AHEAD = 900_000_000
# A look at the server every 50 ms; a machine that is busy may take its time.
HOLD_S = 3


def doctor(daemon):
    outcome = binlane(None, "doctor", "--config", daemon.config_file, "--json")
    return [row for row in outcome.json()["findings"] if row["topic"] == "server"]


def acknowledge(server, file, offset):
    """A semi-sync client of the server that has acknowledged this; it is connected until it is closed."""
    client = server.connect()
    with client.cursor() as cursor:
        cursor.execute("SET @mariadb_slave_capability=4")
        cursor.execute("SET @master_binlog_checksum=@@GLOBAL.binlog_checksum")
        cursor.execute("SET @rpl_semi_sync_slave=1")
    # pylint: disable=protected-access
    client._execute_command(
        COM_BINLOG_DUMP, struct.pack("<IHI", 4, 0, STOCK_SERVER_ID + 1) + file.encode()
    )
    body = SEMI_SYNC_MAGIC + struct.pack("<Q", offset) + file.encode()
    client._sock.sendall(struct.pack("<I", len(body)) + body)
    return client


class SecondAcker(QuorumCase):
    """A stock replica follows the source directly and acknowledges as the server's own semi-sync has
    it."""

    CLUSTER = {"timeout_ms": LONG_TIMEOUT_MS, "server_timeout_ms": LONG_SERVER_TIMEOUT_MS}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        source = cls.cluster.source
        options = flavour.chosen().semi_sync_replica_options()
        cls.stock = Server(cls.cluster.folder / "stock", STOCK_SERVER_ID, options)
        cls.stock.initialize()
        cls.stock.start()
        cls.addClassCleanup(cls.stock.stop)
        source.query(f"CREATE USER {ACCOUNT}@127.0.0.1 IDENTIFIED BY 'x'")
        source.query(f"GRANT REPLICATION SLAVE ON *.* TO {ACCOUNT}@127.0.0.1")
        cls.stock.query(
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={source.port}, "
            f"MASTER_USER='{ACCOUNT}', MASTER_PASSWORD='x', MASTER_CONNECT_RETRY=1, "
            "MASTER_USE_GTID=slave_pos"
        )

    def tearDown(self):
        self.stock.query("STOP SLAVE")
        self.run_binlane("set", "other_ackers", "report")

    def join_stock(self):
        self.stock.query("START SLAVE")
        waiting.until(
            lambda: self.source.semi_sync()["clients"] == 2, "the stock replica to join", SOON_S
        )

    def open_interval(self):
        return [interval for interval in self.intervals() if interval.end is None]

    def test_commits_that_somebody_else_acknowledges_are_in_the_ledger(self):
        self.commit()
        self.kill_replicas()
        self.join_stock()
        self.cluster.wait_state("FOREIGN_ACKER", SOON_S)
        for _ in range(10):
            self.commit()
        self.assertEqual(self.source.semi_sync()["status"], "ON")
        status = self.cluster.source_status()
        self.assertEqual(status["state"], "FOREIGN_ACKER")
        self.assertEqual(status["other_ackers"], 1)
        self.assertEqual(len(self.open_interval()), 1)
        self.assertIn("binlane doctor", status["last_transition"]["reason"])
        self.assertIn("FOREIGN_ACKER", self.run_binlane("status", "--check", code=4).errors)
        self.assertIn("binlane_other_ackers 1", self.run_binlane("metrics").text)
        faults = [row for row in doctor(self.cluster.daemon) if row["severity"] == "fault"]
        self.assertEqual(len(faults), 1, faults)
        self.assertIn("1 semi-sync client besides Binlane", faults[0]["found"])
        self.assertIn(str(STOCK_SERVER_ID), faults[0]["found"])
        self.assertIn("SHOW SLAVE HOSTS", faults[0]["remedy"])
        # It lasts as long as that client is there, however far the quorum is.
        groups = ledger.read(self.ledger_file())[1]
        self.start_replicas()
        waiting.until(lambda: self.cluster.source_status()["quorum_connected"], "a quorum", SOON_S)
        self.commit()
        self.assertEqual(self.cluster.state(), "FOREIGN_ACKER")
        self.assertEqual(len(self.open_interval()), 1)
        self.stock.query("SET GLOBAL rpl_semi_sync_slave_enabled=OFF")
        self.stock.query("STOP SLAVE")
        self.stock.query("START SLAVE")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.assertGreaterEqual(ledger.read(self.ledger_file())[1] - groups, 10)
        self.stock.query("SET GLOBAL rpl_semi_sync_slave_enabled=ON")
        self.check_everything_arrived("check_db.counted")

    def test_refused_it_ends_semi_sync_ledger_first(self):
        self.run_binlane("set", "other_ackers", "refuse")
        self.join_stock()
        self.wait_async()
        self.assertEqual(len(self.open_interval()), 1)
        waiting.holds(lambda: self.cluster.state() == "ASYNC", "it stays ASYNC", HOLD_S)
        # Nor when somebody switches it on.
        self.source.query("SET GLOBAL rpl_semi_sync_master_enabled=ON")
        self.wait_async()
        self.stock.query("STOP SLAVE")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()

    def test_what_it_acknowledged_ahead_does_not_outlive_it(self):
        self.commit()
        got = self.source.semi_sync()["get_ack"]
        client = acknowledge(self.source, self.source.binlogs()[-1].name, FAR_AHEAD)
        self.cluster.wait_state("FOREIGN_ACKER", SOON_S)
        waiting.until(lambda: self.source.semi_sync()["get_ack"] > got, "its ACK", SOON_S)
        client.close()

        def is_gone():
            # The server notices when it next sends something.
            self.commit()
            return self.source.semi_sync()["clients"] == 1

        waiting.until(is_gone, "the server to notice that it is gone", SOON_S)
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.kill_replicas()
        waiter = self.begin_commit()
        waiting.holds(lambda: waiter.waiting, "the commit waits for a quorum", HOLD_S)
        self.start_replicas()
        waiter.finish(RECOVER_S)
        self.wait_semi_sync()

    def test_our_own_reconnection_is_no_alarm(self):
        alarms = self.cluster.daemon.log().count("-> FOREIGN_ACKER")
        for _ in range(3):
            dump = self.source.query(
                "SELECT id FROM information_schema.PROCESSLIST WHERE command = 'Binlog Dump' "
                f"AND user = '{BINLANE_USER}'"
            )
            connections = self.cluster.source_status()["dump"]["connections"]
            self.source.query(f"KILL {dump[0][0]}")
            waiting.until(
                lambda before=connections: self.cluster.source_status()["dump"]["connections"]
                > before,
                "our connection to come back",
                SOON_S,
            )
            self.commit()
        self.cluster.daemon.kill()
        self.cluster.daemon.start()
        self.wait_semi_sync()
        waiting.holds(lambda: self.cluster.state() == "SEMISYNC", "it stays SEMISYNC", HOLD_S)
        self.assertEqual(self.cluster.daemon.log().count("-> FOREIGN_ACKER"), alarms)


class NumberedCluster(Cluster):
    """Its source's binlogs are about to come to the end of what MariaDB compares rightly."""

    def create_user(self):
        super().create_user()
        self.source.query(f"RESET MASTER TO {FIRST_NUMBER}")


class Numbers(QuorumCase):
    """From binlog.1000000 on MariaDB waits for no replica."""

    @classmethod
    def setUpClass(cls):
        saved = harness.Cluster
        harness.Cluster = NumberedCluster
        try:
            super().setUpClass()
        finally:
            harness.Cluster = saved

    def setUp(self):
        # Nothing is as in the other cases once the numbers are over.
        pass

    def newest(self):
        return int(self.source.binlogs()[-1].name.split(".")[1])

    def test_semi_sync_ends_before_the_limit_and_for_good(self):
        self.commit()
        self.assertEqual(self.cluster.state(), "SEMISYNC")
        self.assertEqual(self.newest(), FIRST_NUMBER)
        self.assertIn("the newest binlog is number", str(doctor(self.cluster.daemon)))
        # A storm: the limit may be passed between two looks.
        connection = self.source.connect(database="check_db")
        with connection, connection.cursor() as cursor:
            for _ in range(6):
                cursor.execute("FLUSH BINARY LOGS")
        self.kill_replicas()
        self.commit()
        self.assertGreater(self.newest(), LIMIT)
        self.wait_async()
        opened = [interval for interval in self.intervals() if interval.end is None]
        self.assertEqual(len(opened), 1)
        self.assertLess(opened[0].begin[0], LIMIT)
        reason = self.cluster.source_status()["last_transition"]["reason"]
        self.assertIn("renumber", reason)
        self.start_replicas()
        waiting.until(lambda: self.cluster.source_status()["quorum_connected"], "a quorum", SOON_S)
        waiting.holds(lambda: self.cluster.state() == "ASYNC", "it stays ASYNC", HOLD_S)
        self.source.query("SET GLOBAL rpl_semi_sync_master_enabled=ON")
        self.wait_async()
        # A source that starts at such a number starts ASYNC.
        self.cluster.daemon.kill()
        self.source.query("SET GLOBAL rpl_semi_sync_master_enabled=ON")
        self.cluster.daemon.start()
        self.wait_async()
        waiting.until(lambda: self.cluster.source_status()["quorum_connected"], "a quorum", SOON_S)
        waiting.holds(lambda: self.cluster.state() == "ASYNC", "it stays ASYNC", HOLD_S)
        self.assertTrue(any(interval.end is None for interval in self.intervals()))
        self.run_binlane("status", "--check", code=4)
        self.check_everything_arrived("check_db.counted")


class Restarts(QuorumCase):
    """The server is ON by its own settings: nothing goes out without a wait."""

    CLUSTER = {
        "timeout_ms": LONG_TIMEOUT_MS,
        "server_timeout_ms": LONG_SERVER_TIMEOUT_MS,
        "source_options": {"rpl_semi_sync_master_enabled": "ON"},
    }

    def unacknowledged(self):
        return self.cluster.source_status()["ledger"]["unacknowledged"]

    def restart_source(self):
        self.assertTrue(self.source.stop(), "the server did not end when asked")
        self.source.start()

    def test_a_restart_whose_commits_were_acknowledged_leaves_no_entry(self):
        self.commit()
        # Until the record of what was looked at has it.
        waiting.holds(lambda: self.cluster.state() == "SEMISYNC", "it is idle", HOLD_S)
        before = self.cluster.source_status()["ledger"]
        self.restart_source()
        self.commit()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.assertEqual(self.source.semi_sync()["no_tx"], 0)
        after = self.cluster.source_status()["ledger"]
        self.assertEqual(after["entries"], before["entries"])
        self.assertEqual(after["unacknowledged"], before["unacknowledged"])

    def test_a_commit_that_a_restart_let_go_is_on_record(self):
        self.commit()
        groups = ledger.read(self.ledger_file())[1]
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_sessions(1)
        self.source.stop()
        waiter.finish(SOON_S)
        self.source.start()
        self.start_replicas()
        self.cluster.wait_state("SEMISYNC", RECOVER_S)
        self.cluster.wait_closed_ledger()
        self.assertGreaterEqual(ledger.read(self.ledger_file())[1] - groups, 1)
        self.assertGreaterEqual(self.unacknowledged(), 1)


class Degraded(QuorumCase):
    """`binlane degrade` lasts until `resume`."""

    def test_it_survives_restarts(self):
        self.run_binlane("degrade")
        self.assertTrue(self.cluster.daemon.stop(), "binlaned did not end when asked")
        self.cluster.daemon.start()
        self.cluster.wait_state("ASYNC", SOON_S)
        waiting.until(lambda: self.cluster.source_status()["quorum_connected"], "a quorum", SOON_S)
        waiting.holds(lambda: self.cluster.state() == "ASYNC", "it stays ASYNC", HOLD_S)
        self.cluster.daemon.kill()
        self.source.query("SET GLOBAL rpl_semi_sync_master_enabled=OFF")
        self.assertTrue(self.source.stop(), "the server did not end when asked")
        self.source.start()
        self.cluster.daemon.start()
        self.cluster.wait_state("ASYNC", SOON_S)
        waiting.until(lambda: self.cluster.source_status()["quorum_connected"], "a quorum", SOON_S)
        waiting.holds(lambda: self.cluster.state() == "ASYNC", "it stays ASYNC", HOLD_S)
        self.assertTrue(self.cluster.source_status()["held"])
        self.run_binlane("resume")
        self.wait_semi_sync()
        self.cluster.daemon.kill()
        self.cluster.daemon.start()
        self.wait_semi_sync()


if __name__ == "__main__":
    harness.main(families=("mariadb",))
