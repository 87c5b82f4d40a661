"""What is installed beside the programs: alert rules, dashboard, units; and the metrics they speak of."""

import json
import os
import re
import socket
import shutil
import subprocess
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

import harness
from lab.machine import waiting
from lab.machine.ports import free_port
from lab.servers.cli import binlane
from quorum_case import SOON_S, QuorumCase

PACKAGING = harness.REPOSITORY / "packaging"
TOOL_TIMEOUT_S = 60
DOWNLOAD_TIMEOUT_S = 120
EXPOSURE_MOST = 2.0
COMMITS = 20


def prometheus_program(name):
    """promtool or prometheus, or None with the reason. Debian's package starts a service, so where it
    is not installed only the programs are taken out of it."""
    found = shutil.which(name)
    if found:
        return found, None
    kept = harness.REPOSITORY / "build" / "tools" / name
    if kept.exists():
        return kept, None
    with tempfile.TemporaryDirectory() as folder:
        for step in (
            ["apt-get", "download", "prometheus"],
            ["sh", "-c", "dpkg-deb --extract prometheus_*.deb out"],
        ):
            done = run(*step, cwd=folder, timeout=DOWNLOAD_TIMEOUT_S)
            if done.returncode != 0:
                return None, f"{' '.join(step)}: {done.stderr.strip()[-200:]}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "out/usr/bin" / name, kept)
    return kept, None


def run(*command, timeout=TOOL_TIMEOUT_S, **options):
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


class Prometheus:
    """A Prometheus that scrapes one address; a context manager."""

    def __init__(self, program, folder, target):
        self.address = f"127.0.0.1:{free_port()}"
        self.log = folder / "log"
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            f"scrape_configs: [{{job_name: binlane, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        self.command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--enable-feature=native-histograms",
        ]
        self.process = None

    def __enter__(self):
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(TOOL_TIMEOUT_S)

    def query(self, expression):
        """Values by (stage, replica); {} while it does not answer."""
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text())
        question = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(
                f"http://{self.address}/api/v1/query?{question}", timeout=TOOL_TIMEOUT_S
            ) as answer:
                rows = json.load(answer)["data"]["result"]
        except OSError:
            return {}
        return {
            (row["metric"]["stage"], row["metric"].get("replica", "")): float(row["value"][1])
            for row in rows
        }


class Packaging(QuorumCase):
    """A source with a metrics endpoint, and its replicas."""

    @classmethod
    def setUpClass(cls):
        cls.promtool, cls.why_not = prometheus_program("promtool")
        cls.metrics_port = free_port()
        super().setUpClass()
        daemon = cls.cluster.daemon
        daemon.config["metrics_listen"] = f"127.0.0.1:{cls.metrics_port}"
        daemon.stop()
        daemon.start()

    def need_promtool(self):
        if self.promtool is None:
            self.skipTest(self.why_not)

    def metrics(self):
        address = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(address, timeout=TOOL_TIMEOUT_S) as answer:
            return answer.read().decode()

    def all_metric_names(self):
        """Of a source and of a replica, as promtool would see them."""
        text = self.metrics()
        for replica in self.cluster.replicas:
            text += metrics_of(replica.daemon)
        return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))

    def test_the_endpoint_passes_promtool(self):
        self.need_promtool()
        self.commit()
        for text in (self.metrics(), metrics_of(self.cluster.replica("r1").daemon)):
            done = run(self.promtool, "check", "metrics", input=text)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), text)

    def test_prometheus_takes_native_histograms(self):
        """Of every stage and replica, and the classic ones beside them."""
        prometheus, why_not = prometheus_program("prometheus")
        if prometheus is None:
            self.skipTest(why_not)
        for _ in range(COMMITS):
            self.commit()
        with tempfile.TemporaryDirectory() as folder, Prometheus(
            prometheus, Path(folder), f"127.0.0.1:{self.metrics_port}"
        ) as server:
            expected = {("quorum", ""), ("fed", "")}
            expected |= {(stage, name) for stage in ("received", "durable") for name in ("r1", "r2")}

            def agreed():
                native = server.query("histogram_count(binlane_stage_native_seconds)")
                classic = server.query("binlane_stage_seconds_count")
                enough = all(native.get(key, 0) >= COMMITS for key in expected)
                return enough and native == classic

            waiting.until(agreed, lambda: server.query("binlane_stage_seconds_count"), SOON_S)
            # To the width of a bucket of ours and of one of Prometheus'.
            median = server.query("histogram_quantile(0.5, binlane_stage_native_seconds)")
            stages = self.run_binlane("hist", "--json").json()["stages"]
            for row in stages:
                key = (row["stage"], row["replica"])
                self.assertAlmostEqual(median[key] / (row["p50_ns"] / 1e9), 1, delta=0.25, msg=key)

    def test_alert_rules_and_their_tests(self):
        self.need_promtool()
        rules = PACKAGING / "prometheus" / "alerts.yml"
        done = run(self.promtool, "check", "rules", rules)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = run(self.promtool, "test", "rules", PACKAGING / "prometheus" / "alerts_test.yml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_alerts_and_dashboard_speak_of_metrics_that_exist(self):
        self.commit()
        waiting.until(
            lambda: "binlane_stage_seconds_bucket" in self.metrics(), "a histogram", SOON_S
        )
        known = self.all_metric_names()
        texts = [
            (PACKAGING / "prometheus" / "alerts.yml").read_text(),
            (PACKAGING / "grafana" / "binlane.json").read_text(),
        ]
        for text in texts:
            for name in set(re.findall(r"\bbinlane_[a-z_]+", text)):
                self.assertIn(re.sub("_bucket$", "", name), known)
        json.loads(texts[1])

    def test_every_alert_has_its_section(self):
        rules = (PACKAGING / "prometheus" / "alerts.yml").read_text()
        names = re.findall(r"- alert: (\S+)", rules)
        headings = re.findall(
            r"^#+ (\S+)$", (harness.REPOSITORY / "docs/OPERATIONS.md").read_text(), re.MULTILINE
        )
        self.assertGreater(len(names), 8)
        for name in names:
            self.assertIn(name, headings)
            self.assertIn(f"OPERATIONS.md#{name.lower()}", rules)

    def test_the_unit_is_hardened(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        unit = PACKAGING / "systemd" / "binlaned.service"
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
        level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(level, done.stdout + done.stderr)
        self.assertLessEqual(float(level.group(1)), EXPOSURE_MOST)

    def test_units_drop_ins_and_mounts_are_valid(self):
        """systemd knows every word of them."""
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        with tempfile.TemporaryDirectory() as folder:
            for path in (PACKAGING / "systemd").iterdir():
                text = re.sub(r"/usr/s?bin/binlane\S*", "/bin/true", path.read_text())
                # The manual is the program's own, and not installed here.
                text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
                (Path(folder) / path.name).write_text(text)
            units = sorted(Path(folder).glob("*.service")) + sorted(Path(folder).glob("*.mount"))
            self.assertEqual(len(units), 3)
            beside = Path(folder) / "binlaned.service.d"
            beside.mkdir()
            for drop_in in Path(folder).glob("binlaned-*.conf"):
                shutil.copy(drop_in, beside / "one.conf")
                done = run("systemd-analyze", "verify", *units)
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), drop_in.name)

    def test_the_boot_unit_mounts_where_all_see_it(self):
        """These options give a unit a mount namespace of its own, and huge pages would be mounted there."""
        text = (PACKAGING / "systemd" / "binlane-hw.service").read_text()
        own = r"^(Private(Tmp|Devices|Mounts)|Protect(System|Home|KernelTunables|ControlGroups|Proc)|\w+Paths)="
        self.assertIsNone(re.search(own, text, re.MULTILINE))

    def test_user_groups_and_folders(self):
        """As a machine's own systemd makes them from our files, in a folder in place of the machine."""
        if not shutil.which("systemd-sysusers"):
            self.skipTest("no systemd-sysusers")
        if os.geteuid() != 0:
            self.skipTest("needs root to give folders away")
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in ("etc", "run", "var/lib"):
                (root / name).mkdir(parents=True)
            for tool, options, name in (
                ("systemd-sysusers", [], "binlane.sysusers"),
                ("systemd-tmpfiles", ["--create"], "binlane.tmpfiles"),
            ):
                done = run(tool, f"--root={root}", *options, PACKAGING / "systemd" / name)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            user = (root / "etc/passwd").read_text()
            uid = int(re.search(r"^binlane:x:(\d+):.*nologin$", user, re.MULTILINE).group(1))
            groups = (root / "etc/group").read_text()
            self.assertRegex(groups, r"(?m)^binlane-admin:")
            self.assertRegex(groups, r"(?m)^binlane-view:")
            for group in ("mysql", "binlane-admin"):
                self.assertRegex(groups, rf"(?m)^{group}:.*binlane$")
            for name, owner, mode in (
                ("run/binlane", uid, 0o755),
                ("var/lib/binlane", uid, 0o700),
                ("etc/binlane", 0, 0o750),
            ):
                made = (root / name).stat()
                self.assertEqual((made.st_uid, made.st_mode & 0o777), (owner, mode), name)
            # At every boot that folder is given to the group again; binlaned's user is in it.
            gid = int(re.search(r"^binlane:x:(\d+):", groups, re.MULTILINE).group(1))
            self.assertEqual((root / "etc/binlane").stat().st_gid, gid)
        drop_in = (PACKAGING / "systemd" / "binlaned-server.conf").read_text()
        self.assertRegex(drop_in, r"(?m)^SupplementaryGroups=.*\bbinlane\b(?!-)")

    def test_the_unit_speaks_systemds_protocol(self):
        """READY when it is up, fed watchdog, STOPPING: on a socket as systemd gives it."""
        daemon = self.cluster.replica("r2").daemon
        daemon.stop()
        path = self.cluster.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(path))
            listener.settimeout(SOON_S)
            daemon.process.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "900000"}
            try:
                daemon.start()
                seen = ""
                for wanted in ("READY=1", "WATCHDOG=1"):
                    while wanted not in seen:
                        seen += listener.recv(4096).decode() + "\n"
                daemon.stop()
                while "STOPPING=1" not in seen:
                    seen += listener.recv(4096).decode() + "\n"
            finally:
                daemon.process.environment = {}
        daemon.start()


def metrics_of(daemon):
    return binlane(daemon, "metrics").text


if __name__ == "__main__":
    harness.main()
