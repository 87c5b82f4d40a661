"""Binlane on three hosts with a real systemd, installed by the documents' own commands.

The cases build on one another: they run in the order of their numbers, and each leaves three hosts that
hold together, whichever of them is the source.
"""

import json
import shutil
import sys
import threading
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "system"))

# pylint: disable=wrong-import-position
import harness  # noqa: E402
import pymysql  # noqa: E402
from documents import blocks, packages_of  # noqa: E402
from lab.machine import waiting  # noqa: E402
from lab.machine.programs import program  # noqa: E402
from room import Room, base_root, processes_in, why_not  # noqa: E402

INSTALL = blocks(REPOSITORY / "docs" / "INSTALL.md")
CHECKOUT = "/usr/src/binlane"
SETTINGS = "/etc/mysql/mariadb.conf.d/60-binlane.cnf"
CONFIGURATION = "/etc/binlane/binlaned.toml"
APP_PASSWORD = "app"
SOON_S = 60
PROMOTE_WAIT_S = 60
EXIT_CHECK = 4
EXIT_REFUSED = 5
MOST_EXPOSED = 2.0  # of systemd-analyze security


class Writer(threading.Thread):
    """An application with an ordinary account: it writes rows, one by one, until it is stopped."""

    def __init__(self, host, first):
        super().__init__(daemon=True)
        self.connection = host.connect("app", APP_PASSWORD, database="app")
        self.next = first
        self.acknowledged = []
        self.error = None
        self.stopping = threading.Event()
        self.start()

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                while not self.stopping.is_set():
                    cursor.execute("INSERT INTO rows_told VALUES (%s)", (self.next,))
                    self.acknowledged.append(self.next)
                    self.next += 1
        except (pymysql.err.MySQLError, OSError) as error:
            self.error = error

    def stop(self):
        self.stopping.set()
        self.join(SOON_S)
        return self.acknowledged


class Hosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason:
            raise unittest.SkipTest(reason)
        packages = packages_of(INSTALL["packages"])
        try:
            base = base_root(REPOSITORY / "build" / "hosts", packages)
        except RuntimeError as error:
            raise unittest.SkipTest(f"no base root: {str(error)[-300:]}") from error
        cls.room = Room(base)
        cls.addClassCleanup(cls.room.close)
        cls.room.__enter__()
        cls.told = []
        cls.next_row = 1
        for host in cls.room.hosts:
            cls.install(host)
        cls.begin()

    @classmethod
    def install(cls, host):
        """As docs/INSTALL.md says, block for block."""
        checkout = host.root / CHECKOUT.lstrip("/")
        shutil.copytree(REPOSITORY / "packaging", checkout / "packaging")
        (checkout / "build/bin").mkdir(parents=True)
        for name in ("binlaned", "binlane"):
            shutil.copy(Path(program(name)).resolve(), checkout / "build/bin" / name)
        host.run(f"cd {CHECKOUT}\n{INSTALL['files']}")
        host.write(SETTINGS, INSTALL["mysqld"].replace("server_id = 1", f"server_id = {host.number}"))
        host.run("systemctl restart mariadb")
        host.sql(INSTALL["account"])
        host.write(CONFIGURATION, INSTALL["configuration"])
        if host.number != 1:
            host.run(INSTALL["others"])
        host.run(INSTALL["passwords"])
        host.run(INSTALL["start"])
        if host.number != 1:
            host.sql(INSTALL["follow"])

    @classmethod
    def begin(cls):
        cls.source = cls.room.host("db1")
        cls.wait_semi_sync()
        cls.source.sql(
            "CREATE DATABASE app; CREATE TABLE app.rows_told (id INT PRIMARY KEY);"
            f"CREATE USER app@localhost IDENTIFIED BY '{APP_PASSWORD}';"
            "GRANT ALL ON app.* TO app@localhost"
        )

    @classmethod
    def state(cls, host):
        done = host.binlane("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    @classmethod
    def wait_semi_sync(cls, replicas=2):
        def settled():
            source = cls.state(cls.source).get("source") or {}
            connected = [row["name"] for row in source.get("replicas", []) if row["connected"]]
            return source.get("state") == "SEMISYNC" and len(connected) >= replicas

        waiting.until(
            settled,
            lambda: f"SEMISYNC on {cls.source.name}: {cls.source.binlane('status').stdout}"
            f"{cls.source.journal('binlaned', 20)}",
            SOON_S,
        )

    def others(self):
        return [host for host in self.room.hosts if host is not self.source]

    def write(self):
        writer = Writer(self.source, type(self).next_row)
        waiting.until(lambda: writer.acknowledged or writer.error, "the first row", SOON_S)
        self.assertIsNone(writer.error)
        return writer

    def keep(self, writer):
        """From now on every host has to have what this client was told."""
        rows = writer.stop()
        type(self).told += rows
        type(self).next_row = writer.next + 1  # the one that was in flight may be there or not
        return rows

    def check_rows(self, host):
        found = set(map(int, host.sql("SELECT id FROM app.rows_told").split()))
        self.assertEqual(set(self.told) - found, set(), f"acknowledged rows are not on {host.name}")

    def wait_rows(self, host):
        last = max(self.told)
        waiting.until(
            lambda: host.sql(f"SELECT COUNT(*) FROM app.rows_told WHERE id = {last}") == "1",
            lambda: f"row {last} on {host.name}: {host.sql('SHOW SLAVE STATUS')}",
            SOON_S,
        )
        self.check_rows(host)

    def promote(self, host, *options):
        done = host.binlane("promote", host.name, "--wait-s", PROMOTE_WAIT_S, *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        type(self).source = host

    def rejoin(self, host, *options):
        """Until the new source has spoken to the host, a rejoin says so and changes nothing."""
        said = []

        def done():
            outcome = host.binlane("rejoin", *options)
            said[:] = [outcome.stdout + outcome.stderr]
            return outcome.returncode == 0

        waiting.until(done, lambda: f"{host.name} to rejoin: {said}", SOON_S)
        return said[0]

    # What an installation is.

    def test_01_it_runs_as_its_own_user_and_says_so(self):
        for host in self.room.hosts:
            user = host.run(f"ps -o user= -p {host.main_pid()}").stdout.strip()
            self.assertEqual(user, "binlane")
        # systemd is told a moment after the daemon itself shows it.
        waiting.until(
            lambda: "SOURCE SEMISYNC, 2 of 2 replicas"
            in self.source.run("systemctl status --no-pager binlaned").stdout,
            lambda: self.source.run("systemctl status --no-pager binlaned").stdout,
            SOON_S,
        )
        self.assertEqual(self.source.binlane("status", "--check").returncode, 0)
        doctor = self.source.binlane("doctor", "--config", CONFIGURATION)
        self.assertIn(doctor.returncode, (0, 12), doctor.stdout)
        level = self.source.run("systemd-analyze security --no-pager binlaned | tail -1").stdout
        self.assertLess(float(level.split(":")[1].split()[0]), MOST_EXPOSED)
        for host in self.others():
            self.assertEqual(host.sql("SELECT @@global.read_only"), "1")

    def test_02_who_may_look_and_who_may_not(self):
        host = self.source
        for user, group in (("anybody", ""), ("viewer", "binlane-view"), ("boss", "binlane-admin")):
            host.run(f"useradd --no-create-home {user} {f'-G {group}' if group else ''}")
        asked = {
            user: [
                host.run(f"runuser -u {user} -- {command}", check=False).returncode
                for command in (
                    "binlane status", "binlane set timeout_ms 9000", "cat /var/lib/binlane/audit.jsonl"
                )
            ]
            for user in ("anybody", "viewer", "boss")
        }
        self.assertEqual(asked["viewer"], [0, 1, 1])
        self.assertEqual(asked["boss"], [0, 0, 1])
        self.assertNotEqual(asked["anybody"][0], 0)
        self.assertNotEqual(asked["anybody"][1], 0)
        self.assertEqual(asked["anybody"][2], 1)

    def test_03_a_fault_in_the_configuration_is_shown_and_mended(self):
        host = self.others()[0]
        host.run("chmod 600 /etc/binlane/server.password; chgrp root /etc/binlane/server.password")
        checked = host.binlane("config", "check", CONFIGURATION)
        self.assertEqual(checked.returncode, 1, checked.stdout)
        self.assertIn("which may not read /etc/binlane/server.password", checked.stderr)
        host.run("systemctl restart binlaned", check=False)
        waiting.until(
            lambda: host.run("systemctl is-failed binlaned", check=False).returncode == 0,
            "the unit to fail",
            SOON_S,
        )
        self.assertIn(
            "server.password", host.run("systemctl status --no-pager binlaned", check=False).stdout
        )
        host.run(INSTALL["passwords"])
        host.run("systemctl restart binlaned")
        self.wait_semi_sync()

    # Daemons that end, hang, are reloaded; logs that are rotated.

    def test_04_a_killed_daemon_is_back_by_itself(self):
        writer = self.write()
        before = self.source.main_pid()
        self.source.run(f"kill -9 {before}")
        waiting.until(lambda: self.source.main_pid() not in (0, before), "a new daemon", SOON_S)
        self.wait_semi_sync()
        self.assertIsNone(writer.error)
        self.keep(writer)

    def test_05_a_daemon_that_hangs_is_ended_by_the_watchdog(self):
        before = self.source.main_pid()
        self.source.run(f"kill -STOP {before}")
        waiting.until(lambda: self.source.main_pid() not in (0, before), "a new daemon", SOON_S)
        self.wait_semi_sync()

    def test_06_reload_and_logrotate(self):
        host = self.source
        before = host.main_pid()
        host.run("systemctl reload binlaned")
        host.run("logrotate --force /etc/logrotate.d/binlane")
        audit = "/var/lib/binlane/audit.jsonl"
        self.assertTrue(host.run(f"cat {audit}.1").stdout)
        # The new file is there as soon as the daemon has taken the signal.
        waiting.until(
            lambda: host.run(f"test -e {audit}", check=False).returncode == 0, "a new file", SOON_S
        )
        self.assertEqual(host.binlane("set", "timeout_ms", "9000").returncode, 0)
        self.assertIn("9000", host.run(f"cat {audit}").stdout)
        self.assertEqual(host.main_pid(), before)

    # What does not succeed, and hosts that go off and come back.

    def what_a_promotion_changes(self):
        """On record, of every host: its role and what it has promised; and what the source ships."""
        found = {
            host.name: host.run(
                "cd /var/lib/binlane && sha256sum role.state journal.promise", check=False
            ).stdout
            for host in self.room.hosts
        }
        source = self.state(self.source)["source"]
        return found, source["role"], source["state"], source["epoch"]

    def test_07_a_refused_promotion_changes_nothing(self):
        """Neither beside a source that is alive, nor where a peer is missing for the proof."""
        writer = self.write()
        candidate, peer = self.others()
        before = self.what_a_promotion_changes()
        self.assertEqual(before[1:3], ("SOURCE", "SEMISYNC"))
        for options, reason in (
            ([], f"the source {self.source.name} is alive"),
            (["--from-live-source"], f"{peer.name}: it has not answered"),
        ):
            if options:
                peer.run("systemctl stop binlaned")
            done = candidate.binlane("promote", candidate.name, *options)
            self.assertEqual(done.returncode, EXIT_REFUSED, done.stdout + done.stderr)
            self.assertIn(reason, done.stderr)
            self.assertIn("(nothing was changed)", done.stderr)
            self.assertEqual(self.what_a_promotion_changes(), before)
            self.assertEqual(self.source.binlane("status", "--check").returncode, 0)
        peer.run("systemctl start binlaned")
        self.wait_semi_sync()
        self.assertIsNone(writer.error)
        self.keep(writer)
        for host in self.others():
            self.wait_rows(host)

    def test_08_a_replica_shows_that_its_source_has_lost_power(self):
        """No host is promoted: when the source is back, it continues."""
        writer = self.write()
        self.source.cut_power()
        self.keep(writer)
        for host in self.others():
            waiting.until(
                lambda host=host: host.binlane("status", "--check").returncode == EXIT_CHECK,
                lambda host=host: host.binlane("status").stdout,
                SOON_S,
            )
            shown = host.binlane("status").stdout
            self.assertRegex(shown, rf"away, source {self.source.name}, last heard [0-9.]+ s ago")
            self.assertIn("(source_away)", shown)
        self.source.boot()
        self.wait_semi_sync()
        for host in self.others():
            waiting.until(
                lambda host=host: host.binlane("status", "--check").returncode == 0,
                lambda host=host: host.binlane("status").stdout,
                SOON_S,
            )
            self.wait_rows(host)

    def test_09_a_replicas_server_finds_its_feed_at_boot(self):
        for host in self.others():
            host.power_off()
            host.boot()
            waiting.until(
                lambda host=host: "\tYes\tYes\t" in host.sql("SHOW SLAVE STATUS"),
                lambda host=host: host.sql("SHOW SLAVE STATUS"),
                SOON_S,
            )
            refused = host.run("journalctl --no-pager -b -u mariadb", check=False).stdout
            self.assertNotIn("Can't connect to server on '127.0.0.1'", refused)
            self.wait_semi_sync()

    def test_10_an_orderly_reboot_of_the_source_leaves_nothing_behind(self):
        """Under load: another host is promoted, and the old source rejoins without a rebuild."""
        for _ in range(2):
            old = self.source
            new = self.others()[0]
            writer = self.write()
            old.power_off()
            self.keep(writer)
            self.promote(new)
            old.boot()
            said = self.rejoin(old)
            self.assertIn("nothing after", said)
            self.wait_semi_sync()
            for host in self.room.hosts:
                self.wait_rows(host)

    def test_11_a_power_cut_loses_nothing_that_was_acknowledged(self):
        """The old source's server does not start by itself: INSTALL, "Which server starts"."""
        old = self.source
        old.run("systemctl disable mariadb")
        writer = self.write()
        old.cut_power()
        self.keep(writer)
        new = self.others()[0]
        self.promote(new)
        self.check_rows(new)
        old.boot()
        old.run(f"cd {CHECKOUT}\n{INSTALL['cut']}")
        waiting.until(
            lambda: (self.state(old).get("source") or {}).get("state") == "FENCED",
            lambda: f"{old.name} FENCED: {self.state(old)}",
            SOON_S,
        )
        old.binlane("rejoin", "--cut")
        old.run("systemctl enable --now mariadb")
        self.rejoin(old)
        self.wait_semi_sync()
        for host in self.room.hosts:
            self.wait_rows(host)
        # As the server's user binlaned can read its files at the next boot, too.
        old.power_off()
        old.boot()
        self.wait_semi_sync()

    # Ports of DPDK, and the end.

    def test_12_af_packet_under_the_unit(self):
        for host in self.room.hosts:
            host.run(f"cd {CHECKOUT}\n{INSTALL['dpdk']}")
            host.run(
                "sed -i '/^\\[source\\]/,/^\\[replica\\]/s/port = \"udp\".*/"
                "port = \"dpdk:net_af_packet0,iface=eth0\"/' " + CONFIGURATION
                if host is self.source
                else "sed -i '/^\\[replica\\]/,$s/port = \"udp\".*/"
                "port = \"dpdk:net_af_packet0,iface=eth0\"/' " + CONFIGURATION
            )
        for host in self.room.hosts:
            host.run("systemctl restart binlaned")
        self.wait_semi_sync()
        writer = self.write()
        waiting.until(lambda: len(writer.acknowledged) > 10 or writer.error, "ten rows", SOON_S)
        self.assertIsNone(writer.error)
        self.keep(writer)
        for host in self.others():
            self.wait_rows(host)

    def test_13_what_is_removed_leaves_a_server_that_commits(self):
        for host in self.others():
            host.run("systemctl stop binlaned")
        self.source.run(INSTALL["remove"])
        connection = self.source.connect("app", APP_PASSWORD, database="app")
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION max_statement_time = 1")
            cursor.execute("INSERT INTO rows_told VALUES (%s)", (type(self).next_row,))
        self.assertEqual(
            self.source.sql("SHOW STATUS LIKE 'Rpl_semi_sync_master_status'").split()[-1], "OFF"
        )
        self.source.run("systemctl restart mariadb")
        self.assertEqual(self.source.sql("SELECT @@global.read_only"), "0")

    def test_14_nothing_runs_of_a_room_that_is_closed(self):
        """Not of a server either that writes while its host ends."""
        names = [host.processes for host in self.room.hosts]
        for name in names:
            self.assertTrue(processes_in(name))
        self.room.close()
        for name in names:
            self.assertEqual(processes_in(name), [])


if __name__ == "__main__":
    harness.main()
