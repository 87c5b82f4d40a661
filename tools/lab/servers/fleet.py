"""What every cluster of the lab is: servers and daemons that share one short folder.

Layout (unix socket paths are limited to 107 bytes):
    <run>/source/{server,binlaned}/…   <run>/r1/{server,binlaned}/…   <run>/r1.vhost …
"""

import shutil
import tempfile
from pathlib import Path

from . import waiting

BINLANE_USER = "binlane"
PASSWORD = "lab-password"


def short_folder():
    return Path(tempfile.mkdtemp(prefix="bl-", dir="/tmp"))


def follow(server, feed_port):
    """Points the server's ordinary IO thread at its own binlaned."""
    server.query("STOP SLAVE")
    server.query(
        f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={feed_port}, "
        f"MASTER_USER='{BINLANE_USER}', MASTER_PASSWORD='{PASSWORD}', "
        "MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=2, MASTER_USE_GTID=slave_pos"
    )
    server.query("START SLAVE")


def wait_executed(name, server, gtid, timeout_s):
    """Until the server has executed `gtid` as a replica."""
    wait = f"SELECT MASTER_GTID_WAIT('{gtid}', {timeout_s})"
    if server.query(wait, timeout_s + 10) == [(0,)]:
        return
    status = server.replica_status()
    raise waiting.WaitTimeout(
        f"{name} did not reach {gtid} within {timeout_s} s: {server.variable('gtid_slave_pos')}, "
        f"IO error {status.get('Last_IO_Error')!r}, SQL error {status.get('Last_SQL_Error')!r}"
    )


class Fleet:
    """A context manager over start() and stop(). Subclasses say who is in it and how it starts."""

    def __init__(self):
        self.folder = short_folder()
        self.password_file = self.folder / "password"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(PASSWORD + "\n")

    @property
    def servers(self):
        raise NotImplementedError

    @property
    def daemons(self):
        raise NotImplementedError

    def start(self):
        raise NotImplementedError

    def stop(self, remove=True):
        """Ends all processes, daemons first, and deletes the folder; True if all ended when asked."""
        clean = True
        for program in [*self.daemons, *self.servers]:
            clean = program.stop() and clean
        if remove:
            shutil.rmtree(self.folder)
        return clean

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop(remove=False)
            raise

    def __exit__(self, *_):
        self.stop()
