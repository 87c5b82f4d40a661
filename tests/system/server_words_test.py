"""Every statement that Binlane has for a server, on a real one of each kind.

server_words_check runs them; this starts the servers. A server that cannot be had here is skipped,
with the reason.
"""

import subprocess
import sys
import unittest

import harness

from lab.servers import flavour, fleet
from lab.servers.server import Server

CHECK_TIMEOUT_S = 120


class ServerWords(unittest.TestCase):
    """One server, and the check as its only client."""

    def check(self, name):
        kind = flavour.named(name)
        folder = fleet.short_folder()
        options = {
            **kind.host_options(),
            # What the check asks for where a setting comes from.
            "log-bin-trust-function-creators": "ON",
            # A host begins as a standby; the check fences and opens it.
            "read-only": "OFF",
        }
        server = Server(folder / "server", 1, options, flavour=kind)
        server.initialize()
        server.start()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        done = subprocess.run(
            [CHECK, "--gtest_brief=1"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHECK_TIMEOUT_S,
            check=False,
            env={"BINLANE_TEST_SOCKET": str(server.socket)},
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASSED", done.stdout)

    def test_mariadb(self):
        self.check("mariadb")

    def test_mariadb_11_8(self):
        self.check("mariadb:11.8")

    def test_mysql(self):
        self.check("mysql")


if __name__ == "__main__":
    CHECK = sys.argv.pop(1)
    harness.main()
