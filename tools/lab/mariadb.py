"""An unmodified MariaDB server in a folder of its own; Debian's system service is never touched."""

import os
import shutil
import subprocess
from pathlib import Path

import pymysql

from . import waiting
from .ports import free_port
from .process import Process

INSTALL_TIMEOUT_S = 120
START_TIMEOUT_S = 60
SHUTDOWN_TIMEOUT_S = 90
# Longer than any wait for a quorum in the lab; a statement that takes longer is a finding.
ANSWER_TIMEOUT_S = 60
SERVER_PROGRAM = "/usr/sbin/mariadbd"


def options_text(options):
    """A my.cnf section. None as a value means a bare option."""
    lines = ["[mariadbd]"]
    for key, value in options.items():
        lines.append(key if value is None else f"{key} = {value}")
    return "\n".join(lines) + "\n"


class Server:
    """One MariaDB server: data folder, configuration, process, connections."""

    def __init__(self, folder, server_id, options=None, detached=False):
        self.folder = Path(folder)
        self.data_dir = self.folder / "data"
        self.temporary_dir = self.folder / "tmp"
        self.config_file = self.folder / "my.cnf"
        self.socket = self.folder / "mysql.sock"
        self.log_file = self.folder / "mariadbd.log"
        self.server_id = server_id
        self.port = free_port()
        self.options = {
            "datadir": self.data_dir,
            # Two servers that share a folder for temporary tables can meet there by name.
            "tmpdir": self.temporary_dir,
            "socket": self.socket,
            "port": self.port,
            "bind-address": "127.0.0.1",
            "server-id": server_id,
            "skip-name-resolve": None,
            "performance-schema": "OFF",
            "max-connections": 200,
            "max-allowed-packet": "1G",
            "innodb-buffer-pool-size": "128M",
            "innodb-log-file-size": "48M",
            "innodb-fast-shutdown": 1,
        }
        self.options.update(options or {})
        command = [SERVER_PROGRAM, f"--defaults-file={self.config_file}"]
        if os.geteuid() == 0:
            command.append("--user=root")
        self.process = Process(command, self.folder / "mariadbd.pid", self.log_file, detached)

    def initialize(self):
        """Creates the data folder: root@localhost without a password, nothing in the binlog."""
        self.temporary_dir.mkdir(parents=True, exist_ok=True)
        command = [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={self.data_dir}",
            f"--tmpdir={self.temporary_dir}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            # Else it looks up the machine's own name, and gives up where that has no answer.
            "--force",
            f"--innodb-log-file-size={self.options['innodb-log-file-size']}",
            # Nothing in a folder that is being created is worth an fsync.
            "--innodb-flush-method=nosync",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        if os.geteuid() == 0:
            command.append("--user=root")
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")

    def start(self):
        """Starts the server and returns when it answers a query."""
        self.config_file.write_text(options_text(self.options))
        self.process.start()
        waiting.until(self.answers, f"{self.folder.name}'s server to answer", START_TIMEOUT_S)

    def answers(self):
        if not self.process.alive:
            raise RuntimeError(f"the server ended at once:\n{self.process.log_tail()}")
        try:
            return self.query("SELECT 1") == [(1,)]
        except pymysql.err.OperationalError:
            return False

    def stop(self):
        return self.process.stop(SHUTDOWN_TIMEOUT_S)

    def kill(self):
        self.process.kill()

    def remove(self):
        """Deletes the folder, once the server has really ended."""
        if self.process.alive:
            raise RuntimeError(f"{self.folder} still has a running server")
        shutil.rmtree(self.folder)

    def connect(self, answer_timeout_s=ANSWER_TIMEOUT_S, **arguments):
        settings = {
            "unix_socket": str(self.socket),
            "user": "root",
            "password": "",
            "autocommit": True,
            "connect_timeout": 10,
            "read_timeout": answer_timeout_s,
            "write_timeout": answer_timeout_s,
            "max_allowed_packet": 1 << 30,
        }
        settings.update(arguments)
        return pymysql.connect(**settings)

    def query(self, statement, answer_timeout_s=ANSWER_TIMEOUT_S):
        """Rows of one statement, on a connection of its own."""
        connection = self.connect(answer_timeout_s)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def status(self, pattern):
        return dict(self.query(f"SHOW GLOBAL STATUS LIKE '{pattern}'"))

    def variable(self, name):
        return self.query(f"SELECT @@GLOBAL.{name}")[0][0]

    def semi_sync(self):
        """Rpl_semi_sync_master_… without the prefix; numbers as numbers."""
        prefix = "Rpl_semi_sync_master_"
        found = self.status(prefix + "%")
        return {
            name[len(prefix) :]: int(value) if value.isdigit() else value
            for name, value in found.items()
        }

    def replica_status(self):
        """SHOW SLAVE STATUS as a dictionary; {} if the server is no replica."""
        connection = self.connect(cursorclass=pymysql.cursors.DictCursor)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SHOW SLAVE STATUS")
                return cursor.fetchone() or {}
        finally:
            connection.close()

    def binlogs(self):
        """Paths of the binlog files, in their order, from the index on disk (no lock taken)."""
        # A relative path is below the data folder, an absolute one replaces it.
        base = self.data_dir / str(self.options.get("log-bin") or "binlog")
        default = base.with_name(base.name + ".index")
        index = self.data_dir / str(self.options.get("log-bin-index") or default)
        if not index.exists():
            return []
        names = [line.strip() for line in index.read_text().splitlines() if line.strip()]
        return [base.parent / Path(name).name for name in names]


def source_options():
    """What Binlane requires of a source."""
    return {
        "log-bin": "binlog",
        "log-bin-index": "binlog.index",
        "binlog-format": "ROW",
        "sync-binlog": 1,
        "innodb-flush-log-at-trx-commit": 1,
        "gtid-strict-mode": "ON",
    }


def replica_options():
    """A replica of the lab.

    Its own commits need not be durable one by one: data and gtid_slave_pos live in the same
    transaction, so a crash rolls both back and the IO thread asks the archive again.
    """
    return {
        "innodb-flush-log-at-trx-commit": 2,
        "gtid-strict-mode": "ON",
        "read-only": "ON",
        "relay-log": "relay",
        "slave-parallel-threads": 2,
        "slave-net-timeout": 10,
    }
