"""A source and its replicas, each with its binlaned: what the demo, the tests and `lab up` run."""

from lab.machine import waiting
from lab.servers import fleet, flavour as flavours
from lab.servers.binlaned import Daemon
from lab.servers.fleet import BINLANE_USER, PASSWORD
from lab.servers.server import Server
from lab.machine.ports import free_port

ACKER_SERVER_ID = 900
SOURCE_ADDRESS = "198.18.0.1:7100"
REPLICA_ADDRESS = "198.18.0.{}:7100"
SEMI_SYNC_TIMEOUT_S = 60
CATCH_UP_TIMEOUT_S = 120


class Replica:
    """A replica's server, its binlaned, and the loopback port between them."""

    def __init__(self, cluster, name, number):
        self.name = name
        self.address = REPLICA_ADDRESS.format(number + 1)
        folder = cluster.folder / name
        self.port = cluster.port.replace("{name}", name).replace("{run}", str(cluster.folder))
        flavour = cluster.flavour
        options = {**flavour.replica_options(), **cluster.replica_options}
        self.server = Server(folder / "server", 100 + number, options, cluster.detached, flavour)
        self.feed_port = free_port()
        # Kernel UDP uses the machine's own addresses; the other ports carry their own.
        if self.port == "udp":
            self.address = f"127.0.0.1:{free_port()}"
        config = {
            "name": name,
            "cluster": cluster.name,
            "lane": dict(cluster.lane),
            "replica": {
                "port": self.port,
                "address": self.address,
                "sources": [cluster.source_address(self.port)],
                "journal_size_mb": cluster.journal_size_mb,
                "feed_listen": f"127.0.0.1:{self.feed_port}",
                "feed_user": BINLANE_USER,
                "feed_password_file": cluster.password_file,
            },
        }
        if name in cluster.ask_servers:
            config["replica"] |= {
                "server_socket": self.server.socket,
                "server_user": BINLANE_USER,
                "server_password_file": cluster.password_file,
            }
        if cluster.faults:
            config["danger_faults"] = {**cluster.faults, "seed": number + 1}
        self.daemon = Daemon(folder / "binlaned", config, cluster.detached)

    def follow(self):
        fleet.follow(self.server, self.feed_port)


class Cluster(fleet.Fleet):
    """Everything at once. Use as a context manager, or call start() and stop()."""

    def __init__(
        self,
        replica_names=("r1", "r2"),
        quorum=None,
        timeout_ms=10_000,
        server_timeout_ms=0,
        port="vhost:{run}/{name}.vhost",
        journal_size_mb=64,
        source_options=None,
        replica_options=None,
        faults=None,
        lane=None,
        source_config=None,
        zones=None,
        ask_servers=(),
        detached=False,
        name="lab",
        source=None,
        flavour=None,
    ):
        """source: a server to use, which another owner starts and stops, until stop().

        flavour: of all servers; None for the one that was chosen for the program.
        """
        super().__init__()
        self.flavour = flavour or flavours.chosen()
        self.name = name
        self.detached = detached
        self.port = port
        self.journal_size_mb = journal_size_mb
        self.replica_options = replica_options or {}
        self.faults = faults or {}
        self.zones = zones or {}
        # Replicas whose binlaned asks their server what it has executed (level applied).
        self.ask_servers = ask_servers
        self.lane = {"mode": "shared", "idle": "auto", **(lane or {})}
        self.quorum = quorum or f"ANY 1 ({', '.join(replica_names)})"
        self.timeout_ms = timeout_ms
        self._udp_port = None
        options = {**self.flavour.source_options(), **(source_options or {})}
        self.source = source or Server(
            self.folder / "source" / "server", 1, options, detached, self.flavour
        )
        self.replicas = [Replica(self, n, i + 1) for i, n in enumerate(replica_names)]
        self.daemon = Daemon(
            self.folder / "source" / "binlaned",
            {
                "name": "source",
                "cluster": name,
                "lane": dict(self.lane),
                "source": {
                    "server_socket": self.source.socket,
                    "server_user": BINLANE_USER,
                    "server_password_file": self.password_file,
                    "acker_server_id": ACKER_SERVER_ID,
                    "quorum": self.quorum,
                    "timeout_ms": timeout_ms,
                    "server_timeout_ms": server_timeout_ms,
                    "wait_point": "AFTER_SYNC",
                    **(source_config or {}),
                    "replica": [self._replica_entry(replica) for replica in self.replicas],
                },
            },
            detached,
        )
        if self.faults:
            self.daemon.config["danger_faults"] = {**self.faults, "seed": 1}

    def _replica_entry(self, replica):
        zone = {"zone": self.zones[replica.name]} if replica.name in self.zones else {}
        return {
            **zone,
            "name": replica.name,
            "port": replica.port,
            "local_address": self.source_address(replica.port),
            "address": replica.address,
        }

    def source_address(self, port):
        """The source's end of a replica's port."""
        if port != "udp":
            return SOURCE_ADDRESS
        # Replicas that share the port "udp" share the source's one socket.
        if self._udp_port is None:
            self._udp_port = free_port()
        return f"127.0.0.1:{self._udp_port}"

    @property
    def servers(self):
        return [self.source, *(replica.server for replica in self.replicas)]

    @property
    def daemons(self):
        return [self.daemon, *(replica.daemon for replica in self.replicas)]

    @property
    def followers(self):
        """(name, server) of the replicas whose servers execute what their binlaned gets."""
        return [(r.name, r.server) for r in self.replicas] if self.flavour.fed else []

    def replica(self, name):
        return next(replica for replica in self.replicas if replica.name == name)

    def start_servers(self):
        for server in self.servers:
            server.initialize()
            server.start()
        self.create_user()

    def create_user(self):
        """The source's account that every binlaned uses."""
        self.source.create_account(BINLANE_USER, PASSWORD, self.flavour.source_privileges)

    def start_daemons(self):
        for replica in self.replicas:
            replica.daemon.start()
        self.daemon.start()

    def start(self):
        """Everything up, replicas following where binlaned can feed them, semi-sync on."""
        self.start_servers()
        self.start_daemons()
        if self.flavour.fed:
            for replica in self.replicas:
                replica.follow()
        self.wait_state("SEMISYNC")
        return self

    def source_status(self):
        """The source's part of its binlaned's status; {} while it does not answer."""
        status = self.daemon.try_status()
        return (status or {}).get("source") or {}

    def state(self):
        return self.source_status().get("state")

    def wait_state(self, state, timeout_s=SEMI_SYNC_TIMEOUT_S, tick=None):
        waiting.until(
            lambda: self.state() == state,
            lambda: f"the source to be {state} (it is {self.state() or 'not answering'})",
            timeout_s,
            tick,
        )

    def wait_closed_ledger(self, timeout_s=CATCH_UP_TIMEOUT_S, tick=None):
        """Until a quorum has all that was ever released without one."""
        waiting.until(
            lambda: (self.source_status().get("ledger") or {}).get("open") == 0,
            "the ledger's intervals to close",
            timeout_s,
            tick,
        )

    def wait_replicas_applied(self, timeout_s=CATCH_UP_TIMEOUT_S):
        """Until every replica's server has executed all that the source has."""
        self.flavour.require_fed("what the replicas have executed")
        written = self.source.written_set()
        for replica in self.replicas:
            fleet.wait_executed(replica.name, replica.server, written, timeout_s)
