"""A file system of its own for one folder, on a loop device, that can be made to fail on everything."""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

SIZE_MB = 64
# _IOR('X', 125, __u32) of ext4: the file system is gone at once, and what was not written with it.
EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2


def why_not():
    """Why there can be none here; None where there can."""
    if os.geteuid() != 0:
        return "needs root"
    for tool in ("mkfs.ext4", "losetup", "mount", "umount"):
        if shutil.which(tool) is None:
            return f"needs {tool}"
    free = subprocess.run(["losetup", "--find"], capture_output=True, check=False)
    return None if free.returncode == 0 else "needs a free loop device"


class SickDisk:
    """Mounted over `folder`, with what was in it, while the context lasts."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self._image = None
        self._mounted = False

    def __enter__(self):
        descriptor, name = tempfile.mkstemp(prefix="binlane-disk-")
        self._image = Path(name)
        try:
            os.ftruncate(descriptor, SIZE_MB << 20)
            os.close(descriptor)
            self._run("mkfs.ext4", "-q", "-F", self._image)
            kept = Path(tempfile.mkdtemp(prefix="binlane-kept-"))
            try:
                shutil.copytree(self.folder, kept, dirs_exist_ok=True)
                self._run("mount", "-o", "loop", self._image, self.folder)
                self._mounted = True
                shutil.copytree(kept, self.folder, dirs_exist_ok=True)
            finally:
                shutil.rmtree(kept)
        except BaseException:
            self.__exit__()
            raise
        return self

    def fail(self):
        """From now on every write and sync in it is an EIO, until the end."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            flags = struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH)
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, flags)
        finally:
            os.close(descriptor)

    def __exit__(self, *_):
        if self._mounted:
            # A process with open files in it may end later; the name is free at once, and the loop
            # device goes with the last of them.
            self._run("umount", "--lazy", self.folder)
            self._mounted = False
        self._image.unlink(missing_ok=True)

    @staticmethod
    def _run(*command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
