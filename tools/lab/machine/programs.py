"""Where the built programs are."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
# Of a build folder: where `./dev build` links them, and where meson leaves them.
PLACES = ("bin", "src/control/daemon", "src/control/cli", "bench")


def program(name):
    """Path of binlaned, binlane or binlane-bench in the build folder BINLANE_BUILD (or build/)."""
    build = Path(os.environ.get("BINLANE_BUILD") or REPOSITORY / "build")
    for place in PLACES:
        path = build / place / name
        if path.exists():
            return path
    raise FileNotFoundError(f"no {name} in {build}: run ./dev build")
