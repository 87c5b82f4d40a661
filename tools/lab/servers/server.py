"""One server in a folder of its own: data folder, configuration, process, connections.

What kind of server it is, is its flavour's to say (words.py).
"""

import shutil
import subprocess
from pathlib import Path

import pymysql

from lab.machine import waiting
from lab.machine.ports import free_port
from lab.machine.process import Process
from lab.servers import flavour as flavours
from lab.servers import fresh_data
from lab.servers.words import normal_column, options_text

INSTALL_TIMEOUT_S = 240
START_TIMEOUT_S = 120
SHUTDOWN_TIMEOUT_S = 90
# Longer than any wait for a quorum in the lab; a statement that takes longer is a finding.
ANSWER_TIMEOUT_S = 60


class Server:
    """Named options go into its my.cnf. flavour None: the one that was chosen for the program."""

    def __init__(self, folder, server_id, options=None, detached=False, flavour=None):
        self.flavour = flavour or flavours.chosen()
        self.folder = Path(folder)
        self.data_dir = self.folder / "data"
        self.temporary_dir = self.folder / "tmp"
        self.config_file = self.folder / "my.cnf"
        self.socket = self.folder / "mysql.sock"
        self.log_file = self.folder / f"{self.flavour.program}.log"
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
            "max-connections": 200,
            "max-allowed-packet": "1G",
            "innodb-buffer-pool-size": "128M",
            "innodb-fast-shutdown": 1,
            **self.flavour.own_options(),
            **(options or {}),
        }
        command = self.flavour.server_command(self.config_file)
        pid_file = self.folder / f"{self.flavour.program}.pid"
        self.process = Process(command, pid_file, self.log_file, detached)

    def initialize(self):
        """Creates the data folder: root@localhost without a password, nothing in the binlog."""
        self.flavour.ensure()
        self.temporary_dir.mkdir(parents=True, exist_ok=True)
        fresh_data.provide(self, lambda: self.flavour.initialize(self, self._install))

    def _install(self, command, text=""):
        done = subprocess.run(
            [str(word) for word in command],
            input=text,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"no data folder for {self.folder}:\n{done.stdout}{done.stderr}")

    def start(self):
        """Starts the server and returns when it answers a query."""
        self.config_file.write_text(options_text(self.flavour.program, self.options))
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

    def copy_data_from(self, other):
        """A cold copy of another server's data: both are down. What names this server remains."""
        files = [self.data_dir / name for name in self.flavour.identity_files]
        kept = {path: path.read_bytes() for path in files if path.exists()}
        shutil.rmtree(self.data_dir)
        shutil.copytree(other.data_dir, self.data_dir)
        for path in files:
            path.unlink(missing_ok=True)
            if path in kept:
                path.write_bytes(kept[path])

    # --- SQL -----------------------------------------------------------------------------------

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

    def execute(self, *statements, answer_timeout_s=ANSWER_TIMEOUT_S):
        """Several statements on one connection."""
        connection = self.connect(answer_timeout_s)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def status(self, pattern):
        return dict(self.query(f"SHOW GLOBAL STATUS LIKE '{pattern}'"))

    def variable(self, name):
        return self.query(f"SELECT @@GLOBAL.{name}")[0][0]

    def create_account(self, user, password, privileges, host="localhost"):
        self.execute(
            f"CREATE USER '{user}'@'{host}' IDENTIFIED BY '{password}'",
            f"GRANT {privileges} ON *.* TO '{user}'@'{host}'",
        )

    # --- as a source ---------------------------------------------------------------------------

    def semi_sync(self):
        """The source's status variables of semi-sync without their prefix; numbers as numbers."""
        prefix = self.flavour.semi_sync("").capitalize()
        found = self.status(prefix + "%")
        return {
            name[len(prefix) :]: int(value) if value.isdigit() else value
            for name, value in found.items()
        }

    def set_semi_sync(self, name, value):
        """A variable of the source's semi-sync: enabled, timeout, wait_point …"""
        self.query(f"SET GLOBAL {self.flavour.semi_sync(name)} = {value}")

    def written_set(self):
        """The GTIDs in the server's own binlog, as text."""
        return self._set(self.flavour.written_set)

    def binlog_end(self):
        """(file name, offset) up to which the binlog is written."""
        return self.query(self.flavour.show_binlog_end)[0][:2]

    def reset_binlogs(self, first_file=None):
        self.query(self.flavour.reset_binlogs(first_file))

    def set_fence(self, on):
        """Refuses all writes but those of replication, or takes them again."""
        self.query(self.flavour.set_fence(on))

    def fenced(self):
        return self.variable(self.flavour.fence) == 1

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

    # --- as a replica --------------------------------------------------------------------------

    def replicate_from(self, port, user, password):
        """Follows, by GTID, the source that listens at this port of the machine."""
        words = self.flavour
        self.execute(words.stop_replica, *words.follow(port, user, password), words.start_replica)

    def stop_replica(self):
        self.query(self.flavour.stop_replica)

    def start_replica(self):
        self.query(self.flavour.start_replica)

    def stop_applier(self):
        """The IO thread goes on."""
        self.query(self.flavour.stop_sql_thread)

    def start_applier(self):
        self.query(self.flavour.start_sql_thread)

    def begin_after(self, gtids):
        """Has nothing of its own, and asks its source for what follows the set."""
        self.execute(*self.flavour.begin_after(gtids))

    def executed_set(self):
        """The GTIDs that the server has executed as a replica, as text."""
        return self._set(self.flavour.executed_set)

    def wait_executed(self, gtids, timeout_s):
        """Until the server has executed the set as a replica; False if the time was not enough."""
        statement = self.flavour.wait_executed(gtids, timeout_s)
        return self.query(statement, timeout_s + 10) == [(0,)]

    def replica_status(self):
        """Of the server as a replica, {} if it is none, under the same names for every flavour:
        Replica_IO_Running, Source_Log_File, Seconds_Behind_Source … """
        connection = self.connect(cursorclass=pymysql.cursors.DictCursor)
        try:
            with connection.cursor() as cursor:
                cursor.execute(self.flavour.show_replica_status)
                found = cursor.fetchone() or {}
        finally:
            connection.close()
        return {normal_column(name): value for name, value in found.items()}

    def _set(self, statement):
        # MySQL breaks a long set into lines.
        return self.query(statement)[0][0].replace("\n", "")
