"""The demo's contract, as a newcomer meets it: `./dev demo`, and `./dev lab`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path

import harness
from lab.machine import process, waiting
from lab.servers import admin, flavour
from lab.servers.fleet import short_folder

DEMO_SECONDS = 20
DEMO_TIMEOUT_S = 400
LAB_TIMEOUT_S = 240
DEV_TIMEOUT_S = 60
KEYS = {
    "commits": int,
    "semi_sync_commits": int,
    "exposed_commits": int,
    "degrades": int,
    "recoveries": int,
    "commit_p50_us": (int, float),
    "commit_p99_us": (int, float),
    "archives_identical": bool,
    # None where binlaned cannot feed such replicas yet; then not_shown says so.
    "replicas_identical": (bool, type(None)),
    "not_shown": (str, type(None)),
    "acked_lost": int,
    "server": dict,
    "ok": bool,
}


def lab(*arguments, timeout_s):
    return subprocess.run(
        [sys.executable, "-m", "lab", *map(str, arguments)],
        cwd=harness.REPOSITORY / "tools",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


class Demo(unittest.TestCase):
    def test_contract(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        report = folder / "out.json"
        done = lab("demo", "--seconds", DEMO_SECONDS, "--json", report, timeout_s=DEMO_TIMEOUT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        result = json.loads(report.read_text())
        for key, kind in KEYS.items():
            self.assertIsInstance(result[key], kind, key)
        self.assertTrue(result["ok"])
        self.assertEqual(result["acked_lost"], 0)
        self.assertTrue(result["archives_identical"])
        fed = flavour.chosen().fed
        self.assertEqual(result["replicas_identical"], True if fed else None)
        self.assertEqual(result["not_shown"] is None, fed)
        self.assertGreaterEqual(result["degrades"], 1)
        self.assertGreaterEqual(result["recoveries"], 1)
        self.assertGreater(result["exposed_commits"], 0)
        self.assertGreater(result["semi_sync_commits"], 0)


def dev(*arguments, **more):
    return subprocess.Popen(
        [harness.REPOSITORY / "dev", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )


class DevScript(unittest.TestCase):
    """`./dev` with a ninja that only notes its process id, and works until somebody ends it."""

    def setUp(self):
        self.folder = short_folder()
        self.addCleanup(shutil.rmtree, self.folder)
        self.note = self.folder / "ninja.pid"
        for name, text in (
            ("ninja", f'echo $$ >"{self.note}.new"; mv "{self.note}.new" "{self.note}"; sleep 600'),
            ("meson", "exit 0"),
        ):
            program = self.folder / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
        self.path = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}

    def answer(self, *arguments):
        run = dev(*arguments, env=self.path)
        output, _ = run.communicate(timeout=DEV_TIMEOUT_S)
        self.assertFalse(self.note.exists(), f"{arguments} began to compile: {output}")
        return run.returncode, output

    def test_options_are_looked_at_before_anything_is_compiled(self):
        for arguments in (
            ("demo", "--server", "mysql:8"),
            ("lab", "up", "--server", "mysql:8"),
            ("lab", "up", "--hosts", "2"),
            ("chaos", "--port", "x"),
            ("bench", "--no-such"),
            ("mutants", "no_such_mutant"),
            ("sim", "--no-such"),
        ):
            code, output = self.answer(*arguments)
            self.assertEqual(code, 2, output)
            self.assertIn(arguments[-1], output)
        for verb in ("demo", "sim", "fuzz", "bench"):
            code, output = self.answer(verb, "--help")
            self.assertEqual(code, 0, output)
            self.assertIn("--json", output)

    def test_an_unknown_verb_is_named(self):
        code, output = self.answer("foo")
        self.assertEqual(code, 2)
        self.assertIn("there is no verb 'foo'", output)

    def test_what_it_has_begun_ends_with_it(self):
        run = dev("sim", "--seeds", "1", env=self.path)
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.kill)
        waiting.until(self.note.exists, "ninja to begin", DEV_TIMEOUT_S)
        ninja = int(self.note.read_text())
        run.terminate()
        self.assertEqual(run.wait(timeout=DEV_TIMEOUT_S), 128 + signal.SIGTERM)
        waiting.until(
            lambda: process.start_ticks(ninja) is None, "ninja to end with ./dev", DEV_TIMEOUT_S
        )


class StandingLab(unittest.TestCase):
    def up(self, *options):
        """(what runs, what was printed)"""
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        report = folder / "lab.json"
        up = lab("up", "--json", report, *options, timeout_s=LAB_TIMEOUT_S)
        if up.returncode == 1 and "up already" in up.stdout:
            self.skipTest("a lab of this working copy is up already, and is not this test's to end")
        self.addCleanup(lab, "down", timeout_s=LAB_TIMEOUT_S)
        self.assertEqual(up.returncode, 0, up.stdout + up.stderr)
        return json.loads(report.read_text()), up.stderr

    def test_hosts_that_may_each_become_the_source(self):
        described, printed = self.up("--hosts", "3")
        self.assertEqual([host["name"] for host in described["hosts"]], ["a", "b", "c"])
        self.assertEqual(lab("status", timeout_s=LAB_TIMEOUT_S).returncode, 0)
        # Exactly what it says to type.
        commands = [line.split() for line in printed.splitlines() if "--from-live-source" in line]
        promoted = subprocess.run(
            commands[0], capture_output=True, text=True, timeout=LAB_TIMEOUT_S, check=False
        )
        self.assertEqual(promoted.returncode, 0, promoted.stdout + promoted.stderr)
        self.assertIn("step ACTIVE", promoted.stdout)
        down = lab("down", timeout_s=LAB_TIMEOUT_S)
        self.assertEqual(down.returncode, 0, down.stdout + down.stderr)
        self.assertFalse(Path(described["run_dir"]).exists())

    def test_up_status_down(self):
        described, _ = self.up()
        hosts = [described["source"], *described["replicas"]]
        self.assertEqual(len(hosts), 3)
        for host in hosts:
            for part in (host["server"], host["binlaned"]):
                pid = int(Path(part["pid_file"]).read_text())
                self.assertEqual(pid, part["pid"])
                self.assertIsNotNone(process.start_ticks(pid))
                for key in ("log", "data_dir", "config"):
                    self.assertTrue(Path(part[key]).exists(), part[key])
            self.assertTrue(Path(host["server"]["socket"]).is_socket())
            self.assertTrue(admin.request(host["binlaned"]["admin_socket"], "status"))
        for replica in described["replicas"]:
            self.assertTrue(Path(replica["binlaned"]["archive"]).is_dir())
        self.assertEqual(lab("status", timeout_s=LAB_TIMEOUT_S).returncode, 0)
        self.assertEqual(lab("up", timeout_s=LAB_TIMEOUT_S).returncode, 1)

        pids = [part["pid"] for host in hosts for part in (host["server"], host["binlaned"])]
        down = lab("down", timeout_s=LAB_TIMEOUT_S)
        self.assertEqual(down.returncode, 0, down.stdout + down.stderr)
        self.assertEqual([pid for pid in pids if process.start_ticks(pid) is not None], [])
        self.assertFalse(Path(described["run_dir"]).exists())


if __name__ == "__main__":
    harness.main()
