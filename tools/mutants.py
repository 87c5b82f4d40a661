"""Shows that the tests can fail: plants one bug after another and lets the tests find it.

Works on a build folder with -Dmutants=true (`./dev mutants` makes it). A mutant is found when a
test that is green without it ends otherwise with it. The finders are the unit tests and packet
scripts, the likeliest first, and the simulator with rising seeds where there is one. A find by a
test that needs no seed counts as one seed. First of all the finders run with nothing planted: were
one of them red then, its finds would mean nothing.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
HEADER = REPOSITORY / "src" / "base" / "mutant.h"
VARIABLE = "BINLANE_MUTANT"
# A test that does not end has found nothing: on a busy machine it might only be slow.
TEST_TIMEOUT_S = 120
OVERDUE = "did not end"
# The simulator runs one batch of seeds after another, up to this many and for about this long.
SIMULATOR = Path("tests/sim/binlane-sim")
SEEDS_MAX = 256
SEEDS_BATCH = 8
SIMULATOR_TIME_S = 10
SIMULATOR_BASELINE_SEEDS = 64
_FAILED_SEED = re.compile(r"^seed (\d+) \(commit [^)]*\): (.*)$", re.MULTILINE)
_ENTRY = re.compile(r'X\(\s*(\w+),\s*"([^"]*)",\s*"([^"]*)"\)')

# Which test to try first. Every other one is tried as well before a mutant counts as not found.
LIKELY = {
    "base": (
        "names_compared_as_strings",
        "wall_clock_deadlines",
    ),
    "control-exposure": (
        "divergence_ignored",
        "exposure_acked_before_durable",
        "foreign_interval_covers",
        "ledger_not_synced",
        "ledger_streams_mixed",
    ),
    "control-failover": (
        "damaged_counted_as_inspected",
        "diverged_verdict",
        "fetched_before_fenced",
        "lesser_log_promoted",
        "live_source_promoted_away",
        "own_writes_ignored",
        "promoted_without_fence",
        "sealed_within_group",
        "unseen_release_ignored",
    ),
    "control-fallback": (
        "late_deadline",
        "ledger_after_release",
        "operators_off_repeated",
        "recovery_without_catching_up",
        "released_before_read_only",
        "server_release_unnoticed",
    ),
    "control-replica": (
        "fence_unproven",
        "fetch_by_length",
        "lent_to_strangers",
        "seal_unproven",
    ),
    "control-stream": (
        "new_rule_uncovered",
        "old_rule_dropped",
        "registered_at_end",
        "reset_unnoticed",
        "ended_releases_ignored",
        "restart_accounted_early",
        "told_forgotten_at_end",
        "unrecorded_forgotten",
    ),
    "dataplane-lane": (
        "exposure_told_late",
        "failed_journal_counted",
        "held_release_told",
        "released_beyond_synced",
        "released_goes_back",
    ),
    "dataplane-session": (
        "ack_repeats_forgotten",
        "applied_unasked",
        "archive_digest_skipped",
        "cut_below_acked",
        "cut_below_safe",
        "deposed_unnoticed",
        "digest_skipped",
        "frame_checksum_ignored",
        "older_source_served",
        "received_jumps_gap",
        "replica_counted_twice",
        "shorter_source_accepted",
        "stale_epoch_ack_accepted",
        "stale_epoch_data_accepted",
        "stale_session_ack_accepted",
        "stale_session_data_accepted",
        "started_before_record",
    ),
    "replica_release_waits": (
        "replica_trusts_released",
    ),
    "safety": (
        "committed_tail_cut",
        "committed_waits_cut",
        "diverged_host_promoted",
        "execution_unproven",
        "fence_forgets_unrecorded",
        "fenced_session_goes_on",
        "fencing_not_caught_up",
        "fresh_only_once",
        "fresh_without_record",
        "incarnation_not_raised",
        "killed_waiter_unnoticed",
        "log_beyond_seal_kept",
        "lost_promise_unnoticed",
        "numbering_ignored",
        "other_acker_ignored",
        "other_acks_kept",
        "promise_forgotten",
        "promise_unrecorded",
        "rejoined_uncompared",
        "rejoined_with_tail",
        "released_at_rule_level",
        "reset_passed_over",
        "restart_taken_for_quiet",
        "resumed_behind_its_step",
        "seal_uncovered",
        "sealed_copy_whole",
        "stream_switched_early",
        "unfit_server_promoted",
    ),
    "shim-binlog": (
        "acked_behind_reset",
        "foreign_file_followed",
        "half_made_file_followed",
        "renumbered_file_followed",
        "shrunken_file_ignored",
        "synced_untrusted",
        "synced_without_fdatasync",
    ),
    "shim-server": (
        "ack_not_repeated",
        "ack_of_other_incarnation",
    ),
    "source_lost_middle_packet": (
        "wrong_retransmit_offset",
    ),
    "storage-archive": (
        "half_group_fed",
        "in_use_flag_not_mirrored",
    ),
    "storage-journal": (
        "ack_after_eio",
        "ack_before_completion",
        "archive_beyond_released",
        "damage_forgotten",
        "durable_hole",
        "file_end_before_durable",
        "old_lap_accepted",
        "promise_given_twice",
        "short_write_ignored",
        "stale_opening_accepted",
        "truncate_at_first_bad_crc",
        "unarchived_block_reused",
        "unlinked_block_accepted",
    ),
}


@dataclass(frozen=True)
class Mutant:
    name: str
    rule: str
    text: str


@dataclass
class Finder:
    name: str
    command: list
    environment: dict
    seconds: float = 0.0


@dataclass
class Find:
    finder: str
    seeds: int
    evidence: str


@dataclass
class Verdict:
    mutant: Mutant
    by_test: Find = None
    by_simulator: Find = None
    also: list = field(default_factory=list)

    @property
    def found(self):
        return self.by_test is not None or self.by_simulator is not None


def mutants():
    text = HEADER.read_text(encoding="utf-8").replace("\\\n", " ")
    # Long entries are broken over two lines.
    found = [Mutant(*entry) for entry in _ENTRY.findall(text)]
    if not found:
        sys.exit(f"{HEADER} lists no mutant")
    return found


def finders(build):
    listed = subprocess.run(
        ["meson", "introspect", "--tests", str(build)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    found = []
    for test in json.loads(listed.stdout):
        suites = {suite.split(":")[-1] for suite in test["suite"]}
        if not Path(test["cmd"][0]).is_relative_to(build.resolve()):
            continue  # a Python test: no bug is planted there
        if len(test["depends"]) > 1:
            continue  # it starts other programs, with devices or the whole command line behind them
        script = "script" in suites and not test["name"].startswith("canary_")
        scripted = "sim" in suites and test["name"] == "safety"
        if script:
            found.append(Finder(test["name"], test["cmd"], test["env"]))
        elif scripted or "unit" in suites:
            found.append(Finder(test["name"], [*test["cmd"], "--gtest_fail_fast"], test["env"]))
    return found


def targets(build, all_finders):
    """What has to be built, as ninja names it."""
    programs = {os.path.relpath(finder.command[0], build) for finder in all_finders}
    if (REPOSITORY / SIMULATOR.parent / "meson.build").exists():
        programs.add(str(SIMULATOR))
    return sorted(programs)


def run(command, environment, mutant, timeout_s):
    """(how it ended, None if well; what it said)."""
    settings = {**os.environ, **environment, VARIABLE: mutant}
    with tempfile.TemporaryFile(mode="w+", errors="replace") as output:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=settings,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return OVERDUE, ""
        output.seek(0)
        said = output.read()
    if done.returncode == 0:
        return None, said
    killed = done.returncode < 0
    return f"signal {-done.returncode}" if killed else f"status {done.returncode}", said


def evidence(status, said):
    """One line that tells what went wrong: the test that noticed, or the program's own assertion."""
    lines = [line.strip() for line in said.splitlines()]
    running = ""
    for line in lines:
        if line.startswith("[ RUN      ] "):
            running = line[13:]
        elif line.startswith("[  FAILED  ] "):
            return line[13:].split(" (")[0].rstrip(",")
        elif line.startswith("assertion failed"):
            return f"{running}: {line}".lstrip(": ")
    telling = [line for line in lines if line]
    # Scripts name their file and line.
    return re.sub(r"\S*/tests/script/", "", telling[0]) if telling else status


def order(mutant, all_finders):
    first = [finder for finder in all_finders if mutant.name in LIKELY.get(finder.name, ())]
    return first + sorted((f for f in all_finders if f not in first), key=lambda f: f.seconds)


def look(mutant, all_finders, everywhere):
    verdict = Verdict(mutant)
    for finder in order(mutant, all_finders):
        status, said = run(finder.command, finder.environment, mutant.name, TEST_TIMEOUT_S)
        if status in (None, OVERDUE):
            continue
        if verdict.by_test is None:
            verdict.by_test = Find(finder.name, 1, evidence(status, said))
        verdict.also.append(finder.name)
        if not everywhere:
            break
    return verdict


def simulate(simulator, mutant):
    """The find of the simulator, with the number of seeds that it took; None without one."""
    end = time.monotonic() + SIMULATOR_TIME_S
    for first in range(1, SEEDS_MAX + 1, SEEDS_BATCH):
        if time.monotonic() >= end:
            return None
        status, said = run_seeds(simulator, mutant.name, first, SEEDS_BATCH)
        if status in (None, OVERDUE):
            continue
        failed = _FAILED_SEED.findall(said)
        if not failed:
            sys.exit(f"{simulator} ended with {status}, but names no seed:\n{said}")
        seed, violation = min((int(seed), what) for seed, what in failed)
        return Find("binlane-sim", seed, f"seed {seed}: {violation}")
    return None


def run_seeds(simulator, mutant, first, count):
    command = [str(simulator), "--seeds", str(count), "--seed", str(first), "--jobs", "1"]
    # Whether a seed repeats itself is not the question here.
    return run([*command, "--repeat", str(10**9)], {}, mutant, TEST_TIMEOUT_S)


def baseline(all_finders, jobs):
    """Runs everything with nothing planted; the finders that are not green."""

    def measure(finder):
        begun = time.monotonic()
        status, said = run(finder.command, finder.environment, "", TEST_TIMEOUT_S)
        finder.seconds = time.monotonic() - begun
        return None if status is None else f"{finder.name}: {evidence(status, said)}"

    with ThreadPoolExecutor(jobs) as pool:
        return [red for red in pool.map(measure, all_finders) if red]


def show(verdict):
    name, rule = verdict.mutant.name, verdict.mutant.rule
    if not verdict.found:
        print(f"NOT FOUND  {name:<30} {rule:<4} {verdict.mutant.text}", flush=True)
        return
    for find in (verdict.by_test, verdict.by_simulator):
        if find:
            seeds = f"{find.seeds} seed{'s' if find.seeds > 1 else ''}"
            print(f"found      {name:<30} {rule:<4} {find.finder}, {seeds}: {find.evidence}", flush=True)
    if len(verdict.also) > 1:
        print(f"           by {', '.join(verdict.also)}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./dev mutants", allow_abbrev=False)
    parser.add_argument("names", nargs="*", help="mutants to plant; all without names")
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--build", default=str(REPOSITORY / "build-mutants"), help="build folder")
    parser.add_argument("--targets", action="store_true", help="print what has to be built, and end")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--briefly", action="store_true", help="the simulator looks only for what no test finds")
    parser.add_argument("--everywhere", action="store_true", help="do not stop at the first find")
    parser.add_argument("--only-check", action="store_true", help="look at the options, and end")
    arguments = parser.parse_args()
    build = Path(arguments.build)

    known = mutants()
    unknown = set(arguments.names) - {mutant.name for mutant in known}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    if arguments.only_check:
        return 0
    planted = [mutant for mutant in known if not arguments.names or mutant.name in arguments.names]
    all_finders = finders(build)
    if arguments.targets:
        print("\n".join(targets(build, all_finders)))
        return 0
    begun = time.monotonic()
    red = baseline(all_finders, arguments.jobs)
    print(f"nothing planted: {len(all_finders) - len(red)} of {len(all_finders)} tests are green")
    for line in red:
        print(f"  red: {line}")
    if red:
        print("FAILED: a find by a test that is red anyway means nothing")
        return 1
    with ThreadPoolExecutor(arguments.jobs) as pool:
        looked = pool.map(lambda mutant: look(mutant, all_finders, arguments.everywhere), planted)
        verdicts = []
        for verdict in looked:
            verdicts.append(verdict)
            if not (build / SIMULATOR).exists():
                show(verdict)
    if (build / SIMULATOR).exists():
        status, said = run_seeds(build / SIMULATOR, "", 1, SIMULATOR_BASELINE_SEEDS)
        if status is not None:
            print(f"FAILED: the simulator is red with nothing planted: {evidence(status, said)}")
            return 1

        def find_by_seed(verdict):
            if not arguments.briefly or verdict.by_test is None:
                verdict.by_simulator = simulate(build / SIMULATOR, verdict.mutant)
            return verdict

        with ThreadPoolExecutor(arguments.jobs) as pool:
            for verdict in pool.map(find_by_seed, verdicts):
                show(verdict)
    missed = [verdict.mutant.name for verdict in verdicts if not verdict.found]
    simulated = [v.by_simulator.seeds for v in verdicts if v.by_simulator]
    seeds = simulated or [v.by_test.seeds for v in verdicts if v.by_test]
    result = {
        "planted": len(planted),
        "found": len(planted) - len(missed),
        "median_seeds": statistics.median(seeds) if seeds else None,
        "found_by_simulator": len(simulated),
        "missed": missed,
        "finders": len(all_finders),
        "seconds": round(time.monotonic() - begun, 1),
        "canaries": {
            v.mutant.name: {
                "rule": v.mutant.rule,
                "bug": v.mutant.text,
                "test": v.by_test and v.by_test.finder,
                "evidence": v.by_test and v.by_test.evidence,
                "simulator_seeds": v.by_simulator and v.by_simulator.seeds,
            }
            for v in verdicts
        },
    }
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for key in ("planted", "found", "median_seeds", "found_by_simulator", "seconds"):
        print(f"  {key:<20} {result[key]}")
    print("OK" if not missed else "FAILED")
    return 0 if not missed else 1


if __name__ == "__main__":
    sys.exit(main())
