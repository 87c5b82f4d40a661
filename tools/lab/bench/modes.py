"""What `commit` compares: the ways a source's commit can be made to wait, or not to."""

from dataclasses import dataclass

# What the ratios of issue and documentation are computed from stands in every round; the rest is
# left out of a round when the time is up.
OURS = "binlane_1of1_after_sync"
NORMAL_SYNC_RELAY_LOG = 10000
VHOST = "vhost"
UDP = "udp"  # the kernel's, what anybody has
AWAKE_POLLERS = 2


@dataclass(frozen=True)
class BenchMode:
    """One column of the comparison."""

    name: str
    cells: tuple  # of (load, clients)
    in_ratios: bool = False
    wait_point: str = "AFTER_SYNC"
    stock_replicas: int = 0
    semi_sync: bool = False  # the server's own, with its own replica
    sync_relay_log: int = NORMAL_SYNC_RELAY_LOG
    binlane_replicas: int = 0  # one of them has to be durable; 0: no Binlane
    port: str = VHOST  # what Binlane's replicas are reached over
    pollers: int = 0  # processes that keep the processors awake and do nothing else
    delay_us: int = 0  # a remote site, modelled: every ACK arrives that much later
    applies: bool = False  # the replicas' servers execute what they get

    @property
    def binlane(self):
        return self.binlane_replicas > 0

    @property
    def setup(self):
        """Which of Binlane's setups it needs; modes of the same one share its daemons' state."""
        return (self.binlane_replicas, self.port)

    @property
    def waits(self):
        """True when every commit must have been acknowledged by a replica."""
        return self.binlane or self.semi_sync


# Loads of a cell, with a number of clients.
INSERT = "insert"
HOT_ROW = "hot_row"
OPEN_LOOP = "open_loop"  # inserts at a part of the rate that those of as many clients have reached
SYSBENCH = "sysbench"
ONE = ((INSERT, 1),)
LONE_AND_MANY = ((INSERT, 1), (INSERT, 32))
ALL = ((INSERT, 1), (INSERT, 8), (INSERT, 32), (HOT_ROW, 8))
KNOWN = (*ALL, (SYSBENCH, 8))
APPLYING = ((INSERT, 8),)
WAIT_POINTS = ("AFTER_SYNC", "AFTER_COMMIT")
DELAYS_US = (100, 200, 500)


def _binlane(name, replicas, cells, **options):
    return BenchMode(name, cells, binlane_replicas=replicas, **options)


def _delayed(delay_us, cells):
    in_ratios = delay_us == DELAYS_US[0]
    return _binlane(f"{OURS}_delay{delay_us}", 1, cells, delay_us=delay_us, in_ratios=in_ratios)


def modes(quick=False, fed=True):
    """In the order in which a round takes them; those of the ratios come first.

    quick: of the modes that are not in a ratio only what one client sees. fed: whether binlaned can
    feed the replicas' servers; else the modes in which they execute what it got are left out.
    """
    return [mode for mode in _every_mode(quick) if fed or not (mode.binlane and mode.applies)]


def _every_mode(quick):
    few = ONE if quick else ALL
    stock_durable = {"stock_replicas": 1, "semi_sync": True, "sync_relay_log": 1}
    return [
        BenchMode("norep", KNOWN, in_ratios=True),
        _binlane(OURS, 1, (*KNOWN, (OPEN_LOOP, 8)), in_ratios=True),
        _delayed(DELAYS_US[0], few),
        BenchMode("stock_durable", KNOWN, in_ratios=True, **stock_durable),
        _binlane(f"{OURS}_udp", 1, LONE_AND_MANY, port=UDP),
        BenchMode("norep_awake", few, pollers=AWAKE_POLLERS),
        BenchMode("async", few, stock_replicas=1),
        *(
            BenchMode(f"stock_{point.lower()}", few, wait_point=point, stock_replicas=1, semi_sync=True)
            for point in WAIT_POINTS
        ),
        _binlane("binlane_1of1_after_commit", 1, few, wait_point="AFTER_COMMIT"),
        *(_binlane(f"binlane_1of2_{p.lower()}", 2, few, wait_point=p) for p in WAIT_POINTS),
        *(_delayed(delay_us, few) for delay_us in DELAYS_US[1:]),
        BenchMode("applying_async", APPLYING, stock_replicas=1, applies=True),
        BenchMode("applying_stock_durable", APPLYING, applies=True, **stock_durable),
        _binlane(f"applying_{OURS}", 1, APPLYING, applies=True),
    ]
