"""Counts the results of `meson test` runs; the last line is "N passed, N failed, N skipped".

Each argument is a build folder; what failed before any test could run is a failure, too
(--failure TEXT). Programs that report their cases (GoogleTest, TAP) are counted case
by case, from meson's testlog.junit.xml; others count as one. testlog.json is the authority on
failure: a program that crashed, hung or reported no case at all is a failure even if its cases say
nothing. Behind a failed program stands what it said of it, because often the end of the output is
all that somebody gets to see.
"""

import argparse
import json
import re
import sys
import xml.etree.ElementTree
from collections import Counter
from pathlib import Path

PASSED = ("OK", "EXPECTEDFAIL")
SKIPPED = ("SKIP",)
# What tells why: verdicts, the last line of a traceback, an assertion, and what follows these.
_TELLING = re.compile(
    r"""not\ ok\ | ---\ .*\ failed$ | \s+File\ ".*/tests/ | [\w.]*(Error|Timeout|Exception)\b
    | .*:\ Failure$ | seed\ \d+\ \(commit | .*\.script:\d+: | .*(assertion\ failed|Sanitizer|runtime\ error):""",
    re.VERBOSE,
)
FOLLOWING_LINES = 3
REASON_LINES_MAX = 16


def case_result(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("status") == "notrun":
        return "skipped"
    return "passed"


def cases_by_program(path):
    """{name of the suite: Counter of its cases}; meson names it project.program[.suite]."""
    found = {}
    if not path.exists():
        return found
    for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
        counts = found.setdefault(suite.get("name"), Counter())
        for case in suite.iter("testcase"):
            counts[case_result(case)] += 1
    return found


def reasons(program):
    """The lines of a failed program's output that tell why, at most REASON_LINES_MAX."""
    told = []
    following = 0
    for line in (program.get("stdout", "") + "\n" + program.get("stderr", "")).splitlines():
        if _TELLING.match(line):
            following = FOLLOWING_LINES + 1
        if following:
            following -= 1
            told.append(line)
    return told[:REASON_LINES_MAX]


def summarise(build):
    logs = Path(build) / "meson-logs"
    total = Counter()
    failures = []
    log = logs / "testlog.json"
    programs = []
    if log.exists():
        programs = [json.loads(line) for line in log.read_text().splitlines() if line.strip()]
    suites = cases_by_program(logs / "testlog.junit.xml")
    for program in programs:
        name = program["name"]
        cases = Counter()
        for suite, counts in suites.items():
            _, _, rest = suite.partition(".")
            if rest == name or rest.startswith(name + "."):
                cases += counts
        result = program["result"]
        if not cases:
            key = "passed" if result in PASSED else "skipped" if result in SKIPPED else "failed"
            cases[key] = 1
        elif result not in PASSED + SKIPPED and not cases["failed"]:
            cases["failed"] = 1
        if cases["failed"]:
            failures.append(f"FAILED {name}: {result}, {cases['failed']} failed")
            failures += [f"  {line}" for line in reasons(program)]
        total += cases
    return total, failures, len(programs)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failure", action="append", default=[])
    parser.add_argument("builds", nargs="*")
    options = parser.parse_args(arguments)
    total = Counter(failed=len(options.failure))
    for failure in options.failure:
        print(f"FAILED {failure}")
    for build in options.builds:
        counts, failures, programs = summarise(build)
        total += counts
        print(f"{build}: {programs} programs, {dict(counts)}")
        for failure in failures:
            print(f"  {failure}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
