"""The machine as the kernel describes it in /proc, /sys and /dev.

Everything is read below a root, which is "/" on a real machine; tests make a small tree instead.
"""

import os
from pathlib import Path


class Machine:
    def __init__(self, root="/"):
        self.root = Path(root)

    def path(self, name):
        """Where an absolute name like /sys/bus/pci is."""
        return self.root / name.lstrip("/")

    def read(self, name, missing=""):
        """A small file's text without the newline at its end; `missing` if it cannot be read."""
        try:
            return self.path(name).read_text(errors="replace").strip()
        except OSError:
            return missing

    def number(self, name, missing=0):
        try:
            return int(self.read(name))
        except ValueError:
            return missing

    def link(self, name):
        """The last part of where a symbolic link leads, or None."""
        try:
            return os.path.basename(os.readlink(self.path(name)))
        except OSError:
            return None

    def names(self, name):
        """What a folder contains, sorted; nothing if there is no such folder."""
        try:
            return sorted(os.listdir(self.path(name)))
        except OSError:
            return []

    def exists(self, name):
        return self.path(name).exists()

    def owner(self, name):
        """The mode, user and group of a file, as a record that can be restored; None if it is absent."""
        try:
            found = self.path(name).stat()
        except OSError:
            return None
        return {"mode": found.st_mode & 0o7777, "uid": found.st_uid, "gid": found.st_gid}
