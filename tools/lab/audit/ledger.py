"""Reads a source's ledger file: the record of what was released without a quorum."""

import json

from lab.audit.verify import Interval


def _position(value):
    return (value["file"], value["offset"])


def epoch_term(record):
    """The term of a record's epoch, which reads "term.incarnation"."""
    return int(record["epoch"].split(".")[0])


def read(path, term=None):
    """The Intervals of the file (of one term), and the number of event groups in its closed ones.

    Reads while the daemon appends: a last line without its end is not there yet.
    """
    opened, closed, groups = {}, {}, 0
    try:
        text = path.read_text()
    except FileNotFoundError:
        return [], 0
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        record = json.loads(line)
        if record["type"] == "open":
            if term is not None and term != epoch_term(record):
                continue
            opened[record["id"]] = _position(record["from"])
        elif record["type"] == "close" and record["id"] in opened:
            closed[record["id"]] = _position(record["to"])
            groups += record["groups"]
    return [Interval(begin, closed.get(key)) for key, begin in opened.items()], groups
