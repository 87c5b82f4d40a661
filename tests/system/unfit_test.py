"""What people get wrong at a database server, and what Binlane says to it: in words that this server
understands. One server for all that `binlane doctor` sees, one cluster for what changes live."""

import contextlib
import struct
import unittest

import pymysql

import harness
from lab.audit import ledger, verify
from lab.machine import waiting
from lab.machine.ports import free_port
from lab.servers import flavour
from lab.servers.binlaned import Daemon
from lab.servers.cli import binlane
from lab.servers.cluster import ACKER_SERVER_ID, Cluster
from lab.servers.fleet import BINLANE_USER, PASSWORD, short_folder
from lab.servers.server import Server
from quorum_case import RECOVER_S, SERVER_TIMEOUT_MS, SOON_S, QuorumCase

ACCOUNT = f"'{BINLANE_USER}'@'localhost'"
INSTALL = "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';"
UNINSTALL = "UNINSTALL PLUGIN rpl_semi_sync_source"
# One step after the other, as the server wants it.
GTIDS_OFF = ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF")
GTIDS_ON = ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")
COM_BINLOG_DUMP = 0x12
OTHER_ACKER_ID = 78
OTHER_UUID = "11111111-2222-4333-8444-555555555555"
UNINSTALL_TRIES = 50


def set_gtid_mode(server, modes):
    if modes[-1] == "ON":
        server.query("SET GLOBAL enforce_gtid_consistency = ON")
    for mode in modes:
        server.query(f"SET GLOBAL gtid_mode = {mode}")
    if modes[-1] == "OFF":
        server.query("SET GLOBAL enforce_gtid_consistency = OFF")


class Doctor(unittest.TestCase):
    """`binlane doctor` beside a server that could have both roles."""

    @classmethod
    def setUpClass(cls):
        cls.kind = flavour.chosen()
        cls.folder = short_folder()
        cls.server = Server(cls.folder / "server", 1, cls.kind.host_options())
        cls.server.initialize()
        cls.server.start()
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(cls.server.stop)
        cls.server.set_fence(False)
        cls.server.create_account(BINLANE_USER, PASSWORD, cls.kind.host_privileges)
        cls.both = cls.config("both", True)
        cls.alone = cls.config("alone", False)

    @classmethod
    def config(cls, name, both_roles):
        """The file of a daemon that is never started."""
        source = {
            "server_socket": cls.server.socket,
            "server_user": BINLANE_USER,
            "server_password": PASSWORD,
            "acker_server_id": ACKER_SERVER_ID,
            "quorum": "ANY 1 (r1)",
            "replica": [
                {
                    "name": "r1",
                    "port": "udp",
                    "local_address": f"127.0.0.1:{free_port()}",
                    "address": "127.0.0.1:7100",
                }
            ],
        }
        replica = {
            "port": "udp",
            "address": f"127.0.0.1:{free_port()}",
            "sources": ["127.0.0.1:7200"],
            "feed_listen": f"127.0.0.1:{free_port()}",
            "feed_user": BINLANE_USER,
            "feed_password": PASSWORD,
        }
        parts = {"source": source, **({"replica": replica} if both_roles else {})}
        daemon = Daemon(cls.folder / name, {"name": "s", "cluster": "unfit", **parts})
        daemon.write_config()
        return daemon.config_file

    def findings(self, config=None):
        outcome = binlane(None, "doctor", "--config", config or self.both, "--json")
        rows = outcome.json()["findings"]
        return [row for row in rows if row["topic"] in ("server", "standby")]

    def finding(self, word, config=None):
        """The one finding that names this."""
        rows = self.findings(config)
        named = [row for row in rows if word in row["found"]]
        self.assertEqual(len(named), 1, rows)
        return named[0]

    def test_each_privilege_in_turn(self):
        for name in self.kind.host_privileges.split(", "):
            if name == "BINLOG MONITOR":
                continue  # for people, who read binlogs with this account
            with self.subTest(name):
                self.server.query(f"REVOKE {name} ON *.* FROM {ACCOUNT}")
                row = self.finding(f"{ACCOUNT} lacks {name}")
                self.assertEqual(row["severity"], "fault")
                statement = row["remedy"].partition(";")[0]
                self.assertEqual(statement, f"GRANT {name} ON *.* TO {ACCOUNT}")
                self.server.query(statement)
                self.assertEqual([r for r in self.findings() if "lacks" in r["found"]], [])

    def test_settings(self):
        wrong = {
            "sync_binlog": (0, 1, "fault"),
            "innodb_flush_log_at_trx_commit": (2, 1, "fault"),
            "binlog_checksum": ("NONE", "CRC32", "warning"),
        }
        if self.kind.family == "mysql":
            wrong |= {
                "binlog_error_action": ("IGNORE_ERROR", "ABORT_SERVER", "fault"),
                "rpl_semi_sync_source_wait_for_replica_count": (2, 1, "fault"),
            }
        for name, (value, good, severity) in wrong.items():
            with self.subTest(name):
                self.server.query(f"SET GLOBAL {name} = {value}")
                row = self.finding(f"found {value}, wanted {good}")
                self.assertEqual(row["severity"], severity)
                self.assertIn(f"SET GLOBAL {name}={good}", row["remedy"])
                self.server.query(f"SET GLOBAL {name} = {good}")

    def test_a_server_that_is_fit(self):
        self.assertEqual(self.findings(self.alone)[0]["severity"], "ok", self.findings(self.alone))
        # It follows nobody and takes writes, which a source does as well.
        self.assertEqual([r for r in self.findings() if r["severity"] == "fault"], [])

    def test_plugin_missing(self):
        if self.kind.family != "mysql":
            self.skipTest("semi-sync is built in")
        self.server.query(UNINSTALL)
        row = self.finding("rpl_semi_sync")
        self.assertEqual((row["severity"], row["remedy"]), ("fault", INSTALL))
        self.server.query(row["remedy"])
        self.assertEqual([r for r in self.findings() if r["severity"] == "fault"], [])

    def test_gtid_mode_off(self):
        if self.kind.family != "mysql":
            self.skipTest("MariaDB has GTIDs always")
        set_gtid_mode(self.server, GTIDS_OFF)
        try:
            alone = self.finding("gtid_mode", self.alone)
            self.assertEqual(alone["severity"], "warning")
            both = [row for row in self.findings() if "gtid_mode" in row["found"]]
            self.assertIn("fault", [row["severity"] for row in both])
            for row in (alone, *both):
                self.assertIn("enforce_gtid_consistency", row["remedy"])
        finally:
            set_gtid_mode(self.server, GTIDS_ON)


class Live(QuorumCase):
    """Changes at the server of a source that works."""

    CLUSTER = {
        "replica_names": ("r1",),
        "port": "udp",
        "timeout_ms": 2_000,
        "server_timeout_ms": SERVER_TIMEOUT_MS,
    }

    @property
    def replica(self):
        return self.cluster.replicas[0]

    def problems(self):
        status = self.cluster.daemon.try_status() or {}
        return {problem["code"]: problem["text"] for problem in status.get("problems", [])}

    def wait_problem(self, code, *words):
        def said():
            text = self.problems().get(code, "")
            return text if all(word in text for word in words) else ""

        return waiting.until(
            said, lambda: f"{code} with {words}, not {self.problems()}", SOON_S
        )

    def require_mysql(self):
        if self.cluster.flavour.family != "mysql":
            self.skipTest("it is about MySQL")

    @contextlib.contextmanager
    def registered(self, uuid):
        """A semi-sync client with this uuid is connected, which acknowledges nothing."""
        client = self.source.connect()
        with client.cursor() as cursor:
            cursor.execute("SET @source_binlog_checksum = @@GLOBAL.binlog_checksum")
            cursor.execute(f"SET @replica_uuid = '{uuid}', @slave_uuid = '{uuid}'")
            cursor.execute("SET @rpl_semi_sync_replica = 1")
        body = struct.pack("<IHI", 4, 0, OTHER_ACKER_ID) + self.source.binlogs()[-1].name.encode()
        client._execute_command(COM_BINLOG_DUMP, body)  # pylint: disable=protected-access
        try:
            yield
        finally:
            # The server notices by itself only when it has something to send.
            with contextlib.suppress(pymysql.err.MySQLError):
                self.source.query(f"KILL {client.thread_id()}")
            client.close()

    def our_uuid(self):
        row = next(row for row in self.source.query("SHOW REPLICAS") if row[1] == "binlane")
        return row[-1]

    def check_unharmed(self, entries):
        self.commit()
        self.check_semi_sync_is_on()
        self.assertEqual(self.ledger_entries(), entries)
        self.check_everything_arrived("check_db.counted")

    def test_binlog_format_changes(self):
        entries = self.ledger_entries()
        for word in ("MIXED", "STATEMENT", "ROW"):
            self.source.query(f"SET GLOBAL binlog_format = {word}")
            self.commit()
        self.check_unharmed(entries)

    def test_binlog_checksum_changes(self):
        entries = self.ledger_entries()
        for word in ("NONE", "CRC32"):
            self.source.query(f"SET GLOBAL binlog_checksum = {word}")
            self.commit()
        self.check_unharmed(entries)

    def test_the_plugin_is_uninstalled(self):
        self.require_mysql()
        # The server itself refuses while a semi-sync client is connected.
        with self.assertRaises(pymysql.err.MySQLError):
            self.source.query(UNINSTALL)
        self.commit()
        groups = ledger.read(self.ledger_file())[1]
        self.uninstall()
        self.wait_problem("refused", INSTALL)
        self.assertNotEqual(self.cluster.state(), "SEMISYNC")
        self.commit()
        self.source.query(INSTALL)
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.assertGreaterEqual(ledger.read(self.ledger_file())[1], groups + 1)

    def uninstall(self):
        """Between the end of a dump connection and the next one."""
        for _ in range(UNINSTALL_TRIES):
            for (number,) in self.source.query(
                "SELECT ID FROM performance_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'"
            ):
                self.source.query(f"KILL {number}")
            try:
                return self.source.query(UNINSTALL)
            except pymysql.err.MySQLError:
                continue
        raise AssertionError("the server did not give up its plugin")

    def test_a_namesake_is_told_as_what_it_is(self):
        self.require_mysql()
        words = "another binlaned is connected to this server with our source.acker_server_id 900"
        with self.registered(self.our_uuid()):
            waiting.until(lambda: words in self.cluster.daemon.log(), words, SOON_S)
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()

    def test_another_semi_sync_client_is_told_as_what_it_is(self):
        self.require_mysql()
        with self.registered(OTHER_UUID):
            self.cluster.wait_state("FOREIGN_ACKER", SOON_S)
            self.wait_problem("other_acker", "1 semi-sync client")
            rows = binlane(
                None, "doctor", "--config", self.cluster.daemon.config_file, "--json"
            ).json()["findings"]
            remedy = next(r for r in rows if "semi-sync client besides" in r["found"])["remedy"]
            for word in ("SHOW REPLICAS", "rpl_semi_sync_replica_enabled", "STOP REPLICA"):
                self.assertIn(word, remedy)
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()

    def test_a_copied_server_uuid(self):
        self.require_mysql()
        server = self.replica.server
        own = server.data_dir / "auto.cnf"
        kept = own.read_text()
        server.stop()
        own.write_text((self.source.data_dir / "auto.cnf").read_text())
        server.start()
        waiting.until(
            lambda: "remove auto.cnf" in server.replica_status()["Last_IO_Error"],
            lambda: f"the sentence, not {server.replica_status()['Last_IO_Error']}",
            SOON_S,
        )
        server.stop()
        own.unlink()
        server.start()
        self.assertNotIn(server.variable("server_uuid"), kept)
        self.commit()
        self.check_everything_arrived("check_db.counted")

    def test_performance_schema_off(self):
        self.require_mysql()
        self.restart_source("OFF")
        self.addCleanup(self.restart_source, "ON")
        entries = self.ledger_entries()
        self.check_unharmed(entries)
        # Mode fail sees in the list of threads that no new commit gets through.
        self.source.query(f"GRANT CONNECTION_ADMIN ON *.* TO {ACCOUNT}")
        self.run_binlane("set", "fallback", "fail")
        self.addCleanup(self.run_binlane, "set", "fallback", "degrade")
        self.kill_replicas()
        waiter = self.begin_commit()
        waiter.finish(SOON_S)
        self.assertIsNone(waiter.error)
        waiting.until(self.source.fenced, "the server to be read-only", SOON_S)
        self.start_replicas()
        waiting.until(lambda: not self.source.fenced(), "writes", RECOVER_S)

    def restart_source(self, word):
        self.source.stop()
        self.source.options["performance-schema"] = word
        self.source.start()
        self.cluster.wait_state("SEMISYNC", RECOVER_S)
        self.cluster.wait_closed_ledger()


class WithoutGtids(unittest.TestCase):
    """gtid_mode=OFF: a source that no other host is to replace."""

    FAMILIES = ("mysql",)

    def test_a_source_alone_works_and_warns(self):
        off = {"gtid-mode": "OFF", "enforce-gtid-consistency": "OFF"}
        cluster = Cluster(replica_names=("r1",), port="udp", source_options=off)
        self.addCleanup(cluster.stop)
        cluster.source.initialize()
        cluster.source.start()
        cluster.create_user()
        cluster.start_daemons()
        cluster.wait_state("SEMISYNC")
        cluster.source.query("CREATE DATABASE anonymous")
        self.assertEqual(cluster.state(), "SEMISYNC")
        self.assertIn("gtid_mode: found not ON", cluster.daemon.log())
        archive = cluster.replicas[0].daemon.archive
        written = verify.lengths(cluster.source.binlogs())
        waiting.until(lambda: verify.archive_at_end(written, archive), "the archive", SOON_S)
        self.assertEqual(verify.archive_differences(written, archive), [])


if __name__ == "__main__":
    harness.main()
