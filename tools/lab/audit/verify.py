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


def _chunks(path):
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def first_difference(left, right, mask_in_use=False):
    """Offset of the first byte in which two files differ, their lengths included; None if none.

    mask_in_use ignores the flag that says "the server has this file open": the server changes that
    one bit in place when it closes the file.
    """
    sizes = [Path(path).stat().st_size for path in (left, right)]
    offset = 0
    for one, other in zip(_chunks(left), _chunks(right)):
        if mask_in_use and offset == 0:
            one, other = (_without_in_use(chunk) for chunk in (one, other))
        if one != other:
            for index, (a, b) in enumerate(zip(one, other)):
                if a != b:
                    return offset + index
        offset += len(one)
    return None if sizes[0] == sizes[1] else min(sizes)


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


def archive_differences(binlogs, archive):
    """Compares the source's binlogs with a replica's archive, byte by byte.

    The archive must hold exactly the source's files; older ones may be there, which the source has
    purged. The IN_USE flag is masked in the last, which the server still has open, and in a file in
    which the server has left it set: one that was killed between its last event and the clearing of
    the flag never clears it, and the archive has ended the file by its last event.
    """
    found = []
    archive = Path(archive)
    for index, binlog in enumerate(binlogs):
        copy = archive / binlog.name
        if not copy.exists():
            found.append(f"{copy} is missing")
            continue
        mask = index == len(binlogs) - 1 or is_in_use(binlog)
        offset = first_difference(binlog, copy, mask_in_use=mask)
        if offset is not None:
            found.append(
                f"{copy} differs from {binlog} at offset {offset} "
                f"(sizes {copy.stat().st_size} and {binlog.stat().st_size})"
            )
    expected = {binlog.name for binlog in binlogs}
    for extra in sorted(archive.glob("*.[0-9]*")):
        if extra.name not in expected and file_number(extra) > file_number(binlogs[0]):
            found.append(f"{extra} has no counterpart at the source")
    return found


def archive_at_end(binlogs, archive):
    """True when the archive has all bytes of the source's binlogs, going by sizes."""
    copies = [(binlog, Path(archive) / binlog.name) for binlog in binlogs]
    return bool(copies) and all(
        copy.exists() and copy.stat().st_size == binlog.stat().st_size for binlog, copy in copies
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
