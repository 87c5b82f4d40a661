"""The verbs for people and their shells, each on the running lab."""

import datetime
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tarfile
import tempfile
import termios

import harness
from lab.machine import toml, waiting
from lab.servers.cli import binlane
from lab.machine.programs import program
from quorum_case import SOON_S, QuorumCase

TOOL_TIMEOUT_S = 30
PLANTED_S = 120  # for so many seconds to come
EXIT_CONFIGURATION = 78  # of binlaned
# rmcup of an xterm: back to the screen that was there before.
LEAVES_SCREEN = b"\x1b[?1049l"


def shell(program, script):
    return subprocess.run(
        [program, "-c", script],
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
    )


class Tools(QuorumCase):
    """ANY 1 of two replicas."""

    def test_status_replicas_top_metrics(self):
        self.commit()
        replicas = self.run_binlane("replicas", "--json").json()
        self.assertEqual([row["name"] for row in replicas], ["r1", "r2"])
        self.assertIn("connected", self.run_binlane("replicas").text)
        top = self.run_binlane("top", "--count", 2, "--interval-ms", 200).text
        self.assertIn("acknowledged commits/s", top)
        self.assertIn("SEMISYNC", top)
        self.run_binlane("top", code=2)  # no terminal
        metrics = self.run_binlane("metrics").text
        self.assertIn('binlane_state{state="SEMISYNC"} 1', metrics)
        self.assertIn("mysql_global_status_rpl_semi_sync_master_status 1", metrics)
        self.run_binlane("ping", "--json")

    def test_top_on_a_terminal(self):
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        command = [program("binlane"), "--socket", self.cluster.daemon.admin_socket, "top"]
        process = subprocess.Popen(
            [*command, "--interval-ms", "100"],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**os.environ, "TERM": "xterm"},
        )
        self.addCleanup(process.kill)
        os.close(follower)
        shown = b""

        def read():
            nonlocal shown
            if select.select([leader], [], [], 0)[0]:
                shown += os.read(leader, 65536)
            return shown

        for text in (b"q ends it", b"SEMISYNC", b"r1", b"r2", b"acknowledged commits/s"):
            waiting.until(
                lambda text=text: text in read(), lambda text=text: f"{text} in {shown}", SOON_S
            )
        self.assertIsNone(process.poll())
        os.write(leader, b"q")
        self.assertEqual(process.wait(SOON_S), 0)
        # The terminal gets back what it showed before.
        waiting.until(lambda: LEAVES_SCREEN in read(), lambda: f"its end in {shown}", SOON_S)

    def test_hist_and_trace(self):
        for _ in range(20):
            self.commit()
        self.cluster.wait_replicas_applied()
        stages = {
            (row["stage"], row["replica"]): row
            for row in self.run_binlane("hist", "--json").json()["stages"]
        }
        for key in (
            *(("unseen", ""), ("sent", "r2"), ("received", "r2"), ("durable", "r1")),
            *(("quorum", ""), ("fed", "")),
        ):
            self.assertGreaterEqual(stages[key]["count"], 20)
            self.assertGreater(stages[key]["p50_ns"], 0)
        way = [stages[name, "r1"]["p50_ns"] for name in ("sent", "received", "durable")]
        self.assertEqual(way, sorted(way))
        # A write may hold several commits. Its time on the disk is part of the way to durable.
        for name in ("replica_queue", "replica_disk"):
            self.assertGreater(stages[name, "r1"]["count"], 0)
            self.assertGreater(stages[name, "r1"]["p50_ns"], 0)
        self.assertLess(stages["replica_disk", "r1"]["p50_ns"], stages["durable", "r1"]["max_ns"])
        self.assertIn("replica_disk.r1", self.run_binlane("status", "--stages").text)
        self.assertEqual(
            {row["stage"] for row in self.run_binlane("status", "--stages", "--json").json()["stages"]},
            {name for name, _ in stages},
        )
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn("P99.9", self.run_binlane("hist", "--hgrm", folder).text)
            with open(os.path.join(folder, "quorum.hgrm"), encoding="utf-8") as file:
                self.assertIn("TotalCount", file.read())
        commits = self.run_binlane("trace", "--last", 5, "--json").json()["commits"]
        self.assertEqual(len(commits), 5)
        for commit in commits:
            self.assertLessEqual(commit["received_us"], commit["durable_us"])
            self.assertLessEqual(commit["durable_us"], commit["quorum_us"])
        self.assertIn("DURABLE", self.run_binlane("trace").text)

    def test_variables_and_reload(self):
        variables = {row["key"]: row for row in self.run_binlane("variables", "--json").json()}
        self.assertTrue(variables["source.timeout_ms"]["live"])
        self.assertFalse(variables["data_dir"]["live"])
        self.assertNotIn("lab-password", str(variables))
        daemon = self.cluster.daemon
        kept = daemon.config_file.read_text()
        try:
            config = {**daemon.config, "source": {**daemon.config["source"], "timeout_ms": 3210}}
            config["lane"] = {**config["lane"], "nap_us": 77}
            daemon.config_file.write_text(toml.dumps(config))
            done = self.run_binlane("reload", "--json").json()
            self.assertEqual(done["changed"], ["source.timeout_ms"])
            self.assertEqual(done["need_restart"], ["lane.nap_us"])
            self.assertEqual(self.cluster.source_status()["timeout_ms"], 3210)
            daemon.config_file.write_text("name = \n")
            self.assertIn("nothing was changed", self.run_binlane("reload", code=1).errors)
        finally:
            daemon.config_file.write_text(kept)
        self.run_binlane("reload")
        self.assertEqual(self.cluster.source_status()["timeout_ms"], 1000)

    def test_a_hangup_reloads(self):
        daemon = self.cluster.daemon
        kept = daemon.config_file.read_text()
        try:
            config = {**daemon.config, "source": {**daemon.config["source"], "timeout_ms": 4321}}
            daemon.config_file.write_text(toml.dumps(config))
            daemon.process.signal(signal.SIGHUP)
            waiting.until(
                lambda: self.cluster.source_status()["timeout_ms"] == 4321, "the reload", SOON_S
            )
        finally:
            daemon.config_file.write_text(kept)
        self.run_binlane("reload")

    def test_the_daemon_checks_a_configuration(self):
        daemon = self.cluster.daemon
        with tempfile.TemporaryDirectory() as folder:
            wrong = os.path.join(folder, "wrong.toml")
            with open(wrong, "w", encoding="utf-8") as file:
                file.write(daemon.config_file.read_text().replace("timeout_ms", "timeuot_ms", 1))
            for path, code in ((daemon.config_file, 0), (wrong, EXIT_CONFIGURATION)):
                done = subprocess.run(
                    [program("binlaned"), "--config", path, "--check-config"],
                    capture_output=True,
                    text=True,
                    timeout=TOOL_TIMEOUT_S,
                    check=False,
                )
                self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn('did you mean "timeout_ms"', done.stderr)

    def test_config_explain_list_check_show(self):
        text = binlane(None, "config", "explain", "rpl_semi_sync_source_timeout").text
        self.assertIn("source.timeout_ms", text)
        self.assertIn("ms", text)
        self.assertEqual(binlane(None, "config", "explain", "timeuot_ms").code, 2)
        self.assertEqual(binlane(None, "config", "list").code, 0)
        self.assertEqual(binlane(None, "config", "check", self.cluster.daemon.config_file).code, 0)
        self.assertEqual(binlane(None, "config", "check", "/nonexistent").code, 1)
        shown = self.run_binlane("config", "show").text
        self.assertIn("[source]", shown)
        self.assertNotIn("lab-password", shown)

    def test_doctor(self):
        daemon = self.cluster.daemon
        outcome = binlane(None, "doctor", "--config", daemon.config_file, "--json")
        self.assertIn(outcome.code, (0, 12, 13), outcome)
        found = outcome.json()
        topics = {row["topic"] for row in found["findings"]}
        self.assertLessEqual({"quorum", "server", "port", "cores"}, topics)
        server = [row for row in found["findings"] if row["topic"] == "server"]
        self.assertNotIn("fault", {row["severity"] for row in server}, server)
        self.source.query("SET GLOBAL sync_binlog=0")
        try:
            broken = binlane(None, "doctor", "--config", daemon.config_file)
        finally:
            self.source.query("SET GLOBAL sync_binlog=1")
        self.assertEqual(broken.code, 13, broken)
        self.assertIn("sync_binlog", broken.text)
        replica = self.cluster.replica("r1").daemon
        journal = binlane(None, "doctor", "--config", replica.config_file)
        self.assertIn("1000 durable 4 KiB writes", journal.text)

    def test_support_bundle_holds_no_password(self):
        with tempfile.TemporaryDirectory() as folder:
            path = self.run_binlane("support-bundle", "--into", folder, "--json").json()["path"]
            with tarfile.open(path) as bundle:
                names = bundle.getnames()
                for part in ("status.json", "config.txt", "metrics.txt", "ledger.json", "host.txt"):
                    self.assertTrue(any(name.endswith("/" + part) for name in names), names)
                for name in names:
                    member = bundle.extractfile(name)
                    if member is not None:
                        self.assertNotIn(b"lab-password", member.read(), name)

    def test_support_bundle_is_for_its_maker_alone_and_follows_no_link(self):
        with tempfile.TemporaryDirectory() as folder:
            path = self.run_binlane("support-bundle", "--into", folder, "--json").json()["path"]
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "precious")
            with open(target, "w", encoding="utf-8") as file:
                file.write("precious")
            now = datetime.datetime.now(datetime.timezone.utc)
            for second in range(PLANTED_S):
                at = now + datetime.timedelta(seconds=second)
                name = f"binlane-support-{at:%Y%m%dT%H%M%S}.tar.gz"
                os.symlink(target, os.path.join(folder, name))
            refused = self.run_binlane("support-bundle", "--into", folder, code=1)
            self.assertIn("cannot create", refused.errors)
            with open(target, encoding="utf-8") as file:
                self.assertEqual(file.read(), "precious")
            self.assertEqual(len(os.listdir(folder)), PLANTED_S + 1)

    def test_completion_and_man_page(self):
        with tempfile.TemporaryDirectory() as folder:
            script = binlane(None, "completion", "bash").text
            path = os.path.join(folder, "binlane.bash")
            with open(path, "w", encoding="utf-8") as file:
                file.write(script)
            done = shell(
                "bash",
                f"source {path}; COMP_WORDS=(binlane led); COMP_CWORD=1; _binlane; "
                'echo "${COMPREPLY[@]}"; COMP_WORDS=(binlane wait-point AFTER_S); COMP_CWORD=2; '
                '_binlane; echo "${COMPREPLY[@]}"',
            )
            self.assertEqual(done.stdout.split(), ["ledger", "AFTER_SYNC"], done.stderr)
            if shutil.which("zsh"):
                zsh = os.path.join(folder, "_binlane")
                with open(zsh, "w", encoding="utf-8") as file:
                    file.write(binlane(None, "completion", "zsh").text)
                self.assertEqual(shell("zsh", f"zsh -n {zsh}").returncode, 0)
        page = binlane(None, "man").text
        for verb in ("status", "quorum", "ledger", "doctor"):
            self.assertIn(f".SS {verb}", page)
        help_text = binlane(None, "ledger", "--help").text
        self.assertIn("binlane ledger ack --all", help_text)

    def test_readers_may_look_and_not_change(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        socket = self.cluster.daemon.admin_socket
        mode = socket.stat().st_mode
        folders = [socket.parent, socket.parent.parent, socket.parent.parent.parent]
        kept = [(folder, folder.stat().st_mode) for folder in folders]
        try:
            socket.chmod(0o666)
            for folder in folders:
                folder.chmod(0o755)
            look = self.as_nobody("status")
            change = self.as_nobody("set", "timeout_ms", "50")
        finally:
            socket.chmod(mode & 0o777)
            for folder, old in kept:
                folder.chmod(old & 0o7777)
        self.assertEqual(look["ok"], True)
        self.assertEqual(change["ok"], False)
        self.assertIn("for operators", change["error"]["message"])
        self.assertEqual(self.cluster.source_status()["timeout_ms"], 1000)
        audit = (self.cluster.daemon.data_dir / "audit.jsonl").read_text()
        self.assertIn('"result":"refused"', audit)

    def as_nobody(self, verb, *words):
        """The answer that another user gets, from a process of its own."""
        request = {"verb": verb}
        if words:
            request.update(key=words[0], value=words[1])
        script = (
            "import os,socket,sys\n"
            "os.setgroups([]);os.setgid(65534);os.setuid(65534)\n"
            "s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1])\n"
            "s.sendall(sys.argv[2].encode()+b'\\n')\n"
            "d=b''\n"
            "while not d.endswith(b'\\n'): d+=s.recv(65536)\n"
            "sys.stdout.write(d.decode())\n"
        )
        done = subprocess.run(
            ["/usr/bin/python3", "-c", script, str(self.cluster.daemon.admin_socket), json.dumps(request)],
            capture_output=True,
            text=True,
            timeout=TOOL_TIMEOUT_S,
            check=True,
        )
        return json.loads(done.stdout)

    def test_daemon_prints_its_configuration(self):
        program = self.cluster.daemon.process.command[0]
        done = subprocess.run(
            [program, "--config", self.cluster.daemon.config_file, "--print-config"],
            capture_output=True,
            text=True,
            timeout=TOOL_TIMEOUT_S,
            check=True,
        )
        self.assertIn("may be changed while binlaned runs", done.stdout)
        self.assertNotIn("lab-password", done.stdout)
        waiting.until(lambda: self.cluster.state() == "SEMISYNC", "SEMISYNC", SOON_S)


if __name__ == "__main__":
    harness.main()
