"""A binlog that its server has torn in the middle (rule S24), and what only looks like it."""

import ctypes
import os
import shutil
import threading
import unittest

import harness
from lab.machine import waiting
from lab.servers.cli import binlane
from lab.servers.fleet import short_folder
from quorum_case import RECOVER_S, SOON_S, QuorumCase

CLONE_NEWNS = 0x20000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
BINLOG_DISK_BYTES = 4 << 20
LEFT_BYTES = 40_000  # less than the row
ROW_BYTES = 100_000
# MariaDB looks once a minute whether there is space again, or whether it was killed.
DISK_FULL_TIMEOUT_S = 180
ATTEMPTS = 4


def own_mounts():
    """Mounts of this process and its children are nobody else's. The reason why not, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        return f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}"
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return f"mounts cannot be made private: {os.strerror(ctypes.get_errno())}"
    return None


def mount_small_disk(folder):
    libc = ctypes.CDLL(None, use_errno=True)
    size = f"size={BINLOG_DISK_BYTES}".encode()
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, size) != 0:
        return f"no tmpfs can be mounted: {os.strerror(ctypes.get_errno())}"
    return None


class TornByAFullDisk(QuorumCase):
    """The disk of the binlogs is full, the waiting client is killed, space is freed: MariaDB
    continues after half an event. What it then tells its clients is in no part of the binlog that a
    replica could be given."""

    @classmethod
    def setUpClass(cls):
        cls.disk = short_folder()
        cls.addClassCleanup(shutil.rmtree, cls.disk, ignore_errors=True)
        why_not = own_mounts() or mount_small_disk(cls.disk)
        if why_not:
            raise unittest.SkipTest(why_not)
        cls.addClassCleanup(ctypes.CDLL(None).umount2, os.fsencode(cls.disk), 2)
        cls.CLUSTER = {
            **QuorumCase.CLUSTER,
            "source_options": {
                "log-bin": cls.disk / "binlog",
                "log-bin-index": cls.disk / "binlog.index",
            },
        }
        super().setUpClass()
        cls.cluster.source.query("CREATE TABLE check_db.large (id INT PRIMARY KEY, b LONGBLOB)")

    def is_torn(self):
        """The server believes that its newest binlog is shorter than it is."""
        position = int(self.source.query("SHOW MASTER STATUS")[0][1])
        return self.source.binlogs()[-1].stat().st_size != position

    def tear(self, row):
        """One row in half in the binlog, which its client knows nothing of; where the server's own
        buffer happened to end with the event before it, nothing is torn."""
        filler = self.disk / "filler"
        usage = os.statvfs(self.disk)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, usage.f_bavail * usage.f_frsize - LEFT_BYTES)
        connection = self.source.connect(DISK_FULL_TIMEOUT_S, database="check_db")
        victim = connection.thread_id()
        failed = threading.Event()

        def insert():
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"INSERT INTO large VALUES ({row}, REPEAT('y', {ROW_BYTES}))")
            except Exception:  # pylint: disable=broad-except
                failed.set()

        writer = threading.Thread(target=insert, daemon=True)
        writer.start()
        waiting.until(lambda: os.statvfs(self.disk).f_bavail == 0, "the disk to be full", SOON_S)
        self.source.query(f"KILL {victim}")
        # Not before it has given up: with space it would write the rest, and nothing were torn.
        writer.join(DISK_FULL_TIMEOUT_S)
        filler.unlink()
        self.assertTrue(failed.is_set(), "the killed client's row was committed")

    def check_refused(self, file):
        self.cluster.wait_state("REFUSED", RECOVER_S)
        waiting.until(
            lambda: f"binlog {file} is damaged at {file}:" in self.problem(),
            lambda: f"the place of the damage in: {self.problem()}",
            SOON_S,
        )
        self.assertIn("RESET MASTER", self.problem())

    def problem(self):
        return self.cluster.source_status().get("problem") or ""

    def test_s24_refused_with_the_place_and_in_doubt(self):
        self.commit()
        file = len(self.source.binlogs())
        for attempt in range(ATTEMPTS):
            self.tear(attempt)
            self.commit()
            if self.is_torn():
                break
        self.assertTrue(self.is_torn(), "MariaDB has torn nothing")
        for _ in range(2):
            self.commit()
        gtid = self.source.variable("gtid_binlog_pos").split(",")[-1]
        self.source.query("FLUSH BINARY LOGS")
        self.check_refused(file)
        # The source has the row, and no file can tell.
        outcome = binlane(self.cluster.daemon, "verdict", gtid)
        self.assertIn("IN-DOUBT", outcome.text)
        self.assertNotIn("ABSENT", outcome.text)
        # Neither a new daemon nor a new run of the server makes anything of it.
        self.cluster.daemon.stop()
        self.cluster.daemon.start()
        self.check_refused(file)
        self.source.kill()
        self.source.start()
        self.check_refused(file)
        # What the refusal says mends it: a new stream.
        self.source.query("RESET MASTER")
        self.cluster.daemon.stop()
        (self.cluster.daemon.data_dir / "source.state").unlink()
        self.cluster.daemon.start()
        waiting.until(lambda: not self.problem(), "a source", RECOVER_S)


class OrdinaryDays(QuorumCase):
    """What is no damage: the same stream continues."""

    def stream(self):
        return self.cluster.source_status()["stream"]

    def rotate(self):
        self.commit()
        self.source.query("FLUSH BINARY LOGS")
        self.commit()
        self.wait_archives()

    def test_deleted_domains(self):
        stream = self.stream()
        with self.source.connect(database="check_db") as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION gtid_domain_id=7")
            cursor.execute("CREATE TABLE of_domain_7 (id INT PRIMARY KEY)")
        self.rotate()
        self.rotate()
        self.cluster.wait_replicas_applied()

        def purged():
            self.source.query(f"PURGE BINARY LOGS TO '{self.source.binlogs()[-1].name}'")
            return len(self.source.binlogs()) == 1

        waiting.until(purged, "all but one binlog to be purged", SOON_S)
        self.source.query("FLUSH BINARY LOGS DELETE_DOMAIN_ID=(7)")
        self.assertNotIn("7-", self.source.variable("gtid_binlog_state"))
        self.rotate()
        self.wait_semi_sync()
        self.assertEqual(self.stream(), stream)
        self.check_everything_arrived("check_db.counted")
        # At a later start, too.
        self.cluster.daemon.stop()
        self.cluster.daemon.start()
        self.wait_semi_sync()
        self.assertEqual(self.stream(), stream)
        self.commit()

    def test_removed_binlogs_that_no_replica_needs(self):
        stream = self.stream()
        self.rotate()
        self.rotate()
        self.cluster.daemon.stop()
        for binlog in self.source.binlogs()[:-1]:
            binlog.unlink()
        self.cluster.daemon.start()
        self.wait_semi_sync()
        self.assertEqual(self.stream(), stream)
        self.commit()
        self.cluster.wait_replicas_applied()


if __name__ == "__main__":
    harness.main(families=("mariadb",))
