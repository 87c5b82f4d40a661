"""clang-tidy, with the warnings of clang, on what has changed: since the branch left the one that it follows, in the working
tree, and in the last commit. So that it ends in minutes it looks at the shortest files first, and
names those that it left out; `./dev tidy` looks at everything.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FILES_MAX = 12
UPSTREAMS = ("@{upstream}", "origin/main", "origin/HEAD")
LINES_TOLD = 12


def git(root, *words):
    done = subprocess.run(
        ["git", "-C", str(root), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.stdout.split() if done.returncode == 0 else []


def changed(root):
    """Names of the files, below the root; None where this is no clone."""
    if not git(root, "rev-parse", "HEAD"):
        return None
    base = next((found[0] for each in UPSTREAMS if (found := git(root, "merge-base", "HEAD", each))), None)
    names = set(git(root, "diff", "--name-only", "HEAD"))
    names |= set(git(root, "ls-files", "--others", "--exclude-standard"))
    names |= set(git(root, "diff", "--name-only", "HEAD~1", "HEAD"))
    if base:
        names |= set(git(root, "diff", "--name-only", base, "HEAD"))
    return names


def tidy(root, build, name):
    command = ["clang-tidy", "-p", str(build), "--quiet", str(root / name)]
    done = subprocess.run(command, cwd=build, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "\n".join(done.stdout.splitlines()[:LINES_TOLD]) if done.returncode else ""


def main():
    root, build = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    names = changed(root)
    if names is None:
        print("not a clone: nobody can say what has changed")
        sys.exit(77)
    known = {
        str((build / entry["file"]).resolve().relative_to(root))
        for entry in json.loads((build / "compile_commands.json").read_text())
        if (build / entry["file"]).resolve().is_relative_to(root)
    }
    # A header is looked at with its source.
    wanted = {str(Path(name).with_suffix(".cpp")) for name in names if name.endswith((".h", ".cpp"))}
    files = sorted(
        (name for name in wanted & known if (root / name).exists()), key=lambda name: (root / name).stat().st_size
    )
    begun = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = [text for text in pool.map(lambda name: tidy(root, build, name), files[:FILES_MAX]) if text]
    print("\n".join(told))
    print(f"{len(files[:FILES_MAX])} files in {time.monotonic() - begun:.0f} s")
    for name in files[FILES_MAX:]:
        print(f"left out: {name}")
    sys.exit(1 if told else 0)


if __name__ == "__main__":
    main()
