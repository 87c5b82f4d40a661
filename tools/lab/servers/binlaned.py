"""One binlaned: its configuration file, process and status."""

import subprocess
from pathlib import Path

from lab.machine import toml, waiting
from lab.servers import admin
from lab.machine.process import Process
from lab.machine.programs import program

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20
REFUSAL_TIMEOUT_S = 30
# Shown in memory tools and used by the kernel for the socket's name: keep well below sun_path.
SOCKET_PATH_MAX = 107


class Daemon:
    """config is the TOML document as dictionaries; it is written anew at every start."""

    def __init__(self, folder, config, detached=False):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = self.folder / "data"
        # Neither may be writable by others, whatever the umask is: binlaned refuses such ones.
        self.data_dir.mkdir(mode=0o700, exist_ok=True)
        self.config_file = self.folder / "binlaned.toml"
        self.admin_socket = self.folder / "admin.sock"
        self.log_file = self.folder / "binlaned.log"
        if len(str(self.admin_socket)) > SOCKET_PATH_MAX:
            raise ValueError(f"{self.admin_socket}: longer than a socket's path may be")
        self.config = {
            "data_dir": self.data_dir,
            "admin_socket": self.admin_socket,
            "log_level": "info",
            **config,
        }
        command = [program("binlaned"), "--config", self.config_file]
        self.process = Process(command, self.folder / "binlaned.pid", self.log_file, detached)

    @property
    def archive(self):
        """Folder of a replica's copies of the source's binlogs."""
        return Path(self.config["replica"].get("archive", self.data_dir / "archive"))

    def write_config(self):
        self.config_file.touch(mode=0o600)
        self.config_file.write_text(toml.dumps(self.config))

    def start(self):
        """Starts the daemon and returns when it answers on its admin socket."""
        self.write_config()
        self.process.start()
        waiting.until(self.answers, f"{self.folder.name}'s binlaned to answer", START_TIMEOUT_S)

    def answers(self):
        if not self.process.alive:
            raise RuntimeError(
                f"binlaned ended at once (status {self.process.exit_status}):\n"
                f"{self.process.log_tail()}"
            )
        return self.try_status(timeout_s=1) is not None

    def refusal(self):
        """Starts a daemon that must refuse to run; returns (exit status, what it said)."""
        self.write_config()
        done = subprocess.run(
            self.process.command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=REFUSAL_TIMEOUT_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def status(self, timeout_s=admin.ANSWER_TIMEOUT_S):
        return admin.request(self.admin_socket, "status", timeout_s)

    def try_status(self, timeout_s=1):
        """The status, or None while the daemon does not answer."""
        try:
            return self.status(timeout_s)
        except admin.AdminError:
            return None

    def stop(self):
        return self.process.stop(STOP_TIMEOUT_S)

    def kill(self):
        self.process.kill()

    def log(self):
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""
