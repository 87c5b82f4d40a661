"""Which numbered rows stand in a set of binlog files, and where their event groups end.

Decoded with the server's own program, mariadb-binlog or mysqlbinlog, so that what Binlane archived
is read by a program that knows nothing of Binlane. The table's columns are those of
bench/load_schema.h: @1 is the client, @2 the sequence.
"""

import re
import subprocess
from dataclasses import dataclass

from lab.audit.verify import file_number
from lab.servers import flavour as flavours

DECODE_TIMEOUT_S = 300
TABLE = "`bench`.`numbered`"
_END_POSITION = re.compile(r"end_log_pos (\d+)")
_SERVER_ID = re.compile(r" server id (\d+) ")


class DecodeError(Exception):
    """The server's program could not read a file to its end."""


@dataclass(frozen=True)
class Group:
    """An event group with rows of the load's table."""

    gtid: str
    end: tuple
    rows: tuple
    server_id: int  # of the server that wrote it first


def groups_of_file(path, live=False, flavour=None):
    """The whole event groups of one file that insert into the load's table.

    live: the file's end may be an event that is still being written, or that a killed server never
    finished. flavour: of the server that wrote it; None for the one that the program uses.
    """
    flavour = flavour or flavours.chosen()
    flavour.ensure()
    found = []
    group = []
    gtid = None
    client = None
    inserting = False
    number = file_number(path)
    with subprocess.Popen(
        [*flavour.binlog_decoder(), str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as decoder:
        for line in decoder.stdout:
            if line.startswith("###   @1=") and inserting:
                client = int(line[9:])
            elif line.startswith("###   @2=") and client is not None:
                group.append((client, int(line[9:])))
                client = None
            elif line.startswith("### INSERT INTO "):
                inserting = line.rstrip().endswith(TABLE)
            elif begun := flavour.gtid_of_line(line):
                gtid, group = begun, []
            elif line.startswith("#") and "\tXid = " in line:
                end = int(_END_POSITION.search(line).group(1))
                if group:
                    server_id = int(_SERVER_ID.search(line).group(1))
                    found.append(Group(gtid, (number, end), tuple(group), server_id))
                group = []
        complaint = decoder.stderr.read()
    if decoder.returncode != 0 and not live:
        raise DecodeError(f"{path}: {complaint.strip()}")
    # Rows after the last commit belong to a group that the file does not hold whole.
    return found


def gtids_of_files(paths, flavour=None):
    """The GTIDs of all event groups that begin in these files, in their order; the last one may be
    torn."""
    flavour = flavour or flavours.chosen()
    flavour.ensure()
    found = []
    for path in paths:
        decoded = subprocess.run(
            [*flavour.binlog_decoder(), str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=DECODE_TIMEOUT_S,
            check=False,
        ).stdout
        found += [gtid for line in decoded.splitlines() if (gtid := flavour.gtid_of_line(line))]
    return found


def rows_of_file(path, flavour=None):
    """{(client, sequence): (file number, end offset of the row's event group)}."""
    found = {}
    for group in groups_of_file(path, flavour=flavour):
        for key in group.rows:
            if key in found:
                raise DecodeError(f"{path}: row {key} stands twice")
            found[key] = group.end
    return found


def rows_of_files(paths, flavour=None):
    found = {}
    for path in paths:
        for key, position in rows_of_file(path, flavour).items():
            if key in found:
                raise DecodeError(f"{path}: row {key} also stands at {found[key]}")
            found[key] = position
    return found
