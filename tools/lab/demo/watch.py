"""Watch: what the demo sees while it runs, from outside: load, server, daemons.

Counters that a restarted process begins anew are added up here, so that a total covers the run.
"""

import threading
import time

import pymysql

from lab.servers.server import ANSWER_TIMEOUT_S

TICK_S = 0.1


class Total:
    """Sum of a counter over restarts of its process: a value that falls began at 0 again."""

    def __init__(self, start=0):
        self.value = 0
        self._last = start

    def see(self, reading):
        self.value += reading - self._last if reading >= self._last else reading
        self._last = reading


class Rotator(threading.Thread):
    """FLUSH BINARY LOGS every interval, on a connection and thread of its own: it may have to wait."""

    def __init__(self, server, interval_s):
        super().__init__(daemon=True)
        self.server = server
        self.interval_s = interval_s
        self.rotations = 0
        self.errors = []
        self._end = threading.Event()

    def run(self):
        while not self._end.wait(self.interval_s):
            try:
                self.server.query("FLUSH BINARY LOGS")
                self.rotations += 1
            except pymysql.err.Error as error:
                self.errors.append(str(error))

    def stop(self):
        self._end.set()
        self.join(ANSWER_TIMEOUT_S + 5)
        if self.is_alive():
            self.errors.append("FLUSH BINARY LOGS never returned")


class Watch:
    def __init__(self, cluster, display):
        self.cluster = cluster
        self.display = display
        self.load = None
        self.begun = time.monotonic()
        self.source = {}
        self.degrades = Total()
        self.recoveries = Total()
        self.semi_sync_commits = Total()
        self.server_status = None
        self.states = []
        self._connection = None
        self._next_tick = 0.0

    def start(self, load):
        """Starts the load; what was counted before does not count."""
        self.load = load
        self.begun = time.monotonic()
        self.source = self.cluster.source_status()
        counters = self.source.get("counters") or {}
        self.degrades = Total(counters.get("degrades", 0))
        self.recoveries = Total(counters.get("recoveries", 0))
        self.semi_sync_commits = Total(self.cluster.source.semi_sync()["yes_tx"])
        load.start()

    @property
    def elapsed_s(self):
        return time.monotonic() - self.begun

    @property
    def state(self):
        return self.source.get("state")

    @property
    def ledger(self):
        return self.source.get("ledger") or {}

    def exposed_text(self):
        """Event groups in closed intervals; a + says that an interval is open."""
        return f"{self.ledger.get('exposed_groups', 0)}{'+' if self.ledger.get('open') else ''}"

    def _read_server(self):
        if self._connection is None:
            self._connection = self.cluster.source.connect()
        prefix = self.cluster.flavour.semi_sync("")
        with self._connection.cursor() as cursor:
            cursor.execute(f"SHOW GLOBAL STATUS LIKE '{prefix}%'")
            status = {name.lower(): value for name, value in cursor.fetchall()}
        self.semi_sync_commits.see(int(status[f"{prefix}yes_tx"]))
        self.server_status = status[f"{prefix}status"]

    def look(self):
        """Reads everything once."""
        self.source = self.cluster.source_status()
        counters = self.source.get("counters")
        if counters is not None:
            self.degrades.see(counters.get("degrades", 0))
            self.recoveries.see(counters.get("recoveries", 0))
        if self.state is not None and (not self.states or self.states[-1] != self.state):
            self.states.append(self.state)
        self._read_server()
        for second in self.load.poll():
            self.display.second(
                second["second"],
                self.state,
                second,
                self.exposed_text(),
                self.source.get("replicas") or [],
            )

    def tick(self):
        """Paces a waiting loop, and watches meanwhile."""
        time.sleep(max(0.0, self._next_tick - time.monotonic()))
        self._next_tick = time.monotonic() + TICK_S
        self.look()
