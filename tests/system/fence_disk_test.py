"""S18 on real servers: the disk of a source's binlaned fails on everything, and it is fenced all the
same: no commit that comes afterwards is told OK, and the server is read-only."""

import unittest

import harness
from lab.machine import sick_disk, waiting
from lab.servers.cli import binlane
from quorum_case import SOON_S, Committer, QuorumCase

EXIT_NOT_ON_RECORD = 7
# Commits that waited when the source was fenced end then (S20); those that come later do not.
SHORT_SERVER_TIMEOUT_MS = 4_000


class SickDisk(QuorumCase):
    """Each case breaks the disk for good, so it has a cluster of its own (one class, one case)."""

    CLUSTER = {"timeout_ms": 1_000, "server_timeout_ms": SHORT_SERVER_TIMEOUT_MS}

    @classmethod
    def setUpClass(cls):
        reason = sick_disk.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        super().setUpClass()
        daemon = cls.cluster.daemon
        daemon.stop()
        cls.disk = sick_disk.SickDisk(daemon.data_dir)
        cls.disk.__enter__()
        cls.addClassCleanup(cls.disk.__exit__)
        cls.addClassCleanup(daemon.kill)
        daemon.start()

    def insert_by(self, user, row):
        return Committer(self.source, f"INSERT INTO check_db.counted VALUES ({row})", **user)

    def check_closed(self):
        """The server is read-only, and a commit of an account that this does not bind gets no OK."""
        waiting.until(
            lambda: self.source.variable("read_only") == 1, "the server to be read-only", SOON_S
        )
        status = self.cluster.source_status
        late = self.insert_by({}, 1_000_001)
        waiting.until(
            lambda: self.source.semi_sync()["wait_sessions"] >= 1, "the commit to wait", SOON_S
        )
        polls = status()["counters"]["polls"]
        # Longer than the server's own timeout was: at a look every 50 ms.
        looks = 2 * SHORT_SERVER_TIMEOUT_MS // 50
        waiting.until(
            lambda: status()["counters"]["polls"] > polls + looks, "that many looks", 4 * SOON_S
        )
        self.assertTrue(late.waiting, f"a commit was told OK: {late.error}")


class FencedByAnOperator(SickDisk):
    def test_no_commit_is_told_ok(self):
        self.commit()
        self.disk.fail()
        self.commit()  # a quorum needs no disk of the source's
        name = self.cluster.daemon.config["name"]
        fenced = binlane(self.cluster.daemon, "fence", name, "--reason", "its disk is gone")
        self.assertEqual(fenced.code, EXIT_NOT_ON_RECORD, fenced)
        self.assertIn("fenced, not on record", fenced.text + fenced.errors)
        self.cluster.wait_state("FENCED", SOON_S)
        waiting.until(
            lambda: "not on record" in (self.cluster.source_status()["problem"] or ""),
            "the status to say so",
            SOON_S,
        )
        self.assertFalse(self.cluster.source_status()["role_on_record"])
        self.check_closed()


class FencedByALaterTerm(SickDisk):
    def test_no_commit_is_told_ok(self):
        self.commit()
        self.disk.fail()
        self.commit()
        outcome = binlane(self.cluster.replica("r1").daemon, "fence", "r1", "--reason", "a test")
        self.assertEqual(outcome.code, 0, outcome)
        self.cluster.wait_state("FENCED", SOON_S)
        self.assertFalse(self.cluster.source_status()["role_on_record"])
        self.check_closed()


class RefusedForWantOfADisk(SickDisk):
    def test_the_server_takes_no_writes(self):
        self.commit()
        self.disk.fail()
        self.commit()
        # Ends the incarnation; the next one cannot be put on record.
        self.source.query("SET GLOBAL sync_binlog=0")
        self.cluster.wait_state("REFUSED", SOON_S)
        self.source.query("SET GLOBAL sync_binlog=1")
        waiting.until(
            lambda: self.source.variable("read_only") == 1, "the server to be read-only", 2 * SOON_S
        )
        waiting.until(
            lambda: "cannot be recorded" in (self.cluster.source_status()["write_problem"] or ""),
            "the status to say why",
            SOON_S,
        )


if __name__ == "__main__":
    harness.main()
