"""Programs of a normal build hold nothing of mutant(): neither the variable that plants a bug nor
what it is compared with. In a build with mutants both are there, which shows that the search works.
"""

import sys
from pathlib import Path

TRACES = (b"BINLANE_MUTANT", b"planted_mutant")


def main():
    expected, *programs = sys.argv[1:]
    if expected not in ("absent", "present") or not programs:
        sys.exit("usage: mutant_absence_test.py absent|present PROGRAM...")
    wrong = [
        f"{program}: {trace.decode()} is not {expected}"
        for program in programs
        for trace in TRACES
        if (trace in Path(program).read_bytes()) != (expected == "present")
    ]
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
