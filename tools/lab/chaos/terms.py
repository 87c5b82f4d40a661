"""Terms: which host was the source when, what its binlogs and its ledger say of that time.

A row's GTID names the server that wrote it first, so each row belongs to one term's stream. What a
deposed source holds is set aside before anything brings it back: a rejoin may cut its binlog.
"""

import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from lab.audit import ledger, verify
from lab.chaos import audit as chaos_audit


@dataclass
class Term:
    number: int
    host: object
    origin: str  # of its stream
    first_file: int
    seal: tuple = None  # where the next term's source sealed it
    folder: Path = None  # its binlogs, set aside; None: the host's own are it still
    intervals: list = field(default_factory=list)  # of its ledger, when it was set aside
    # What was acknowledged before this moment was so under a quorum, unless the ledger said
    # otherwise there and then: what the source's end added to it excuses nothing.
    certain_until_ns: float = -math.inf
    certain_intervals: list = field(default_factory=list)

    @property
    def live(self):
        return self.folder is None

    @property
    def ledger_file(self):
        return self.host.daemon.data_dir / "ledger.jsonl"

    def binlogs(self):
        if self.live:
            paths = self.host.server.binlogs()
        else:
            paths = sorted(self.folder.glob("binlog.[0-9]*"))
        return [path for path in paths if verify.file_number(path) >= self.first_file]

    def be_certain(self, until_ns):
        self.certain_until_ns = until_ns
        self.certain_intervals, _ = ledger.read(self.ledger_file, self.number)

    def set_aside(self, folder):
        """Keeps what there is now."""
        folder.mkdir(parents=True)
        for path in self.binlogs():
            shutil.copyfile(path, folder / path.name)
        self.intervals, _ = ledger.read(self.ledger_file, self.number)
        self.folder = folder

    def exposures(self, acknowledged_ns):
        if acknowledged_ns < self.certain_until_ns:
            return self.certain_intervals
        if self.live:
            self.intervals, _ = ledger.read(self.ledger_file, self.number)
        return self.intervals

    def rows(self, books):
        """{row: end of its group}, as far as this term's source wrote them."""
        return books.read(self.binlogs(), self.host.server.server_id, self.live)

    def archive_differences(self, archive):
        """What a replica's copy of this stream holds that the source does not."""
        found = []
        for copy in sorted(Path(archive).glob("binlog.[0-9]*")):
            number = verify.file_number(copy)
            original = (self.folder or self.host.server.data_dir) / copy.name
            if number < self.first_file or not original.exists():
                found.append(f"{copy} has no counterpart in term {self.number}")
            elif not verify.is_beginning(copy, original):
                found.append(f"{copy} is not a beginning of {original}")
        end = chaos_audit.archive_end(Path(archive))
        if self.seal is not None and end > self.seal:
            found.append(f"{archive} ends at {end}, behind the seal of term {self.number}")
        return found


@dataclass(frozen=True)
class Place:
    """The place of an acknowledged row, in one term's stream."""

    term: Term
    end: tuple

    @property
    def behind_seal(self):
        return self.term.seal is not None and self.end > self.term.seal


def places(terms, books):
    """{row: Place} over all terms. A row in two streams was acknowledged by two sources."""
    found, doubled = {}, []
    for term in terms:
        for row, end in term.rows(books).items():
            if row in found:
                doubled.append(f"row {row}: in term {found[row].term.number} and {term.number}")
            found[row] = Place(term, end)
    return found, doubled


def under_quorum(acknowledged, found):
    """({row: Place} of those acknowledged under a quorum, rows that are nowhere)."""
    counted, missing = {}, []
    intervals = {}
    for transaction in acknowledged:
        for row in transaction.keys():
            place = found.get(row)
            if place is None:
                missing.append(row)
                continue
            certain = transaction.ended_ns < place.term.certain_until_ns
            key = (place.term.number, certain)
            if key not in intervals:
                intervals[key] = place.term.exposures(transaction.ended_ns)
            if not any(interval.covers(place.end) for interval in intervals[key]):
                counted[row] = place
    return counted, missing
