"""What cases share that run on hosts with both roles: promotions, rejoins, what hosts hold."""

import unittest
from pathlib import Path

import harness
import pymysql
from lab.audit import rows, verify
from lab.machine import waiting
from lab.servers.ha import HaCluster

TABLE = "CREATE TABLE d.t (id INT PRIMARY KEY, note VARCHAR(100)) ENGINE=InnoDB"
WAIT_S = 60
# Longer than any case takes: commits that wait for a quorum must not be released meanwhile.
LONG_TIMEOUT_MS = 120_000
EXIT_REFUSED = 5
EXIT_GOING_ON = 6


class HaCase(unittest.TestCase):
    """A cluster of its own for every class."""

    HOSTS = {}
    cluster = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = HaCluster(**cls.HOSTS)
        cls.addClassCleanup(cls.cluster.stop)
        try:
            cls.cluster.start()
        except harness.Unavailable:
            raise
        except BaseException as error:
            raise RuntimeError(f"{error}\n{harness.log_tails(cls.cluster)}") from error
        cls.execute(cls.cluster.hosts[0], "CREATE DATABASE d", TABLE)

    @staticmethod
    def execute(host, *statements):
        connection = host.application()
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def insert(self, host, *ids):
        self.execute(host, *(f"INSERT INTO d.t VALUES ({i}, 'by {host.name}')" for i in ids))

    def rows_of(self, host):
        return host.server.query("SELECT id, note FROM d.t ORDER BY id")

    @staticmethod
    def newest_gtid(host):
        """Of the newest event group in the binlogs of this host's server, which may be down."""
        return rows.gtids_of_files(host.server.binlogs()[-2:], host.server.flavour)[-1]

    def check_equal(self):
        self.cluster.wait_replicas_applied()
        expected = self.rows_of(self.cluster.active)
        for host in self.cluster.hosts:
            if host.server.process.alive:
                self.assertEqual(self.rows_of(host), expected, host.name)

    def promote(self, name, *options):
        """Promotes a host that must be promotable; it takes writes when this returns."""
        status, out, err = self.cluster.promote(name, *options)
        self.assertEqual(status, 0, f"{out}{err}")
        host = self.cluster.host(name)
        host.wait_state("SEMISYNC")
        self.cluster.wait_writable(host)
        return out

    def rejoin(self, name):
        return self.rejoin_with(name, 0)[0]

    def rejoin_with(self, name, status, *options):
        """(stdout, stderr) of `binlane rejoin`, which waits itself for the new source to speak."""
        got, out, err = self.cluster.rejoin(name, *options)
        self.assertEqual(got, status, f"{out}{err}")
        return out, err

    def step(self, host):
        return host.promotion()["step"]

    def check_archive(self, host, source):
        """The host's copy of the source's stream, in the folder that its journal names."""
        folder = Path(host.replica_status()["archive_folder"])
        self.assertEqual(folder, host.daemon.archive / host.superblock().folder)
        copies = sorted(folder.glob("binlog.[0-9]*"))
        self.assertTrue(copies, folder)
        for copy in copies:
            self.assertTrue(verify.is_beginning(copy, source.server.data_dir / copy.name), copy)

    def check_read_only(self, host):
        waiting.until(host.server.fenced, f"{host.name} to be read-only", WAIT_S)
        with self.assertRaises(pymysql.err.OperationalError) as refused:
            self.insert(host, 1_000_000)
        self.assertIn("read-only", str(refused.exception))
