"""Runs unittest cases as TAP, so that meson counts every case, and offers what the cases share.

A case fails with the tails of all logs of its cluster. Nothing here sleeps: cases wait for
conditions, each with a bound. The server that they run on is the one that BINLANE_SERVER names; where
it cannot be had, or cannot do yet what a case needs, the case is skipped and says so.
"""

import shutil
import subprocess
import sys
import tempfile
import traceback
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tools"))

# pylint: disable=wrong-import-position
from lab.audit import rows, verify  # noqa: E402
from lab.machine import waiting  # noqa: E402
from lab.servers import flavour  # noqa: E402
from lab.servers.cluster import Cluster  # noqa: E402
from lab.servers.private_root import Unavailable  # noqa: E402
from lab.servers.server import Server  # noqa: E402
from lab.traffic.load import Load, read_acknowledged  # noqa: E402

ARCHIVE_TIMEOUT_S = 120
DOWNLOAD_TIMEOUT_S = 120
LOG_TAIL_LINES = 30
SYSTEM_PLUGINS = Path("/usr/lib/mysql/plugin")


class TapResult(unittest.TestResult):
    """Prints a TAP line as each case ends."""

    def __init__(self, stream, planned=()):
        super().__init__()
        self.stream = stream
        self.planned = planned
        self.count = 0

    def _line(self, status, test, note=""):
        self.count += 1
        name = test.id().replace("__main__.", "").replace("#", "")
        print(f"{status} {self.count} - {name}{note}", file=self.stream, flush=True)

    def _trouble(self, test, error):
        self._line("not ok", test)
        lines = "".join(traceback.format_exception(*error)).splitlines()
        cluster = getattr(test, "cluster", None)
        if cluster is not None:
            lines += log_tails(cluster).splitlines()
        # The runner shows a failed program's stderr, and of its stdout only the verdicts.
        print(f"--- {test.id()} failed", *lines, sep="\n", file=sys.stderr, flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._trouble(test, err)

    def _meant(self, test):
        """The cases that an error is about: where a class could not be set up, all of it."""
        of_class = [
            case
            for case in self.planned
            if test.id() == f"setUpClass ({unittest.util.strclass(type(case))})"
        ]
        return of_class or [test]

    def addError(self, test, err):
        if isinstance(err[1], Unavailable):
            for case in self._meant(test):
                self.addSkip(case, str(err[1]))
            return
        super().addError(test, err)
        self._trouble(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None and isinstance(err[1], Unavailable):
            self.addSkip(subtest, str(err[1]))
            return
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._trouble(subtest, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("ok", test, f" # SKIP {reason}")


def why_skip(families=()):
    """Why no case of a program can run on the chosen server; None: they can. families: the only
    kinds of servers that its cases know how to talk to; none: any."""
    chosen = flavour.chosen()
    if families and chosen.family not in families:
        return f"its cases speak to {', '.join(families)} only, not to {chosen.name} yet"
    try:
        chosen.ensure()
    except Unavailable as error:
        return f"{chosen.name} cannot be had: {error}"
    return None


def cases(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from cases(part)
        else:
            yield part


def main(module="__main__", families=()):
    """`test.py [Class[.case]…]` runs these, without arguments all of the module.

    families: see why_skip; a class may have FAMILIES of its own.
    """
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    loaded = sys.modules[module]
    suite = loader.loadTestsFromNames(names, loaded) if names else loader.loadTestsFromModule(loaded)
    planned = list(cases(suite))
    result = TapResult(sys.stdout, planned)
    run = unittest.TestSuite()
    for case in planned:
        if reason := why_skip(getattr(case, "FAMILIES", families)):
            result.addSkip(case, reason)
        else:
            run.addTest(case)
    run.run(result)
    print(f"1..{result.count}", flush=True)
    sys.exit(0 if result.wasSuccessful() and result.count else 1)


def log_tails(cluster):
    parts = []
    for process in [d.process for d in cluster.daemons] + [s.process for s in cluster.servers]:
        name = process.log_file.relative_to(cluster.folder)
        parts.append(f"--- {name} (alive: {process.alive})\n{process.log_tail(LOG_TAIL_LINES)}")
    return "\n".join(parts)


class ClusterCase(unittest.TestCase):
    """Cases that share one cluster; CLUSTER holds the arguments of Cluster."""

    CLUSTER = {}
    FED = False  # whether they need replicas that execute what their binlaned gets
    cluster = None

    @classmethod
    def setUpClass(cls):
        if cls.FED:
            flavour.chosen().require_fed(cls.__name__)
        cls.cluster = Cluster(**cls.CLUSTER)
        cls.addClassCleanup(cls._remove)
        try:
            cls.cluster.start()
        except Unavailable:
            raise
        except BaseException as error:
            # unittest has no test to attach the logs to here, so they go into the error itself.
            raise RuntimeError(f"{error}\n{log_tails(cls.cluster)}") from error
        cls.cluster.wait_closed_ledger()
        cls.cluster.source.query("CREATE DATABASE check_db")

    @classmethod
    def _remove(cls):
        cls.cluster.stop()

    @property
    def source(self):
        return self.cluster.source

    def load(self, **options):
        """A background load with a folder of its own; use it in a with statement."""
        folder = tempfile.mkdtemp(prefix="load-", dir=self.cluster.folder)
        return Load(folder, self.source, **options)

    def wait_archives(self):
        """Until both archives hold all that the source has written; returns what that is."""
        written = verify.lengths(self.source.binlogs())
        for replica in self.cluster.replicas:
            archive = replica.daemon.archive
            waiting.until(
                lambda archive=archive: verify.archive_at_end(written, archive),
                f"{archive} to reach the end",
                ARCHIVE_TIMEOUT_S,
            )
        return written

    def check_everything_arrived(self, table="bench.numbered"):
        """Archives byte-identical, replicas identical."""
        written = self.wait_archives()
        differences = [
            difference
            for replica in self.cluster.replicas
            for difference in verify.archive_differences(written, replica.daemon.archive)
        ]
        self.assertEqual(differences, [])
        self.cluster.wait_replicas_applied()
        replicas = [(replica.name, replica.server) for replica in self.cluster.replicas]
        self.assertEqual(verify.table_differences(self.source, replicas, table), [])

    def check_nothing_lost(self, load, exposed=(), quorum_count=1):
        """Every row that `load` was told is committed is in a quorum of archives."""
        binlogs = self.source.binlogs()
        acknowledged, _ = read_acknowledged(load.acknowledged_file)
        self.assertTrue(acknowledged, "the load committed nothing")
        archives = [
            rows.rows_of_files([replica.daemon.archive / b.name for b in binlogs])
            for replica in self.cluster.replicas
        ]
        _, losses = verify.acknowledged_losses(
            acknowledged, rows.rows_of_files(binlogs), archives, list(exposed), quorum_count
        )
        self.assertEqual(losses, [])

    def ledger_entries(self):
        """Intervals ever opened. A fresh cluster has one already: semi-sync was off before."""
        return self.cluster.source_status()["ledger"]["entries"]

    def check_semi_sync_is_on(self):
        self.assertEqual(self.cluster.state(), "SEMISYNC")
        self.assertEqual(self.source.semi_sync()["status"], "ON")


def encryption_plugin_folder():
    """A plugin folder with file_key_management, or None with the reason.

    It comes with Debian's mariadb-server package, which would start a service; so where it is not
    installed, only the file is taken out of the package.
    """
    name = "file_key_management.so"
    if (SYSTEM_PLUGINS / name).exists():
        return SYSTEM_PLUGINS, None
    kept = REPOSITORY / "build" / "server-plugins"
    if (kept / name).exists():
        return kept, None
    version = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", "mariadb-server-core"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        steps = (
            ["apt-get", "download", f"mariadb-server={version}"],
            ["sh", "-c", "dpkg-deb --extract mariadb-server_*.deb out"],
        )
        for step in steps:
            done = subprocess.run(
                step,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=DOWNLOAD_TIMEOUT_S,
                check=False,
            )
            if done.returncode != 0:
                return None, f"{' '.join(step)}: {done.stderr.strip()[-200:]}"
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "out" / str(SYSTEM_PLUGINS)[1:] / name, kept)
    return kept, None


def server_alone(folder, server_id=1, **options):
    """A started source server without binlaned."""
    server = Server(folder, server_id, {**flavour.chosen().source_options(), **options})
    server.initialize()
    server.start()
    return server
