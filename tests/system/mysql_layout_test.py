"""What binlane_source.so declares by itself is what MySQL's own headers declare.

Needs an unpacked tree of Debian's mysql-source, which is large; its path is in BINLANE_MYSQL_SOURCE.
"""

import os
import subprocess
import unittest
from pathlib import Path

import harness

SOURCE = "BINLANE_MYSQL_SOURCE"
FOLDERS = ("", "include", "builddir/include", "libs")
COMPILE_TIMEOUT_S = 300


class Layout(unittest.TestCase):
    """One compilation, whose assertions are all there is."""

    def test_the_declarations_are_the_servers(self):
        if SOURCE not in os.environ:
            self.skipTest(f"{SOURCE} names no tree of mysql-source")
        tree = Path(os.environ[SOURCE])
        folders = [word for each in FOLDERS for word in ("-isystem", tree / each)]
        done = subprocess.run(
            [
                *("c++", "-std=c++20", "-fsyntax-only", "-Wno-invalid-offsetof"),
                *("-I", harness.REPOSITORY / "src", *folders),
                harness.REPOSITORY / "tests" / "system" / "mysql_layout.cc",
            ],
            capture_output=True,
            text=True,
            timeout=COMPILE_TIMEOUT_S,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    harness.main()
