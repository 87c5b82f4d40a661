"""Every header compiles alone: whoever includes it needs to include nothing before it.

A header that a source of its own includes first has been compiled alone with that source. The
others are compiled here, with the flags of a source in their folder.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDERS = ("include", "src")
FIRST_INCLUDE = re.compile(r'^#include ["<]([^">]+)[">]', re.MULTILINE)
LINES_TOLD = 6


def commands(build):
    """{source: what compiles it}, without what it makes."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        kept, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-o", "-MF", "-MQ", "-c"):
                skip = word != "-c"
            elif word != "-MD" and word != entry["file"] and not word.endswith("ccache"):
                kept.append(word)
        found[(build / entry["file"]).resolve()] = kept
    return found


def alone(header, command, build):
    done = subprocess.run(
        [*command, "-fsyntax-only", "-x", "c++", "-"],
        cwd=build,
        input=f'#include "{header}"\n',
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    told = [line for line in done.stderr.splitlines() if "error:" in line or "warning:" in line]
    return "\n".join((told or done.stderr.splitlines())[:LINES_TOLD])


def main():
    root, build = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    how = commands(build)
    first = set()
    for source in how:
        match = FIRST_INCLUDE.search(source.read_text(errors="replace")) if source.exists() else None
        if match:
            first.add(match.group(1))
    work = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.h")):
            name = str(path.relative_to(root / folder))
            if name in first:
                continue
            # A source beside it, or in the folders around it, or any.
            near = max(how, key=lambda source: (len(os.path.commonpath([source, path])), str(source)))
            work.append((name, how[near]))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = list(pool.map(lambda each: alone(*each, build), work))
    wrong = [(name, text) for (name, _), text in zip(work, told) if text]
    for name, text in wrong:
        print(f"{name}:\n{text}")
    if wrong:
        sys.exit(f"{len(wrong)} headers do not compile alone")
    print(f"{len(work)} headers compile alone, and {len(first)} are their sources' first includes")


if __name__ == "__main__":
    main()
