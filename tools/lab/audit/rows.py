"""Which numbered rows stand in a set of binlog files, and where their event groups end.

Decoded with the server's own mariadb-binlog, so that what Binlane archived is read by a program
that knows nothing of Binlane. The table's columns are those of bench/load_schema.h: @1 is the
client, @2 the sequence.
"""

import re
import subprocess
from dataclasses import dataclass

from .verify import file_number

DECODE_TIMEOUT_S = 300
TABLE = "`bench`.`numbered`"
_END_POSITION = re.compile(r"end_log_pos (\d+)")
_GTID = re.compile(r"\tGTID (\d+-\d+-\d+)")


class DecodeError(Exception):
    """mariadb-binlog could not read a file to its end."""


@dataclass(frozen=True)
class Group:
    """An event group with rows of the load's table."""

    gtid: str
    end: tuple
    rows: tuple

    @property
    def server_id(self):
        """Of the server that wrote it first."""
        return int(self.gtid.split("-")[1])


def groups_of_file(path, live=False):
    """The whole event groups of one file that insert into the load's table.

    live: the file's end may be an event that is still being written, or that a killed server never
    finished.
    """
    found = []
    group = []
    gtid = None
    client = None
    inserting = False
    number = file_number(path)
    command = [
        "mariadb-binlog",
        "--no-defaults",
        "--verbose",
        "--base64-output=decode-rows",
        str(path),
    ]
    with subprocess.Popen(
        command,
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
            elif line.startswith("#") and (begin := _GTID.search(line)):
                gtid, group = begin.group(1), []
            elif line.startswith("#") and "\tXid = " in line:
                end = int(_END_POSITION.search(line).group(1))
                if group:
                    found.append(Group(gtid, (number, end), tuple(group)))
                group = []
        complaint = decoder.stderr.read()
    if decoder.returncode != 0 and not live:
        raise DecodeError(f"{path}: {complaint.strip()}")
    # Rows after the last commit belong to a group that the file does not hold whole.
    return found


def rows_of_file(path):
    """{(client, sequence): (file number, end offset of the row's event group)}."""
    found = {}
    for group in groups_of_file(path):
        for key in group.rows:
            if key in found:
                raise DecodeError(f"{path}: row {key} stands twice")
            found[key] = group.end
    return found


def rows_of_files(paths):
    found = {}
    for path in paths:
        for key, position in rows_of_file(path).items():
            if key in found:
                raise DecodeError(f"{path}: row {key} also stands at {found[key]}")
            found[key] = position
    return found
