"""A cluster under the packaged unit's own system call filter, exit codes, and limits of the kernel."""

import errno
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import harness
import unit_filter
from lab.machine import waiting
from lab.servers.cli import binlane
from lab.servers.cluster import Cluster
from lab.machine.programs import program

UNIT = harness.REPOSITORY / "packaging" / "systemd" / "binlaned.service"
NIC_DROP_IN = UNIT.with_name("binlaned-nic.conf")
FILTER = Path(__file__).with_name("unit_filter.py")
TOOL_TIMEOUT_S = 60
SOON_S = 20
RECOVER_S = 90
EXIT_CONFIGURATION = 78
IDLE_CLIENTS = 24
CPU_SHARE_MOST = 0.25  # of a core


def admin_cpu_seconds(pid):
    """Of the thread that serves the admin socket."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        text = stat.read_text()
        if "(bl-admin)" in text:
            fields = text.rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise RuntimeError("no thread bl-admin")


class UnderTheUnitsFilter(unittest.TestCase):
    """A source and a replica with each kind of port make system calls that the unit allows."""

    def commit_under_the_filter(self, drop_in=None, **cluster_options):
        units = os.pathsep.join(map(str, filter(None, (UNIT, drop_in))))
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        with Cluster(("r1",), **cluster_options) as cluster:
            self.cluster = cluster
            for daemon in cluster.daemons:
                daemon.stop()
                daemon.process.command = [
                    sys.executable, str(FILTER), units, *daemon.process.command
                ]
            cluster.start_daemons()
            cluster.wait_state("SEMISYNC", RECOVER_S)
            cluster.source.query("CREATE DATABASE sandboxed")
            self.assertEqual(cluster.source.semi_sync()["status"], "ON")
            for daemon in cluster.daemons:
                self.assertNotIn("Operation not permitted", daemon.log())

    def test_udp(self):
        self.commit_under_the_filter(port="udp")

    def test_vhost_user(self):
        self.commit_under_the_filter()

    def test_a_pinned_lane(self):
        self.commit_under_the_filter(port="udp", lane={"cpu": 0})

    def test_vhost_user_with_the_drop_in_for_nics(self):
        self.commit_under_the_filter(drop_in=NIC_DROP_IN)


class LoneReplica(unittest.TestCase):
    """A binlaned with a replica's configuration, and nobody who talks to it."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="bl-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)

    def command(self, text, mode=0o600):
        path = self.folder / "binlaned.toml"
        path.write_text(text)
        path.chmod(mode)
        return [program("binlaned"), "--config", path]

    def start(self, text, mode=0o600, before=()):
        """Until it ends by itself; `before` are words in front of its command."""
        return subprocess.run(
            [*before, *self.command(text, mode)],
            capture_output=True,
            text=True,
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )

    def replica(self, port="udp", **top):
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text("secret\n")
        lines = [f'{key} = "{value}"' for key, value in top.items()]
        return "\n".join(
            ['name = "a"', 'cluster = "c"', f'data_dir = "{self.folder}/data"', *lines]
            + ["[replica]", f'port = "{port}"', 'address = "203.0.113.7:7100"']
            + [f'feed_password_file = "{password}"', "danger_buffered_journal = true"]
        )


class TheFilter(LoneReplica):
    """What the unit's lines say, and that the runs under its filter would find a call that is missing."""

    def setUp(self):
        super().setUp()
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")

    def test_without_its_last_line_dpdk_does_not_start(self):
        """That line is the only one that lets it."""
        text = UNIT.read_text()
        last = re.findall(r"^SystemCallFilter=.*\n", text, re.MULTILINE)[-1]
        unit = self.folder / "binlaned.service"
        unit.write_text(text.replace(last, ""))
        before = (sys.executable, str(FILTER), str(unit))
        done = self.start(self.replica(port=f"vhost:{self.folder}/port"), before=before)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("DPDK did not start: EAL: Failed to create thread", done.stderr)

    def test_the_calls_of_huge_pages(self):
        """EAL makes these if there are huge pages, which these tests have not."""
        self.assertLessEqual({"mbind", "set_mempolicy"}, unit_filter.allowed_calls(UNIT))

    def test_the_drop_in_adds_to_it(self):
        """It is read after the unit: what the unit allows stays allowed."""
        alone = unit_filter.allowed_calls(UNIT)
        self.assertEqual(unit_filter.allowed_calls(UNIT, NIC_DROP_IN) - alone, {"bpf"})
        self.assertLessEqual(alone, unit_filter.allowed_calls(UNIT, NIC_DROP_IN))


class ExitCodes(LoneReplica):
    """What systemd is told when the daemon does not start."""

    def test_a_fault_in_the_configuration(self):
        """78, so that the unit does not try again; the unit says the same number."""
        for text in ("name = [", self.replica(adress="x"), self.replica(admin_group="nosuch")):
            done = self.start(text)
            self.assertEqual(done.returncode, EXIT_CONFIGURATION, done.stderr)
        self.assertIn(f"RestartPreventExitStatus=2 {EXIT_CONFIGURATION}\n", UNIT.read_text())

    def test_what_may_get_better_is_tried_again(self):
        done = self.start(self.replica())
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("203.0.113.7", done.stderr)


class Limits(harness.ClusterCase):
    """prlimit on a running daemon: writes fail, descriptors run out, and it lives and says so."""

    CLUSTER = {"replica_names": ("r1",), "port": "udp"}

    def test_a_file_size_limit_does_not_end_it(self):
        """The audit log is a file of its own: its write fails with EFBIG."""
        daemon = self.cluster.daemon
        pid = daemon.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            # Refused or done: it is answered, and the daemon lives.
            binlane(daemon, "set", "timeout_ms", "4000")
            # The log is a file here too, and takes no more lines.
            waiting.until(
                lambda: any(
                    problem["code"] == "audit_failed" and str(errno.EFBIG) in problem["text"]
                    for problem in daemon.status()["problems"]
                ),
                "EFBIG among the problems",
                SOON_S,
            )
            self.assertEqual(daemon.process.pid, pid)
            self.assertIsNotNone(daemon.try_status(timeout_s=SOON_S))
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        self.assertEqual(binlane(daemon, "set", "timeout_ms", "5000").code, 0)

    def test_a_journal_beyond_a_file_size_limit(self):
        """A replica's: writes into the ring and the archive fail, and the daemon lives."""
        daemon = self.cluster.replicas[0].daemon
        pid = daemon.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            self.source.query("CREATE DATABASE IF NOT EXISTS beyond", RECOVER_S)
            waiting.until(
                lambda: str(errno.EFBIG) in str(daemon.status()["replica"]), "EFBIG", SOON_S
            )
            self.assertEqual(daemon.process.pid, pid)
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        daemon.stop()
        daemon.start()
        self.cluster.wait_state("SEMISYNC", RECOVER_S)

    def test_no_spin_without_descriptors(self):
        """A client that cannot be accepted waits; the daemon neither spins nor ends."""
        daemon = self.cluster.daemon
        pid = daemon.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
        idle = []
        try:
            # Some fill what gaps there are between the open ones; the rest wait to be let in.
            for _ in range(IDLE_CLIENTS):
                idle.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                idle[-1].connect(str(daemon.admin_socket))
            waiting.until(lambda: "admin_accept" in daemon.log(), "the pause in the log", SOON_S)
            begun, cpu = os.times().elapsed, admin_cpu_seconds(pid)
            waiting.until(lambda: os.times().elapsed - begun > 2, "two seconds", SOON_S)
            share = (admin_cpu_seconds(pid) - cpu) / (os.times().elapsed - begun)
            self.assertLess(share, CPU_SHARE_MOST)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            for client in idle:
                client.close()
        self.assertIsNotNone(daemon.try_status(timeout_s=SOON_S))
        self.assertEqual(daemon.process.pid, pid)


if __name__ == "__main__":
    harness.main()
