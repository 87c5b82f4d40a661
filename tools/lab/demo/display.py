"""The demo's live table: a block redrawn in place on a terminal, plain lines anywhere else."""

import sys

CLEAR_BELOW = "\x1b[J"
UP = "\x1b[{}A"
BOLD = "\x1b[1m"
PLAIN = "\x1b[0m"
HEADER = f"{'':>5} {'state':<12}{'commits/s':>10}{'p50':>9}{'p99':>9}{'exposed':>9}   "


def duration(us):
    """Microseconds in three digits: 412 us, 1.23 ms, 2.1 s."""
    if us < 1_000:
        return f"{us:.0f} us"
    if us < 1_000_000:
        return f"{us / 1_000:.3g} ms"
    return f"{us / 1_000_000:.3g} s"


def size(count):
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


def replica_text(replica):
    """Received and durable lag of one replica, as its source sees it."""
    if not replica.get("connected"):
        return "down"
    lags = (replica.get("received_lag_bytes"), replica.get("durable_lag_bytes"))
    return " / ".join("?" if lag is None else size(lag) for lag in lags)


class Display:
    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.live = stream.isatty()
        self._block = 0
        self._header_due = 0

    def _erase(self):
        if self._block:
            self.stream.write(UP.format(self._block) + CLEAR_BELOW)
            self._block = 0

    def event(self, text):
        """A line that stays."""
        self._erase()
        self.stream.write((BOLD + text + PLAIN if self.live else text) + "\n")
        self.stream.flush()

    def second(self, number, state, load, exposed, replicas):
        """One second of the run. load is a line of the load generator, replicas the status list."""
        row = (
            f"{number:>4}s {state or 'no answer':<12}{load.get('commits', 0):>10}"
            f"{duration(load.get('p50_us', 0)):>9}{duration(load.get('p99_us', 0)):>9}"
            f"{exposed:>9}   "
        )
        row += "".join(f"{replica_text(replica):<26}" for replica in replicas)
        names = "".join(f"{r.get('name', '?') + ' received/durable lag':<26}" for r in replicas)
        header = HEADER + names
        self._erase()
        if self.live:
            self.stream.write(f"{header.rstrip()}\n{row.rstrip()}\n")
            self._block = 2
        else:
            if self._header_due == 0:
                self.stream.write(header.rstrip() + "\n")
                self._header_due = 20
            self._header_due -= 1
            self.stream.write(row.rstrip() + "\n")
        self.stream.flush()
