"""The choice of a server by name: which one the lab, the demo and the tests run on.

`--server NAME` sets the environment variable that tests read, so that programs which one of them
starts choose the same.
"""

import os

from lab.servers.mariadb import MariaDb, PrivateMariaDb
from lab.servers.mysql import MySql

VARIABLE = "BINLANE_SERVER"
KINDS = {kind.name: kind for kind in (MariaDb, PrivateMariaDb, MySql)}
NAMES = tuple(KINDS)
DEFAULT = MariaDb.name

_known = {}


def named(name):
    """The flavour of that name, always the same object. Raises ValueError."""
    if name not in KINDS:
        raise ValueError(f"no server '{name}': {', '.join(NAMES)}")
    return _known.setdefault(name, KINDS[name]())


def chosen():
    """The flavour that this program was asked to use."""
    return named(os.environ.get(VARIABLE) or DEFAULT)


def choose(name):
    """Uses this flavour from now on, here and in the programs that this one starts."""
    named(name)
    os.environ[VARIABLE] = name
