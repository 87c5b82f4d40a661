"""The feed against real servers: a source writes, its binlogs are copied into an archive, and
unmodified replicas follow that archive through feed_server."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import pymysql

import harness
from lab.machine import waiting
from lab.servers import flavour, server
from lab.servers.fleet import short_folder

FEED_SERVER = sys.argv.pop(1)
WAIT_S = 60
TOOL_TIMEOUT_S = 120
USER = "feed"
PASSWORD = "a feed's 'password'"
PACKET = "64M"
NO_OPTION = None
IN_USE_OFFSET = 21


def wait_for(condition, describe):
    """Waits for condition() to give something true, and returns it."""
    try:
        return waiting.until(condition, "it", WAIT_S)
    except waiting.WaitTimeout as error:
        raise AssertionError(f"{error}: {describe()}") from None


class Server(server.Server):
    """A server whose statements go through the console's client, many at a time."""

    def __init__(self, root, name, server_id, **options):
        super().__init__(root / name, server_id, {
            "innodb-buffer-pool-size": "32M",
            "max-allowed-packet": PACKET,
            "skip-slave-start": NO_OPTION,
            **{key.replace("_", "-"): value for key, value in options.items()},
        })

    def sql(self, text):
        done = subprocess.run(
            ["mariadb", "--no-defaults", "-uroot", f"--socket={self.socket}", "-N", "-B",
             f"--max-allowed-packet={PACKET}"],
            input=text, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{self.folder.name}: {text[:200]}: {done.stderr}")
        return done.stdout.strip()

    # As a replica.
    def follow(self, port, options, password=PASSWORD):
        quoted = password.replace("'", "''")
        self.sql(f"STOP SLAVE; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, "
                 f"MASTER_USER='{USER}', MASTER_PASSWORD='{quoted}', MASTER_CONNECT_RETRY=1, MASTER_SSL=0, "
                 f"{options}; START SLAVE")

    def position(self):
        return self.sql("SELECT @@gtid_slave_pos")

    def describe(self):
        return f"{self.folder.name} at {self.position()}: {self.replica_status()}"

    def wait_for_position(self, gtid):
        wait_for(lambda: self.position() == gtid, lambda: f"{gtid}: {self.describe()}")

    def wait_for_io_error(self, number):
        """SHOW SLAVE STATUS, once its IO thread has met this error."""
        def met():
            status = self.replica_status()
            return status if status["Last_IO_Errno"] == number else None
        return wait_for(met, self.describe)

    def checksums(self):
        tables = self.sql("SELECT CONCAT(table_schema, '.', table_name) FROM "
                          "information_schema.tables WHERE table_schema = 'd' ORDER BY 1")
        return self.sql("CHECKSUM TABLE " + tables.replace("\n", ", ")) if tables else ""

    def written_position(self):
        """The end of the binlog: file name, offset as text."""
        return self.sql("SHOW MASTER STATUS").split()[:2]


class Archive:
    """A folder of binlog files, filled from a source's and served by feed_server."""

    def __init__(self, root, name, source, *options):
        self.folder = root / name
        self.source = source
        self.options = options
        self.process = None
        self.port = 0
        self.folder.mkdir()

    def start(self):
        self.process = subprocess.Popen(
            [FEED_SERVER, "--archive", self.folder, "--user", USER, "--password", PASSWORD,
             "--listen", "127.0.0.1:%d" % self.port, *self.options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        return self

    def connect(self):
        return pymysql.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD,
                               autocommit=None, read_timeout=WAIT_S)

    def stop(self):
        """Ends the feed; returns how long that took."""
        if self.process is None:
            return 0
        begun = time.monotonic()
        self.process.stdin.close()
        self.process.wait(timeout=WAIT_S)
        self.process.stdout.close()
        status, self.process = self.process.returncode, None
        if status != 0:
            raise AssertionError("feed_server ended with %d" % status)
        return time.monotonic() - begun

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def status(self):
        return json.loads(self.ask("status"))

    def limit(self, file, offset):
        assert self.ask("limit %d %d" % (file, offset)) == "ok"

    def path(self, number):
        return self.folder / f"binlog.{number:06}"

    def copy(self):
        """Copies all that the source has written; returns its end (file, offset)."""
        file, offset = self.source.written_position()
        for binlog in self.source.binlogs():
            # One write, in place: the file is never shorter than it was.
            path = self.folder / binlog.name
            path.touch()
            with open(path, "r+b") as write:
                write.write(binlog.read_bytes())
        return int(file.split(".")[1]), int(offset)

    def catch_up(self):
        self.limit(*self.copy())

    def groups(self):
        """The end (file, offset) of every event group in the archive and its GTID, in order."""
        ends = []
        for path in sorted(self.folder.iterdir()):
            number, data = int(path.name.split(".")[1]), path.read_bytes()
            at, gtid = 4, None
            while at + 19 <= len(data):
                kind, server, length = struct.unpack_from("<BII", data, at + 4)
                if kind in (162, 4, 3, 163, 161) and gtid:
                    ends.append((number, at, gtid))
                    gtid = None
                if kind == 162:
                    sequence, domain = struct.unpack_from("<QI", data, at + 19)
                    gtid = "%d-%d-%d" % (domain, server, sequence)
                at += length
            if gtid:
                ends.append((number, at, gtid))
        return ends


def load(source, rounds=3):
    """Rotations, transactions of many rows, DDL, large rows, statements, rollbacks."""
    source.sql("CREATE DATABASE IF NOT EXISTS d; CREATE TABLE IF NOT EXISTS d.t "
               "(a INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB, c VARCHAR(50)) ENGINE=InnoDB;"
               "CREATE TABLE IF NOT EXISTS d.m (a INT, b VARCHAR(50)) ENGINE=Aria;")
    for round_ in range(rounds):
        source.sql("""USE d;
            INSERT INTO d.t (b, c) VALUES (REPEAT('x', 65536), 'large'), ('', 'empty');
            BEGIN; INSERT INTO d.t (c) SELECT seq FROM seq_1_to_500; DELETE FROM d.t WHERE a % 7 = 0;
            SAVEPOINT s; INSERT INTO d.t (c) VALUES ('gone'); ROLLBACK TO s; COMMIT;
            BEGIN; INSERT INTO d.t (c) VALUES ('rolled back'); ROLLBACK;
            INSERT INTO d.m (a, b) VALUES (1, 'not transactional'), (2, 'either');
            CREATE TABLE d.n{0} (a INT PRIMARY KEY) SELECT seq AS a FROM seq_1_to_20;
            SET SESSION binlog_format = STATEMENT;
            INSERT INTO d.t (b, c) VALUES (RAND(5), 'statement'); SET @v = 5;
            INSERT INTO d.m (a, b) VALUES (@v, 'variable');
            SET SESSION binlog_format = ROW;
            FLUSH BINARY LOGS;
            XA START 'x{0}'; INSERT INTO d.t (c) VALUES ('xa'); XA END 'x{0}';
            XA PREPARE 'x{0}'; XA COMMIT 'x{0}';
            SET SESSION gtid_domain_id = 3; INSERT INTO d.m (a, b) VALUES (3, 'another domain');
            ALTER TABLE d.m ADD COLUMN c{0} INT DEFAULT {0};
            """.format(source.sql("SELECT COUNT(*) FROM d.t")))


class Feed(unittest.TestCase):
    def setUp(self):
        self.root = short_folder()
        self.addCleanup(shutil.rmtree, self.root)

    def server(self, name, server_id, **options):
        made = Server(self.root, name, server_id, **options)
        made.initialize()
        self.addCleanup(made.stop)
        made.start()
        return made

    def source(self, **options):
        return self.server("source", 11, **{**flavour.chosen().source_options(), **options})

    def replica(self, name="replica", server_id=12, **options):
        return self.server(name, server_id, **options)

    def archive(self, source, *options):
        archive = Archive(self.root, "archive", source, *options)
        self.addCleanup(archive.stop)
        return archive.start()

    def assert_same(self, source, replica):
        replica.wait_for_position(source.sql("SELECT @@gtid_binlog_pos"))
        self.assertNotEqual(source.checksums(), "")
        self.assertEqual(source.checksums(), replica.checksums())

    def test_follows_by_gtid(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")  # before there is anything
        load(source)
        archive.catch_up()
        self.assert_same(source, replica)
        status = replica.replica_status()
        self.assertEqual(status["Source_Server_Id"], 11)
        self.assertEqual(status["Replica_IO_Running"], "Yes")
        # Live, with a packet of more than one frame, and one of exactly 2^24 - 1 bytes around it.
        source.sql("INSERT INTO d.t (b, c) VALUES (REPEAT('y', 20 * 1024 * 1024), 'huge')")
        source.sql("SET SESSION binlog_format=ROW; INSERT INTO d.t (b, c) VALUES "
                   + ", ".join("(REPEAT('z', %d), 'frame')" % (0xffffff - n)
                               for n in range(40, 80)[::8]))
        archive.catch_up()
        self.assert_same(source, replica)
        # Stop, write, rotate, continue.
        replica.sql("STOP SLAVE")
        load(source)
        archive.catch_up()
        replica.sql("START SLAVE")
        self.assert_same(source, replica)
        self.assertEqual(archive.status()["refused_dumps"], 0)

    def test_follows_by_file_and_position(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source)
        archive.catch_up()
        replica.follow(archive.port, "MASTER_USE_GTID=no, MASTER_LOG_FILE='binlog.000001', "
                                     "MASTER_LOG_POS=4")
        self.assert_same(source, replica)
        self.assertEqual(replica.replica_status()["Source_Log_File"],
                         source.written_position()[0])
        replica.sql("STOP SLAVE")
        load(source)
        archive.catch_up()
        replica.sql("START SLAVE")
        self.assert_same(source, replica)
        status = replica.replica_status()
        self.assertEqual([status["Source_Log_File"], str(status["Read_Source_Log_Pos"])],
                         source.written_position())
        # From files to GTIDs, in the middle of a file.
        source.sql("INSERT INTO d.t (c) VALUES ('switched')")
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        archive.catch_up()
        self.assert_same(source, replica)

    def test_serves_no_more_than_the_limit(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source, rounds=1)
        archive.copy()  # everything is there, and nothing may be served
        groups = archive.groups()
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        held = {}
        for file, offset, gtid in groups:
            archive.limit(file, offset)
            held[gtid.split("-")[0]] = gtid
            replica.wait_for_position(",".join(held[domain] for domain in sorted(held)))
            clients = [c for c in archive.status()["clients"] if c["dumping"]]
            self.assertEqual([(c["file"], c["offset"]) for c in clients], [(file, offset)])
        self.assert_same(source, replica)

    def test_heartbeats(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source, rounds=1)
        archive.catch_up()
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos, MASTER_HEARTBEAT_PERIOD=0.05")
        self.assert_same(source, replica)
        wait_for(lambda: int(replica.status("Slave_received_heartbeats")
                             ["Slave_received_heartbeats"]) > 3, replica.describe)
        self.assertEqual(replica.replica_status()["Replica_IO_Running"], "Yes")
        replica.follow(archive.port, "MASTER_USE_GTID=no, MASTER_HEARTBEAT_PERIOD=0.05")
        before = archive.status()["heartbeats"]
        wait_for(lambda: archive.status()["heartbeats"] > before + 3, replica.describe)
        self.assertEqual(replica.replica_status()["Replica_IO_Running"], "Yes")

    def test_wrong_password(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source, rounds=1)
        archive.catch_up()
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos", password="wrong")
        status = replica.wait_for_io_error(1045)
        self.assertIn("Access denied", status["Last_IO_Error"])
        self.assertGreater(archive.status()["refused_logins"], 0)
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assert_same(source, replica)

    def test_feed_comes_back(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        for restart in range(3):
            load(source, rounds=1)
            archive.catch_up()
            if restart == 0:
                replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
            self.assert_same(source, replica)
            archive.stop()
            archive.start()
        load(source, rounds=1)
        archive.catch_up()
        self.assert_same(source, replica)

    def test_replica_ahead_of_the_archive_waits(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source)
        archive.catch_up()
        end = archive.copy()
        groups = archive.groups()
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assert_same(source, replica)
        # Also behind by files and by all of a domain; who asks by file and position is refused when
        # the archive lacks more than one file, which no crash takes away.
        previous_file = len(groups) - max(
            i for i, group in enumerate(groups) if group[0] == end[0] - 1)
        for mode, backs in (("slave_pos", (2, len(groups) // 2, len(groups) - 1)),
                            ("no", (2, previous_file))):
            for back in backs:
                with self.subTest(mode=mode, back=back):
                    replica.sql("STOP SLAVE")
                    archive.stop()
                    archive.start()
                    archive.limit(*groups[-back][:2])
                    file, offset = source.written_position()
                    replica.sql("CHANGE MASTER TO MASTER_USE_GTID=%s%s; START SLAVE" % (
                        mode, ", MASTER_LOG_FILE='%s', MASTER_LOG_POS=%s" % (file, offset)
                        if mode == "no" else ""))
                    wait_for(lambda: any(c["ahead"] for c in archive.status()["clients"]),
                             replica.describe)
                    archive.limit(*end)
                    wait_for(lambda: any(c["dumping"] and not c["ahead"]
                                         for c in archive.status()["clients"]), replica.describe)
                    source.sql("INSERT INTO d.t (c) VALUES ('after')")
                    archive.catch_up()
                    self.assert_same(source, replica)
                    end = archive.copy()
                    self.assertEqual(archive.status()["refused_dumps"], 0)

    def test_refusals_are_worded_as_by_a_real_source(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source, rounds=1)
        last = int(source.sql("SELECT @@gtid_binlog_pos").split(",")[0].split("-")[2])
        archive.catch_up()
        cases = [("0-77-%d" % (last - 1), "diverged due to executing extra erroneous"),
                 ("0-12-%d" % (last + 9), "which is not in the master's binlog")]
        for position, text in cases:
            with self.subTest(position):
                replica.sql("STOP SLAVE; RESET SLAVE; SET GLOBAL gtid_slave_pos='%s'" % position)
                replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
                status = replica.wait_for_io_error(1236)
                self.assertIn(text, status["Last_IO_Error"])
                # The very words of the real source.
                replica.sql("STOP SLAVE")
                source.sql("CREATE OR REPLACE USER '%s'@'127.0.0.1' IDENTIFIED BY 'p'; GRANT "
                           "REPLICATION SLAVE ON *.* TO '%s'@'127.0.0.1'" % (USER, USER))
                replica.follow(source.port, "MASTER_USE_GTID=slave_pos", password="p")
                real = replica.wait_for_io_error(1236)
                self.assertEqual(real["Last_IO_Error"], status["Last_IO_Error"])
        cases = [("'other.000001'", 4, "Could not find first log"),
                 ("'binlog.000001'", 77, "bogus data in log event"),
                 ("'binlog.000001'", 1 << 30, "impossible position")]
        for file, offset, text in cases:
            with self.subTest(file=file, offset=offset):
                replica.sql("STOP SLAVE; RESET SLAVE ALL")
                replica.follow(archive.port, "MASTER_USE_GTID=no, MASTER_LOG_FILE=%s, "
                                             "MASTER_LOG_POS=%d" % (file, offset))
                self.assertIn(text, replica.wait_for_io_error(1236)["Last_IO_Error"])
        # The archive's beginning is gone.
        archive.path(1).unlink()
        replica.sql("STOP SLAVE; RESET SLAVE; SET GLOBAL gtid_slave_pos=''")
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        status = replica.wait_for_io_error(1236)
        self.assertIn("Could not find GTID state requested by slave in any binlog files",
                      status["Last_IO_Error"])

    def test_strict_mode_and_hole(self):
        source, replica = self.source(), self.replica(gtid_strict_mode=1)
        archive = self.archive(source)
        load(source, rounds=1)
        source.sql("SET SESSION gtid_seq_no = 1000; INSERT INTO d.t (c) VALUES ('jump');"
                   "SET SESSION gtid_seq_no = 1005; INSERT INTO d.t (c) VALUES ('jump')")
        archive.catch_up()
        other = source.sql("SELECT @@gtid_binlog_pos").split(",")[1]
        replica.sql("SET GLOBAL gtid_slave_pos='0-11-1003,%s'" % other)
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assertIn("missing the GTID 0-11-1003",
                      replica.wait_for_io_error(1236)["Last_IO_Error"])
        replica.sql("STOP SLAVE; SET GLOBAL gtid_slave_pos=''")
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assert_same(source, replica)

    def test_until(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source)
        archive.catch_up()
        middle = [gtid for _, _, gtid in archive.groups() if gtid.startswith("0-")][20]
        replica.sql("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='%s', "
                    "MASTER_PASSWORD='%s', MASTER_USE_GTID=slave_pos; START SLAVE UNTIL "
                    "master_gtid_pos='%s'" % (archive.port, USER, PASSWORD.replace("'", "''"),
                                              middle))
        wait_for(lambda: replica.replica_status()["Replica_SQL_Running"] == "No", replica.describe)
        self.assertEqual(replica.position(), middle)
        self.assertEqual(replica.replica_status()["Last_IO_Errno"], 0)
        replica.sql("STOP SLAVE; START SLAVE")
        self.assert_same(source, replica)

    def test_semi_sync_replica_follows_plainly(self):
        source = self.source()
        replica = self.replica(rpl_semi_sync_slave_enabled=1, report_host="here", log_bin="own",
                               log_slave_updates=1)
        archive = self.archive(source)
        load(source)
        archive.catch_up()
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assert_same(source, replica)
        self.assertEqual(replica.status("Rpl_semi_sync_slave_status"),
                         {"Rpl_semi_sync_slave_status": "OFF"})
        # Rows are annotated for a replica that logs them, and only for such a one.
        replica.sql("FLUSH BINARY LOGS")
        self.assertIn("Annotate_rows", replica.sql("SHOW BINLOG EVENTS IN 'own.000001'"))
        for _ in range(3):
            replica.sql("STOP SLAVE; START SLAVE")
        load(source, rounds=1)
        archive.catch_up()
        self.assert_same(source, replica)

    def test_without_checksums_and_changing_them(self):
        source, replica = self.source(binlog_checksum="NONE"), self.replica()
        archive = self.archive(source)
        load(source, rounds=1)
        archive.catch_up()
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos, MASTER_HEARTBEAT_PERIOD=0.05")
        self.assert_same(source, replica)
        for algorithm in "CRC32", "NONE", "CRC32":
            source.sql("SET GLOBAL binlog_checksum=" + algorithm)
            load(source, rounds=1)
            archive.catch_up()
            self.assert_same(source, replica)
            before = archive.status()["heartbeats"]
            wait_for(lambda: archive.status()["heartbeats"] > before + 2, replica.describe)
        replica.sql("STOP SLAVE; START SLAVE")
        load(source, rounds=1)
        archive.catch_up()
        self.assert_same(source, replica)

    def test_torn_files_of_a_killed_source(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        load(source, rounds=1)
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        archive.catch_up()
        group = None
        for tear in (0, 1, 30, 60, 200):
            source.kill()
            source.start()
            load(source, rounds=1)
            number, offset = archive.copy()
            if group is None:
                # The first bytes of a transaction of several events.
                file, end, _ = next(g for g in archive.groups() if g[1] > 20000)
                data = archive.path(file).read_bytes()
                begin = max(g[1] for g in archive.groups() if g[0] == file and g[1] < end)
                group = data[begin:end]
            # The newest file that a crash left open, in the archive's copy only, gets a torn tail.
            torn = [n for n in range(1, number)
                    if archive.path(n).read_bytes()[IN_USE_OFFSET] & 1][-1]
            with open(archive.path(torn), "ab") as write:
                write.write(group[:tear])
            archive.limit(number, offset)
            self.assert_same(source, replica)
            # Its copy must stay as the real one for the next round.
            with open(archive.path(torn), "r+b") as write:
                write.truncate(os.path.getsize(source.data_dir / archive.path(torn).name))
        fresh = self.replica("fresh", 13)
        fresh.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assert_same(source, fresh)

    def source_and_replicas(self, **options):
        """A source, its archive, and two replicas: one of the feed, and one of the source itself
        that shows what a replica does behind it."""
        source = self.source(**options)
        password = PASSWORD.replace("'", "''")
        source.sql(f"CREATE USER {USER} IDENTIFIED BY '{password}';"
                   f"GRANT REPLICATION SLAVE ON *.* TO {USER}; CREATE DATABASE d;"
                   "CREATE TABLE d.t (a INT PRIMARY KEY AUTO_INCREMENT, b INT);"
                   "INSERT INTO d.t (b) VALUES (1), (2), (3)")
        archive = self.archive(source)
        options = {"slave_parallel_threads": 4, "log_bin": "own", "log_slave_updates": 1}
        direct, fed = self.replica("direct", 13, **options), self.replica("fed", 12, **options)
        direct.follow(source.port, "MASTER_USE_GTID=slave_pos")
        fed.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        archive.catch_up()
        return source, archive, direct, fed

    @staticmethod
    def alter_until_killed(source):
        connection = source.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE d.large ADD COLUMN c INT DEFAULT 5, ALGORITHM=COPY")
        except pymysql.err.OperationalError:
            connection.close()  # the server is gone, as it has to be

    def test_a_source_that_dies_within_a_two_phase_alter(self):
        """The replica's worker gives up the half ALTER; it is not stuck with the table's lock."""
        source, archive, direct, fed = self.source_and_replicas(binlog_alter_two_phase="ON")
        # Enough to be killed while the ALTER copies: from a later phase the server would recover it.
        source.sql("USE d; CREATE TABLE d.large (a INT PRIMARY KEY, b VARCHAR(250));"
                   "INSERT INTO d.large SELECT seq, REPEAT('x', 200) FROM seq_1_to_200000")
        archive.catch_up()
        for replica in direct, fed:
            self.assert_same(source, replica)
        before = source.sql("SELECT @@gtid_binlog_pos")
        alter = threading.Thread(target=self.alter_until_killed, args=(source,))
        alter.start()
        self.addCleanup(alter.join)
        wait_for(lambda: source.sql("SELECT @@gtid_binlog_pos") != before, lambda: "no ALTER")
        archive.catch_up()
        begun = source.sql("SELECT @@gtid_binlog_pos")
        source.kill()
        alter.join()
        for replica in direct, fed:
            replica.wait_for_position(begun)
            wait_for(lambda replica=replica: "copy to tmp table" not in
                     replica.sql("SHOW FULL PROCESSLIST"), replica.describe)
        source.start()
        source.sql("INSERT INTO d.large VALUES (0, 'after'); INSERT INTO d.t (b) VALUES (7)")
        archive.catch_up()
        late = self.replica("late", 14, slave_parallel_threads=4, log_bin="own",
                            log_slave_updates=1)  # reads that place later
        late.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        for replica in direct, fed, late:
            self.assert_same(source, replica)
        # The feed's connections continue from there, and are not ended there again.
        self.assertEqual(archive.status()["restarts"], 2)
        for replica in fed, late:
            replica.sql("STOP SLAVE; START SLAVE")
        source.sql("INSERT INTO d.t (b) VALUES (8)")
        archive.catch_up()
        for replica in direct, fed, late:
            self.assert_same(source, replica)
        self.assertEqual(archive.status()["restarts"], 2)

    def test_a_source_that_dies_with_temporary_tables(self):
        source, archive, direct, fed = self.source_and_replicas()
        session = source.connect()
        self.addCleanup(session.close)
        with session.cursor() as cursor:
            cursor.execute("SET binlog_format=STATEMENT")
            cursor.execute("CREATE TEMPORARY TABLE d.x (a INT)")
            cursor.execute("SET @v = 4")
            cursor.execute("INSERT INTO d.x VALUES (@v)")
            cursor.execute("INSERT INTO d.t (b) SELECT a FROM d.x")
        archive.catch_up()
        for replica in direct, fed:
            self.assert_same(source, replica)
            self.assertNotEqual(replica.status("Slave_open_temp_tables"),
                                {"Slave_open_temp_tables": "0"})
        source.kill()
        source.start()
        source.sql("INSERT INTO d.t (b) VALUES (7)")
        archive.catch_up()
        for replica in direct, fed:
            self.assert_same(source, replica)
            self.assertEqual(replica.status("Slave_open_temp_tables"),
                             {"Slave_open_temp_tables": "0"})

    def test_clients_are_told_what_a_source_tells_them(self):
        """Statements and dumps of a client that is no replica, at the source and at the feed."""
        source = self.source()
        archive = self.archive(source)
        load(source, rounds=1)
        archive.catch_up()
        for statement in (
                "SELECT @@GLOBAL.binlog_checksum AS checksum",
                "SELECT @@server_id, @@gtid_domain_id d, @@log_bin AS 'v 1'",
                "SELECT @x, @y AS z", "SET @x=NULL", "SHOW MASTER STATUS", "SHOW BINARY LOGS",
                "SHOW MASTER LOGS", "SHOW VARIABLES LIKE 'binlog_check%'", "SHOW WARNINGS",
                "SHOW GLOBAL VARIABLES WHERE Variable_name='server_id'", "SHOW SLAVE HOSTS",
                "SELECT @@nosuch AS x", "KILL 99999", "", "SELECT @@global.gtid_binlog_pos",
                "SELECT BINLOG_GTID_POS('binlog.000001', 4)", "BEGIN", "SET NAMES utf8mb4"):
            answers = [self.answer(connect, statement)
                       for connect in (source.connect, archive.connect)]
            self.assertEqual(*answers, statement)
        self.assertEqual(self.answer(archive.connect, "SET GLOBAL binlog_checksum=NONE")[0], 1227)
        checksum = "SET @mariadb_slave_capability=4, @master_binlog_checksum=@@global.binlog_checksum"
        for position in ("garbage", "0-1-1,0-2-2", "0-5-1", "0-11-1", ""):
            for until in (None, "x", "0-11-3"):
                sets = [checksum, f"SET @slave_connect_state='{position}'",
                        f"SET @slave_until_gtid='{until}'" if until else "SET @slave_until_gtid=NULL"]
                ends = [self.dump_end(connect, sets) for connect in (source.connect, archive.connect)]
                self.assertEqual(*ends, sets)
        for file, offset in (("binlog.000099", 4), ("other.000001", 4), ("binlog.000001", 4)):
            ends = [self.dump_end(connect, [checksum], file, offset)
                    for connect in (source.connect, archive.connect)]
            self.assertEqual(*ends, file)
        connection = archive.connect()
        self.addCleanup(connection.close)
        connection.ping(reconnect=False)
        connection._execute_command(9, b"")  # COM_STATISTICS
        self.assertIn(b"Uptime: ", connection._read_packet().get_all_data())

    @staticmethod
    def answer(connect, statement):
        """Column names and rows as text, or the error."""
        connection = connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                names = [column[0] for column in cursor.description or ()]
                return names, [[None if v is None else str(v) for v in row] for row in cursor]
        except pymysql.MySQLError as error:
            return error.args
        finally:
            connection.close()

    @staticmethod
    def dump_end(connect, sets, file="", offset=4):
        """The event types of a dump, with the places of those that are in a file, and its end."""
        connection = connect()
        events = []
        try:
            with connection.cursor() as cursor:
                for statement in sets:
                    cursor.execute(statement)
            connection._execute_command(
                0x12, struct.pack("<IHI", offset, 1, 77) + file.encode())
            while True:
                data = connection._read_packet().get_all_data()
                if data[0] == 0xfe:
                    return events, "end"
                events.append((data[5], *struct.unpack_from("<I", data, 14)))
        except pymysql.MySQLError as error:
            return events, error.args
        finally:
            connection.close()

    def test_mariadb_binlog_reads_it_byte_for_byte(self):
        source = self.source()
        archive = self.archive(source)
        load(source)
        end = archive.copy()
        archive.limit(*end)
        raw = str(self.root / "raw-")
        subprocess.run(["mariadb-binlog", "--no-defaults", "--read-from-remote-server",
                        "--host=127.0.0.1", "--port=%d" % archive.port, "--user=" + USER,
                        "--password=" + PASSWORD, "--raw", "--to-last-log",
                        "--result-file=" + raw, "binlog.000001"],
                       timeout=TOOL_TIMEOUT_S, check=True)
        for number in range(1, end[0] + 1):
            expected = bytearray(archive.path(number).read_bytes())
            with open(raw + archive.path(number).name, "rb") as read:
                got = bytearray(read.read())
            if number == end[0]:
                expected[IN_USE_OFFSET] &= 0xfe
            self.assertEqual(len(got), len(expected))
            self.assertTrue(got == expected, f"file {number} differs")

    def test_second_replica_of_the_same_id(self):
        source = self.source()
        archive = self.archive(source)
        first, second = self.replica("first", 12), self.replica("second", 12)
        load(source, rounds=1)
        archive.catch_up()
        first.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assert_same(source, first)
        second.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assertIn("same server_uuid/server_id",
                      first.wait_for_io_error(1236)["Last_IO_Error"])
        self.assert_same(source, second)
        self.assertEqual(archive.status()["superseded"], 1)

    def test_deaf_clients_hold_up_nobody(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source, "--max-clients", "2")
        load(source)
        source.sql("INSERT INTO d.t (b) VALUES (REPEAT('q', 20 * 1024 * 1024))")
        archive.catch_up()
        deaf = [socket.create_connection(("127.0.0.1", archive.port)) for _ in range(2)]
        binlog_reader = subprocess.Popen(
            ["mariadb-binlog", "--no-defaults", "--read-from-remote-server", "--stop-never",
             "--host=127.0.0.1", "--port=%d" % archive.port, "--user=" + USER,
             "--password=" + PASSWORD, "binlog.000001"], stdout=subprocess.PIPE)
        wait_for(lambda: archive.status()["dumps"] == 1, archive.status)
        replica.follow(archive.port, "MASTER_USE_GTID=slave_pos")
        self.assert_same(source, replica)
        with socket.create_connection(("127.0.0.1", archive.port)) as surplus:
            surplus.settimeout(WAIT_S)
            self.assertIn(b"Too many connections", surplus.recv(1000))
        self.assertEqual(archive.status()["refused_full"], 1)
        # It ends at once, whatever is connected to it.
        self.assertLess(archive.stop(), WAIT_S / 2)
        binlog_reader.kill()
        binlog_reader.communicate()
        for client in deaf:
            client.close()


if __name__ == "__main__":
    harness.main(families=("mariadb",))
