"""The demo's contract, as a newcomer meets it: `./dev demo`, and `./dev lab`."""

import json
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import harness
from lab.machine import process
from lab.servers import admin, flavour
from lab.servers.fleet import short_folder

DEMO_SECONDS = 20
DEMO_TIMEOUT_S = 400
LAB_TIMEOUT_S = 240
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


class StandingLab(unittest.TestCase):
    def test_up_status_down(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        report = folder / "lab.json"
        up = lab("up", "--json", report, timeout_s=LAB_TIMEOUT_S)
        if up.returncode == 1 and "up already" in up.stdout:
            self.skipTest("a lab of this working copy is up already, and is not this test's to end")
        self.addCleanup(lab, "down", timeout_s=LAB_TIMEOUT_S)
        self.assertEqual(up.returncode, 0, up.stdout + up.stderr)
        described = json.loads(report.read_text())
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
