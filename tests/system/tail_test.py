"""The tailer and the group tracker against a real server and the server's own tools."""

import re
import shutil
import subprocess
import sys
import threading
import unittest

import harness
from lab.machine import waiting
from lab.servers import flavour
from lab.servers.fleet import short_folder
from lab.servers.server import Server

GROUPS_PROGRAM = sys.argv.pop(1)
FOLLOW_PROGRAM = sys.argv.pop(1)
GROUPS_SQL = harness.REPOSITORY / "tests" / "data" / "groups.sql"
IN_USE_OFFSET = 21
TOOL_TIMEOUT_S = 120
CATCH_UP_TIMEOUT_S = 60
WRITERS = 4
HUGE_ROW_SIZE = 20 << 20
EVENT = re.compile(
    r"^#\d{6} +\d+:\d\d:\d\d server id \d+ +end_log_pos (\d+) (?:CRC32 0x\w+ )?\t?(.*)$"
)
OUTSIDE_GROUPS = ("Start:", "Gtid list", "Binlog checkpoint", "Rotate", "Stop")


def run_sql(source, folder, text):
    done = subprocess.run(
        ["mariadb", "--no-defaults", f"--socket={source.socket}", "--user=root", "--local-infile=1"],
        cwd=folder,
        input=text,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the statements failed: {done.stderr}")


def expected_group_ends(binlog):
    """Ends of groups as the server's tool shows them: what stands before the next GTID or an event
    outside groups. It knows nothing of how groups end."""
    ends, inside, previous = [], False, 0
    command = ["mariadb-binlog", "--no-defaults", "--base64-output=decode-rows", str(binlog)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as tool:
        for line in tool.stdout:
            found = EVENT.match(line)
            if not found:
                continue
            name = found[2].strip()
            is_gtid = name.startswith("GTID ")
            if inside and (is_gtid or name.startswith(OUTSIDE_GROUPS)):
                ends.append(previous)
                inside = False
            inside = inside or is_gtid
            previous = int(found[1])
    return ends + [previous] if inside else ends


def tracked_group_ends(binlogs):
    """{file number: ends} and the summary lines, by the group tracker."""
    done = subprocess.run(
        [GROUPS_PROGRAM, *map(str, binlogs)],
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=True,
    )
    ends, summaries = {}, []
    for line in done.stdout.splitlines():
        if line.startswith("#"):
            summaries.append(dict(re.findall(r"(\w+)=(\S+)", line)))
        else:
            number, offset = map(int, line.split())
            ends.setdefault(number, []).append(offset)
    return ends, summaries


class OneServer(unittest.TestCase):
    """Cases that take turns with one server's data folder."""

    @classmethod
    def setUpClass(cls):
        cls.folder = short_folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.source = Server(cls.folder / "source", 7, flavour.chosen().source_options())
        cls.source.initialize()
        cls.own_options = dict(cls.source.options)

    def start_server(self, **options):
        self.source.options = {**self.own_options, **options}
        self.source.start()
        self.addCleanup(self.source.stop)
        self.source.query("DROP DATABASE IF EXISTS t")
        self.source.query("RESET MASTER")


class Groups(OneServer):
    """Every kind of group, in each way the server can write it."""

    def check(self, **options):
        source = self.source
        self.start_server(**{"local-infile": 1, **options})
        (self.folder / "load.txt").write_text("l1\nl2\n")
        run_sql(source, self.folder, GROUPS_SQL.read_text())
        run_sql(
            source,
            self.folder,
            "CREATE TABLE t.big (b LONGBLOB) ENGINE=InnoDB; SET binlog_format=ROW;\n"
            f"INSERT INTO t.big VALUES (REPEAT('x', {HUGE_ROW_SIZE}));\n"
            "INSERT INTO t.c SELECT a.* FROM t.a CROSS JOIN t.a b;\n"
            "FLUSH BINARY LOGS; SET GLOBAL max_binlog_size=4096;\n"
            + "INSERT INTO t.a(v) VALUES (REPEAT('y', 150));\n" * 100,
        )
        self.assertTrue(source.stop())
        binlogs = source.binlogs()
        self.assertGreater(len(binlogs), 6)
        ends, summaries = tracked_group_ends(binlogs)
        self.assertEqual(len(summaries), len(binlogs))
        for number, (binlog, summary) in enumerate(zip(binlogs, summaries), start=1):
            last = number == len(binlogs)
            self.assertEqual(ends.get(number, []), expected_group_ends(binlog), binlog.name)
            self.assertEqual(summary["fault"], "none")
            self.assertEqual(summary["unfinished"], "0")
            self.assertEqual(summary["ending"], "stop" if last else "rotate")
            self.assertEqual(int(summary["group_end"]), binlog.stat().st_size)
            self.assertEqual(summary["gtids"], "unknown" if number == 1 else "follows")

    def test_as_configured_by_default(self):
        self.check()

    def test_without_checksums(self):
        self.check(**{"binlog-checksum": "NONE"})

    def test_compressed(self):
        self.check(**{"log-bin-compress": "ON", "log-bin-compress-min-len": 10})

    def test_full_row_metadata_without_annotations(self):
        self.check(**{"binlog-row-metadata": "FULL", "binlog-annotate-row-events": "OFF"})


class Follow(OneServer):
    """The tailer over a server's life.

    A server lists a new file only after it has made it, so a start in between meets the same
    restart once more: restarts have no exact count.
    """

    def setUp(self):
        self.start_server()
        self.source.query("CREATE DATABASE t")
        self.source.query("CREATE TABLE t.a (id BIGINT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)")
        self.copies = self.folder / f"copies-{self.id()}"
        self.log = self.folder / f"follow-{self.id()}.log"
        index = self.source.data_dir / "binlog.index"
        with self.log.open("wb") as log:
            self.follower = subprocess.Popen(
                [FOLLOW_PROGRAM, str(index), str(self.source.data_dir), str(self.copies)],
                stdin=subprocess.PIPE,
                stdout=log,
            )
        self.addCleanup(self.end_follower)
        self.wait_for("started")

    def end_follower(self):
        if self.follower.poll() is None:
            self.follower.communicate(timeout=CATCH_UP_TIMEOUT_S)
        return self.lines()

    def lines(self):
        return self.log.read_text().splitlines()

    def events(self):
        return [line.split()[0] for line in self.lines()]

    def wait_for(self, event, count=1):
        waiting.until(
            lambda: self.events().count(event) >= count,
            f"{count} × {event} in {self.lines()}",
            CATCH_UP_TIMEOUT_S,
        )

    def load(self, largest_row, stop_on_error=True):
        """Writers that insert until they are stopped; returns the function that stops them."""
        stopping = threading.Event()

        def write():
            try:
                connection = self.source.connect()
                with connection.cursor() as cursor:
                    turn = 0
                    while not stopping.is_set():
                        turn += 1
                        cursor.execute(
                            "INSERT INTO t.a(v) VALUES (REPEAT('z', %s))",
                            (turn * 997 % largest_row,),
                        )
            except Exception:  # pylint: disable=broad-except
                if stop_on_error:
                    raise

        writers = [threading.Thread(target=write) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()

        def stop():
            stopping.set()
            for writer in writers:
                writer.join()

        return stop

    def rows(self):
        return self.source.query("SELECT COUNT(*) FROM t.a")[0][0]

    def differences(self):
        """Of the newest copy from the server's files, the in-place flag aside."""
        copies = sorted(self.copies.iterdir(), key=lambda path: int(path.name))
        different = []
        for binlog in self.source.binlogs():
            copy = copies[-1] / binlog.name
            ours = bytearray(copy.read_bytes()) if copy.exists() else bytearray()
            theirs = bytearray(binlog.read_bytes())
            for content in (ours, theirs):
                if len(content) > IN_USE_OFFSET:
                    content[IN_USE_OFFSET] &= 0xFE
            if ours != theirs:
                different.append(f"{binlog.name}: {len(ours)} of {len(theirs)} bytes")
        return different

    def check_copy(self):
        waiting.until(
            lambda: not self.differences(), f"identical copies: {self.lines()}", CATCH_UP_TIMEOUT_S
        )

    def test_rotations_under_load(self):
        stop = self.load(20_000)
        for goal in range(1, 31):
            waiting.until(lambda goal=goal: self.rows() > goal * 20, "rows", CATCH_UP_TIMEOUT_S)
            self.source.query("FLUSH BINARY LOGS")
        self.source.query("SET GLOBAL max_binlog_size=65536")
        before = self.rows()
        waiting.until(lambda: self.rows() > before + 300, "rows", CATCH_UP_TIMEOUT_S)
        self.source.query(f"INSERT INTO t.a(v) VALUES (REPEAT('x', {HUGE_ROW_SIZE}))")
        stop()
        self.check_copy()
        binlogs = self.source.binlogs()
        lines = self.end_follower()
        self.assertEqual(set(self.events()), {"started", "file_ended", "end"}, lines)
        counters = dict(re.findall(r"(\w+)=(\d+)", lines[-1]))
        self.assertEqual(int(counters["files"]), len(binlogs) - 1)
        self.assertGreater(len(binlogs), 31)
        self.assertEqual(counters["unproven"], "0")
        self.assertEqual(counters["unfinished"], "0")
        self.assertEqual(counters["digest"], "1")
        self.assertGreater(int(counters["window"]), HUGE_ROW_SIZE)
        # Two statements of the set-up and one group for each row.
        self.assertEqual(int(counters["groups"]), self.rows() + 2)

    def test_clean_restart(self):
        self.source.query("INSERT INTO t.a(v) VALUES ('one')")
        self.assertTrue(self.source.stop())
        self.wait_for("file_ended")
        self.assertNotIn("server_restarted", self.events())
        self.source.start()
        self.wait_for("started", 2)
        self.source.query("INSERT INTO t.a(v) VALUES ('two')")
        self.check_copy()
        self.assertEqual(set(self.events()), {"started", "file_ended", "server_restarted"})

    def test_crash(self):
        for crash in range(1, 4):
            stop = self.load(5_000, stop_on_error=False)
            before = self.rows()
            waiting.until(lambda goal=before: self.rows() > goal + 50, "rows", CATCH_UP_TIMEOUT_S)
            self.source.kill()
            stop()
            self.source.start()
            self.wait_for("started", crash + 1)
            self.source.query("INSERT INTO t.a(v) VALUES ('after')")
            self.check_copy()
        self.assertEqual(set(self.events()), {"started", "server_restarted"})

    def test_torn_file(self):
        """A crash in the middle of a group: the server keeps the torn bytes and continues elsewhere."""
        self.source.query("INSERT INTO t.a(v) VALUES ('one')")
        torn = self.source.binlogs()[-1]
        self.source.kill()
        with torn.open("r+b") as binlog:
            binlog.truncate(torn.stat().st_size - 10)
        self.wait_for("shrunk")
        self.source.start()
        waiting.until(lambda: len(self.source.binlogs()) == 2, "a new file", CATCH_UP_TIMEOUT_S)
        self.source.query("INSERT INTO t.a(v) VALUES ('two')")
        self.check_copy()
        self.assertEqual(self.events()[:3], ["started", "shrunk", "started"])
        self.assertEqual(set(self.events()[3:]), {"server_restarted", "started"})

    def test_reset(self):
        self.source.query("INSERT INTO t.a(v) VALUES ('one')")
        for count, statement in enumerate(("RESET MASTER", "RESET MASTER TO 2", "RESET MASTER"), 1):
            self.source.query(statement)
            self.wait_for("started", count + 1)
            self.source.query("INSERT INTO t.a(v) VALUES ('two')")
            self.check_copy()
        self.assertEqual(self.events().count("reset"), 3)

    def test_purge(self):
        for _ in range(3):
            self.source.query("INSERT INTO t.a(v) VALUES ('one')")
            self.source.query("FLUSH BINARY LOGS")
        self.check_copy()
        self.source.query("PURGE BINARY LOGS TO 'binlog.000003'")
        self.assertEqual(len(self.source.binlogs()), 2)
        self.source.query("INSERT INTO t.a(v) VALUES ('two')")
        self.source.query("FLUSH BINARY LOGS")
        self.check_copy()
        self.assertEqual(set(self.events()), {"started", "file_ended"})


if __name__ == "__main__":
    harness.main(families=("mariadb",))
