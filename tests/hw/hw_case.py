"""A test of binlane-hw on a machine in a folder."""

import contextlib
import io
import os
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "hw"), str(Path(__file__).resolve().parent)]

# pylint: disable=wrong-import-position
from binlane_hw import commands, exit_code, options  # noqa: E402, F401
from binlane_hw.machine import Machine  # noqa: E402
from binlane_hw.netlink import Address, Route  # noqa: E402, F401
from binlane_hw.network import Network  # noqa: E402
from fake_machine import GROUP, FakeMachine  # noqa: E402

# eth0, eth1 and eth2.
USED, NIC, OTHER = "0000:00:02.0", "0000:01:00.0", "0000:01:00.1"
SCRIPT_TIMEOUT_S = 60


class HwCase(unittest.TestCase):
    """A NIC that the kernel keeps and two idle ones, each in an IOMMU group of its own."""

    def setUp(self):
        self.addresses, self.routes, self.session = [], [], None
        self.fake = self.enterContext(FakeMachine())
        self.fake.add(USED, interface=True, group=10)
        self.fake.add(NIC, interface=True, group=11, functions=4)
        self.fake.add(OTHER, interface=True, group=12)
        # What binlane-hw and its scripts call by name.
        path = f"{self.fake.root}/bin:{os.environ['PATH']}"
        self.enterContext(mock.patch.dict(os.environ, {"PATH": path}))

    def call(self, *words):
        """The exit code, what it said, and what it complained of."""
        machine = Machine(self.fake.root)
        network = Network(machine, self.addresses, self.routes, self.session)
        told, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(complained):
            try:
                code = commands.main(list(map(str, words)), machine, network)
            except SystemExit as end:
                code = end.code
        return code, told.getvalue(), complained.getvalue()

    def do(self, *words):
        """What has to succeed."""
        code, told, complained = self.call(*words)
        self.assertEqual((code, complained), (0, ""), told)
        return told

    def up(self, *words):
        return self.do("up", "--group", GROUP, *words)

    def shell(self, script):
        done = subprocess.run(
            ["sh"], input=script, capture_output=True, text=True, timeout=SCRIPT_TIMEOUT_S, check=False
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), script)
        return done.stdout

    def driver(self, address):
        link = self.fake.path(f"sys/bus/pci/devices/{address}/driver")
        return os.path.basename(os.readlink(link)) if link.is_symlink() else None

    def pages(self, node):
        return int(
            self.fake.read(f"sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/nr_hugepages")
        )
