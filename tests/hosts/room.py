"""Three Debian hosts with a systemd and a MariaDB service of their own, on one switch.

Each is a container with a whole root file system, in a network namespace of its own: db1, db2 and db3
at 10.0.0.1 to 10.0.0.3. They can be switched off and on, and their power can be cut. What a container
is not: it shares the machine's kernel and page cache, so a power cut here loses processes and no
written bytes.
"""

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pymysql

from lab.machine import waiting

SUITE = "bookworm"
# Packages that a host needs and that no other package depends on.
SYSTEM_PACKAGES = ("systemd", "systemd-sysv", "dbus", "procps", "iproute2", "logrotate")
TOOLS = ("systemd-nspawn", "mmdebstrap", "nsenter", "ip")
# What a bare-metal host may do and systemd-nspawn takes away.
CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_IPC_LOCK,CAP_SYS_RAWIO"
POWER_OFF = signal.SIGRTMIN + 4  # systemd(1)
BASE_TIMEOUT_S = 600
BOOT_TIMEOUT_S = 120
OFF_TIMEOUT_S = 90
COMMAND_TIMEOUT_S = 120
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def why_not():
    """What is missing to build this room, or None."""
    if os.geteuid() != 0:
        return "needs root: network namespaces and containers"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f"missing: {', '.join(missing)} (packages systemd-container, mmdebstrap)"
    return None


def run(*command, timeout_s=COMMAND_TIMEOUT_S, check=True, **options):
    done = subprocess.run(
        list(map(str, command)),
        stdin=options.pop("stdin", None) if "input" in options else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        **options,
    )
    if check and done.returncode != 0:
        words = " ".join(map(str, command))
        raise RuntimeError(f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def base_root(folder, packages):
    """A root file system with these packages; made once for each list of them."""
    packages = sorted({*SYSTEM_PACKAGES, *packages})
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    base = folder / f"base-{SUITE}-{digest}"
    if base.exists():
        return base
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{base.name}.{os.getpid()}"
    try:
        run(
            "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}",
            SUITE, fresh, timeout_s=BASE_TIMEOUT_S,
        )
        fresh.rename(base)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return base


def pid_namespace(pid):
    """Its name, or None where that process is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def processes_in(namespace):
    """The processes of a PID namespace, as this machine numbers them; one that only waits to be
    reaped holds nothing any more."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or pid_namespace(entry.name) != namespace:
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.append(int(entry.name))
    return found


class Host:
    """One of them; `run` is a shell on it."""

    def __init__(self, room, number):
        self.room = room
        self.number = number
        self.name = f"db{number}"
        self.address = f"10.0.0.{number}"
        self.netns = f"{room.tag}-{self.name}"
        self.root = room.folder / self.name
        self.console = room.folder / f"{self.name}.console"
        self.container = None
        self.pid = None  # of its process 1
        self.processes = None  # the PID namespace that all of its processes are in

    def boot(self):
        def end_with_parent():
            # On SIGTERM it powers the host off. SIGKILL would leave process 1 and all others alive.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        # Not registered with systemd-machined, which may not run here.
        command = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
            f"--network-namespace-path=/run/netns/{self.netns}", f"--directory={self.root}",
            f"--machine={self.name}", f"--capability={CAPABILITIES}", "--boot",
        ]
        with self.console.open("ab") as console:
            self.container = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                start_new_session=True, preexec_fn=end_with_parent,
            )
        waiting.until(self._is_up, lambda: f"{self.name} to boot: {self._console()}", BOOT_TIMEOUT_S)

    def _console(self):
        return self.console.read_text(errors="replace")[-2000:]

    def _is_up(self):
        if self.container.poll() is not None:
            raise RuntimeError(f"{self.name} ended: {self._console()}")
        found = run("pgrep", "-P", self.container.pid, "-x", "systemd", check=False).stdout.split()
        if not found:
            return False
        self.pid = int(found[0])
        self.processes = pid_namespace(self.pid)
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def run(self, command, **options):
        return run("nsenter", "-t", self.pid, "-a", "bash", "-euc", command, **options)

    def binlane(self, *arguments, check=False, **options):
        """By its name alone, as an operator types it."""
        return run("nsenter", "-t", self.pid, "-a", "binlane", *arguments, check=check, **options)

    def connect(self, user, password, **options):
        """A connection to its server, by the socket that is seen through its process 1."""
        return pymysql.connect(
            unix_socket=f"/proc/{self.pid}/root/run/mysqld/mysqld.sock",
            user=user,
            password=password,
            autocommit=True,
            read_timeout=COMMAND_TIMEOUT_S,
            **options,
        )

    def sql(self, statement, **options):
        """As root, in the client's own words: rows of tab-separated columns."""
        done = self.run("mariadb --batch --skip-column-names", input=statement, **options)
        return done.stdout.strip()

    def write(self, path, text, mode=0o644):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def main_pid(self, unit="binlaned"):
        shown = self.run(f"systemctl show --value --property=MainPID {unit}").stdout
        return int(shown)

    def journal(self, unit, lines=200):
        return self.run(f"journalctl --no-pager -u {unit} -n {lines}", check=False).stdout

    @property
    def is_on(self):
        return self.container is not None and self.container.poll() is None

    def power_off(self):
        """In order, as `poweroff` does."""
        os.kill(self.pid, POWER_OFF)
        self._await_off()

    def cut_power(self):
        """All processes of the host end at once."""
        os.kill(self.pid, signal.SIGKILL)
        self._await_off()

    def end(self):
        """Whatever state it is in: nothing of it runs when this returns."""
        if self.container is None:
            return
        if self.processes and pid_namespace(self.pid) == self.processes:
            os.kill(self.pid, signal.SIGKILL)
        elif self.is_on:
            self.container.terminate()  # its process 1 was not seen yet
        self._await_off()

    def _await_off(self):
        """A process with writes in flight may outlive process 1 and the container's own program."""
        self.container.wait(OFF_TIMEOUT_S)
        if self.processes:
            waiting.until(
                lambda: not processes_in(self.processes),
                lambda: f"{self.name}'s processes to end: {processes_in(self.processes)}",
                OFF_TIMEOUT_S,
            )
        self.container, self.pid, self.processes = None, None, None


class Room:
    """A context manager; afterwards nothing is left of it, whatever happened."""

    def __init__(self, base):
        self.base = base
        self.tag = f"bl{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix="bl-hosts-", dir="/var/tmp"))
        self.hosts = [Host(self, number) for number in (1, 2, 3)]
        self._netns = []

    def host(self, name):
        return next(host for host in self.hosts if host.name == name)

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _add_netns(self, name):
        run("ip", "netns", "add", name)
        self._netns.append(name)

    def _build(self):
        switch = f"{self.tag}-switch"
        self._add_netns(switch)
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for host in self.hosts:
            self._add_netns(host.netns)
            run(
                "ip", "link", "add", f"p{host.name}", "netns", switch,
                "type", "veth", "peer", "name", "eth0", "netns", host.netns,
            )
            run("ip", "-n", switch, "link", "set", f"p{host.name}", "master", "br0", "up")
            run("ip", "-n", host.netns, "addr", "add", f"{host.address}/24", "dev", "eth0")
            run("ip", "-n", host.netns, "link", "set", "eth0", "up")
            run("ip", "-n", host.netns, "link", "set", "lo", "up")
            run("cp", "-a", "--reflink=auto", self.base, host.root)
            host.write("/etc/hostname", host.name + "\n")
            names = "".join(f"{other.address} {other.name}\n" for other in self.hosts)
            host.write("/etc/hosts", "127.0.0.1 localhost\n" + names)
            (host.root / "etc/machine-id").unlink(missing_ok=True)
            run("systemd-machine-id-setup", f"--root={host.root}", check=False)
            host.boot()

    def close(self):
        with contextlib.ExitStack() as last:  # the hosts first; a host that does not end keeps no other
            last.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for name in self._netns:
                last.callback(run, "ip", "netns", "del", name, check=False)
            for host in self.hosts:
                last.callback(host.end)
            self._netns = []
