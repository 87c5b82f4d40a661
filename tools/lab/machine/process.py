"""Processes that outlive the program that started them, and are ended only when surely ours.

A pid alone does not name a process: numbers are reused. So beside every pid file stands a second
file with the process's start time (field 22 of /proc/<pid>/stat), and nothing is signalled unless
both agree.
"""

import ctypes
import os
import signal
import subprocess
from pathlib import Path

from lab.machine import waiting

STOP_TIMEOUT_S = 60
KILL_TIMEOUT_S = 30
PAUSE_TIMEOUT_S = 30
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def stat_fields(pid):
    """Of /proc/<pid>/stat from its third, the state, on. Raises when there is no such process."""
    text = Path(f"/proc/{pid}/stat").read_text()
    # The command's name is in brackets and may contain anything, including brackets.
    return text[text.rindex(")") + 2 :].split()


def stopped(pid):
    """Whether every thread of the process has stopped."""
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            text = stat.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        states.append(text[text.rindex(")") + 2])
    return all(state == "T" for state in states)


def start_ticks(pid):
    """When the process began, in clock ticks since boot; None if it has ended.

    A zombie has ended, unless one of its threads still runs: a thread that sits in a slow system
    call outlives the first one, and finishes what it does to the disk.
    """
    try:
        fields = stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, threads, start = fields[0], int(fields[17]), int(fields[19])
    return None if state == "X" or (state == "Z" and threads <= 1) else start


def die_with_parent():
    """For a child that is about to become another program: it does not outlive this one."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program, known by its pid file."""

    def __init__(self, command, pid_file, log_file, detached=False):
        self.command = [str(word) for word in command]
        self.pid_file = Path(pid_file)
        self.log_file = Path(log_file)
        # A process that is not detached dies with this program, however that ends.
        self.detached = detached
        self.environment = {}  # beside this program's own
        self._child = None

    @property
    def _ticks_file(self):
        return self.pid_file.with_name(self.pid_file.name + ".start")

    @property
    def pid(self):
        """The pid, if the process is alive and the one we started; else None."""
        if self._child is not None:
            self._child.poll()
        try:
            pid = int(self.pid_file.read_text())
            ticks = int(self._ticks_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if start_ticks(pid) == ticks else None

    @property
    def alive(self):
        return self.pid is not None

    @property
    def exit_status(self):
        """Of the last run, if this program started it and it has ended; else None."""
        return None if self._child is None else self._child.poll()

    def start(self):
        if self.alive:
            raise RuntimeError(f"{self.command[0]} is already running (pid {self.pid})")

        with open(self.log_file, "ab") as log:
            self._child = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=None if self.detached else die_with_parent,
            )
        ticks = start_ticks(self._child.pid)
        self._ticks_file.write_text(f"{ticks if ticks is not None else 0}\n")
        self.pid_file.write_text(f"{self._child.pid}\n")

    def signal(self, number):
        pid = self.pid
        if pid is None:
            raise RuntimeError(f"{self.command[0]} is not running: see {self.log_file}")
        os.kill(pid, number)

    def pause(self):
        """kill -STOP, and wait until the last thread has stopped: on a busy machine others run on
        until the one that takes the signal gets a core."""
        self.signal(signal.SIGSTOP)
        pid = self.pid
        waiting.until(
            lambda: pid is None or stopped(pid), f"{self.command[0]} to stop", PAUSE_TIMEOUT_S
        )

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9, and wait until the process has really ended."""
        self.signal(signal.SIGKILL)
        waiting.until(lambda: not self.alive, f"{self.command[0]} to die", KILL_TIMEOUT_S)

    def stop(self, timeout_s=STOP_TIMEOUT_S):
        """Ends the process; True if it went when asked, False if it had to be killed."""
        pid = self.pid
        if pid is None:
            return True
        os.kill(pid, signal.SIGTERM)
        try:
            waiting.until(lambda: not self.alive, f"{self.command[0]} to end", timeout_s)
            return True
        except waiting.WaitTimeout:
            if self.alive:
                self.kill()
            return False

    def log_tail(self, lines=20):
        try:
            text = self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    def memory_kb(self):
        """Resident memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
