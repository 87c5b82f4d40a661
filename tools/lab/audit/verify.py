"""Verdicts on a run: are the copies equal, are the replicas equal, is anything lost.

Every function returns what it found wrong, as text for people; an empty list is the good verdict.
None of them trusts a number that Binlane reports about itself, but for the ledger's intervals.
"""

from pathlib import Path

# Where the format description event's flags begin: 4 bytes of magic number, 17 of the header.
IN_USE_OFFSET = 21
IN_USE_FLAG = 0x01
CHUNK_BYTES = 1 << 20
SAMPLES = 5


def file_number(path):
    return int(Path(path).suffix[1:])


def lengths(binlogs):
    """[(binlog, its length)] at this moment.

    A server writes on though no client commits: some time after a rotation MariaDB adds a
    Binlog_checkpoint event. So what is compared is what was there at one moment.
    """
    return [(binlog, binlog.stat().st_size) for binlog in binlogs]


def first_difference(left, right, length, mask_in_use=False):
    """Offset of the first of `length` bytes in which two files differ; None if there is none.

    A file that is shorter differs where it ends. mask_in_use ignores the flag that says "the server
    has this file open": the server changes that one bit in place when it closes the file.
    """
    offset = 0
    with open(left, "rb") as left_file, open(right, "rb") as right_file:
        while offset < length:
            size = min(CHUNK_BYTES, length - offset)
            one, other = left_file.read(size), right_file.read(size)
            if mask_in_use and offset == 0:
                one, other = _without_in_use(one), _without_in_use(other)
            for index, (a, b) in enumerate(zip(one, other) if one != other else ()):
                if a != b:
                    return offset + index
            offset += min(len(one), len(other))
            if min(len(one), len(other)) < size:
                return offset
    return None


def is_beginning(copy, original):
    """True when `original` begins with all of `copy`, but for the IN_USE flag."""
    if Path(copy).stat().st_size > Path(original).stat().st_size:
        return False
    first = True
    with open(copy, "rb") as left, open(original, "rb") as right:
        while chunk := left.read(CHUNK_BYTES):
            other = right.read(len(chunk))
            if first:
                chunk, other = _without_in_use(chunk), _without_in_use(other)
            first = False
            if chunk != other:
                return False
    return True


def _without_in_use(chunk):
    changed = bytearray(chunk)
    if len(changed) > IN_USE_OFFSET:
        changed[IN_USE_OFFSET] &= ~IN_USE_FLAG
    return bytes(changed)


def is_in_use(binlog):
    """Whether the file says that a server has it open, or had when it was killed."""
    with open(binlog, "rb") as file:
        beginning = file.read(IN_USE_OFFSET + 1)
    return len(beginning) > IN_USE_OFFSET and bool(beginning[IN_USE_OFFSET] & IN_USE_FLAG)


def archive_differences(written, archive):
    """Compares the source's binlogs, as lengths() found them, with a replica's archive.

    The archive must hold exactly the source's files, byte by byte; older ones may be there, which
    the source has purged. The last may have grown since, on both sides. The IN_USE flag is masked in the last, which the server still has open, and in a file in
    which the server has left it set: one that was killed between its last event and the clearing of
    the flag never clears it, and the archive has ended the file by its last event.
    """
    found = []
    archive = Path(archive)
    for index, (binlog, length) in enumerate(written):
        copy = archive / binlog.name
        if not copy.exists():
            found.append(f"{copy} is missing")
            continue
        last = index == len(written) - 1
        offset = first_difference(binlog, copy, length, mask_in_use=last or is_in_use(binlog))
        size = copy.stat().st_size  # before the source's, which may grow in between
        end = binlog.stat().st_size if last else length
        if offset is None and size > end:
            offset = end
        if offset is not None:
            found.append(
                f"{copy} differs from {binlog} at offset {offset} (sizes {size} and {end})"
            )
    expected = {binlog.name for binlog, _ in written}
    for extra in sorted(archive.glob("*.[0-9]*")):
        if extra.name not in expected and file_number(extra) > file_number(written[0][0]):
            found.append(f"{extra} has no counterpart at the source")
    return found


def archive_at_end(written, archive):
    """True when the archive has, going by sizes, all that lengths() found written."""
    copies = [(Path(archive) / binlog.name, length) for binlog, length in written]
    return bool(copies) and all(
        copy.exists() and copy.stat().st_size >= length for copy, length in copies
    )


def table_differences(source, replicas, table="bench.numbered"):
    """CHECKSUM TABLE and the number of rows, on the source and on (name, server) replicas."""

    def facts(server):
        return (
            server.query(f"CHECKSUM TABLE {table}", 300)[0][1],
            server.query(f"SELECT COUNT(*) FROM {table}", 300)[0][0],
        )

    expected = facts(source)
    if expected[0] is None:
        return [f"the source has no table {table}"]
    return [
        f"{table} on {name}: checksum and rows {found}, the source has {expected}"
        for name, server in replicas
        if (found := facts(server)) != expected
    ]


class Interval:
    """Positions (file number, offset) in (begin, end] were released without a quorum.

    end None: the interval is still open.
    """

    def __init__(self, begin, end):
        self.begin = tuple(begin)
        self.end = None if end is None else tuple(end)

    def covers(self, group_end):
        return group_end > self.begin and (self.end is None or group_end <= self.end)

    def __repr__(self):
        return f"Interval({self.begin}, {self.end})"


def acknowledged_losses(transactions, source_rows, archive_rows, exposed, quorum_count):
    """Rows that a client saw committed under quorum and that fewer than a quorum of archives hold.

    transactions   what the server told the load: COMMIT returned OK
    source_rows    {row: (file number, end of its event group)} from the source's own binlogs
    archive_rows   the same from each replica's archive, a list
    exposed        the ledger's Intervals: a row whose event group ends inside one was released
                   without a quorum, and the ledger says so; every other acknowledged row was
                   released under quorum
    quorum_count   k of ANY k
    Returns (number of rows under quorum, list of losses). A row that the source's own binlogs lack
    is a loss too: it was acknowledged and is nowhere.
    """
    losses = []
    under_quorum = 0
    for transaction in transactions:
        for row in transaction.keys():
            position = source_rows.get(row)
            if position is None:
                losses.append(f"row {row}: not in the source's binlogs")
                continue
            if any(interval.covers(position) for interval in exposed):
                continue
            under_quorum += 1
            copies = sum(rows.get(row) == position for rows in archive_rows)
            if copies < quorum_count:
                losses.append(f"row {row} at {position}: in {copies} archives")
    return under_quorum, losses
