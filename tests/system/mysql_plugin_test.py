"""binlane_source.so in a real MySQL, with a small daemon's side of the shared page (shim_daemon)
that answers or withholds the quorum."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

import harness
import pymysql
from lab.machine import waiting
from lab.servers import flavour, fleet
from lab.servers.server import Server
from quorum_case import Committer, SOON_S

INSTALL = "INSTALL PLUGIN binlane_source SONAME 'binlane_source.so'"
UNINSTALL = "UNINSTALL PLUGIN binlane_source"
STATE = "Waiting for Binlane ACK from a quorum"
# Of a client that follows another thread's commit.
QUEUED = "waiting for handler commit"
CLIENTS = 32
LONG_MS = 60_000
SHORT_MS = 1_000
# A wait that somebody ends at once ends long before its timeout.
AT_ONCE_S = 10
HOLD_S = 1


class ShimDaemon:
    """The helper program, as a child of this one."""

    def __init__(self, page):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [SHIM_DAEMON, page], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, word):
        """Obeys, and tells what the page says then."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Writers:
    """Clients that commit row after row until they are stopped."""

    def __init__(self, server, count):
        self.server = server
        self.stopping = threading.Event()
        self.commits = [0] * count
        self.errors = []
        self.threads = [
            threading.Thread(target=self._run, args=(index,), daemon=True) for index in range(count)
        ]
        for thread in self.threads:
            thread.start()

    def _run(self, index):
        try:
            connection = self.server.connect(database="check_db")
            with connection, connection.cursor() as cursor:
                while not self.stopping.is_set():
                    cursor.execute("INSERT INTO written VALUES ()")
                    self.commits[index] += 1
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)

    def wait_progress(self):
        """Until each has committed once more."""
        before = list(self.commits)
        waiting.until(
            lambda: all(now > then for now, then in zip(self.commits, before)),
            lambda: f"every client to commit; {self.commits} {self.errors}",
            SOON_S,
        )

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(AT_ONCE_S)
        return not any(thread.is_alive() for thread in self.threads)


class PluginCase(unittest.TestCase):
    """One server and its page."""

    @classmethod
    def setUpClass(cls):
        cls.kind = flavour.named("mysql")
        cls.kind.ensure()
        cls.folder = fleet.short_folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.page = cls.folder / "source.page"
        cls.plugins = cls.folder / "plugins"
        cls.plugins.mkdir()
        (cls.plugins / "binlane_source.so").symlink_to(PLUGIN)
        cls.server = cls.make_server("source", 1)
        cls.server.start()
        cls.server.query("CREATE DATABASE check_db")
        cls.server.query(
            "CREATE TABLE check_db.written (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB"
        )

    @classmethod
    def make_server(cls, name, server_id, **options):
        source = cls.kind.source_options()
        del source["plugin-load-add"]
        own = {"plugin-dir": cls.plugins, "loose-binlane-source-page": cls.page}
        options = {**source, **own, **options}
        server = Server(cls.folder / name, server_id, options, flavour=cls.kind)
        server.initialize()
        cls.addClassCleanup(server.remove)
        cls.addClassCleanup(server.stop)
        return server

    def setUp(self):
        self.daemon = ShimDaemon(self.page)
        self.addCleanup(lambda: self.daemon.kill() if self.daemon.process.poll() is None else None)
        self.install()
        self.addCleanup(self.uninstall)
        self.daemon.say("answer")

    def install(self):
        """Its variables begin with their defaults each time."""
        self.server.query(INSTALL)
        self.set_variable("timeout", LONG_MS)
        self.set_variable("enabled", 1)

    def uninstall(self):
        if self.plugin_state() is None:
            return
        self.server.query(UNINSTALL)
        # The last thread that is in it carries it out.
        waiting.until(lambda: self.plugin_state() is None, "the plugin to be gone", SOON_S)

    def plugin_state(self, server=None):
        found = (server or self.server).query(
            "SELECT plugin_status FROM information_schema.plugins"
            " WHERE plugin_name = 'binlane_source'"
        )
        return found[0][0] if found else None

    def set_variable(self, name, value):
        self.server.query(f"SET GLOBAL binlane_source_{name} = {value}")

    def status(self, name):
        value = self.server.status(f"Binlane_source_{name}")[f"Binlane_source_{name}"]
        return int(value) if value.isdigit() else value

    def commit(self):
        connection = self.server.connect(database="check_db")
        with connection, connection.cursor() as cursor:
            begun = time.monotonic()
            cursor.execute("INSERT INTO written VALUES ()")
            return time.monotonic() - begun

    def begin(self, count=1, wait_sessions=1):
        """Clients that commit, and wait."""
        clients = [Committer(self.server, "INSERT INTO written VALUES ()") for _ in range(count)]
        waiting.until(
            lambda: self.status("wait_sessions") >= wait_sessions, "a commit to wait", SOON_S
        )
        return clients

    def finish(self, clients, timeout_s=AT_ONCE_S):
        for client in clients:
            client.finish(timeout_s)
            client.connection.close()

    def wait_on(self):
        waiting.until(lambda: self.status("status") == "ON", "semi-sync to be ON", SOON_S)

    def rows(self):
        return self.server.query("SELECT COUNT(*) FROM check_db.written")[0][0]


class Waits(PluginCase):
    """What a commit waits for, and what ends a wait."""

    def test_it_is_active_and_a_dba_finds_the_names(self):
        found = self.server.query(
            "SELECT plugin_status, plugin_type, plugin_license FROM information_schema.plugins"
            " WHERE plugin_name = 'binlane_source'"
        )
        self.assertEqual(found, [("ACTIVE", "REPLICATION", "GPL")])
        variables = dict(self.server.query("SHOW GLOBAL VARIABLES LIKE 'binlane_source_%'"))
        self.assertEqual(
            variables,
            {
                "binlane_source_enabled": "ON",
                "binlane_source_page": str(self.page),
                "binlane_source_timeout": str(LONG_MS),
                "binlane_source_wait_for_replica_count": "1",
                "binlane_source_wait_no_replica": "ON",
                "binlane_source_wait_point": "AFTER_SYNC",
            },
        )
        self.commit()
        self.assertEqual(self.status("status"), "ON")
        self.assertEqual(self.status("clients"), 1)
        self.assertEqual(self.status("no_tx"), 0)
        self.assertEqual(self.status("yes_tx"), 1)
        for name in ("tx_waits", "tx_wait_time", "tx_avg_wait_time", "wait_p50_us", "wait_p99_us"):
            self.assertGreaterEqual(self.status(name), 0)

    def test_a_commit_waits_for_its_quorum_and_nobody_sees_it_before(self):
        before = self.rows()
        self.daemon.say("hold")
        clients = self.begin()
        self.assertEqual(self.count_state(STATE), 1)
        waiting.holds(lambda: clients[0].waiting, "the commit waits", HOLD_S)
        self.assertEqual(self.rows(), before)
        self.daemon.say("answer")
        self.finish(clients)
        self.assertIsNone(clients[0].error)
        self.assertEqual(self.rows(), before + 1)
        self.assertEqual(self.status("no_tx"), 0)
        self.assertGreaterEqual(self.status("tx_waits"), 1)
        self.assertGreater(self.status("wait_p99_us"), HOLD_S * 1_000_000 / 2)

    def test_after_commit_others_see_it_while_its_client_waits(self):
        self.set_variable("wait_point", "AFTER_COMMIT")
        self.addCleanup(self.set_variable, "wait_point", "AFTER_SYNC")
        before = self.rows()
        self.daemon.say("hold")
        clients = self.begin(2)
        waiting.until(lambda: self.rows() == before + 2, "others to see it", SOON_S)
        self.assertTrue(all(client.waiting for client in clients))
        self.daemon.say("answer")
        self.finish(clients)
        self.assertEqual(self.status("yes_tx"), 2)

    def test_the_timeout_ends_a_wait_and_the_quorum_brings_it_back(self):
        self.set_variable("timeout", SHORT_MS)
        self.daemon.say("hold")
        self.assertGreaterEqual(self.commit(), SHORT_MS / 1000)
        self.assertEqual(self.status("status"), "OFF")
        self.assertEqual(self.status("no_times"), 1)
        self.assertEqual(self.status("no_tx"), 1)
        self.assertLess(self.commit(), SHORT_MS / 1000)
        said = self.daemon.say("hold")
        self.assertEqual((said["exposed"], said["on"], said["timeout_ms"]), (2, 0, SHORT_MS))
        log = self.server.log_file.read_text()
        self.assertIn("Timeout waiting for reply of binlog (file number ", log)
        self.assertIn("Semi-sync replication switched OFF", log)
        self.daemon.say("answer")
        self.wait_on()
        self.assertIn("Semi-sync replication switched ON at (", self.server.log_file.read_text())
        self.commit()
        self.assertEqual(self.status("yes_tx"), 1)

    def test_kill_ends_a_wait_and_only_that_one(self):
        self.set_variable("wait_point", "AFTER_COMMIT")
        self.addCleanup(self.set_variable, "wait_point", "AFTER_SYNC")
        self.daemon.say("hold")
        killed = self.begin()[0]
        other = Committer(self.server, "INSERT INTO written VALUES ()")
        self.server.query(f"KILL {killed.connection_id}")
        killed.finish(AT_ONCE_S)
        waiting.holds(lambda: other.waiting, "the other waits", HOLD_S)
        self.daemon.say("answer")
        self.finish([other])
        self.assertEqual(self.status("no_tx"), 1)
        self.assertEqual(self.status("yes_tx"), 1)

    def test_kill_of_a_groups_leader_releases_no_other_client(self):
        self.daemon.say("hold")
        first = self.begin()[0]
        # These become one group, because the first is in their way.
        group = [Committer(self.server, "INSERT INTO written VALUES ()") for _ in range(4)]
        waiting.until(lambda: self.count_state(QUEUED) >= 4, self.states, SOON_S)
        self.server.query(f"KILL {first.connection_id}")
        first.finish(AT_ONCE_S)
        leader = waiting.until(
            lambda: self.waiting_client(group), "the group's leader to wait", SOON_S
        )
        rows = self.rows()
        self.server.query(f"KILL {leader.connection_id}")
        leader.finish(AT_ONCE_S)
        # Their rows are in the engine, and their clients wait.
        waiting.until(lambda: self.rows() == rows + 4, "the group to be committed", SOON_S)
        others = [each for each in group if each is not leader]
        for each in others:
            waiting.holds(lambda each=each: each.waiting, "another client waits", HOLD_S / 4)
        self.daemon.say("answer")
        self.finish(others)
        self.assertEqual([each.error for each in others], [None] * 3)
        self.assertEqual(self.status("no_tx"), 2)

    def states(self):
        return str([(row[0], row[6]) for row in self.server.query("SHOW PROCESSLIST")])

    def count_state(self, state):
        return sum(row[6] == state for row in self.server.query("SHOW PROCESSLIST"))

    def waiting_client(self, clients):
        ids = [row[0] for row in self.server.query("SHOW PROCESSLIST") if row[6] == STATE]
        return next((each for each in clients if each.connection_id in ids), None)

    def test_a_daemon_that_degrades_ends_all_waits(self):
        self.daemon.say("hold")
        clients = self.begin(4)
        self.daemon.say("degrade")
        self.finish(clients)
        self.assertEqual(self.status("status"), "OFF")
        self.daemon.say("answer")
        self.wait_on()

    def test_disabling_ends_all_waits(self):
        self.daemon.say("hold")
        clients = self.begin(4)
        self.set_variable("enabled", 0)
        self.finish(clients)
        self.assertEqual(self.status("status"), "OFF")

    def test_a_quorum_of_before_a_reset_releases_nothing(self):
        for _ in range(5):
            self.commit()
        said = self.daemon.say("hold")
        self.server.query("RESET BINARY LOGS AND GTIDS")
        clients = self.begin()
        waiting.holds(lambda: clients[0].waiting, "the commit waits", HOLD_S)
        now = self.daemon.say("answer")
        self.assertEqual(now["incarnation"], said["incarnation"] + 1)
        self.finish(clients)
        self.assertEqual(self.status("no_tx"), 0)


class Deaths(PluginCase):
    """Either side ends while 32 clients wait."""

    def test_a_dead_daemon_leaves_no_client_waiting(self):
        self.set_variable("timeout", 3 * SHORT_MS)
        self.daemon.say("hold")
        clients = self.begin(CLIENTS)
        self.daemon.kill()
        self.finish(clients, SOON_S)
        self.assertEqual([client.error for client in clients], [None] * CLIENTS)
        self.assertEqual(self.status("status"), "OFF")
        self.assertGreaterEqual(self.status("no_tx"), 1)
        self.assertLess(self.commit(), SHORT_MS / 1000)
        self.daemon = ShimDaemon(self.page)
        self.daemon.say("answer")
        self.wait_on()
        self.commit()
        self.assertGreaterEqual(self.status("yes_tx"), 1)

    def test_a_daemon_that_is_back_before_the_timeout_releases_all(self):
        self.daemon.say("hold")
        clients = self.begin(CLIENTS)
        self.daemon.kill()
        self.daemon = ShimDaemon(self.page)
        self.daemon.say("answer")
        self.finish(clients, SOON_S)
        self.assertEqual(self.status("no_tx"), 0)
        self.assertEqual(self.status("status"), "ON")

    def test_without_wait_no_replica_a_dead_daemon_ends_waits_early(self):
        self.set_variable("wait_no_replica", 0)
        self.addCleanup(self.set_variable, "wait_no_replica", 1)
        self.wait_on()
        self.daemon.say("hold")
        clients = self.begin(4)
        self.daemon.kill()
        self.finish(clients, SOON_S)
        self.assertEqual(self.status("status"), "OFF")
        self.assertIn("binlaned does not answer", self.server.log_file.read_text())

    def test_uninstall_under_load_and_while_all_wait(self):
        writers = Writers(self.server, CLIENTS)
        for _ in range(3):
            writers.wait_progress()
            self.uninstall()
            writers.wait_progress()
            self.install()
        writers.wait_progress()
        self.daemon.say("hold")
        waiting.until(lambda: self.status("wait_sessions") >= 1, "a commit to wait", SOON_S)
        self.uninstall()
        writers.wait_progress()
        self.assertTrue(writers.stop(), "a client hangs")
        self.assertEqual(writers.errors, [])
        self.server.query(INSTALL)

    def test_a_shutdown_does_not_wait_for_the_timeout(self):
        self.daemon.say("hold")
        clients = self.begin(4)
        begun = time.monotonic()
        self.assertTrue(self.server.stop(), "the server did not end when asked")
        self.assertLess(time.monotonic() - begun, LONG_MS / 1000 / 2)
        self.finish(clients)
        # And from its configuration file it is there again, with the next incarnation.
        self.server.options["plugin-load-add"] = "binlane_source.so"
        self.server.options["loose-binlane-source-enabled"] = "ON"
        self.server.start()
        self.assertEqual(self.plugin_state(), "ACTIVE")
        self.daemon.say("answer")
        self.commit()
        self.assertEqual(self.status("yes_tx"), 1)


class Refusals(PluginCase):
    """Pages that the plugin does not take, with the reason in the server's log."""

    def refused(self, server, reason):
        with self.assertRaises(pymysql.err.OperationalError):
            server.query(INSTALL)
        self.assertIsNone(self.plugin_state(server))
        self.assertIn(reason, server.log_file.read_text())

    def test_a_second_server_on_the_page(self):
        second = self.make_server("second", 2)
        second.start()
        self.refused(second, f"another server (process {self.server_pid()}) uses {self.page}")
        self.commit()
        self.assertEqual(self.status("yes_tx"), 1)

    def server_pid(self):
        return self.daemon.say("answer")["server"]

    def test_a_page_of_another_version(self):
        self.uninstall()
        content = self.page.read_bytes()
        with open(self.page, "r+b") as page:
            page.seek(8)
            page.write(b"\x63")
        self.refused(self.server, "has version 99 of the page, and this is version 1")
        with open(self.page, "r+b") as page:
            page.write(content[:16])
        self.server.query(INSTALL)


if __name__ == "__main__":
    PLUGIN = Path(sys.argv.pop(1)).resolve()
    SHIM_DAEMON = os.path.abspath(sys.argv.pop(1))
    harness.main()
