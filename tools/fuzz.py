"""Runs fuzz targets for a time, several at once, and says what came of it.

    fuzz.py --seconds 60 --corpora tests/fuzz/corpus build-fuzz/tests/fuzz/fuzz_quorum …

A target's stored inputs are CORPORA/<target>; what libFuzzer finds beside them goes to the folder
`corpus` next to the program and is used again the next time. An input that crashes, hangs or leaks is
kept in the folder `crashes` there. The exit status is not zero if there is one.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PREFIX = "fuzz_"
INPUT_TIMEOUT_S = 20
MEMORY_LIMIT_MB = 2048
# Reading the corpora comes before libFuzzer looks at the clock.
GRACE_S = 120
MAX_INPUT_BYTES = 8192
TAIL_LINES = 40
ROW = "{:<22}{:>14}{:>10}{:>10}{:>8}{:>9}  {}"


@dataclass
class Outcome:
    target: str
    executions: int = 0
    coverage: int = 0
    features: int = 0
    corpus: int = 0
    seconds: float = 0
    crashed: str = ""
    tail: str = ""


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run(program, corpora, seconds):
    name = program.name.removeprefix(PREFIX)
    outcome = Outcome(name)
    found = program.parent / "corpus" / name
    crashes = program.parent / "crashes" / name
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        program.resolve(),
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_LIMIT_MB}",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-artifact_prefix={crashes.resolve()}/",
        "-print_final_stats=1",
        found.resolve(),
        (corpora / name).resolve(),
    ]
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + GRACE_S,
            check=False,
            env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"},
        )
        text, status = done.stderr, done.returncode
    except subprocess.TimeoutExpired as error:
        text, status = (error.stderr or b"").decode(errors="replace"), "no end"
    outcome.seconds = round(time.monotonic() - begin, 1)
    outcome.executions = last_number(r"stat::number_of_executed_units:\s*(\d+)", text)
    outcome.coverage = last_number(r"cov: (\d+)", text)
    outcome.features = last_number(r"ft: (\d+)", text)
    outcome.corpus = last_number(r"corp: (\d+)", text)
    if status != 0:
        written = re.search(r"Test unit written to (\S+)", text)
        outcome.crashed = written.group(1) if written else f"status {status}"
        outcome.tail = "\n".join(text.splitlines()[-TAIL_LINES:])
    elif outcome.executions == 0:
        outcome.crashed = "nothing was executed"
        outcome.tail = text
    return outcome


def show(outcome):
    """One line, as soon as the target is through: a long run says early what it found."""
    o = outcome
    columns = (o.target, o.executions, o.coverage, o.features, o.corpus, o.seconds, o.crashed or "-")
    print(ROW.format(*columns), flush=True)
    if o.crashed:
        print(f"{o.tail}\n", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path)
    parser.add_argument("program", type=Path, nargs="+")
    arguments = parser.parse_args()
    columns = ("target", "executions", "coverage", "features", "corpus", "seconds", "crash")
    print(ROW.format(*columns), flush=True)
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [
            pool.submit(run, program, arguments.corpora, arguments.seconds)
            for program in arguments.program
        ]
        for finished in concurrent.futures.as_completed(runs):
            outcomes.append(finished.result())
            show(outcomes[-1])
    crashes = sum(bool(o.crashed) for o in outcomes)
    executions = sum(o.executions for o in outcomes)
    print(f"{len(outcomes)} targets, {executions} executions, {crashes} crashes")
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {
                    "targets": [asdict(o) for o in outcomes],
                    "executions": executions,
                    "crashes": crashes,
                    "ok": crashes == 0,
                },
                indent=2,
            )
            + "\n"
        )
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
