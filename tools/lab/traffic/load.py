"""Runs `binlane-bench load` and reads what it says."""

import json
from dataclasses import dataclass
from pathlib import Path

from lab.machine import waiting
from lab.machine.process import Process
from lab.machine.programs import program

STOP_TIMEOUT_S = 90


@dataclass(frozen=True)
class Transaction:
    """One line of the acknowledged log; times are CLOCK_MONOTONIC nanoseconds."""

    client: int
    first_sequence: int
    rows: int
    begun_ns: int
    ended_ns: int

    def keys(self):
        last = self.first_sequence + self.rows
        return ((self.client, sequence) for sequence in range(self.first_sequence, last))


def read_acknowledged(path):
    """(acknowledged, in doubt): lists of Transaction. A torn last line is not an acknowledgement."""
    acknowledged, in_doubt = [], []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            if not line.endswith("\n"):
                break
            words = line.split()
            kept = in_doubt if words[0] == "?" else acknowledged
            kept.append(Transaction(*(int(word) for word in words[-5:])))
    return acknowledged, in_doubt


class Load:
    """One run of the load against one server, in the background."""

    def __init__(self, folder, server, recorded=True, **options):
        """Options are those of `binlane-bench load`, with _ for -; True is a flag.

        recorded: every acknowledged transaction stands in the acknowledged log.
        """
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.summary_file = self.folder / "summary.json"
        self.acknowledged_file = self.folder / "acknowledged.log"
        self.output_file = self.folder / "load.log"
        command = [
            program("binlane-bench"),
            "load",
            "--socket",
            server.socket,
            "--json",
            self.summary_file,
        ]
        if recorded:
            command += ["--acknowledged", self.acknowledged_file]
        for key, value in options.items():
            option = "--" + key.replace("_", "-")
            command += [option] if value is True else [option, value]
        self.process = Process(command, self.folder / "load.pid", self.output_file)
        self._read_offset = 0
        self._partial = ""
        self.seconds = []

    def start(self):
        self.process.start()
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.alive:
            self.stop()

    def poll(self):
        """New per-second lines since the last call, as dictionaries; `seconds` keeps them all."""
        fresh = []
        with open(self.output_file, encoding="utf-8", errors="replace") as output:
            output.seek(self._read_offset)
            text = self._partial + output.read()
            self._read_offset = output.tell()
        *lines, self._partial = text.split("\n")
        for line in lines:
            try:
                parsed = json.loads(line)
            except ValueError:
                continue
            if "second" in parsed:
                fresh.append(parsed)
        self.seconds += fresh
        return fresh

    @property
    def commits(self):
        """Commits reported so far."""
        self.poll()
        return sum(second["commits"] for second in self.seconds)

    def acknowledged_count(self):
        """Transactions acknowledged so far, to the last one (counts lines of the log)."""
        try:
            return read_count(self.acknowledged_file)
        except FileNotFoundError:
            return 0

    def stop(self):
        """Ends the load cleanly; returns its summary."""
        if not self.process.stop(STOP_TIMEOUT_S):
            raise RuntimeError(f"the load did not end:\n{self.process.log_tail()}")
        return self.summary()

    def finish(self, timeout_s):
        """Waits for a load that ends by itself; returns its summary."""
        waiting.until(lambda: not self.process.alive, "the load to end", timeout_s)
        return self.summary()

    def summary(self):
        if not self.summary_file.exists():
            raise RuntimeError(f"the load left no summary:\n{self.process.log_tail()}")
        return json.loads(self.summary_file.read_text())


def read_count(path):
    """Number of acknowledged transactions in a log that may be growing."""
    count = 0
    with open(path, "rb") as lines:
        for line in lines:
            if line.endswith(b"\n") and not line.startswith(b"?"):
                count += 1
    return count
