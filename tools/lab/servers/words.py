"""Words: everything in which the servers of the lab differ, asked of one object.

A server's flavour is such an object. It knows where its programs are, what options a source and a
replica have, and what each thing is called in SQL. Nothing else of the lab asks which server it is.
"""

import os
import re

from lab.servers.private_root import Unavailable

# Of SHOW SLAVE STATUS and SHOW REPLICA STATUS, in the words of the latter.
_OLD_COLUMN = re.compile(r"Slave|Master")
_NEW_WORD = {"Slave": "Replica", "Master": "Source"}


def normal_column(name):
    """A column of a replica's status as the lab calls it, whatever the server does."""
    return _OLD_COLUMN.sub(lambda found: _NEW_WORD[found.group()], name)


def options_text(section, options):
    """A my.cnf section. None as a value means a bare option."""
    lines = [f"[{section}]"]
    for key, value in options.items():
        lines.append(key if value is None else f"{key} = {value}")
    return "\n".join(lines) + "\n"


def command_options(options):
    """The same options for a command line."""
    return [f"--{key}" if value is None else f"--{key}={value}" for key, value in options.items()]


def user_options():
    """A server refuses to run as root unless it is told to."""
    return {"user": "root"} if os.geteuid() == 0 else {}


def quoted(text):
    """A text as a literal of SQL, as either server reads it in its usual mode."""
    return "'" + str(text).replace("\\", "\\\\").replace("'", "''") + "'"


class Words:
    """What every flavour has to say. Texts are statements or names; methods make statements."""

    # --- who it is
    name = None  # as `--server` names it
    family = None  # of which several versions may be known
    product = None  # for sentences
    program = None  # the server's; its pid and log files are called so too
    # Whether binlaned can feed such a server, so that it is a replica behind Binlane.
    fed = True
    # Whether the status variable yes_tx counts commits that waited; else the groups they waited in.
    counts_commits = True
    # Whether KILL of a client that waits for a quorum lets its commit go, and those in its group.
    kill_releases = True

    # --- privileges of Binlane's account, for GRANT
    source_privileges = None
    host_privileges = None  # on a host with both roles

    # The one of them without which it cannot lift the fence after a restart of its server.
    fence_privilege = None

    # --- variables
    semi_sync_source = None  # prefix of the source's variables and status variables
    semi_sync_replica = None  # the replica's switch
    fence = None  # what makes the server refuse writes; read_only=0 takes it back

    # Files of the data folder that name this one server, so that a copy must not have them.
    identity_files = ()
    # Options that a data folder keeps from when it was made.
    lasting_options = ()

    # --- statements
    stop_replica = None
    start_replica = None
    start_io_thread = None
    stop_sql_thread = None
    start_sql_thread = None
    reset_replica = None
    forget_source = None
    show_replica_status = None
    show_binlog_end = None
    executed_set = None  # what it has executed as a replica
    written_set = None  # what its binlog holds

    # --- programs ------------------------------------------------------------------------------

    def ensure(self):
        """Returns when the server's programs are here. Raises Unavailable."""

    def server_command(self, config_file):
        """What starts the server on the foreground."""
        raise NotImplementedError

    def binlog_decoder(self):
        """The program that prints binlogs, with the options that make it print rows."""
        raise NotImplementedError

    def initialize(self, server, run):
        """Makes the data folder of `server`: root@localhost without a password, nothing in the
        binlog. run(command, text) runs a command to its end, with `text` as its input."""
        raise NotImplementedError

    # --- options -------------------------------------------------------------------------------

    def own_options(self):
        """What every server of this flavour gets, beside what all flavours share."""
        raise NotImplementedError

    def source_options(self):
        """What Binlane requires of a source."""
        raise NotImplementedError

    def replica_options(self):
        """A replica of the lab."""
        raise NotImplementedError

    def host_options(self):
        """A host that may be both."""
        raise NotImplementedError

    def semi_sync_replica_options(self):
        """A replica with the server's own semi-sync, without Binlane."""
        return {**self.replica_options(), self.semi_sync_replica: "ON"}

    # --- statements that are made --------------------------------------------------------------

    def follow(self, port, user, password):
        """Statements that make a stopped replica follow the source at a port of this machine."""
        raise NotImplementedError

    def wait_executed(self, gtids, timeout_s):
        """Gives 0 as soon as a replica has executed the set; anything else after the timeout."""
        raise NotImplementedError

    def begin_after(self, gtids):
        """Statements that make a replica with no history of its own begin behind the set."""
        raise NotImplementedError

    def forget_executed(self):
        """Statements after which an old source asks a feed for everything that ever was."""
        raise NotImplementedError

    def reset_binlogs(self, first_file=None):
        """Deletes all binlogs, and begins with this number."""
        raise NotImplementedError

    def semi_sync(self, name):
        """The source's variable of that name: enabled, timeout, wait_point …"""
        return self.semi_sync_source + name

    def yes_tx_min(self, commits):
        """The least that yes_tx has grown by when so many commits have waited."""
        return commits if self.counts_commits else min(commits, 1)

    def set_fence(self, on):
        return f"SET GLOBAL {self.fence}=1" if on else "SET GLOBAL read_only=0"

    # --- GTIDs ---------------------------------------------------------------------------------

    def gtid_of_line(self, line):
        """The GTID with which a decoded event group begins at this line; None elsewhere."""
        raise NotImplementedError

    def gtid_place(self, gtid):
        """What two sources that go on at one place have in common in their next GTIDs."""
        raise NotImplementedError

    def gtid_later(self, gtid, count):
        """The GTID that the same server writes `count` transactions after this one, or before."""
        raise NotImplementedError

    # --- what Binlane cannot do yet ------------------------------------------------------------

    def not_yet(self):
        """What cannot be shown with such servers, in one sentence; None: everything can."""
        return None if self.fed else f"binlaned does not feed {self.product} replicas yet"

    def require_fed(self, what):
        """Raises Unavailable where `what` needs replicas that this server's kind cannot be yet."""
        if not self.fed:
            raise Unavailable(f"{what}: {self.not_yet()}")
