"""The lab's servers, as far as no server is needed: the choice of one, its words, private roots."""

import contextlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS.parent / "tools"), str(TESTS / "system")]

# pylint: disable=wrong-import-position
import harness  # noqa: E402
from lab.audit import rows  # noqa: E402
from lab.bench import modes  # noqa: E402
from lab.servers import flavour, private_root  # noqa: E402
from lab.servers.private_root import PrivateRoot, Recipe, Unavailable  # noqa: E402
from lab.servers.words import Words, command_options, normal_column, options_text, quoted  # noqa: E402

UUID = "c80a54d1-ed28-11f1-8ea2-02fc00000001"
# As mysqlbinlog prints two transactions, shortened: one of the load's, one of another table.
DECODED_MYSQL = f"""\
# at 158
#261201  1:45:15 server id 1  end_log_pos 237 CRC32 0xe46a6375 \tGTID\tlast_committed=0
SET @@SESSION.GTID_NEXT= '{UUID}:41'/*!*/;
# at 237
#261201  1:45:15 server id 1  end_log_pos 320 CRC32 0xc2ab551c \tWrite_rows: table id 90
### INSERT INTO `bench`.`numbered`
### SET
###   @1=3
###   @2=17
### INSERT INTO `bench`.`numbered`
### SET
###   @1=3
###   @2=18
#261201  1:45:15 server id 1  end_log_pos 351 CRC32 0xc2ab551c \tXid = 12
COMMIT/*!*/;
SET @@SESSION.GTID_NEXT= '{UUID}:tag:1'/*!*/;
### INSERT INTO `other`.`t`
### SET
###   @1=3
###   @2=19
#261201  1:45:15 server id 1  end_log_pos 500 CRC32 0xc2ab551c \tXid = 13
SET @@SESSION.GTID_NEXT= 'AUTOMATIC' /* added by mysqlbinlog */ /*!*/;
"""
DECODED_MARIADB = """\
#261201  1:45:15 server id 2  end_log_pos 237 CRC32 0xe46a6375 \tGTID 0-2-41 trans
### INSERT INTO `bench`.`numbered`
### SET
###   @1=3
###   @2=17
#261201  1:45:15 server id 2  end_log_pos 351 CRC32 0xc2ab551c \tXid = 12
"""
RECIPE = Recipe(
    name="thing",
    suite="trixie",
    packages=("thing-server",),
    alone=(),
    server="usr/sbin/thingd",
    share="thing",
)


def quiet():
    return mock.patch.object(private_root, "say")


class Choice(unittest.TestCase):
    def test_default_environment_and_option(self):
        with mock.patch.dict(os.environ):
            os.environ.pop(flavour.VARIABLE, None)
            self.assertEqual(flavour.chosen().name, "mariadb")
            os.environ[flavour.VARIABLE] = "mysql"
            self.assertEqual(flavour.chosen().product, "MySQL")
            flavour.choose("mariadb:11.8")
            self.assertEqual(os.environ[flavour.VARIABLE], "mariadb:11.8")
            self.assertEqual(flavour.chosen().family, "mariadb")
            self.assertIs(flavour.chosen(), flavour.named("mariadb:11.8"))

    def test_unknown_name(self):
        with mock.patch.dict(os.environ):
            with self.assertRaisesRegex(ValueError, "mariadb, mariadb:11.8, mysql"):
                flavour.choose("mysql:5.7")
            os.environ[flavour.VARIABLE] = "mysql:5.7"
            with self.assertRaises(ValueError):
                flavour.chosen()


class EveryWord(unittest.TestCase):
    def test_nothing_is_left_unsaid(self):
        for name in flavour.NAMES:
            words = flavour.named(name)
            for word, value in vars(Words).items():
                if word.startswith("_"):
                    continue
                with self.subTest(server=name, word=word):
                    self.assertIsNotNone(getattr(words, word))
                    # What a method of Words raises NotImplementedError for, a flavour has.
                    if callable(value) and "NotImplementedError" in value.__code__.co_names:
                        self.assertIsNot(getattr(type(words), word), value)

    def test_followers_never_want_tls(self):
        for name in flavour.NAMES:
            (statement,) = flavour.named(name).follow(3310, "who", "it's\\")
            self.assertRegex(statement, "(MASTER|SOURCE)_SSL=0")
            self.assertIn(r"PASSWORD='it''s\\'", statement)
            self.assertIn("_PORT=3310", statement)

    def test_reset_with_and_without_a_number(self):
        self.assertEqual(flavour.named("mariadb").reset_binlogs(), "RESET MASTER")
        self.assertEqual(flavour.named("mariadb").reset_binlogs(7), "RESET MASTER TO 7")
        self.assertEqual(flavour.named("mysql").reset_binlogs(), "RESET BINARY LOGS AND GTIDS")
        self.assertEqual(flavour.named("mysql").reset_binlogs(7), "RESET BINARY LOGS AND GTIDS TO 7")

    def test_fence(self):
        self.assertEqual(flavour.named("mysql").set_fence(True), "SET GLOBAL super_read_only=1")
        self.assertEqual(flavour.named("mariadb").set_fence(True), "SET GLOBAL read_only=1")
        for name in flavour.NAMES:
            self.assertEqual(flavour.named(name).set_fence(False), "SET GLOBAL read_only=0")

    def test_one_form_of_the_replica_status(self):
        for column, normal in (
            ("Slave_IO_Running", "Replica_IO_Running"),
            ("Seconds_Behind_Master", "Seconds_Behind_Source"),
            ("Read_Master_Log_Pos", "Read_Source_Log_Pos"),
            ("Replica_SQL_Running", "Replica_SQL_Running"),
            ("Last_IO_Errno", "Last_IO_Errno"),
        ):
            self.assertEqual(normal_column(column), normal)

    def test_options(self):
        options = {"skip-name-resolve": None, "port": 3310}
        text = "[mysqld]\nskip-name-resolve\nport = 3310\n"
        self.assertEqual(options_text("mysqld", options), text)
        self.assertEqual(command_options(options), ["--skip-name-resolve", "--port=3310"])
        self.assertEqual(quoted("a'b"), "'a''b'")

    def test_what_cannot_be_fed_is_said(self):
        class Unfed(Words):
            product = "Thing"
            fed = False

        with self.assertRaisesRegex(Unavailable, "promotion: binlaned does not feed Thing"):
            Unfed().require_fed("promotion")
        flavour.named("mariadb").require_fed("promotion")
        self.assertIsNone(flavour.named("mariadb").not_yet())
        left_out = {mode.name for mode in modes.modes()} - {m.name for m in modes.modes(fed=False)}
        self.assertEqual(left_out, {f"applying_{modes.OURS}"})


class Gtids(unittest.TestCase):
    def test_two_mariadb_sources_share_a_place(self):
        place = flavour.named("mariadb").gtid_place
        self.assertEqual(place("0-1-7"), place("0-2-7"))
        self.assertNotEqual(place("0-1-7"), place("1-1-7"))

    def test_two_mysql_sources_share_none(self):
        place = flavour.named("mysql").gtid_place
        self.assertNotEqual(place(f"{UUID}:7"), place(f"{UUID[:-1]}2:7"))

    def decoded(self, name, text, **changes):
        """What is read when the decoder prints this text."""
        words = flavour.named(name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "binlog.000032"
            path.write_text(text)
            with mock.patch.multiple(
                words, binlog_decoder=lambda: ["cat"], ensure=lambda: None, create=True, **changes
            ):
                return rows.groups_of_file(path, flavour=words)

    def test_mysqlbinlog(self):
        (group,) = self.decoded("mysql", DECODED_MYSQL)
        self.assertEqual(group, rows.Group(f"{UUID}:41", (32, 351), ((3, 17), (3, 18)), 1))

    def test_mariadb_binlog(self):
        (group,) = self.decoded("mariadb", DECODED_MARIADB)
        self.assertEqual(group, rows.Group("0-2-41", (32, 351), ((3, 17),), 2))


class Skips(unittest.TestCase):
    """What cannot be had is neither passed nor failed."""

    class One(unittest.TestCase):
        def test_good(self):
            pass

        def test_needs_more(self):
            raise Unavailable("no such thing here")

    class Whole(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            raise Unavailable("no such thing here")

        def test_good(self):
            pass

        def test_needs_more(self):
            pass

    def run_cases(self, kind, **arguments):
        """The lines of a test program with these cases, which must not have failed."""
        module = types.ModuleType("two_cases")
        module.Two = kind
        out = io.StringIO()
        with contextlib.ExitStack() as changed:
            changed.enter_context(mock.patch.dict(sys.modules, {"two_cases": module}))
            changed.enter_context(mock.patch.object(sys, "argv", ["two_cases"]))
            changed.enter_context(contextlib.redirect_stdout(out))
            ended = changed.enter_context(self.assertRaises(SystemExit))
            harness.main("two_cases", **arguments)
        self.assertEqual(ended.exception.code, 0, out.getvalue())
        return out.getvalue().splitlines()

    def test_a_class(self):
        with mock.patch.dict(os.environ, {flavour.VARIABLE: "mariadb"}):
            lines = self.run_cases(self.Whole)
        self.assertRegex(lines[0], "^ok 1 .*test_good # SKIP no such thing here$")
        self.assertRegex(lines[1], "^ok 2 .*test_needs_more # SKIP no such thing here$")
        self.assertEqual(lines[2], "1..2")

    def test_one_case(self):
        with mock.patch.dict(os.environ, {flavour.VARIABLE: "mariadb"}):
            lines = self.run_cases(self.One)
        self.assertNotIn("SKIP", lines[0])
        self.assertRegex(lines[1], "^ok 2 .* # SKIP no such thing here$")
        self.assertEqual(lines[2], "1..2")

    def test_every_case_on_a_server_they_cannot_speak_to(self):
        with mock.patch.dict(os.environ, {flavour.VARIABLE: "mysql"}):
            lines = self.run_cases(self.One, families=("mariadb",))
        for line in lines[:2]:
            self.assertIn("# SKIP its cases speak to mariadb only, not to mysql", line)

    def test_every_case_on_a_server_that_cannot_be_had(self):
        words = flavour.named("mysql")
        refused = mock.Mock(side_effect=Unavailable("no mirror"))
        with mock.patch.dict(os.environ, {flavour.VARIABLE: "mysql"}):
            with mock.patch.object(words, "ensure", refused):
                lines = self.run_cases(self.One)
        for line in lines[:2]:
            self.assertIn("# SKIP mysql cannot be had: no mirror", line)


class Roots(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bl-roots-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.root = PrivateRoot(RECIPE, self.folder)
        self.log = self.folder / "step.log"

    def test_folder_is_the_users_cache(self):
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": "/somewhere"}):
            self.assertEqual(private_root.roots_folder(), Path("/somewhere/binlane/roots"))
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": "", "HOME": "/home/me"}):
            self.assertEqual(private_root.roots_folder(), Path("/home/me/.cache/binlane/roots"))

    def test_mirror_is_the_archives_and_no_side_suite(self):
        text = (
            "Other|http://elsewhere/|bookworm\n"
            "Debian|http://mirror/debian-security/|bookworm-security\n"
            "Debian|http://mirror/debian/|bookworm-updates\n"
            "Debian|http://mirror/debian/|bookworm\n"
        )
        self.assertEqual(private_root.parse_mirror(text), "http://mirror/debian")
        self.assertIsNone(private_root.parse_mirror("Other|http://elsewhere/|bookworm\n"))

    def test_security_only_where_a_suite_has_it(self):
        self.assertIn("trixie-security main", private_root.sources_text("http://m/debian", "trixie"))
        self.assertNotIn("security", private_root.sources_text("http://m/debian", "sid"))

    def test_programs_run_with_the_roots_libraries(self):
        command = self.root.command("usr/sbin/thingd", "--port", 7)
        thing = str(self.root.folder / "usr/sbin/thingd")
        self.assertEqual(command[0], str(self.root.folder / private_root.LOADER))
        self.assertEqual(command[-3:], [thing, "--port", "7"])
        for library in command[command.index("--library-path") + 1].split(":"):
            self.assertTrue(library.startswith(f"{self.root.folder}/"), library)
        self.assertEqual(self.root.command("thing")[-1], str(self.root.folder / "usr/bin/thing"))

    def make(self, root, version_fails=False):
        """ensure() with nothing fetched: (how often packages were asked for)."""

        def run(_command, what, *_arguments, **_options):
            if version_fails:
                raise Unavailable(f"{what}: does not run")

        def unpack(_archives, into, _log):
            (into / "usr").mkdir(parents=True)

        def download(_self, apt):
            apt.mkdir(parents=True)
            return [Path("thing_1.deb")]

        with mock.patch.multiple(private_root, run=run, unpack=unpack, why_not=lambda: None):
            with mock.patch.object(PrivateRoot, "_download", autospec=True) as downloads, quiet():
                downloads.side_effect = download
                try:
                    root.ensure()
                finally:
                    self.downloads = downloads.call_count
        return self.downloads

    def test_made_once(self):
        self.assertEqual(self.make(self.root), 1)
        self.assertTrue(self.root.complete)
        self.assertFalse((self.folder / "thing.part").exists())
        self.assertEqual(self.make(PrivateRoot(RECIPE, self.folder)), 0)

    def test_unfinished_is_made_again(self):
        left = self.root.folder / "usr" / "left"
        left.mkdir(parents=True)
        (self.folder / "thing.part" / "root").mkdir(parents=True)
        self.assertEqual(self.make(self.root), 1)
        self.assertFalse(left.exists())
        self.assertTrue(self.root.complete)

    def test_what_does_not_run_is_not_complete(self):
        with self.assertRaisesRegex(Unavailable, "usr/sbin/thingd: does not run"):
            self.make(self.root, version_fails=True)
        self.assertFalse(self.root.complete)
        # The same object gives the same answer at once; another program tries again.
        with self.assertRaises(Unavailable):
            self.make(self.root)
        self.assertEqual(self.downloads, 0)
        self.assertEqual(self.make(PrivateRoot(RECIPE, self.folder)), 1)

    def test_too_little_space(self):
        with mock.patch.object(private_root, "FREE_SPACE_MB", 1 << 50):
            with self.assertRaisesRegex(Unavailable, "MB in"):
                self.make(self.root)

    def test_another_machine_or_no_tools(self):
        with mock.patch.object(private_root.platform, "machine", return_value="riscv64"):
            self.assertIn("riscv64", private_root.why_not())
        with mock.patch.object(private_root.platform, "machine", return_value="x86_64"):
            with mock.patch.object(private_root.shutil, "which", return_value=None):
                self.assertIn("needs apt-get", private_root.why_not())

    def test_one_at_a_time(self):
        lock = self.folder / "lock"
        with private_root.locked(lock):
            with self.assertRaisesRegex(Unavailable, "another process"):
                with private_root.locked(lock, timeout_s=0.1):
                    self.fail("it was held twice")
        with private_root.locked(lock, timeout_s=0.1):
            pass

    def test_a_step_that_fails_says_why(self):
        script = "echo Reading; echo 'E: Unable to locate package thing'; exit 100"
        with self.assertRaises(Unavailable) as failed:
            private_root.run(["sh", "-c", script], "packages", 30, self.log)
        self.assertEqual(str(failed.exception), "packages: E: Unable to locate package thing")

    def test_a_step_that_hangs_is_ended_with_all_that_it_began(self):
        # Whoever reads a named pipe sees its end when nobody is left who could write to it.
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        script = f"exec >{pipe}; echo begun; sleep 600 & sleep 600"
        with self.assertRaisesRegex(Unavailable, "not done within 1 s"):
            private_root.run(["sh", "-c", script], "a step", 1, self.log)
        os.set_blocking(reader, True)
        with os.fdopen(reader, "rb") as read:
            self.assertEqual(read.read(), b"begun\n")

    @unittest.skipIf(shutil.which("dpkg-deb") is None, "needs dpkg-deb")
    def test_unpacked_into_a_merged_usr(self):
        package = self.folder / "package"
        (package / "DEBIAN").mkdir(parents=True)
        (package / "DEBIAN" / "control").write_text(
            "Package: thing\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: a thing\n"
        )
        (package / "bin").mkdir()
        (package / "bin" / "thing").write_text("thing\n")
        (package / "bin" / "thing").chmod(0o4755)
        (package / "usr" / "share" / "man").mkdir(parents=True)
        (package / "usr" / "share" / "man" / "thing.1").write_text("thing\n")
        subprocess.run(
            ["dpkg-deb", "--build", str(package), str(self.folder / "thing.deb")],
            capture_output=True,
            check=True,
            timeout=60,
        )
        root = self.folder / "root"
        private_root.unpack([self.folder / "thing.deb"], root, self.log)
        thing = root / "usr" / "bin" / "thing"
        self.assertEqual(thing.read_text(), "thing\n")
        self.assertTrue((root / "bin").is_symlink())
        self.assertFalse(thing.stat().st_mode & stat.S_ISUID)
        self.assertFalse((root / "usr" / "share" / "man").exists())
        self.assertFalse((self.folder / "package.tar").exists())
        with self.assertRaises(Unavailable):
            private_root.unpack([], self.folder / "empty", self.log)

    def test_apt_of_its_own(self):
        configuration = private_root.private_apt(self.folder / "apt", "http://m/debian", "trixie")
        text = configuration.read_text()
        for line in text.splitlines():
            if line.startswith("Dir::") and '"/dev/null"' not in line and '""' not in line:
                self.assertIn(str(self.folder / "apt"), line)
        self.assertEqual((self.folder / "apt" / "status").read_text(), "")


if __name__ == "__main__":
    unittest.main()
