"""What a replica's archive deletes, what it keeps, and how a replica gets back what its source purged."""

import shutil

import harness
from lab.audit import verify
from lab.machine import waiting
from lab.servers import fleet
from lab.servers.cli import binlane

ROW_BYTES = 200 * 1024
SOON_S = 60
# archive_keep_mb of every case: a little more than one file of ROWS_A_FILE rows.
ROWS_A_FILE = 4
KEEP_MB = 1


def archived(daemon):
    """Numbers of the archived files, ascending."""
    return sorted(
        verify.file_number(path)
        for path in daemon.archive.glob("binlog.??????")
        if path.is_file()
    )


class ArchiveCase(harness.ClusterCase):
    """r1's binlaned asks its server what it has executed; r2's has no server that it could ask."""

    CLUSTER = {"ask_servers": ("r1",), "port": "udp"}
    FED = True

    @classmethod
    def setUpClass(cls):
        # Before the daemons start: the keys are read at a start.
        original = harness.Cluster.start_daemons

        def with_limits(cluster):
            for replica in cluster.replicas:
                replica.daemon.config["replica"] |= {
                    "archive_keep_mb": KEEP_MB,
                    "archive_keep_for_absent_mb": 0,
                }
            original(cluster)

        harness.Cluster.start_daemons = with_limits
        try:
            super().setUpClass()
        finally:
            harness.Cluster.start_daemons = original

    def fill_files(self, count):
        """Writes that many binlog files' worth, and rotates after each."""
        self.source.query("CREATE TABLE IF NOT EXISTS check_db.filler (id INT, t MEDIUMTEXT)")
        for number in range(count):
            for _ in range(ROWS_A_FILE):
                self.source.query(
                    f"INSERT INTO check_db.filler VALUES ({number}, REPEAT('x', {ROW_BYTES}))"
                )
            self.source.query("FLUSH BINARY LOGS")

    def retention(self, name):
        status = self.cluster.replica(name).daemon.try_status() or {}
        return ((status.get("replica") or {}).get("archive") or {}).get("retention") or {}

    def source_file(self):
        return verify.file_number(self.source.binlogs()[-1])


class Retention(ArchiveCase):
    def test_a_limit_deletes_what_everybody_has(self):
        self.fill_files(6)
        newest = self.source_file()
        daemon = self.cluster.replica("r1").daemon
        waiting.until(
            lambda: archived(daemon) and archived(daemon)[0] >= newest - 2,
            lambda: f"r1 to keep the newest files alone ({archived(daemon)}, {self.retention('r1')})",
            SOON_S,
        )
        kept = archived(daemon)
        self.assertEqual(kept, list(range(kept[0], kept[-1] + 1)), "the archive has a gap")
        waiting.until(
            lambda: self.retention("r1")["removed_files"] > 0, "the deleted files to count", SOON_S
        )
        # r2's binlaned cannot ask its server: nothing goes, and it says why.
        self.assertEqual(archived(self.cluster.replica("r2").daemon)[0], 1)
        waiting.until(
            lambda: any(
                problem["code"] == "archive_over_limit" and "server_socket" in problem["text"]
                for problem in (self.cluster.replica("r2").daemon.try_status() or {})["problems"]
            ),
            "r2 to say why it deletes nothing",
            SOON_S,
        )
        # The pruned replica continues, also after a restart.
        daemon.stop()
        daemon.start()
        self.fill_files(1)
        self.cluster.wait_replicas_applied()

    def test_a_limit_that_is_lifted_and_set_again_while_it_runs(self):
        daemon = self.cluster.replica("r1").daemon
        self.assertEqual(binlane(daemon, "set", "replica.archive_keep_mb", "0").code, 0)
        removed = self.retention("r1")["removed_files"]
        self.fill_files(4)
        self.cluster.wait_replicas_applied()
        waiting.until(
            lambda: self.retention("r1")["files"] >= 5,
            lambda: f"r1 to keep all of them ({self.retention('r1')})",
            SOON_S,
        )
        self.assertEqual(self.retention("r1")["removed_files"], removed)
        self.assertEqual(binlane(daemon, "set", "replica.archive_keep_mb", str(KEEP_MB)).code, 0)
        waiting.until(
            lambda: self.retention("r1")["removed_files"] > removed, "files to go again", SOON_S
        )

    def test_what_the_server_has_not_executed_stays(self):
        replica = self.cluster.replica("r1")
        replica.server.stop_applier()
        self.fill_files(1)
        first = self.source_file() - 1  # not executed: the thread is stopped before it
        self.fill_files(4)
        waiting.until(
            lambda: self.retention("r1").get("over_limit")
            and "executed" in self.retention("r1").get("kept_because", ""),
            lambda: f"r1 to say that its server needs the file ({self.retention('r1')})",
            SOON_S,
        )
        self.assertLessEqual(archived(replica.daemon)[0], first)
        replica.server.start_applier()
        waiting.until(
            lambda: archived(replica.daemon)[0] > first,
            "the file to go once it was executed",
            SOON_S,
        )
        self.cluster.wait_replicas_applied()


class PurgedAtTheSource(ArchiveCase):
    """OPERATIONS, "The source has purged what a replica needs": r1 from r2's archive."""

    def test_a_peers_archive_brings_it_back(self):
        one, two = self.cluster.replica("r1"), self.cluster.replica("r2")
        self.fill_files(1)
        self.cluster.wait_replicas_applied()
        one.daemon.stop()
        one.server.stop_replica()
        self.fill_files(3)
        newest = self.source_file()
        waiting.until(
            lambda: archived(two.daemon)[-1] >= newest, "r2 to have archived everything", SOON_S
        )
        self.source.query(f"PURGE BINARY LOGS TO 'binlog.{newest:06d}'")
        one.daemon.start()
        waiting.until(
            lambda: "purged" in str((one.daemon.try_status() or {}).get("replica", {}).get("refusal")),
            "r1 to be refused",
            SOON_S,
        )
        one.daemon.stop()

        # --- the page's steps
        own, peer = one.daemon.archive, two.daemon.archive
        for number in archived(two.daemon):
            if number >= archived(one.daemon)[-1]:
                name = f"binlog.{number:06d}"
                shutil.copyfile(peer / name, own / name)
        journal = one.daemon.data_dir / "journal"
        for suffix in ("", ".meta", ".exposed"):
            journal.with_name("journal" + suffix).unlink(missing_ok=True)
        one.daemon.start()
        one.server.start_replica()

        self.fill_files(1)
        fleet.wait_executed("r1", one.server, self.source.written_set(), SOON_S)
        replicas = [(replica.name, replica.server) for replica in self.cluster.replicas]
        self.cluster.wait_replicas_applied()
        differences = verify.table_differences(self.source, replicas, "check_db.filler")
        self.assertEqual(differences, [])


if __name__ == "__main__":
    harness.main()
