"""./dev bench: every part of the benchmark, one after the other, into one document and one page.

    bench.py [--quick] [--server NAME] [--json FILE] [--html FILE]

JSON: {"rows": […], "ratios": {…}}. Rows are raw, one a round; the ratios are those of
docs/PERFORMANCE.md, and anybody can compute them again from the rows (bench_ratios.py).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bench_fio
import bench_report
from bench_ratios import ratio_floors, ratios
from lab.machine.programs import program
from lab.servers import flavour

FIELDS = ("name", "clients", "p50_us", "p99_us", "p999_us", "max_us", "per_s", "yes_tx", "no_tx")
QUICK_S = 600
# For the journals' check at the end, and the page.
QUICK_RESERVE_S = 45
PART_TIMEOUT_S = 7200
# Where `python -m lab` is found.
TOOLS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Part:
    """One part's rounds and the seconds of one of its measurements."""

    name: str
    rounds: int
    seconds: float


QUICK = (
    Part("transport", 5, 0.3),
    Part("journal", 5, 0.7),
    Part("catchup", 5, 0.7),
    Part("loss", 5, 0.8),
)
FULL = (
    Part("transport", 7, 2),
    Part("journal", 7, 3),
    Part("catchup", 7, 3),
    Part("loss", 7, 5),
)
COMMIT_QUICK = Part("commit", 5, 2)
COMMIT_FULL = Part("commit", 7, 5)
COMMIT_FULL_BUDGET_S = 3600


def say(text):
    print(text, file=sys.stderr, flush=True)


def run_part(command, rows_file):
    """The rows that a program has written; raises when it failed or did not end."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        cwd=TOOLS,
        timeout=PART_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed ({done.returncode})")
    return json.loads(rows_file.read_text())["rows"]


def run_stage(part, folder):
    """transport, journal, catchup or loss."""
    rows_file = folder / f"{part.name}.json"
    command = [program("binlane-bench"), part.name, "--rounds", part.rounds]
    command += ["--seconds", part.seconds, "--json", rows_file]
    if part.name in ("journal", "catchup"):
        command += ["--folder", folder]
    rows = run_part(command, rows_file)
    if part.name == "journal" and bench_fio.installed():
        seconds = max(1, round(part.seconds))  # fio counts in whole seconds
        rows += [bench_fio.run(folder, i + 1, seconds) for i in range(part.rounds)]
    return rows


def run_commit(part, folder, quick, budget_s):
    rows_file = folder / "commit.json"
    command = [sys.executable, "-m", "lab", "bench-commit", "--rounds", part.rounds]
    command += ["--seconds", part.seconds, "--budget", round(budget_s), "--json", rows_file]
    return run_part(command + ["--quick"] * quick, rows_file)


def with_every_field(row):
    """A row in the form that all rows have: null where a figure has no meaning."""
    return {**{field: row.get(field) for field in FIELDS}, **row}


def document(rows):
    return {"rows": [with_every_field(row) for row in rows], "ratios": ratios(rows)}


def machine(folder):
    """What was measured on, for the page."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    described = subprocess.run(
        ["findmnt", "--noheadings", "--output", "SOURCE,FSTYPE,OPTIONS", "--target", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [
        f"{os.cpu_count()} × {model}",
        f"kernel {platform.release()}, load average at the end {os.getloadavg()[0]:.2f}",
        f"journals, servers on {described.stdout.strip() or 'an unknown file system'}",
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    ]


def print_ratios(result):
    for key, floor in ratio_floors(result["rows"]).items():
        value = result["ratios"].get(key)
        shown = "not measured" if value is None else f"{value:.3f}"
        say(f"{key:28} {shown:>14}  {floor}{'' if floor.met_by(value) else '  NOT REACHED'}")


class Run:
    """All parts, one after the other. One that fails leaves no rows, and does not end the rest."""

    def __init__(self, quick):
        self.quick = quick
        self.begun = time.monotonic()
        self.failures = []
        self.machine = []

    @property
    def elapsed_s(self):
        return time.monotonic() - self.begun

    def say(self, text):
        say(f"{self.elapsed_s:5.0f} s: {text}")

    def rows(self):
        found = []
        with tempfile.TemporaryDirectory(prefix="binlane-bench-", dir="/tmp") as name:
            folder = Path(name)
            for part in QUICK if self.quick else FULL:
                found += self.measured(part, lambda: run_stage(part, folder))
            part = COMMIT_QUICK if self.quick else COMMIT_FULL
            budget_s = COMMIT_FULL_BUDGET_S
            if self.quick:
                budget_s = QUICK_S - QUICK_RESERVE_S - self.elapsed_s
            found += self.measured(part, lambda: run_commit(part, folder, self.quick, budget_s))
            self.machine = machine(folder)
        return found

    def measured(self, part, measure):
        """What measure() gives, or nothing and a failure on record."""
        self.say(part.name)
        try:
            return measure()
        except (RuntimeError, subprocess.TimeoutExpired) as failure:
            self.failures.append(f"{part.name}: {failure}")
            return []


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help=f"within {QUICK_S // 60} minutes")
    parser.add_argument("--json", type=Path, help="file for rows and ratios")
    parser.add_argument("--html", type=Path, help="file for the page")
    parser.add_argument("--server", choices=flavour.NAMES, help="whose commits are measured")
    parser.add_argument("--only-check", action="store_true", help="look at the options, and end")
    arguments = parser.parse_args()
    if arguments.only_check:
        return 0
    if arguments.server:
        flavour.choose(arguments.server)
    run = Run(arguments.quick)
    result = document(run.rows())
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.html:
        arguments.html.write_text(bench_report.page(result, run.machine))
    print_ratios(result)
    run.say("done")
    for failure in run.failures:
        say(f"FAILED: {failure}")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
