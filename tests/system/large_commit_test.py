"""MariaDB 11.8 makes the binlog of a large transaction out of the file of its cache, by renaming it.

Whoever reads the binlogs sees an empty file that vanishes, no file, and a file that begins with zeros
before it sees a binlog. None of these is a restart: one incarnation follows them all, its dump
connection stays, and nothing is in the ledger that was acknowledged. A server that is killed at any of
its steps is followed again afterwards, with archives like its binlogs.
"""

import os
import sys
import threading

import pymysql

import harness
from lab.audit import verify
from lab.machine import waiting
from lab.servers import flavour
from lab.servers.private_root import Unavailable

COMMIT_STEPS = sys.argv.pop(1)
STEPS = ("synced", "created", "unlinked", "renamed", "headed", "listed", "cleared", "ended")
THRESHOLD = 10 << 20  # the smallest that the server takes
ROW_BYTES = 11 << 20
COMMITS = 30
PAUSED_COMMITS = 6
PAUSE_MS = 30
LONG_PAUSE_MS = 2500
ANSWER_TIMEOUT_S = 60
SOON_S = 60


class LargeCommits(harness.ClusterCase):
    """A source whose transactions of 11 MiB are renamed."""

    CLUSTER = {"source_options": {"binlog-large-commit-threshold": THRESHOLD}}

    @classmethod
    def setUpClass(cls):
        if flavour.chosen().name != "mariadb:11.8":
            raise Unavailable("needs a server with binlog_large_commit_threshold")
        super().setUpClass()
        cls.source_query("CREATE TABLE check_db.large (id INT PRIMARY KEY, v LONGBLOB)")
        cls.source_query("CREATE TABLE check_db.small (id INT AUTO_INCREMENT PRIMARY KEY, n INT)")
        cls.steps_file = cls.cluster.folder / "steps"

    @classmethod
    def source_query(cls, statement):
        return cls.cluster.source.query(statement, ANSWER_TIMEOUT_S)

    def insert_large(self, number):
        self.source_query(f"INSERT INTO check_db.large VALUES ({number}, REPEAT('x', {ROW_BYTES}))")

    def restart_source(self, **environment):
        """With the steps of its commits on record, and what else the environment asks for."""
        process = self.source.process
        self.source.stop()
        self.steps_file.write_text("")
        process.environment = {
            "LD_PRELOAD": COMMIT_STEPS,
            "BINLANE_COMMIT_STEPS": str(self.steps_file),
            **environment,
        }
        self.source.start()
        self.wait_in_order()

    def wait_in_order(self):
        self.cluster.wait_state("SEMISYNC")
        self.cluster.wait_closed_ledger()

    def steps(self):
        return self.steps_file.read_text().split()

    def facts(self):
        """What no rename may change."""
        status = self.cluster.source_status()
        return {
            "incarnations": status["counters"]["incarnations"],
            "epoch": status["epoch"],
            "connections": status["dump"]["connections"],
            "ledger": status["ledger"]["entries"],
            "no_tx": self.source.semi_sync()["no_tx"],
        }

    def check_arrived(self):
        self.check_everything_arrived("check_db.large")
        self.check_everything_arrived("check_db.small")


class OneIncarnation(LargeCommits):
    def check_commits(self, count):
        """That many large commits, while another client's small ones go on."""
        before = self.facts()
        files = len(self.source.binlogs())
        large = self.source_query("SELECT COUNT(*) FROM check_db.large")[0][0]
        stop = threading.Event()
        errors = []

        def commit_small():
            try:
                connection = self.source.connect()
                with connection.cursor() as cursor:
                    while not stop.is_set():
                        cursor.execute("INSERT INTO check_db.small(n) VALUES (1)")
                connection.close()
            except pymysql.err.MySQLError as error:
                errors.append(error)

        other = threading.Thread(target=commit_small)
        other.start()
        try:
            for number in range(large, large + count):
                self.insert_large(number)
        finally:
            stop.set()
            other.join()
        self.assertEqual(errors, [])
        self.assertGreaterEqual(len(self.source.binlogs()), files + count)
        self.assertEqual(self.steps().count("ended"), count, "not all of them were renamed")
        self.check_semi_sync_is_on()
        self.check_arrived()
        self.assertEqual(self.facts(), before)

    def test_thirty_large_commits(self):
        self.restart_source()
        self.check_commits(COMMITS)

    def test_each_step_lasts(self):
        self.restart_source(BINLANE_COMMIT_PAUSE_MS=str(PAUSE_MS))
        self.check_commits(PAUSED_COMMITS)
        waited = self.cluster.source_status()["binlog"]["heads_awaited"]
        self.assertGreater(waited, 0, "no state without a head was seen")


    def test_a_head_that_stays_away_is_a_problem(self):
        self.restart_source(BINLANE_COMMIT_PAUSE_MS=str(LONG_PAUSE_MS))
        before = self.facts()
        number = int(self.source.binlogs()[-1].suffix[1:]) + 1
        commit = threading.Thread(target=self.insert_large, args=(1000,))
        commit.start()
        try:
            found = waiting.until(self.headless, "the problem to be shown", SOON_S)
            self.assertEqual(found["severity"], "fault")
            self.assertIn(f"the binlog binlog.{number:06} ", found["text"])
        finally:
            commit.join()
        waiting.until(lambda: self.headless() is None, "the problem to go", SOON_S)
        self.check_arrived()
        self.assertEqual(self.facts(), before)

    def headless(self):
        problems = self.cluster.daemon.status()["problems"]
        return next((row for row in problems if row["code"] == "binlog_headless"), None)


class KilledAtEachStep(LargeCommits):
    """kill -9 at each step. Only the last one is behind the point where recovery commits."""

    def kill_at(self, step, number):
        self.restart_source(BINLANE_COMMIT_KILL_AT=step)
        before = self.facts()["incarnations"]
        with self.assertRaises(pymysql.err.MySQLError):
            self.insert_large(number)
        waiting.until(lambda: not self.source.process.alive, "the server's end", SOON_S)
        self.assertEqual(self.steps()[-1], step)
        self.source.process.environment = {}
        self.source.start()
        self.wait_in_order()
        committed = self.source_query(f"SELECT COUNT(*) FROM check_db.large WHERE id = {number}")
        self.assertEqual(committed[0][0], 1 if step == "ended" else 0)
        # The number of the file that was in the making may be another file's now.
        self.insert_large(100 + number)
        self.source_query("INSERT INTO check_db.small(n) VALUES (2)")
        self.check_arrived()
        return self.facts()["incarnations"] - before

    def test_killed_at_each_step(self):
        for number, step in enumerate(STEPS):
            with self.subTest(step=step):
                # One for the restart of the server, and no more than one for each look at what the
                # crash has left while it starts.
                self.assertLessEqual(self.kill_at(step, number), 2)
        # The server that was killed before it cleared it left the flag set for ever.
        binlogs = self.source.binlogs()[:-1]
        in_use = [binlog for binlog in binlogs if verify.is_in_use(binlog)]
        self.assertTrue(in_use, "no file was left in use")


if __name__ == "__main__":
    os.environ.setdefault("BINLANE_SERVER", "mariadb:11.8")
    harness.main(families=("mariadb",))
