"""Every C++ file is as clang-format would write it (.clang-format); `./dev fmt` mends it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDERS = ("include", "src", "bench", "tests")
FILES_AT_ONCE = 40


def check(root, names):
    command = ["clang-format", "--dry-run", "--Werror", *names]
    done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    # One line for each file is enough: what to do about it is always the same.
    told = [line for line in done.stderr.splitlines() if ": error: " in line]
    return sorted({line.split(":")[0] for line in told}) if done.returncode else []


def main():
    root = Path(sys.argv[1])
    names = [
        str(path.relative_to(root))
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in (".h", ".cpp")
    ]
    parts = [names[i : i + FILES_AT_ONCE] for i in range(0, len(names), FILES_AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [name for part in pool.map(lambda each: check(root, each), parts) for name in part]
    if wrong:
        print("\n".join(wrong))
        sys.exit(f"{len(wrong)} files are not as clang-format writes them: ./dev fmt")
    print(f"{len(names)} files are as clang-format writes them")


if __name__ == "__main__":
    main()
