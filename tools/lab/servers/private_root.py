"""A server of another Debian suite in a folder of the user's own, beside whatever is installed.

Nothing of the host is touched and no privilege is needed: apt gets a configuration, lists and a
package database of its own, which knows of no installed package, and so fetches everything that the
server needs, its C library included. The packages are unpacked, never installed: no script of theirs
runs. Programs are started through the root's own dynamic loader, with the root's libraries, and
otherwise live in the host's file system: their sockets and data folders are ordinary ones.

    <cache>/binlane/roots/<name>          the root, with .complete as its last file
    <cache>/binlane/roots/<name>.part     one that is being made, or was when its maker died
    <cache>/binlane/roots/<name>.lock     held while it is made

A root that could not be finished is made again from the beginning. One that is finished stays as it
is: whoever wants a newer server deletes the folder.
"""

import contextlib
import fcntl
import functools
import json
import os
import platform
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.machine import waiting
from lab.machine.process import die_with_parent

COMPLETE = ".complete"
TRIPLET = "x86_64-linux-gnu"
LIBRARIES = (f"usr/lib/{TRIPLET}", f"usr/lib/{TRIPLET}/mysql", "usr/lib/mysql/private", "usr/lib")
LOADER = "lib64/ld-linux-x86-64.so.2"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TOOLS = ("apt-get", "dpkg-deb", "tar")
# Suites that get no security updates of their own: they are always being changed.
ROLLING = ("sid", "forky")
# Folders that are one and the same since /usr was merged. Packages may still name the short ones.
MERGED = ("bin", "sbin", "lib", "lib64")
UNUSED = ("doc", "info", "locale", "man")
# Bounds. A slow machine on a slow line stays within them; none is a measure of what is normal.
ASK_TIMEOUT_S = 60
UPDATE_TIMEOUT_S = 300
DOWNLOAD_TIMEOUT_S = 900
UNPACK_TIMEOUT_S = 120
VERSION_TIMEOUT_S = 60
LOCK_TIMEOUT_S = 1800
FREE_SPACE_MB = 1500
REASON_LENGTH_MAX = 300

APT_CONFIGURATION = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "{folder}/log";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
"""


class Unavailable(Exception):
    """This server cannot be had on this machine; the text says why. Tests are skipped with it."""


@dataclass(frozen=True)
class Recipe:
    """What a root consists of."""

    name: str  # of its folder
    suite: str
    packages: tuple  # with all that they depend on
    alone: tuple  # without: only files of theirs are wanted
    server: str  # the program that has to run in the end
    share: str  # messages and character sets, below usr/share
    plugins: str = "usr/lib/mysql/plugin"


MYSQL = Recipe(
    name="mysql",
    suite="sid",
    packages=("mysql-server-core", "mysql-client-core"),
    alone=(),
    server="usr/sbin/mysqld",
    share="mysql",
)
MARIADB_11_8 = Recipe(
    name="mariadb-11.8",
    suite="trixie",
    packages=("mariadb-server-core", "mariadb-client-core"),
    # mariadb-binlog, and the server's plugins. Their packages also want Perl and a service.
    alone=("mariadb-client", "mariadb-server"),
    server="usr/sbin/mariadbd",
    share="mariadb",
)


def roots_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "binlane" / "roots"


def say(text):
    # Not on standard output, which belongs to the verdicts of tests.
    os.write(2, f"{text}\n".encode())


def why_not():
    """Why no root can be made on this machine, whatever the network says; None where one can."""
    if platform.machine() != "x86_64":
        return f"private servers are for x86_64, not {platform.machine()}"
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"needs {tool} to fetch a private server"
    if not KEYRING.exists():
        return f"needs Debian's keys in {KEYRING} to fetch a private server"
    return None


def parse_mirror(text):
    """The Debian archive's address among `apt-get indextargets`' lines; None if there is none."""
    for line in text.splitlines():
        origin, address, release = line.split("|")
        if origin == "Debian" and not any(
            word in f"{address} {release}" for word in ("security", "updates", "backports")
        ):
            return address.rstrip("/")
    return None


def sources_text(mirror, suite):
    """The one sources.list of a root's apt."""
    signed = f"[signed-by={KEYRING}]"
    lines = [f"deb {signed} {mirror} {suite} main"]
    if suite not in ROLLING:
        lines.append(f"deb {signed} {mirror}-security {suite}-security main")
    return "\n".join(lines) + "\n"


def last_words(log_file):
    """The end of what a step said, as a reason of one line."""
    try:
        lines = log_file.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    told = [line for line in lines if line.startswith("E:")] or lines[-3:]
    return " ".join(line.strip() for line in told)[-REASON_LENGTH_MAX:]


def run(command, what, timeout_s, log_file, cwd=None):
    """Runs one step in a process group of its own, of which nothing is left. Raises Unavailable."""
    with open(log_file, "ab") as log:
        process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            start_new_session=True,
            # A maker that is killed leaves nobody who writes to what the next one removes.
            preexec_fn=die_with_parent,
        )
    try:
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{what}: not done within {timeout_s} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status != 0:
        raise Unavailable(f"{what}: {last_words(log_file) or f'exit {status}'}")


@contextlib.contextmanager
def locked(path, timeout_s=LOCK_TIMEOUT_S):
    """Holds the lock file; it is free again when its holder ends, however that happens."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def taken():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        try:
            waiting.until(taken, f"{path}", timeout_s)
        except waiting.WaitTimeout as error:
            raise Unavailable(f"another process is fetching this server: {error}") from error
        yield
    finally:
        os.close(descriptor)


class PrivateRoot:
    """One root. ensure() makes it if need be; command() and places() say how to use it."""

    def __init__(self, recipe, folder=None):
        self.recipe = recipe
        roots = Path(folder) if folder else roots_folder()
        self.folder = roots / recipe.name
        self._refused = None

    # --- use -----------------------------------------------------------------------------------

    @property
    def share(self):
        return self.folder / "usr" / "share" / self.recipe.share

    def command(self, program, *arguments):
        """What starts a program of the root; `program` is a path below it, or a name in usr/bin."""
        if "/" not in program:
            program = f"usr/bin/{program}"
        return [
            str(self.folder / LOADER),
            "--library-path",
            ":".join(str(self.folder / library) for library in LIBRARIES),
            # A bare name would be looked up on the host.
            "--argv0",
            str(self.folder / program),
            str(self.folder / program),
            *map(str, arguments),
        ]

    def places(self):
        """The server's options that name places in the root; built in are those of the host."""
        return {
            "basedir": self.folder / "usr",
            "lc-messages-dir": self.share,
            "character-sets-dir": self.share / "charsets",
            "plugin-dir": self.folder / self.recipe.plugins,
        }

    @property
    def complete(self):
        return (self.folder / COMPLETE).exists()

    # --- making --------------------------------------------------------------------------------

    def ensure(self):
        """Returns when the root is there. Raises Unavailable, again and at once if it did before."""
        if self.complete:
            return self
        if self._refused is not None:
            raise self._refused
        try:
            self._make()
        except Unavailable as error:
            self._refused = error
            raise
        return self

    def _make(self):
        if reason := why_not():
            raise Unavailable(reason)
        roots = self.folder.parent
        try:
            roots.mkdir(parents=True, exist_ok=True)
            with locked(roots / f"{self.recipe.name}.lock"):
                if self.complete:  # another process has made it meanwhile
                    return
                self._fetch(roots / f"{self.recipe.name}.part")
        except OSError as error:
            raise Unavailable(f"no private server in {roots}: {error}") from error

    def _fetch(self, part):
        free_mb = shutil.disk_usage(part.parent).free >> 20
        if free_mb < FREE_SPACE_MB:
            raise Unavailable(f"needs {FREE_SPACE_MB} MB in {part.parent}, which has {free_mb}")
        for unfinished in (part, self.folder):
            if unfinished.exists():
                shutil.rmtree(unfinished)
        apt, root = part / "apt", part / "root"
        packages = ", ".join(self.recipe.packages)
        say(f"fetching {packages} of {self.recipe.suite} into {self.folder}")
        begun = time.monotonic()
        archives = self._download(apt)
        unpack(archives, root, part / "unpack.log")
        root.rename(self.folder)
        run(
            self.command(self.recipe.server, "--no-defaults", "--version"),
            f"the fetched {self.recipe.server}",
            VERSION_TIMEOUT_S,
            part / "version.log",
        )
        made_of = {"suite": self.recipe.suite, "packages": [deb.name for deb in archives]}
        (self.folder / COMPLETE).write_text(json.dumps(made_of, indent=1) + "\n")
        say(f"fetched in {time.monotonic() - begun:.0f} s: {last_words(part / 'version.log')}")
        shutil.rmtree(part)

    def _download(self, apt):
        """The packages' files, in a folder that holds nothing else."""
        configuration = private_apt(apt, find_mirror(apt), self.recipe.suite)
        apt_get = ["apt-get", "--config-file", configuration, "--quiet", "--yes"]
        suite = self.recipe.suite
        log = apt / "apt.log"
        run([*apt_get, "update"], f"the list of {suite}'s packages", UPDATE_TIMEOUT_S, log)
        install = [*apt_get, "--download-only", "--no-install-recommends", "install"]
        what = f"packages of {suite}"
        run([*install, *self.recipe.packages], what, DOWNLOAD_TIMEOUT_S, log)
        archives = apt / "archives"
        if self.recipe.alone:
            download = [*apt_get, "download", *self.recipe.alone]
            run(download, what, DOWNLOAD_TIMEOUT_S, log, cwd=archives)
        return sorted(archives.glob("*.deb"))


def find_mirror(folder):
    """Where this machine itself gets Debian's packages from."""
    folder.mkdir(parents=True)
    no_cache = ("--option", "Dir::Cache::pkgcache=", "--option", "Dir::Cache::srcpkgcache=")
    fields = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)"
    try:
        done = subprocess.run(
            ["apt-get", *no_cache, "indextargets", "--format", fields, "Created-By: Packages"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ASK_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"apt did not say its archive within {ASK_TIMEOUT_S} s") from None
    mirror = parse_mirror(done.stdout)
    if mirror is None:
        raise Unavailable("apt knows no Debian archive here, or 'apt-get update' never ran")
    return mirror


def private_apt(folder, mirror, suite):
    """Writes an apt configuration that knows this suite and no installed package; returns its file.

    It is read after the host's own, so that a proxy stays, and takes back every hook.
    """
    for name in ("lists/partial", "archives/partial", "state", "log"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(sources_text(mirror, suite))
    configuration = folder / "apt.conf"
    configuration.write_text(APT_CONFIGURATION.format(folder=folder))
    return configuration


def unpack(archives, root, log_file):
    """Unpacks the files of all packages, as this user's, with no set-uid program among them."""
    if not archives:
        raise Unavailable("apt has fetched no package")
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    # tar follows the links /bin … that are there; dpkg-deb's own unpacking would replace them.
    extract = ["tar", "--extract", "--directory", root, "--keep-directory-symlink"]
    extract += ["--no-same-owner", "--no-same-permissions"]
    extract += [f"--exclude=./usr/share/{name}" for name in UNUSED]
    for archive in archives:
        tar_file = log_file.with_name("package.tar")
        shell = ["sh", "-c", 'exec dpkg-deb --fsys-tarfile "$1" >"$2"', "sh", archive, tar_file]
        run(shell, f"unpacking {archive.name}", UNPACK_TIMEOUT_S, log_file)
        run([*extract, "--file", tar_file], f"unpacking {archive.name}", UNPACK_TIMEOUT_S, log_file)
        tar_file.unlink()


@functools.cache
def root_of(recipe):
    """One object for a root in this process, which remembers why it cannot be had."""
    return PrivateRoot(recipe)
