"""The whole path: every kind of event group waits for its quorum and arrives, byte-identical."""

import json
import subprocess

import harness
from lab.audit import rows, verify
from lab.machine import waiting
from lab.machine.programs import program

ROTATIONS = 50
ROW_BYTES = 64 * 1024
MANY_CLIENTS = 32
WARM_UP_COMMITS = 3_000
MEASURED_COMMITS = 20_000
LOAD_TIMEOUT_S = 180
# What a malloc arena or a first use of a ring's pages may add; a leak of 100 bytes a commit shows.
MEMORY_GROWTH_MAX_KB = 1_500
CLI_TIMEOUT_S = 20
# A bound for "soon": generous, because other programs share the machine.
SOON_S = 30


class WholePath(harness.ClusterCase):
    """Two replicas, ANY 1; no case may leave the source degraded."""

    def setUp(self):
        self.check_semi_sync_is_on()
        self.before = self.source.semi_sync()
        self.entries = self.ledger_entries()

    def tearDown(self):
        after = self.source.semi_sync()
        self.assertEqual(after["no_tx"], self.before["no_tx"], "a commit went on without its quorum")
        self.assertEqual(after["status"], "ON")
        self.assertEqual(self.ledger_entries(), self.entries)

    def waited(self):
        """Transactions, or groups of them, that waited for their quorum since the case began."""
        return self.source.semi_sync()["yes_tx"] - self.before["yes_tx"]

    def run_statements(self, *statements):
        connection = self.source.connect(database="check_db")
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def check_arrived(self, table):
        self.check_everything_arrived(f"check_db.{table}")

    def test_single_commits_wait(self):
        self.run_statements(
            "CREATE TABLE single (id INT PRIMARY KEY) ENGINE=InnoDB",
            *(f"INSERT INTO single VALUES ({number})" for number in range(20)),
        )
        self.assertGreaterEqual(self.waited(), 20)
        self.check_arrived("single")

    def test_one_of_two_gone_is_no_degrade(self):
        with self.load(clients=4, first_client=10) as load:
            waiting.until(lambda: load.acknowledged_count() > 50, "commits", SOON_S)
            for name in ("r1", "r2"):
                daemon = self.cluster.replica(name).daemon
                daemon.kill()
                mark = load.acknowledged_count()
                waiting.until(
                    lambda mark=mark: load.acknowledged_count() > mark + 200,
                    f"commits without {name}",
                    SOON_S,
                )
                daemon.start()
                waiting.until(
                    lambda: all(
                        one["connected"] for one in self.cluster.source_status()["replicas"]
                    ),
                    f"{name} to be connected again",
                    SOON_S,
                )
            summary = load.stop()
        self.assertEqual(summary["errors"], 0)
        self.check_everything_arrived()

    def test_data_definition(self):
        self.run_statements(
            "CREATE TABLE defined (id INT PRIMARY KEY, a INT) ENGINE=InnoDB",
            "INSERT INTO defined VALUES (1, 1), (2, 2)",
            "ALTER TABLE defined ADD COLUMN b VARCHAR(30) DEFAULT 'b', ADD INDEX (a)",
            "CREATE VIEW seen AS SELECT id, b FROM defined",
            "CREATE TRIGGER doubled BEFORE INSERT ON defined FOR EACH ROW SET NEW.a = NEW.a * 2",
            "INSERT INTO defined VALUES (3, 3, 'x')",
            "RENAME TABLE defined TO renamed",
            "CREATE TABLE copied AS SELECT * FROM renamed",
            "TRUNCATE TABLE copied",
            "DROP VIEW seen",
        )
        self.check_arrived("renamed")
        self.check_arrived("copied")

    def test_groups_without_rows(self):
        self.run_statements(
            "CREATE TABLE nothing (id INT PRIMARY KEY) ENGINE=InnoDB",
            "INSERT INTO nothing VALUES (1)",
            "SET SESSION binlog_format = 'STATEMENT'",
            "UPDATE nothing SET id = 5 WHERE id = 4",
            "DELETE FROM nothing WHERE id > 10",
            "SET SESSION binlog_format = 'ROW'",
            "DROP TABLE IF EXISTS never_was",
            "ANALYZE TABLE nothing",
            "FLUSH TABLES",
        )
        self.check_arrived("nothing")

    def test_statement_format_and_other_engines(self):
        self.run_statements(
            "CREATE TABLE mixed (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(50)) ENGINE=InnoDB",
            "CREATE TABLE plain (id INT PRIMARY KEY) ENGINE=MyISAM",
            "SET SESSION binlog_format = 'STATEMENT'",
            "INSERT INTO mixed (a) VALUES (CONCAT('s', LAST_INSERT_ID()))",
            "SET SESSION binlog_format = 'ROW'",
            "INSERT INTO plain VALUES (1), (2), (3)",
            "BEGIN",
            "INSERT INTO mixed (a) VALUES ('kept')",
            "SAVEPOINT here",
            "INSERT INTO mixed (a) VALUES ('dropped')",
            "INSERT INTO plain VALUES (4)",
            "ROLLBACK TO here",
            "COMMIT",
        )
        self.check_arrived("mixed")
        self.check_arrived("plain")

    def test_large_row(self):
        self.run_statements("CREATE TABLE large (id INT PRIMARY KEY, body LONGBLOB) ENGINE=InnoDB")
        with self.source.connect(database="check_db") as connection:
            with connection.cursor() as cursor:
                for number, length in enumerate((ROW_BYTES, ROW_BYTES * 20, ROW_BYTES * 300)):
                    body = bytes((number + index) % 251 for index in range(1009)) * (
                        length // 1009 + 1
                    )
                    cursor.execute("INSERT INTO large VALUES (%s, %s)", (number, body[:length]))
        self.check_arrived("large")

    def test_many_clients(self):
        with self.load(
            clients=MANY_CLIENTS, first_client=100, rows_per_transaction="1,5", transactions=10_000
        ) as load:
            waiting.until(lambda: not load.process.alive, "32 clients to finish", LOAD_TIMEOUT_S)
        summary = load.summary()
        self.assertEqual(summary["commits"], 10_000)
        self.assertEqual(summary["errors"], 0)
        self.assertGreaterEqual(self.waited(), self.source.flavour.yes_tx_min(10_000))
        self.check_everything_arrived()
        self.check_nothing_lost(load)

    def test_rotations_under_load(self):
        files = len(self.source.binlogs())
        with self.load(clients=4, first_client=200, rows_per_transaction="1,10") as load:
            for _ in range(ROTATIONS):
                mark = load.acknowledged_count()
                waiting.until(
                    lambda mark=mark: load.acknowledged_count() > mark + 20, "commits", 30
                )
                self.source.query("FLUSH BINARY LOGS")
            summary = load.stop()
        self.assertEqual(len(self.source.binlogs()), files + ROTATIONS)
        self.assertEqual(summary["errors"], 0)
        self.check_everything_arrived()
        self.check_nothing_lost(load)

    def test_zzz_purge_of_delivered_files_is_harmless(self):
        self.source.query("FLUSH BINARY LOGS")
        self.wait_archives()
        binlogs = self.source.binlogs()
        self.source.query(f"PURGE BINARY LOGS TO '{binlogs[-1].name}'")
        self.run_statements(
            "CREATE TABLE purged (id INT PRIMARY KEY) ENGINE=InnoDB",
            "INSERT INTO purged VALUES (1)",
        )
        self.cluster.wait_replicas_applied()
        for replica in self.cluster.replicas:
            self.assertEqual(replica.server.query("SELECT * FROM check_db.purged"), [(1,)])
            for binlog in binlogs[:-1]:
                self.assertTrue((replica.daemon.archive / binlog.name).exists())
                rows.rows_of_file(replica.daemon.archive / binlog.name)

    def test_status_tells_the_truth(self):
        self.run_statements(
            "CREATE TABLE told (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO told VALUES (1)"
        )
        last = self.source.binlogs()[-1]
        end = {"file": verify.file_number(last), "offset": last.stat().st_size}

        def settled():
            source = self.cluster.source_status()
            marks = (source["written"], source["synced"], source["quorum"])
            idle = all(r["durable_lag_bytes"] == 0 for r in source["replicas"])
            return source if idle and all(mark == end for mark in marks) else None

        source = waiting.until(settled, "all watermarks at the end of the binlog", 10)
        self.assertEqual(source["rule"], self.cluster.quorum)
        self.assertEqual([r["name"] for r in source["replicas"]], ["r1", "r2"])
        for replica in source["replicas"]:
            self.assertTrue(replica["connected"])
        for replica in self.cluster.replicas:
            mine = replica.daemon.status()["replica"]
            self.assertTrue(mine["connected"])
            self.assertEqual(mine["durable"], end)

    def test_command_line(self):
        def binlane(*arguments):
            return subprocess.run(
                [program("binlane"), "--socket", self.cluster.daemon.admin_socket, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=CLI_TIMEOUT_S,
                check=False,
            )

        done = binlane("status", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["source"]["state"], "SEMISYNC")
        done = binlane("status")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("SEMISYNC", "r1", "r2", self.cluster.quorum):
            self.assertIn(word, done.stdout)
        self.assertNotEqual(binlane("no-such-verb").returncode, 0)

    def test_zz_memory_stays_flat(self):
        # Last by name: caches and pools have been used by then.
        def commits(count, first_client):
            with self.load(clients=8, first_client=first_client, transactions=count) as load:
                waiting.until(lambda: not load.process.alive, "the load to end", LOAD_TIMEOUT_S)
            self.assertEqual(load.summary()["commits"], count)
            self.wait_archives()
            return [daemon.process.memory_kb() for daemon in self.cluster.daemons]

        before = commits(WARM_UP_COMMITS, 300)
        after = commits(MEASURED_COMMITS, 310)
        growth = [late - early for early, late in zip(before, after)]
        self.assertLess(max(growth), MEMORY_GROWTH_MAX_KB, f"kB before {before}, after {after}")


class KernelUdp(harness.ClusterCase):
    """The same datagrams through the kernel's UDP."""

    CLUSTER = {"port": "udp"}

    def test_load_arrives(self):
        before = self.source.semi_sync()
        with self.load(clients=8, transactions=3_000, rows_per_transaction="1,10") as load:
            waiting.until(lambda: not load.process.alive, "the load to end", LOAD_TIMEOUT_S)
        self.assertEqual(load.summary()["errors"], 0)
        self.assertEqual(self.source.semi_sync()["no_tx"], before["no_tx"])
        self.check_everything_arrived()
        self.check_nothing_lost(load)


if __name__ == "__main__":
    harness.main()
