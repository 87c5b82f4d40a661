"""The lab's own instruments: does the verification notice what it must notice?

Needs no binlaned. Every damage that the demo and the tests look for is planted here once, because
a check that cannot fail proves nothing.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

import harness
from lab.audit import rows, verify
from lab.machine import ports, process, waiting
from lab.servers import flavour
from lab.servers.fleet import short_folder
from lab.servers.server import Server
from lab.traffic.load import Load, Transaction, read_acknowledged

ROTATIONS = 3
TAKEN = 7  # the exit status of a program that finds a port's number locked
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
# The first thread ends at once, the second one when somebody writes to the pipe.
OUTLIVED = """
import ctypes, os, sys, threading
def wait():
    open(sys.argv[1]).read()
    os._exit(0)
threading.Thread(target=wait).start()
ctypes.CDLL(None).pthread_exit(None)
"""


class Instruments(unittest.TestCase):
    """One source under load, its binlogs copied as an archive, and a stock replica."""

    @classmethod
    def setUpClass(cls):
        cls.folder = short_folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.source = harness.server_alone(cls.folder / "source")
        cls.addClassCleanup(cls.source.stop)
        cls.source.create_account("stock", "stock", "REPLICATION SLAVE", "127.0.0.1")
        cls.load = Load(cls.folder / "load", cls.source, clients=4, rows_per_transaction="1,10")
        cls.addClassCleanup(cls.load.process.stop)
        cls.load.start()
        for rotation in range(1, ROTATIONS + 1):
            waiting.until(
                lambda goal=rotation * 100: cls.load.acknowledged_count() > goal, "commits", 30
            )
            cls.source.query("FLUSH BINARY LOGS")
        cls.summary = cls.load.stop()
        cls.binlogs = cls.source.binlogs()
        cls.written = verify.lengths(cls.binlogs)
        cls.acknowledged, _ = read_acknowledged(cls.load.acknowledged_file)
        cls.source_rows = rows.rows_of_files(cls.binlogs)
        replica_options = flavour.chosen().replica_options()
        cls.replica = Server(cls.folder / "replica", 2, replica_options)
        cls.replica.initialize()
        cls.replica.start()
        cls.addClassCleanup(cls.replica.stop)

    def copy_archive(self, name="archive"):
        archive = self.folder / f"{self.id()}-{name}"
        archive.mkdir()
        for binlog in self.binlogs:
            shutil.copy(binlog, archive)
        return archive

    def losses(self, transactions=None, archives=None, exposed=(), quorum_count=1):
        return verify.acknowledged_losses(
            self.acknowledged if transactions is None else transactions,
            self.source_rows,
            [self.source_rows] if archives is None else archives,
            exposed,
            quorum_count,
        )

    def test_load_counts_what_the_server_holds(self):
        self.assertEqual(len(self.acknowledged), self.summary["commits"])
        held = self.source.query("SELECT COUNT(*) FROM bench.numbered")[0][0]
        self.assertEqual(self.summary["rows"], held)
        self.assertEqual(len(self.source_rows), held)
        self.assertEqual(self.summary["errors"], 0)
        self.assertEqual(len(self.binlogs), ROTATIONS + 1)

    def test_identical_archive_has_no_difference(self):
        archive = self.copy_archive()
        self.assertEqual(verify.archive_differences(self.written, archive), [])
        self.assertTrue(verify.archive_at_end(self.written, archive))

    def test_one_flipped_bit_is_noticed(self):
        archive = self.copy_archive()
        victim = archive / self.binlogs[1].name
        with open(victim, "r+b") as file:
            file.seek(1000)
            byte = file.read(1)[0]
            file.seek(1000)
            file.write(bytes([byte ^ 1]))
        found = verify.archive_differences(self.written, archive)
        self.assertEqual(len(found), 1)
        self.assertIn("offset 1000", found[0])

    @staticmethod
    def flip_in_use(path):
        with open(path, "r+b") as file:
            file.seek(verify.IN_USE_OFFSET)
            flags = file.read(1)[0]
            file.seek(verify.IN_USE_OFFSET)
            file.write(bytes([flags ^ verify.IN_USE_FLAG]))

    def test_in_use_flag_is_masked_in_the_live_file_only(self):
        archive = self.copy_archive()
        for name in (self.binlogs[0].name, self.binlogs[-1].name):
            self.flip_in_use(archive / name)
        found = verify.archive_differences(self.written, archive)
        self.assertEqual(len(found), 1)
        self.assertIn(self.binlogs[0].name, found[0])

    def test_in_use_flag_that_a_killed_server_left_is_no_difference(self):
        archive, source = self.copy_archive(), self.copy_archive("source")
        self.flip_in_use(source / self.binlogs[0].name)
        binlogs = [source / binlog.name for binlog in self.binlogs]
        self.assertTrue(verify.is_in_use(binlogs[0]))
        self.assertEqual(verify.archive_differences(verify.lengths(binlogs), archive), [])

    def test_what_a_server_adds_while_nobody_commits_is_no_difference(self):
        source = self.copy_archive("source")
        binlogs = [source / binlog.name for binlog in self.binlogs]
        written, size = verify.lengths(binlogs), binlogs[-1].stat().st_size
        archive = self.copy_archive()
        self.append(binlogs[-1], b"more")
        self.assertTrue(verify.archive_at_end(written, archive))
        self.assertEqual(verify.archive_differences(written, archive), [])
        self.append(archive / binlogs[-1].name, b"more")
        self.assertEqual(verify.archive_differences(written, archive), [])
        self.append(archive / binlogs[-1].name, b"!")
        found = verify.archive_differences(written, archive)
        self.assertEqual(len(found), 1)
        self.assertIn(f"offset {size + 4}", found[0])

    @staticmethod
    def append(path, content):
        with open(path, "ab") as file:
            file.write(content)

    def test_a_file_that_has_ended_may_not_be_longer(self):
        archive = self.copy_archive()
        size = self.binlogs[0].stat().st_size
        self.append(archive / self.binlogs[0].name, b"!")
        found = verify.archive_differences(self.written, archive)
        self.assertEqual(len(found), 1)
        self.assertIn(f"offset {size}", found[0])

    def test_short_missing_and_foreign_files_are_noticed(self):
        archive = self.copy_archive()
        size = self.binlogs[0].stat().st_size
        os.truncate(archive / self.binlogs[0].name, size - 1)
        (archive / self.binlogs[1].name).unlink()
        (archive / "binlog.000099").touch()
        found = verify.archive_differences(self.written, archive)
        self.assertEqual(len(found), 3, found)
        self.assertIn(f"offset {size - 1}", found[0])
        self.assertIn("missing", found[1])
        self.assertIn("no counterpart", found[2])
        self.assertFalse(verify.archive_at_end(self.written, archive))

    def test_archive_is_decoded_like_the_source(self):
        archive = self.copy_archive()
        decoded = rows.rows_of_files([archive / binlog.name for binlog in self.binlogs])
        self.assertEqual(decoded, self.source_rows)
        under_quorum, losses = self.losses(archives=[decoded])
        self.assertEqual(losses, [])
        self.assertEqual(under_quorum, self.summary["rows"])

    def test_file_cut_short_is_a_decode_error_or_lacks_rows(self):
        archive = self.copy_archive()
        victim = archive / self.binlogs[0].name
        os.truncate(victim, victim.stat().st_size - 40)
        try:
            decoded = rows.rows_of_file(victim)
        except rows.DecodeError:
            return
        self.assertLess(len(decoded), len(rows.rows_of_file(self.binlogs[0])))

    def test_row_missing_in_the_archive_is_a_loss(self):
        row, _ = next(iter(self.source_rows.items()))
        lacking = {key: value for key, value in self.source_rows.items() if key != row}
        self.assertEqual(len(self.losses(archives=[lacking])[1]), 1)
        # With a second archive that has it, ANY 1 holds and ANY 2 does not.
        self.assertEqual(self.losses(archives=[lacking, self.source_rows])[1], [])
        found = self.losses(archives=[lacking, self.source_rows], quorum_count=2)[1]
        self.assertEqual(len(found), 1)

    def test_acknowledged_row_that_is_nowhere_is_a_loss(self):
        invented = Transaction(0, 1 << 40, 1, 0, 0)
        found = self.losses(transactions=[invented])[1]
        self.assertEqual(len(found), 1)
        self.assertIn("not in the source", found[0])

    def test_exposed_interval_excuses_its_own_rows_only(self):
        positions = sorted(set(self.source_rows.values()))
        first, last = positions[10], positions[20]
        gone = {k: v for k, v in self.source_rows.items() if not first < v <= last}
        interval = verify.Interval(first, last)
        self.assertEqual(self.losses(archives=[gone], exposed=[interval])[1], [])
        short = verify.Interval(first, positions[19])
        self.assertNotEqual(self.losses(archives=[gone], exposed=[short])[1], [])
        late = verify.Interval(positions[11], None)
        self.assertNotEqual(self.losses(archives=[gone], exposed=[late])[1], [])

    def test_torn_last_line_is_no_acknowledgement(self):
        log = self.folder / "torn.log"
        log.write_text("1 0 1 10 20\n? 1 1 1 20 30\n1 2 1 30 4")
        acknowledged, in_doubt = read_acknowledged(log)
        self.assertEqual(acknowledged, [Transaction(1, 0, 1, 10, 20)])
        self.assertEqual(in_doubt, [Transaction(1, 1, 1, 20, 30)])

    def test_replica_that_differs_is_noticed(self):
        self.replica.replicate_from(self.source.port, "stock", "stock")
        arrived = self.replica.wait_executed(self.source.written_set(), 60)
        self.assertTrue(arrived, self.replica.replica_status())
        replicas = [("replica", self.replica)]
        self.assertEqual(verify.table_differences(self.source, replicas), [])
        self.replica.stop_replica()
        self.replica.query("DELETE FROM bench.numbered WHERE client = 0 AND sequence = 0")
        self.assertEqual(len(verify.table_differences(self.source, replicas)), 1)


class LoadThroughTrouble(unittest.TestCase):
    """The load outlives its server, and every OK that it got holds."""

    def test_kill_of_the_server(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        server = harness.server_alone(folder / "source")
        self.addCleanup(server.stop)
        load = Load(folder / "load", server, clients=4)
        load.start()
        self.addCleanup(load.process.stop)
        waiting.until(lambda: load.acknowledged_count() > 200, "commits", 30)
        server.kill()
        server.start()
        mark = load.acknowledged_count()
        waiting.until(lambda: load.acknowledged_count() > mark + 200, "commits again", 60)
        summary = load.stop()
        self.assertEqual(summary["clients_that_gave_up"], 0)
        self.assertGreaterEqual(summary["reconnects"], 4)
        acknowledged, in_doubt = read_acknowledged(load.acknowledged_file)
        self.assertLessEqual(len(in_doubt), summary["errors"])
        held = set(server.query("SELECT client, sequence FROM bench.numbered"))
        lost = [row for one in acknowledged for row in one.keys() if row not in held]
        self.assertEqual(lost, [])

    def test_paced_load_keeps_its_pace(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        server = harness.server_alone(folder / "source")
        self.addCleanup(server.stop)
        load = Load(folder / "load", server, clients=2, pace=50, transactions=60)
        summary = load.start().finish(60)
        self.assertEqual(summary["commits"], 60)
        self.assertLess(summary["commits_per_second"], 60)

    def test_every_client_updates_the_hot_row(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        server = harness.server_alone(folder / "source")
        self.addCleanup(server.stop)
        load = Load(folder / "load", server, recorded=False, clients=4, transactions=40, hot_row=True)
        self.assertEqual(load.start().finish(60)["commits"], 40)
        self.assertEqual(server.query("SELECT id, updates FROM bench.hot"), [(1, 40)])
        self.assertEqual(server.query("SELECT COUNT(*) FROM bench.numbered"), [(0,)])


class Ports(unittest.TestCase):
    """A number that was given out is given to nobody else, here or in another lab, until this one ends."""

    def test_given_once(self):
        mine = {ports.free_port() for _ in range(50)}
        self.assertEqual(len(mine), 50)
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as given:
            self.assertLess(max(mine), int(given.read().split()[0]))
        other_lab = (
            "import sys\n"
            "from lab.machine import ports\n"
            f"sys.exit({TAKEN} if ports._lock(int(sys.argv[1])) is None else 0)"
        )
        done = subprocess.run(
            [sys.executable, "-c", other_lab, str(min(mine))],
            cwd=harness.REPOSITORY / "tools",
            check=False,
            timeout=30,
        )
        self.assertEqual(done.returncode, TAKEN)

    def test_taken_for_datagrams_is_taken(self):
        number = ports.free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", number))
            self.assertFalse(ports._bindable(number))
        self.assertTrue(ports._bindable(number))


class Processes(unittest.TestCase):
    """Nothing is signalled that is not surely ours."""

    def test_pid_file_of_another_process_is_not_believed(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        sleeper = process.Process(["sleep", "600"], folder / "pid", folder / "log")
        sleeper.start()
        self.addCleanup(sleeper.stop)
        self.assertTrue(sleeper.alive)
        adopted = process.Process(["sleep", "600"], folder / "pid", folder / "log")
        self.assertEqual(adopted.pid, sleeper.pid)
        (folder / "pid.start").write_text("1\n")
        self.assertIsNone(adopted.pid)
        with self.assertRaises(RuntimeError):
            adopted.signal(signal.SIGKILL)
        self.assertTrue(adopted.stop())
        self.assertIsNotNone(process.start_ticks(int((folder / "pid").read_text())))
        (folder / "pid.start").write_text(
            f"{process.start_ticks(int((folder / 'pid').read_text()))}\n"
        )

    def test_stop_and_kill_wait_for_the_real_end(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        stubborn = process.Process(
            [sys.executable, "-c", STUBBORN],
            folder / "pid",
            folder / "log",
        )
        stubborn.start()
        waiting.until(lambda: "ready" in stubborn.log_tail(), "the trap to stand", 10)
        self.assertFalse(stubborn.stop(timeout_s=1))
        self.assertFalse(stubborn.alive)

    def test_process_whose_first_thread_is_gone_has_not_ended(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        pipe = folder / "pipe"
        os.mkfifo(pipe)
        program = process.Process(
            [sys.executable, "-c", OUTLIVED, pipe], folder / "pid", folder / "log"
        )
        program.start()
        stat = Path(f"/proc/{program.pid}/stat")
        waiting.until(lambda: ") Z " in stat.read_text(), "the first thread to end", 10)
        self.assertTrue(program.alive)
        pipe.write_text("go on")
        waiting.until(lambda: not program.alive, "the second thread to end", 10)


if __name__ == "__main__":
    harness.main()
