"""What only MySQL has and promotions must cope with: tagged GTIDs, XA, sets with many intervals,
compressed binlogs, commits out of order, and its two ways to rebuild a server."""

import threading

import harness
import pymysql
from ha_case import EXIT_GOING_ON, EXIT_REFUSED, LONG_TIMEOUT_MS, WAIT_S, HaCase
from lab.machine import waiting

SWITCHES = 10
# A set of so many intervals with numbers so large has more than 4 KiB as text; the record of a
# promotion has room for 3.5.
GAPS = 400
FIRST_NUMBER = 1_000_000_001
# The clone plugin ends the server that it has cloned to, because nothing here would restart it.
CLONE_ENDS = (2006, 2013, 3707)
CLONE_USER = "cloner"


class ThereAndBack(HaCase):
    """Two hosts take turns, while a third one follows; whatever MySQL can write is written."""

    HOSTS = {
        "server_options": {
            "binlog-transaction-compression": "ON",
            "binlog-order-commits": "OFF",
        }
    }

    def test_ten_times(self):
        a, b, _ = self.cluster.hosts
        a.server.execute(
            "CREATE TABLE d.plain (id INT PRIMARY KEY) ENGINE=MyISAM",
            "CREATE TABLE d.wide (id INT PRIMARY KEY, big LONGTEXT)",
        )
        for turn in range(2 * SWITCHES):
            old, new = (a, b) if turn % 2 == 0 else (b, a)
            self.write(old, turn)
            self.begin_xa(old, turn)
            self.promote(new.name, "--from-live-source")
            old.wait_state("FENCED")
            self.rejoin(old.name)
            # What was prepared on the old source is committed on the new one.
            new.server.query(f"XA COMMIT 'over{turn}'")
        self.check_equal()
        tables = self.tables(a)
        self.assertIn("wide", tables)
        for host in self.cluster.hosts:
            self.assertEqual(self.tables(host), tables, host.name)
        self.assertEqual(a.server.query("SELECT COUNT(*) FROM d.plain"), [(2 * SWITCHES,)])
        self.assertEqual(a.server.query("SELECT COUNT(*) FROM d.wide"), [(5 * 2 * SWITCHES,)])
        self.assertIn(":tagged", a.server.written_set())

    def write(self, host, turn):
        base = 100 * turn
        host.server.execute(
            f"INSERT INTO d.wide VALUES ({base}, REPEAT('x', 300000))",
            "SET SESSION binlog_format = 'STATEMENT'",
            f"INSERT INTO d.wide SELECT {base + 1}, CONCAT('of ', MAX(id)) FROM d.wide",
            "SET SESSION binlog_format = 'MIXED'",
            f"INSERT INTO d.wide VALUES ({base + 2}, UUID())",
            "SET SESSION binlog_format = 'ROW'",
            f"INSERT INTO d.plain VALUES ({base})",
            f"DROP TABLE IF EXISTS d.made{turn % 5}",
            f"CREATE TABLE d.made{turn % 5} AS SELECT id FROM d.wide",
            "SET SESSION gtid_next = 'AUTOMATIC:tagged'",
            f"INSERT INTO d.wide VALUES ({base + 3}, 'tagged')",
            "SET SESSION gtid_next = 'AUTOMATIC'",
            "FLUSH BINARY LOGS",
        )
        if turn % 5 == 4:
            host.server.query(f"PURGE BINARY LOGS TO '{host.server.binlog_end()[0]}'")

    def begin_xa(self, host, turn):
        connection = host.server.connect()
        with connection, connection.cursor() as cursor:
            for statement in (
                f"XA START 'over{turn}'",
                f"INSERT INTO d.wide VALUES ({100 * turn + 4}, 'prepared on {host.name}')",
                f"XA END 'over{turn}'",
                f"XA PREPARE 'over{turn}'",
            ):
                cursor.execute(statement)

    @staticmethod
    def tables(host):
        names = [name for (name,) in host.server.query("SHOW TABLES FROM d")]
        return {
            name: host.server.query(f"CHECKSUM TABLE d.{name}")[0][1] for name in sorted(names)
        }


class ManyIntervals(HaCase):
    """A set of GTIDs that no record has room for: the promotion reads it from the sealed files."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}
    WRITER = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

    def test_promoted_and_resumed(self):
        a, b, _ = self.cluster.hosts
        statements = []
        for number in range(FIRST_NUMBER, FIRST_NUMBER + 2 * GAPS, 2):
            statements += [f"SET GTID_NEXT = '{self.WRITER}:{number}'", "BEGIN", "COMMIT"]
        a.server.execute(*statements, "SET GTID_NEXT = 'AUTOMATIC'")
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        b.server.stop_applier()
        self.insert(a, 2)
        a.kill()
        status, out, err = self.cluster.promote("b", "--wait-s", "5")
        self.assertEqual(status, EXIT_GOING_ON, f"{out}{err}")
        waiting.until(lambda: self.step(b) == "RELEASED", "b to release the seal", WAIT_S)
        b.daemon.kill()
        b.daemon.start()
        self.assertEqual(self.step(b), "RELEASED")
        b.server.start_applier()
        b.wait_state("SEMISYNC")
        self.cluster.wait_writable(b)
        self.assertRegex(b.binlane("promotion", "--json")[1], r"\d+ characters in all")
        self.insert(b, 3)
        a.start()
        a.wait_state("FENCED")
        self.rejoin("a")
        self.check_equal()


class Rebuilt(HaCase):
    """An old source whose recovery has committed what no other host has: its server gets another
    one's data, by the clone plugin and by a cold copy."""

    HOSTS = {
        "timeout_ms": LONG_TIMEOUT_MS,
        "server_options": {"plugin-load-add": "semisync_source.so;mysql_clone.so"},
    }

    def test_by_clone_and_by_copy(self):
        a, b, c = self.cluster.hosts
        a.server.create_account(CLONE_USER, "", "BACKUP_ADMIN", host="127.0.0.1")
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        self.leave_a_tail(a, (b, c), 2)
        self.come_back(a)
        self.clone(a, c)
        self.follow_again(a, b, 3)
        # The clone has its own name: what it writes as a source is its own.
        self.promote("a", "--from-live-source")
        b.wait_state("FENCED")
        self.rejoin("b")
        self.insert(a, 4)
        self.check_equal()

        self.leave_a_tail(a, (b, c), 5)
        self.come_back(a)
        a.server.stop()
        c.server.stop()
        a.server.copy_data_from(c.server)
        c.server.start()
        a.server.start()
        self.follow_again(a, b, 6)
        uuids = {host.server.variable("server_uuid") for host in self.cluster.hosts}
        self.assertEqual(len(uuids), 3)

    def leave_a_tail(self, source, others, row):
        """A commit that no other host has waits as the source dies; then b is promoted."""
        for host in others:
            host.daemon.kill()
        before = source.source_status()["written"]
        waiter = threading.Thread(target=self.insert_or_fail, args=(source, row), daemon=True)
        waiter.start()
        waiting.until(
            lambda: source.source_status()["written"] != before
            and source.server.semi_sync()["wait_sessions"] == 1,
            "the commit to wait",
            WAIT_S,
        )
        source.kill()
        waiter.join(WAIT_S)
        for host in others:
            host.start()
        self.promote("b")

    def insert_or_fail(self, host, row):
        try:
            self.insert(host, row)
        except pymysql.err.MySQLError:
            pass  # its server was killed under it

    def come_back(self, old):
        old.start()
        old.wait_state("FENCED")
        out, err = self.rejoin_with(old.name, EXIT_REFUSED)
        self.assertIn("only here: GTID", out)
        self.assertIn("rebuild", err)

    def clone(self, recipient, donor):
        """As docs/OPERATIONS.md says: binlaned would make the server refuse the clone's writes."""
        recipient.daemon.stop()
        address = f"127.0.0.1:{donor.server.port}"
        try:
            recipient.server.execute(
                "SET GLOBAL super_read_only = 0",
                f"SET GLOBAL clone_valid_donor_list = '{address}'",
                f"CLONE INSTANCE FROM '{CLONE_USER}'@'127.0.0.1':{donor.server.port} "
                "IDENTIFIED BY ''",
            )
        except pymysql.err.MySQLError as error:
            self.assertIn(error.args[0], CLONE_ENDS, error)
        waiting.until(
            lambda: not recipient.server.process.alive, "the cloned server to end", WAIT_S
        )
        recipient.server.start()
        recipient.daemon.start()
        recipient.wait_state("FENCED")

    def follow_again(self, host, source, row):
        self.rejoin_with(host.name, 0, "--rebuilt")
        self.insert(source, row)
        self.check_equal()
        self.assertEqual(host.source_status()["role"], "STANDBY")


if __name__ == "__main__":
    harness.main(families=("mysql",))
