"""MariaDB: the one that is installed, and another version in a private root."""

import re

from lab.servers.private_root import MARIADB_11_8, root_of
from lab.servers.words import Words, command_options, quoted, user_options

SERVER_PROGRAM = "/usr/sbin/mariadbd"
# Nothing in a folder that is being created is worth an fsync.
HASTE = {"innodb-flush-method": "nosync", "innodb-flush-log-at-trx-commit": 0}
# What mariadb-install-db feeds to the server, in its order. Not every version has every file.
SYSTEM_TABLES = (
    "mariadb_system_tables.sql",
    "mariadb_performance_tables.sql",
    "mariadb_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mariadb_sys_schema.sql",
)
_GTID_LINE = re.compile(r"^#.*\tGTID (\d+-\d+-\d+)")


class MariaDb(Words):
    """The MariaDB that is installed on this machine; Debian's system service is never touched."""

    name = "mariadb"
    family = "mariadb"
    product = "MariaDB"
    program = "mariadbd"

    # To read the binlog as a replica does, to read where it is, and to switch semi-sync.
    # READ_ONLY ADMIN is for the fallback mode "fail" alone.
    source_privileges = (
        "REPLICATION SLAVE, REPLICATION MASTER ADMIN, BINLOG MONITOR, READ_ONLY ADMIN"
    )
    host_privileges = (
        "REPLICATION SLAVE, REPLICATION MASTER ADMIN, BINLOG MONITOR, "
        "REPLICATION SLAVE ADMIN, SLAVE MONITOR, READ_ONLY ADMIN, RELOAD"
    )

    fence_privilege = "READ_ONLY ADMIN"

    lasting_options = ("innodb-log-file-size",)

    semi_sync_source = "rpl_semi_sync_master_"
    semi_sync_replica = "rpl_semi_sync_slave_enabled"
    fence = "read_only"

    stop_replica = "STOP SLAVE"
    start_replica = "START SLAVE"
    start_io_thread = "START SLAVE IO_THREAD"
    stop_sql_thread = "STOP SLAVE SQL_THREAD"
    start_sql_thread = "START SLAVE SQL_THREAD"
    reset_replica = "RESET SLAVE"
    forget_source = "RESET SLAVE ALL"
    show_replica_status = "SHOW SLAVE STATUS"
    show_binlog_end = "SHOW MASTER STATUS"
    executed_set = "SELECT @@GLOBAL.gtid_slave_pos"
    written_set = "SELECT @@GLOBAL.gtid_binlog_pos"

    def server_command(self, config_file):
        return [SERVER_PROGRAM, f"--defaults-file={config_file}", *command_options(user_options())]

    def binlog_decoder(self):
        return ["mariadb-binlog", "--no-defaults", "--verbose", "--base64-output=decode-rows"]

    def initialize(self, server, run):
        options = {
            "datadir": server.data_dir,
            "tmpdir": server.temporary_dir,
            "auth-root-authentication-method": "normal",
            "skip-test-db": None,
            # Else it looks up the machine's own name, and gives up where that has no answer.
            "force": None,
            "innodb-log-file-size": server.options["innodb-log-file-size"],
            **HASTE,
            **user_options(),
        }
        run(["mariadb-install-db", "--no-defaults", *command_options(options)])

    def own_options(self):
        return {"performance-schema": "OFF", "innodb-log-file-size": "48M"}

    def source_options(self):
        return {
            "log-bin": "binlog",
            "log-bin-index": "binlog.index",
            "binlog-format": "ROW",
            "sync-binlog": 1,
            "innodb-flush-log-at-trx-commit": 1,
            "gtid-strict-mode": "ON",
        }

    def replica_options(self):
        """A replica's own commits need not be durable one by one: data and gtid_slave_pos live in
        the same transaction, so a crash rolls both back and the IO thread asks the archive again.
        """
        return {
            "innodb-flush-log-at-trx-commit": 2,
            "gtid-strict-mode": "ON",
            "read-only": "ON",
            "relay-log": "relay",
            "slave-parallel-threads": 2,
            "slave-net-timeout": 10,
        }

    def host_options(self):
        return {
            **self.source_options(),
            "log-slave-updates": "ON",
            "read-only": "ON",
            "relay-log": "relay",
            "slave-net-timeout": 10,
        }

    def follow(self, port, user, password):
        # Binlaned's feed speaks no TLS, which newer versions want unless they are told otherwise.
        return [
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, "
            f"MASTER_USER={quoted(user)}, MASTER_PASSWORD={quoted(password)}, MASTER_SSL=0, "
            "MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=2, MASTER_USE_GTID=slave_pos"
        ]

    def wait_executed(self, gtids, timeout_s):
        return f"SELECT MASTER_GTID_WAIT({quoted(gtids)}, {timeout_s})"

    def begin_after(self, gtids):
        return [f"SET GLOBAL gtid_slave_pos = {quoted(gtids)}"]

    def forget_executed(self):
        # As a replica it has executed nothing yet.
        return []

    def reset_binlogs(self, first_file=None):
        return "RESET MASTER" + (f" TO {first_file}" if first_file else "")

    def gtid_of_line(self, line):
        found = _GTID_LINE.match(line)
        return found.group(1) if found else None

    def gtid_place(self, gtid):
        # Its server left out: the next number in a domain is the same whoever writes it.
        domain, _, sequence = gtid.split("-")
        return domain, sequence

    def gtid_later(self, gtid, count):
        domain, server, sequence = gtid.split("-")
        return f"{domain}-{server}-{int(sequence) + count}"


class PrivateMariaDb(MariaDb):
    """A MariaDB of another version, in a private root."""

    name = "mariadb:11.8"

    def __init__(self, recipe=MARIADB_11_8):
        self.root = root_of(recipe)

    def ensure(self):
        self.root.ensure()

    def server_command(self, config_file):
        defaults = f"--defaults-file={config_file}"
        return self.root.command("usr/sbin/mariadbd", defaults, *command_options(user_options()))

    def binlog_decoder(self):
        _, *options = super().binlog_decoder()
        return self.root.command("mariadb-binlog", *options)

    def initialize(self, server, run):
        """What mariadb-install-db does, which would look for its programs on the host."""
        options = {
            "bootstrap": None,
            **self.root.places(),
            "datadir": server.data_dir,
            "tmpdir": server.temporary_dir,
            "skip-log-bin": None,
            "enforce-storage-engine": "",
            "max-allowed-packet": "8M",
            "net-buffer-length": "16K",
            "innodb-log-file-size": server.options["innodb-log-file-size"],
            **HASTE,
            **user_options(),
        }
        (server.data_dir / "mysql").mkdir(parents=True)
        command = self.root.command("usr/sbin/mariadbd", "--no-defaults", *command_options(options))
        run(command, self.system_tables())

    def system_tables(self):
        """One statement a line, as the server wants them that has no client yet."""
        parts = ["create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n"]
        for name in SYSTEM_TABLES:
            if (self.root.share / name).exists():
                parts.append((self.root.share / name).read_text(encoding="utf-8"))
        # Accounts for the host's own name, which a server that looks up no names has no use for.
        lines = "".join(parts).splitlines(keepends=True)
        return "".join(line for line in lines if "@current_hostname" not in line)

    def own_options(self):
        return {**super().own_options(), **self.root.places()}
