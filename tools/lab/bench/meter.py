"""What one cell of the comparison cost, from the server, the kernel and binlaned: differences of
counters between its beginning and its end."""

import os
from pathlib import Path

from lab.machine.process import stat_fields

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of a line of /proc/diskstats: the device's numbers, its name, then the counters.
DISK_FLUSHES_FIELD = 18


def cpu_seconds(pid):
    """User and system time of a process that is alive."""
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def device_flushes(path):
    """Flushes that the device below `path` has completed; None where the kernel does not count.

    Everybody's: on a machine with other work it is an upper bound.
    """
    device = os.stat(path).st_dev
    wanted = [str(os.major(device)), str(os.minor(device))]
    for line in Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if fields[:2] == wanted and len(fields) > DISK_FLUSHES_FIELD:
            return int(fields[DISK_FLUSHES_FIELD])
    return None


def journal_writes(daemons):
    """Of all replicas' journals together."""
    return sum(daemon.status()["replica"]["journal"]["writes"] for daemon in daemons)


class Meter:
    """Made before a cell; read() after it. `processes`: those whose time is counted."""

    def __init__(self, source, replica_daemons, processes, folder):
        self.source = source
        self.replica_daemons = replica_daemons
        self.processes = processes
        self.folder = folder
        self.before = self._now()

    def _now(self):
        semi_sync = self.source.semi_sync()
        return {
            "yes_tx": semi_sync["yes_tx"],
            "no_tx": semi_sync["no_tx"],
            "device_flushes": device_flushes(self.folder),
            "journal_writes": journal_writes(self.replica_daemons),
            "cpu_s": sum(cpu_seconds(process.pid) for process in self.processes),
        }

    def read(self):
        after = self._now()
        return {
            key: None if value is None else after[key] - value for key, value in self.before.items()
        }
