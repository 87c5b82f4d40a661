"""Hosts that may each become the source: server, binlaned with both roles, UDP on loopback.

    with HaCluster(("a", "b", "c")) as cluster:
        cluster.active.server.query(…)      # the host that is the source now
        cluster.host("a").kill()            # kill -9 of server and binlaned
        cluster.promote("b")                # (exit status, output) of `binlane promote b`
        cluster.host("a").start()
        cluster.rejoin("a")
"""

import json
import subprocess

from lab.audit import journal
from lab.machine import waiting
from lab.servers import fleet, flavour as flavours
from lab.servers.binlaned import Daemon
from lab.servers.cluster import ACKER_SERVER_ID
from lab.servers.fleet import BINLANE_USER, PASSWORD
from lab.servers.server import Server
from lab.machine.ports import free_port
from lab.machine.programs import program

# What an application has: read_only binds it.
APPLICATION_USER = "application"
COMMAND_TIMEOUT_S = 120
STATE_TIMEOUT_S = 60
APPLY_TIMEOUT_S = 60


class Host:
    """One server and its binlaned."""

    def __init__(self, cluster, name, number):
        self.cluster = cluster
        self.name = name
        folder = cluster.folder / name
        options = {**cluster.flavour.host_options(), **cluster.server_options}
        self.server = Server(
            folder / "server", 1 + number, options, cluster.detached, cluster.flavour
        )
        self.feed_port = free_port()
        self.source_address = f"127.0.0.1:{free_port()}"
        self.replica_address = f"127.0.0.1:{free_port()}"
        self.number = number
        self.daemon = None

    def make_daemon(self, others):
        cluster = self.cluster
        names = ", ".join(other.name for other in others)
        config = {
            "name": self.name,
            "cluster": cluster.name,
            "lane": {"mode": "shared", "idle": "auto"},
            "source": {
                "standby": self.number > 0,
                "server_socket": self.server.socket,
                "server_user": BINLANE_USER,
                "server_password_file": cluster.password_file,
                "acker_server_id": ACKER_SERVER_ID + self.number,
                "quorum": f"ANY {cluster.quorum_count} ({names})",
                "timeout_ms": cluster.timeout_ms,
                "server_timeout_ms": cluster.server_timeout_ms,
                "replica": [
                    {
                        "name": other.name,
                        "port": "udp",
                        "local_address": self.source_address,
                        "address": other.replica_address,
                    }
                    for other in others
                ],
            },
            "replica": {
                "port": "udp",
                "address": self.replica_address,
                "sources": [other.source_address for other in others],
                "journal_size_mb": cluster.journal_size_mb,
                "feed_listen": f"127.0.0.1:{self.feed_port}",
                "feed_user": BINLANE_USER,
                "feed_password_file": cluster.password_file,
            },
        }
        self.daemon = Daemon(cluster.folder / self.name / "binlaned", config, cluster.detached)

    def follow(self):
        fleet.follow(self.server, self.feed_port)

    def start(self):
        if not self.server.process.alive:
            self.server.start()
        if not self.daemon.process.alive:
            self.daemon.start()

    def kill(self):
        """kill -9 of whatever is alive: the server first, so that binlaned has shipped what it wrote."""
        for process in (self.server.process, self.daemon.process):
            if process.alive:
                process.kill()

    def binlane(self, *arguments, timeout_s=COMMAND_TIMEOUT_S):
        """(exit status, stdout, stderr) of the command line, asked of this host's daemon."""
        done = subprocess.run(
            [program("binlane"), "--socket", self.daemon.admin_socket, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def promotion(self):
        """What `binlane promotion` knows."""
        return json.loads(self.binlane("promotion", "--json")[1])

    def source_status(self):
        return (self.daemon.try_status() or {}).get("source") or {}

    def replica_status(self):
        return (self.daemon.try_status() or {}).get("replica") or {}

    def superblock(self):
        """What this host's journal says, on disk, of the stream that it holds; or None."""
        return journal.superblock(self.daemon.data_dir / "journal.meta")

    def wait_state(self, state, timeout_s=STATE_TIMEOUT_S, tick=None):
        waiting.until(
            lambda: self.source_status().get("state") == state,
            lambda: f"{self.name} to be {state}: {self.source_status().get('state')}, "
            f"{self.source_status().get('problem')}",
            timeout_s,
            tick,
        )

    def wait_executed(self, gtids, timeout_s=APPLY_TIMEOUT_S):
        """Until this host's server has executed `gtids` as a replica."""
        fleet.wait_executed(self.name, self.server, gtids, timeout_s)

    def application(self, database=None):
        """A connection as an application has it."""
        return self.server.connect(user=APPLICATION_USER, database=database)


class HaCluster(fleet.Fleet):
    """Hosts of which the first begins as the source. A context manager, or start() and stop()."""

    def __init__(
        self,
        names=("a", "b", "c"),
        quorum_count=1,
        timeout_ms=10_000,
        server_timeout_ms=0,
        journal_size_mb=16,
        server_options=None,
        name="ha",
        flavour=None,
        detached=False,
    ):
        """flavour: of all servers; None for the one that was chosen for the program."""
        self.flavour = flavour or flavours.chosen()
        self.flavour.require_fed("hosts with both roles")
        super().__init__()
        self.name = name
        self.detached = detached
        self.quorum_count = quorum_count
        self.timeout_ms = timeout_ms
        self.server_timeout_ms = server_timeout_ms
        self.journal_size_mb = journal_size_mb
        self.server_options = server_options or {}
        self.hosts = [Host(self, n, i) for i, n in enumerate(names)]
        for host in self.hosts:
            host.make_daemon([other for other in self.hosts if other is not host])

    def host(self, name):
        return next(host for host in self.hosts if host.name == name)

    @property
    def servers(self):
        return [host.server for host in self.hosts]

    @property
    def daemons(self):
        return [host.daemon for host in self.hosts]

    @property
    def active(self):
        """The host that is the source, as the newest term says."""
        found = []
        for host in self.hosts:
            status = host.source_status()
            if status.get("role") == "SOURCE":
                term, incarnation = status["epoch"].split(".")
                found.append((int(term), int(incarnation), host))
        if not found:
            raise RuntimeError("no host is the source")
        return max(found, key=lambda entry: entry[:2])[2]

    def start(self):
        for host in self.hosts:
            host.server.initialize()
            host.server.start()
        first = self.hosts[0].server
        first.create_account(BINLANE_USER, PASSWORD, self.flavour.host_privileges)
        first.execute(
            f"CREATE USER '{APPLICATION_USER}'@'localhost'",
            f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON *.* "
            f"TO '{APPLICATION_USER}'@'localhost'",
        )
        for host in self.hosts:
            host.daemon.start()
        for host in self.hosts[1:]:
            host.follow()
        self.hosts[0].wait_state("SEMISYNC")
        self.wait_writable(self.hosts[0])
        # Their binlaned logs in with an account that they get from the first host, too: before that
        # none of them can be promoted.
        self.wait_replicas_applied()
        return self

    def wait_writable(self, host):
        waiting.until(
            lambda: host.server.variable("read_only") == 0,
            f"{host.name}'s server to take writes",
            STATE_TIMEOUT_S,
        )

    def wait_replicas_applied(self):
        """Until every other running host has executed all that the source has."""
        active = self.active
        written = active.server.written_set()
        for host in self.hosts:
            if host is not active and host.server.process.alive:
                host.wait_executed(written)

    def promote(self, name, *options):
        return self.host(name).binlane("promote", name, *options)

    def rejoin(self, name, *options):
        return self.host(name).binlane("rejoin", *options)
