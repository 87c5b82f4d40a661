"""MySQL, which Debian's stable suites do not have: always in a private root."""

import re

from lab.servers.private_root import MYSQL, root_of
from lab.servers.words import Words, command_options, quoted, user_options

# Nothing in a folder that is being created is worth an fsync.
HASTE = {
    "innodb-flush-method": "nosync",
    "innodb-flush-log-at-trx-commit": 0,
    "innodb-doublewrite": "OFF",
}
# A replica gives up after 10 tries if it is not told otherwise; a source may be away for longer.
RETRIES = 86_400
_GTID_LINE = re.compile(r"^SET @@SESSION\.GTID_NEXT= '([0-9a-f-]{36}:[^']+)'")


class MySql(Words):
    """MySQL, with GTIDs and its own semi-sync plugin."""

    name = "mysql"
    family = "mysql"
    product = "MySQL"
    program = "mysqld"
    fed = True
    counts_commits = False
    kill_releases = False

    # To read the binlog as a replica does, to read where it is, and to switch semi-sync and
    # super_read_only.
    source_privileges = "REPLICATION SLAVE, REPLICATION CLIENT, SYSTEM_VARIABLES_ADMIN"
    host_privileges = (
        "REPLICATION SLAVE, REPLICATION CLIENT, SYSTEM_VARIABLES_ADMIN, "
        "RELOAD, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN"
    )

    fence_privilege = "CONNECTION_ADMIN"

    semi_sync_source = "rpl_semi_sync_source_"
    semi_sync_replica = "rpl_semi_sync_replica_enabled"
    # read_only alone lets accounts write that have CONNECTION_ADMIN.
    fence = "super_read_only"

    identity_files = ("auto.cnf",)
    lasting_options = ("innodb-redo-log-capacity",)

    stop_replica = "STOP REPLICA"
    start_replica = "START REPLICA"
    start_io_thread = "START REPLICA IO_THREAD"
    stop_sql_thread = "STOP REPLICA SQL_THREAD"
    start_sql_thread = "START REPLICA SQL_THREAD"
    reset_replica = "RESET REPLICA"
    forget_source = "RESET REPLICA ALL"
    show_replica_status = "SHOW REPLICA STATUS"
    show_binlog_end = "SHOW BINARY LOG STATUS"
    executed_set = "SELECT @@GLOBAL.gtid_executed"
    written_set = "SELECT @@GLOBAL.gtid_executed"

    def __init__(self, recipe=MYSQL):
        self.root = root_of(recipe)

    def ensure(self):
        self.root.ensure()

    def server_command(self, config_file):
        defaults = f"--defaults-file={config_file}"
        return self.root.command("usr/sbin/mysqld", defaults, *command_options(user_options()))

    def binlog_decoder(self):
        return self.root.command(
            "mysqlbinlog", "--no-defaults", "--verbose", "--base64-output=decode-rows"
        )

    def initialize(self, server, run):
        options = {
            "initialize-insecure": None,
            **self.root.places(),
            "datadir": server.data_dir,
            "tmpdir": server.temporary_dir,
            "disable-log-bin": None,
            "secure-file-priv": "NULL",
            "innodb-redo-log-capacity": server.options["innodb-redo-log-capacity"],
            **HASTE,
            **user_options(),
        }
        run(self.root.command("usr/sbin/mysqld", "--no-defaults", *command_options(options)))

    def own_options(self):
        return {
            **self.root.places(),
            "innodb-redo-log-capacity": "96M",
            # The folder that is built in exists on hosts with the server's package only.
            "secure-file-priv": "NULL",
            # A second protocol, on a port and a socket that nobody has chosen.
            "mysqlx": "OFF",
            "gtid-mode": "ON",
            "enforce-gtid-consistency": "ON",
        }

    def source_options(self):
        return {
            "log-bin": "binlog",
            "log-bin-index": "binlog.index",
            "sync-binlog": 1,
            "innodb-flush-log-at-trx-commit": 1,
            "plugin-load-add": "semisync_source.so",
        }

    def replica_options(self):
        """A replica's own commits need not be durable one by one: data and mysql.gtid_executed are
        written in the same transaction, so a crash rolls both back and the IO thread asks the
        archive again. It has no binlog of its own, as MariaDB's replicas in the lab have none.
        """
        return {
            "innodb-flush-log-at-trx-commit": 2,
            "disable-log-bin": None,
            "read-only": "ON",
            "relay-log": "relay",
            "relay-log-recovery": "ON",
            "replica-parallel-workers": 2,
            "replica-net-timeout": 10,
            # Without Binlane; it is OFF unless somebody switches it on.
            "plugin-load-add": "semisync_replica.so",
        }

    def host_options(self):
        return {
            **self.source_options(),
            "log-replica-updates": "ON",
            "read-only": "ON",
            "relay-log": "relay",
            "relay-log-recovery": "ON",
            "replica-net-timeout": 10,
        }

    def follow(self, port, user, password):
        # Binlaned's feed speaks no TLS; a source that does sends its public key instead.
        return [
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, "
            f"SOURCE_USER={quoted(user)}, SOURCE_PASSWORD={quoted(password)}, SOURCE_SSL=0, "
            "GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, "
            f"SOURCE_RETRY_COUNT={RETRIES}, SOURCE_HEARTBEAT_PERIOD=2, SOURCE_AUTO_POSITION=1"
        ]

    def wait_executed(self, gtids, timeout_s):
        return f"SELECT WAIT_FOR_EXECUTED_GTID_SET({quoted(gtids)}, {timeout_s})"

    def begin_after(self, gtids):
        # What is purged counts as executed; it can be set where nothing else stands.
        return [self.reset_binlogs(), f"SET GLOBAL gtid_purged = {quoted(gtids)}"]

    def forget_executed(self):
        return [self.reset_binlogs()]

    def reset_binlogs(self, first_file=None):
        return "RESET BINARY LOGS AND GTIDS" + (f" TO {first_file}" if first_file else "")

    def gtid_of_line(self, line):
        found = _GTID_LINE.match(line)
        return found.group(1) if found else None

    def gtid_place(self, gtid):
        # Each source counts for itself, under its own uuid: two of them never share a number.
        return (gtid,)

    def gtid_later(self, gtid, count):
        tsid, _, number = gtid.rpartition(":")
        return f"{tsid}:{int(number) + count}"
