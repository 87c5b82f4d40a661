"""Audit: what was acknowledged against what is really there, read from files and servers.

Of Binlane's own words only the ledger is believed: a row whose event group ends inside one of its
intervals was released without a quorum, and says so.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from lab.audit import journal, rows, verify
from lab.servers import flavour as flavours

SAMPLES = 5


@dataclass
class Books:
    """Event groups ever seen, by file and by GTID; shared by all audits of a run."""

    groups: dict = field(default_factory=dict)  # identity → [Group], of files that have ended
    # A GTID's place → (rows, where they were seen first): two sources that both went on at one place
    # give the same number (MariaDB's GTIDs, without their server).
    contents: dict = field(default_factory=dict)
    conflicts: list = field(default_factory=list)
    flavour: object = field(default_factory=flavours.chosen)  # of all servers

    def note(self, group, where):
        known = self.contents.setdefault(self.flavour.gtid_place(group.gtid), (group.rows, where))
        if known[0] != group.rows:
            self.conflicts.append((group.gtid, known[0], group.rows, f"{known[1]} and {where}"))

    @staticmethod
    def identity(path, server_id):
        """A path alone names no file: one that was cut or rebuilt gives its numbers out again."""
        stat = path.stat()
        return path, server_id, stat.st_ino, stat.st_size, stat.st_mtime_ns

    def read(self, binlogs, server_id=None, live=True):
        """{row: end of its group} over the files; ended files are decoded once.

        server_id: only what that server wrote by itself. live: the last file still grows.
        """
        positions = {}
        for index, path in enumerate(binlogs):
            growing = live and index == len(binlogs) - 1
            identity = self.identity(path, server_id)
            groups = self.groups.get(identity)
            if groups is None:
                # A killed server may leave a torn event at the end of a file.
                groups = [
                    group
                    for group in rows.groups_of_file(path, live=True, flavour=self.flavour)
                    if server_id is None or group.server_id == server_id
                ]
                for group in groups:
                    self.note(group, path)
                if not growing:
                    self.groups[identity] = groups
            for group in groups:
                for row in group.rows:
                    if row in positions:
                        raise rows.DecodeError(f"row {row} stands twice, at {group.end} too")
                    positions[row] = group.end
        return positions

    def split_acks(self, under_quorum):
        """Conflicts in which both contents were acknowledged under a quorum."""
        return [
            conflict
            for conflict in self.conflicts
            if all(any(row in under_quorum for row in part) for part in conflict[1:3])
        ]


def keys(transactions):
    return [row for transaction in transactions for row in transaction.keys()]


def under_quorum(acknowledged, positions, intervals):
    """({row: end of its group} of those acknowledged under a quorum, rows that are nowhere)."""
    counted, missing = {}, []
    for row in keys(acknowledged):
        position = positions.get(row)
        if position is None:
            missing.append(row)
        elif not any(interval.covers(position) for interval in intervals):
            counted[row] = position
    return counted, missing


def archive_end(archive):
    """Where a replica's archive of one stream ends, going by its files."""
    files = {
        verify.file_number(path): path.stat().st_size for path in archive.glob("binlog.[0-9]*")
    }
    return max(files.items(), default=(0, 0))


@dataclass(frozen=True)
class JournalCopy:
    """One replica's ring as it was on disk, and what else has to be known to read it."""

    path: Path
    archived: tuple
    behind: int = 0


def copy_journals(replicas, folder):
    """Copies the rings, which takes no time, to be read at leisure: {replica's name: JournalCopy}."""
    copies = {}
    for replica in replicas:
        archived = archive_end(replica.daemon.archive)
        copy = folder / f"{replica.name}.journal"
        shutil.copyfile(replica.daemon.data_dir / "journal", copy)
        copies[replica.name] = JournalCopy(copy, archived)
    return copies


def held_by_replicas(copies, binlogs):
    """({name: where its journal's log ends}, what differs from the source's binlogs)."""
    by_number = {verify.file_number(path): path for path in binlogs}
    ends, found = {}, []
    for name, copy in copies.items():
        end, differences = journal.differences(copy.path, by_number, copy.archived, copy.behind)
        # A ring of which everything is archived has nothing to say by itself.
        ends[name] = max(end or (0, 0), copy.archived)
        found += differences
    return ends, found


def losses_without_source(counted, ends, quorum_count):
    """Rows under a quorum that fewer than a quorum of the replicas' journals reach."""
    return [
        f"row {row} at {position}: within reach of {copies} journals {ends}"
        for row, position in counted.items()
        if (copies := sum(position <= end for end in ends.values())) < quorum_count
    ]


def rows_of_server(server):
    return set(server.query("SELECT client, sequence FROM bench.numbered", 300))
