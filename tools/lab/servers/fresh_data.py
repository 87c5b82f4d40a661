"""Fresh data folders. The first of its kind is made and kept; others are copies, which take a tenth
of the time.

A kind is a flavour, and what a data folder keeps of the options that it was made with. What is kept
is gone when the program ends.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

_kept = {}


def provide(server, make):
    """Gives `server` a data folder that no server has used. make() makes one for it."""
    flavour = server.flavour
    kind = (flavour.name, *(server.options[name] for name in flavour.lasting_options))
    if kind in _kept:
        shutil.copytree(
            _kept[kind], server.data_dir, ignore=shutil.ignore_patterns(*flavour.identity_files)
        )
        return
    make()
    folder = Path(tempfile.mkdtemp(prefix="bl-data-"))
    atexit.register(shutil.rmtree, folder)
    shutil.copytree(server.data_dir, folder / "data")
    _kept[kind] = folder / "data"
