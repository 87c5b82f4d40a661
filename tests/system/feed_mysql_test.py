"""The feed against real servers of MySQL: a source writes, its binlogs are copied into an archive,
and unmodified replicas and mysqlbinlog follow that archive through feed_server.

It runs on MySQL whichever server the other tests were told to use, and is skipped with the reason
where none can be had."""

import json
import shutil
import struct
import subprocess
import sys
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
DUMP = 0x12
DUMP_GTID = 0x1E
DUMP_NON_BLOCK = 1
DUMP_HEARTBEAT_V2 = 2
# Of an event's header, and of the first event of a file.
HEADER_SIZE = 19
FLAGS_OFFSET = 4 + 17

# What MySQL writes: compressed and tagged groups, XA, DDL, statements, large rows, rotations.
SCHEMA = (
    "CREATE DATABASE d",
    "CREATE TABLE d.t (a INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB, c VARCHAR(50))",
    "CREATE TABLE d.m (a INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(50)) ENGINE=MyISAM",
)
ROUND = (
    "INSERT INTO d.t (b, c) VALUES (REPEAT('x', 300000), 'large'), ('', 'empty')",
    "BEGIN",
    "INSERT INTO d.t (c) VALUES ('one')",
    "SAVEPOINT s",
    "INSERT INTO d.t (c) VALUES ('gone')",
    "ROLLBACK TO s",
    "DELETE FROM d.t WHERE a % 7 = 0",
    "COMMIT",
    "INSERT INTO d.m (b) VALUES ('not transactional')",
    "SET SESSION binlog_transaction_compression = ON",
    "INSERT INTO d.t (b, c) VALUES (REPEAT('z', 300000), 'compressed')",
    "SET SESSION binlog_transaction_compression = OFF",
    "SET gtid_next = 'AUTOMATIC:binlane'",
    "INSERT INTO d.t (c) VALUES ('tagged')",
    "SET gtid_next = 'AUTOMATIC'",
    "FLUSH BINARY LOGS",
    "SET SESSION binlog_format = STATEMENT",
    "INSERT INTO d.t (c) VALUES ('a statement')",
    "SET SESSION binlog_format = ROW",
    "XA START 'x'",
    "INSERT INTO d.t (c) VALUES ('xa')",
    "XA END 'x'",
    "XA PREPARE 'x'",
    "XA COMMIT 'x'",
    "CREATE TABLE d.n AS SELECT a FROM d.t",
    "DROP TABLE d.n",
)


def wait_for(condition, describe):
    """Waits for condition() to give something true, and returns it."""
    try:
        return waiting.until(condition, "it", WAIT_S)
    except waiting.WaitTimeout as error:
        raise AssertionError(f"{error}: {describe()}") from None


class Archive:
    """A folder of binlog files, filled from a source's and served by feed_server."""

    def __init__(self, folder, source):
        self.folder = folder
        self.source = source
        self.process = None
        self.port = 0
        self.folder.mkdir()

    def start(self):
        listen = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [FEED_SERVER, "--archive", self.folder, "--user", USER, "--password", PASSWORD]
            + ["--listen", listen],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.process.stdout.readline().split()[1])
        return self

    def stop(self):
        if self.process is None:
            return
        self.process.stdin.close()
        self.process.wait(timeout=WAIT_S)
        self.process.stdout.close()
        status, self.process = self.process.returncode, None
        if status != 0:
            raise AssertionError(f"feed_server ended with {status}")

    def connect(self):
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            read_timeout=WAIT_S,
            max_allowed_packet=1 << 30,
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def status(self):
        return json.loads(self.ask("status"))

    def copy(self):
        """Copies all that the source has written; returns its end (file, offset)."""
        file, offset = self.source.binlog_end()
        for binlog in self.source.binlogs():
            # One write, in place: the file is never shorter than it was.
            path = self.folder / binlog.name
            path.touch()
            with open(path, "r+b") as write:
                write.write(binlog.read_bytes())
        return int(file.split(".")[1]), int(offset)

    def serve(self, file, offset):
        assert self.ask(f"limit {file} {offset}") == "ok"

    def catch_up(self):
        self.serve(*self.copy())

    def files(self):
        return sorted(self.folder.iterdir())


def encoded(gtids):
    """A set as COM_BINLOG_DUMP_GTID carries it: {(uuid, tag): [(first, last)…]}."""
    bytes_ = struct.pack("<Q", 1 << 56 | len(gtids) << 8 | 1)
    for (uuid, tag), intervals in sorted(gtids.items()):
        bytes_ += bytes.fromhex(uuid.replace("-", "")) + bytes([len(tag) * 2]) + tag.encode()
        bytes_ += struct.pack("<Q", len(intervals))
        for first, last in intervals:
            bytes_ += struct.pack("<QQ", first, last + 1)
    return bytes_


def dumped(connection, flags, gtids, file="", position=4):
    """The packets of a dump that does not wait, by set or, without one, by COM_BINLOG_DUMP."""
    with connection:
        with connection.cursor() as cursor:
            cursor.execute("SET @source_binlog_checksum = 'CRC32'")
        name = file.encode()
        if gtids is None:
            command, body = DUMP, struct.pack("<IHI", position, flags | DUMP_NON_BLOCK, 77) + name
        else:
            command, held = DUMP_GTID, encoded(gtids)
            body = struct.pack("<HII", flags | DUMP_NON_BLOCK, 77, len(name)) + name
            body += struct.pack("<QI", position, len(held)) + held
        # pymysql has no such command of its own.
        connection._execute_command(command, body)  # pylint: disable=protected-access
        packets = []
        while True:
            packet = connection._read_packet()  # pylint: disable=protected-access
            if packet.is_eof_packet():
                return packets
            packets.append(packet.get_all_data())


def refused(*request):
    """The error with which a dump ends, number and text."""
    try:
        packets = dumped(*request)
    except pymysql.err.MySQLError as error:
        return error.args
    raise AssertionError(f"not refused: {len(packets)} packets")


class FeedCase(unittest.TestCase):
    """Servers and an archive, in a folder of their own for every case."""

    @classmethod
    def setUpClass(cls):
        cls.mysql = flavour.named("mysql")
        cls.mysql.ensure()

    def setUp(self):
        self.root = short_folder()
        self.addCleanup(shutil.rmtree, self.root)

    def server(self, name, server_id, options, kind=None):
        made = server.Server(self.root / name, server_id, options, flavour=kind or self.mysql)
        made.initialize()
        self.addCleanup(made.stop)
        made.start()
        return made

    def source(self):
        made = self.server("source", 11, self.mysql.source_options())
        made.reset_binlogs()
        made.execute(*SCHEMA)
        return made

    def replica(self, name="replica", server_id=12):
        return self.server(
            name,
            server_id,
            {
                **self.mysql.replica_options(),
                "replica-parallel-workers": 4,
                "replica-preserve-commit-order": "ON",
                "skip-replica-start": None,
            },
        )

    def archive(self, source):
        archive = Archive(self.root / "archive", source).start()
        self.addCleanup(archive.stop)
        return archive

    def follow_by_place(self, replica, port, file, offset):
        quoted = PASSWORD.replace("'", "''")
        replica.execute(
            "STOP REPLICA",
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, "
            f"SOURCE_USER='{USER}', SOURCE_PASSWORD='{quoted}', SOURCE_SSL=0, "
            "GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, SOURCE_HEARTBEAT_PERIOD=1, "
            f"SOURCE_AUTO_POSITION=0, SOURCE_LOG_FILE='{file}', SOURCE_LOG_POS={offset}",
            "START REPLICA",
        )

    def io_error(self, replica):
        """The replica's words, once its IO thread has met an error and ended."""

        def met():
            status = replica.replica_status()
            stopped = status["Replica_IO_Running"] == "No" and status["Last_IO_Errno"] != 0
            return status if stopped else None

        return wait_for(met, replica.replica_status)


class FeedMysql(FeedCase):
    """Replicas and readers of MySQL at the archive of a source of MySQL."""

    def write(self, source, rounds=2):
        for _ in range(rounds):
            source.execute(*ROUND)

    def assert_same(self, source, replica):
        gtids = source.written_set()
        status = replica.replica_status()
        self.assertTrue(replica.wait_executed(gtids, WAIT_S), (gtids, replica.replica_status()))
        self.assertEqual(replica.executed_set(), gtids)
        for table in ("d.t", "d.m"):
            statement = f"CHECKSUM TABLE {table}"
            self.assertEqual(replica.query(statement), source.query(statement), status)

    def test_auto_position(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        replica.replicate_from(archive.port, USER, PASSWORD)
        self.assert_same(source, replica)
        status = replica.replica_status()
        self.assertEqual(status["Source_Server_Id"], 11)
        self.assertEqual(status["Replica_IO_Running"], "Yes")
        self.assertEqual(status["Retrieved_Gtid_Set"].replace("\n", ""), source.written_set())
        # A stable uuid that is no server's.
        self.assertNotIn(
            status["Source_UUID"],
            (source.variable("server_uuid"), replica.variable("server_uuid")),
        )
        # Idle for some heartbeats, and then live, with a packet of more than one frame.
        before = archive.status()["heartbeats"]
        wait_for(lambda: archive.status()["heartbeats"] > before + 1, replica.replica_status)
        source.execute("INSERT INTO d.t (b, c) VALUES (REPEAT('y', 20 * 1024 * 1024), 'huge')")
        self.write(source)
        archive.catch_up()
        self.assert_same(source, replica)
        found = archive.status()
        self.assertEqual(found["dumps"], 1)
        self.assertTrue(found["clients"][0]["by_gtid"])

    def test_half_of_it_is_there_already(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        replica.replicate_from(archive.port, USER, PASSWORD)
        self.assert_same(source, replica)
        replica.stop_replica()
        sent = archive.status()["events"]
        source.execute("INSERT INTO d.t (c) VALUES ('one more')")
        archive.catch_up()
        replica.start_replica()
        self.assert_same(source, replica)
        # Not what it had: one group, and what every file begins with.
        self.assertLess(archive.status()["events"] - sent, 12)
        # What was left out has moved its place all the same.
        end = source.binlog_end()
        place = ("Source_Log_File", "Read_Source_Log_Pos")
        wait_for(
            lambda: tuple(replica.replica_status()[name] for name in place) == tuple(end),
            replica.replica_status,
        )
        # A replica that has all of it, in a file that it has no place in.
        replica.stop_replica()
        replica.query("RESET REPLICA")
        replica.start_replica()
        wait_for(
            lambda: tuple(replica.replica_status()[name] for name in place) == tuple(end),
            replica.replica_status,
        )

    def test_file_and_position_and_a_feed_that_starts_anew(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        self.follow_by_place(replica, archive.port, "binlog.000001", 4)
        self.assert_same(source, replica)
        archive.stop()
        self.write(source)
        archive.start()
        archive.catch_up()
        self.assert_same(source, replica)
        status = replica.replica_status()
        self.assertEqual(
            (status["Source_Log_File"], status["Read_Source_Log_Pos"]), tuple(source.binlog_end())
        )
        # From files to GTIDs.
        source.execute("INSERT INTO d.t (c) VALUES ('switched')")
        archive.catch_up()
        replica.replicate_from(archive.port, USER, PASSWORD)
        self.assert_same(source, replica)

    def test_a_feed_that_starts_anew_in_the_middle(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        replica.replicate_from(archive.port, USER, PASSWORD)
        for _ in range(3):
            archive.stop()
            self.write(source, 1)
            archive.start()
            archive.catch_up()
        self.assert_same(source, replica)

    def test_what_is_purged_is_told_as_a_source_tells_it(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        self.write(source)
        file, offset = archive.copy()
        first = archive.files()[0]
        first.unlink()
        archive.serve(file, offset)
        replica.replicate_from(archive.port, USER, PASSWORD)
        status = self.io_error(replica)
        self.assertEqual(status["Last_IO_Errno"], 13114)
        for words in (
            "Got fatal error 1236 from source when reading data from binary log",
            "Cannot replicate because the source purged required binary logs",
            f"the missing transactions are '{source.variable('server_uuid')}:1-",
        ):
            self.assertIn(words, status["Last_IO_Error"])

    def test_a_replica_ahead_of_the_archive_waits_for_it(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        self.write(source)
        middle = archive.copy()
        archive.serve(*middle)
        source.execute("INSERT INTO d.t (c) VALUES ('later')")
        archive.copy()
        archive.catch_up()
        replica.replicate_from(archive.port, USER, PASSWORD)
        self.assert_same(source, replica)
        # The archive begins anew, and has learnt less of what is released.
        archive.stop()
        archive.start()
        archive.serve(*middle)
        wait_for(
            lambda: any(client["ahead"] for client in archive.status()["clients"]),
            lambda: (archive.status(), replica.replica_status()),
        )
        source.execute("INSERT INTO d.t (c) VALUES ('later still')")
        archive.catch_up()
        self.assert_same(source, replica)
        self.assertEqual(archive.status()["refused_dumps"], 0)

    def test_wrong_password(self):
        source, replica = self.source(), self.replica()
        archive = self.archive(source)
        archive.catch_up()
        replica.replicate_from(archive.port, USER, "another password")
        wait_for(
            lambda: "Access denied" in replica.replica_status()["Last_IO_Error"],
            replica.replica_status,
        )
        self.assertGreater(archive.status()["refused_logins"], 0)

    def test_every_byte_is_a_sources(self):
        source = self.source()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        uuid = source.variable("server_uuid")
        executed = source.written_set()
        last = int(executed.split(":")[1].split("-")[1])
        tagged = int(executed.split("-")[-1])
        sets = (
            {},
            {(uuid, ""): [(1, 4), (7, 7)]},
            {(uuid, ""): [(1, 2), (5, last)], (uuid, "binlane"): [(1, 1)]},
            {(uuid, ""): [(1, last)], (uuid, "binlane"): [(1, tagged)]},
        )
        for flags in (0, DUMP_HEARTBEAT_V2):
            for held in sets:
                for place in ((), ("binlog.000002", 4)):
                    with self.subTest(flags=flags, held=held, place=place):
                        theirs = dumped(source.connect(), flags, held, *place)
                        ours = dumped(archive.connect(), flags, held, *place)
                        self.assertEqual(
                            [packet[5] for packet in ours], [packet[5] for packet in theirs]
                        )
                        self.assertEqual(ours, theirs)
                        heartbeats = {packet[5] for packet in ours} & {27, 41}
                        if not place:
                            self.assertEqual(heartbeats, {41 if flags else 27} if held else set())
        # Without a set, and from the middle of a file.
        events = source.query("SHOW BINLOG EVENTS IN 'binlog.000002'")
        middle = [event[1] for event in events if event[2] == "Gtid"][1]
        for place in (("binlog.000001", 4), ("binlog.000002", middle)):
            ours = dumped(archive.connect(), 0, None, *place)
            self.assertEqual(ours, dumped(source.connect(), 0, None, *place))
            self.assertGreater(len(ours), 20)

    def test_errors_are_a_sources(self):
        source = self.source()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        archive.files()[0].unlink()
        source.execute("PURGE BINARY LOGS TO 'binlog.000002'")
        uuid = source.variable("server_uuid")
        other = "11111111-2222-3333-4444-555555555555"
        for request in (
            ({(uuid, ""): [(2, 3), (5, 6)]},),
            # One after the other, up to more than a source has room for in its message.
            *(
                ({(uuid, ""): [(2, 2)], (other, ""): [(number, number) for number in numbers]},)
                for numbers in (range(1, last, 2) for last in range(2, 120, 2))
            ),
            ({}, "binlog.000001"),
            ({}, "binlog.000099"),
            (None, "binlog.000001"),
            (None, "binlog.000002", 3),
            ({}, "binlog.000002", 0),
        ):
            with self.subTest(request=request):
                self.assertEqual(
                    refused(archive.connect(), 0, *request), refused(source.connect(), 0, *request)
                )

    def mysqlbinlog(self, archive, *arguments):
        account = ["--host=127.0.0.1", f"--port={archive.port}", f"--user={USER}"]
        account += [f"--password={PASSWORD}"]
        return self.mysql.root.command("mysqlbinlog", "--no-defaults", *account, *arguments)

    def read(self, archive, *arguments):
        return self.run_tool(self.mysqlbinlog(archive, *arguments))

    def read_source(self, source, *arguments):
        account = ["--protocol=socket", f"--socket={source.socket}", "--user=root"]
        return self.run_tool(
            self.mysql.root.command("mysqlbinlog", "--no-defaults", *account, *arguments)
        )

    def run_tool(self, command):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_mysqlbinlog_reads_to_the_end(self):
        source = self.source()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        uuid = source.variable("server_uuid")
        for command in ("BINLOG-DUMP-NON-GTIDS", "BINLOG-DUMP-GTIDS"):
            options = (f"--read-from-remote-source={command}", "--to-last-log", "binlog.000001")
            whole = self.read(archive, *options)
            self.assertIn(f"{uuid}:1'", whole)
            self.assertIn(f"{uuid}:binlane:1'", whole)
            self.assertIn(source.binlog_end()[0], whole)
            self.assertEqual(self.read_source(source, *options), whole)
        # As a source leaves them out.
        options = ("--read-from-remote-source=BINLOG-DUMP-GTIDS", "--to-last-log", "binlog.000001")
        options += (f"--exclude-gtids={uuid}:1-4:binlane:1",)
        part = self.read(archive, *options)
        self.assertEqual(self.read_source(source, *options), part)
        self.assertNotIn(f"{uuid}:4'", part)
        self.assertIn(f"{uuid}:5'", part)
        self.assertNotIn(f"{uuid}:binlane:1'", part)
        self.assertIn(f"{uuid}:binlane:2'", part)

    def test_mysqlbinlog_stays(self):
        source = self.source()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        uuid = source.variable("server_uuid")
        readers = []
        for name, server_id, arguments in (
            ("place", 71, ["--read-from-remote-source=BINLOG-DUMP-NON-GTIDS"]),
            ("set", 72, ["--read-from-remote-source=BINLOG-DUMP-GTIDS"]
             + [f"--exclude-gtids={uuid}:1-2"]),
        ):
            folder = self.root / name
            folder.mkdir()
            stay = ["--raw", "--stop-never", f"--connection-server-id={server_id}"]
            command = self.mysqlbinlog(
                archive, *arguments, *stay, f"--result-file={folder}/", "binlog.000001"
            )
            process = subprocess.Popen(command)  # pylint: disable=consider-using-with
            self.addCleanup(process.wait, WAIT_S)
            self.addCleanup(process.terminate)
            readers.append((folder, process))
        self.write(source, 1)
        archive.catch_up()
        by_place, by_set = readers[0][0], readers[1][0]

        def has_all():
            return all(
                (by_place / path.name).exists()
                and (by_place / path.name).stat().st_size == path.stat().st_size
                for path in archive.files()
            )

        wait_for(has_all, lambda: sorted((by_place / p.name) for p in archive.files()))
        for path in archive.files():
            ours, theirs = path.read_bytes(), (by_place / path.name).read_bytes()
            # Whether the file is in use is not sent; its checksum does not cover that.
            self.assertEqual(ours[:FLAGS_OFFSET], theirs[:FLAGS_OFFSET])
            self.assertEqual(ours[FLAGS_OFFSET + 1:], theirs[FLAGS_OFFSET + 1:])
        newest = archive.files()[-1].name
        wait_for(lambda: (by_set / newest).exists(), lambda: list(by_set.iterdir()))
        left_out = archive.files()[0].stat().st_size - (by_set / "binlog.000001").stat().st_size
        self.assertGreater(left_out, 2 * HEADER_SIZE)
        for _, process in readers:
            self.assertIsNone(process.poll())

    def test_clients_ask_what_they_ask_a_source(self):
        source = self.source()
        archive = self.archive(source)
        self.write(source)
        archive.catch_up()
        told = subprocess.run(
            self.mysql.root.command(
                "mysql", "--no-defaults", "--host=127.0.0.1", f"--port={archive.port}",
                f"--user={USER}", f"--password={PASSWORD}", "--batch", "--execute",
                "SELECT @@GLOBAL.GTID_MODE, @@version; SHOW BINARY LOG STATUS; SHOW BINARY LOGS; "
                "SHOW REPLICAS; SELECT @@GLOBAL.gtid_purged p",
            ),
            capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False,
        )
        self.assertEqual(told.returncode, 0, told.stderr)
        lines = [line.split("\t") for line in told.stdout.splitlines()]
        self.assertEqual(lines[1], ["ON", source.query("SELECT VERSION()")[0][0]])
        file, offset = source.binlog_end()
        self.assertEqual(lines[3][:2], [file, str(offset)])
        self.assertEqual(lines[3][4].replace("\\n", ""), source.written_set())
        self.assertEqual(lines[4], ["Log_name", "File_size", "Encrypted"])


class OtherKind(FeedCase):
    """A replica of one kind, pointed at the archive of the other: it stops, and says why."""

    def check_refused(self, replica, archive, number, words):
        status = self.io_error(replica)
        self.assertEqual(status["Last_IO_Errno"], number, status["Last_IO_Error"])
        self.assertIn(words, status["Last_IO_Error"])
        self.assertIn("source and replicas must be servers of one kind", status["Last_IO_Error"])
        self.assertEqual(archive.status()["events"], 0)

    def mariadb(self, name, server_id, options):
        kind = flavour.named("mariadb")
        kind.ensure()
        return self.server(name, server_id, options(kind), kind)

    def test_a_mariadb_replica_at_the_archive_of_mysql(self):
        source = self.source()
        archive = self.archive(source)
        archive.catch_up()
        replica = self.mariadb(
            "replica", 12, lambda kind: {**kind.replica_options(), "skip-slave-start": None}
        )
        for place in (
            "MASTER_USE_GTID=slave_pos",
            "MASTER_USE_GTID=no, MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=4",
        ):
            with self.subTest(place=place):
                replica.execute(
                    "STOP SLAVE",
                    *replica.flavour.follow(archive.port, USER, PASSWORD),
                    f"CHANGE MASTER TO {place}",
                    "START SLAVE",
                )
                self.check_refused(replica, archive, 1236, "The source is a MySQL server")

    def test_a_mysql_replica_at_the_archive_of_mariadb(self):
        source = self.mariadb("source", 11, lambda kind: kind.source_options())
        source.reset_binlogs()
        source.execute("CREATE DATABASE d")
        archive = self.archive(source)
        archive.catch_up()
        replica = self.replica()
        with self.subTest("by GTID"):
            replica.replicate_from(archive.port, USER, PASSWORD)
            self.check_refused(replica, archive, 13117, "The source is a MariaDB server")
        with self.subTest("by place"):
            self.follow_by_place(replica, archive.port, "binlog.000001", 4)
            self.check_refused(replica, archive, 13117, "The source is a MariaDB server")


if __name__ == "__main__":
    harness.main()
