"""What `commit` compares: the ways a source's commit can be made to wait, or not to.

A mode is set up before each of its rounds and taken down after it, so that modes can alternate in
one run on the same source. In every mode without Binlane all binlaned and replicas that it does not
use are gone: BenchMode.check_absent() reads that from the processes, not from what it has asked for.
"""

from dataclasses import dataclass, field

from . import waiting

SETTLE_S = 60
# What stands for "for ever" in a round: a run that waits this long for an ACK went wrong.
STOCK_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class BenchMode:
    """One column of the comparison."""

    name: str
    wait_point: str = "AFTER_SYNC"
    stock_replicas: int = 0
    semi_sync: bool = False  # the server's own, with its own replica
    relay_options: dict = field(default_factory=dict)
    quorum: str = ""  # Binlane's rule; empty: no Binlane
    daemons: tuple = ()  # names of the replicas whose binlaned run
    spinners: int = 0  # norep_awake: pollers that keep the processors awake and do nothing else
    delay_us: int = 0  # a modelled remote delay

    @property
    def binlane(self):
        return bool(self.quorum)


def modes():
    """In the order in which a round takes them.

    Those with a modelled delay are not among them: nothing in binlaned holds an ACK back yet.
    """
    all_modes = [
        BenchMode("norep"),
        BenchMode("norep_awake", spinners=2),
        BenchMode("async", stock_replicas=1),
    ]
    for wait_point in ("AFTER_SYNC", "AFTER_COMMIT"):
        suffix = wait_point.lower()
        all_modes.append(
            BenchMode(f"stock_{suffix}", wait_point, stock_replicas=1, semi_sync=True)
        )
        all_modes.append(
            BenchMode(f"binlane_1of1_{suffix}", wait_point, quorum="ANY 1 (r1)", daemons=("r1",))
        )
        all_modes.append(
            BenchMode(
                f"binlane_1of2_{suffix}", wait_point, quorum="ANY 1 (r1, r2)", daemons=("r1", "r2")
            )
        )
    all_modes.append(
        BenchMode(
            "stock_durable",
            stock_replicas=1,
            semi_sync=True,
            relay_options={"sync_relay_log": 1},
        )
    )
    return all_modes


def set_semi_sync(server, wait_point):
    """The server's own semi-sync, as a user of it would set it."""
    server.query(f"SET GLOBAL rpl_semi_sync_master_wait_point = '{wait_point}'")
    server.query(f"SET GLOBAL rpl_semi_sync_master_timeout = {STOCK_TIMEOUT_MS}")
    server.query("SET GLOBAL rpl_semi_sync_master_enabled = ON")


def start_stock_replica(source, replica, mode):
    """A server that follows the source itself and applies nothing (only its IO thread runs)."""
    if not replica.process.alive:
        replica.start()
    replica.query("STOP SLAVE")
    sync_relay_log = mode.relay_options.get("sync_relay_log", 10000)
    replica.query(f"SET GLOBAL sync_relay_log = {sync_relay_log}")
    replica.query(f"SET GLOBAL rpl_semi_sync_slave_enabled = {'ON' if mode.semi_sync else 'OFF'}")
    replica.query(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', "
        f"MASTER_PORT={source.port}, MASTER_USER='bench', MASTER_PASSWORD='bench', "
        "MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos"
    )
    replica.query("START SLAVE IO_THREAD")
    waiting.until(
        lambda: replica.replica_status().get("Slave_IO_Running") == "Yes",
        "the stock replica's IO thread",
        SETTLE_S,
    )
    if mode.semi_sync:
        waiting.until(
            lambda: source.semi_sync()["clients"] == 1 and source.semi_sync()["status"] == "ON",
            "the server's own semi-sync",
            SETTLE_S,
        )


def check_absent(mode, daemons, replicas):
    """Raises unless exactly the processes of this mode are alive. `daemons`: (name, Process)."""
    wanted = {*mode.daemons, *(("source",) if mode.binlane else ())}
    for name, process in daemons:
        if process.alive != (name in wanted):
            raise RuntimeError(f"{mode.name}: binlaned of {name} is alive: {process.alive}")
    for index, process in enumerate(replicas):
        if process.alive != (index < mode.stock_replicas):
            raise RuntimeError(f"{mode.name}: stock replica {index} is alive: {process.alive}")
