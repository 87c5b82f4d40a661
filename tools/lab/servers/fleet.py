"""What every cluster of the lab is: servers and daemons that share one short folder.

Layout (unix socket paths are limited to 107 bytes):
    <run>/source/{server,binlaned}/…   <run>/r1/{server,binlaned}/…   <run>/r1.vhost …
"""

import shutil
import tempfile
from pathlib import Path

from lab.machine import waiting

BINLANE_USER = "binlane"
PASSWORD = "lab-password"


def short_folder():
    return Path(tempfile.mkdtemp(prefix="bl-", dir="/tmp"))


def follow(server, feed_port):
    """Points the server's ordinary IO thread at its own binlaned."""
    server.replicate_from(feed_port, BINLANE_USER, PASSWORD)


def wait_executed(name, server, gtids, timeout_s):
    """Until the server has executed `gtids` as a replica."""
    if server.wait_executed(gtids, timeout_s):
        return
    status = server.replica_status()
    raise waiting.WaitTimeout(
        f"{name} did not reach {gtids} within {timeout_s} s: {server.executed_set()}, "
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
