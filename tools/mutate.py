"""Random mutants: one operator, constant or truth value is flipped in a file of src/, and the tests
have to notice.

tools/mutants.py plants the mistakes that somebody thought of; this draws some that nobody did, by a
seed. Each is made in a copy of the tree, which has its build in it. Only what depends on it is
compiled, and only as far as the next tests need it: what bears the file's name, its folder's tests,
packet scripts and safety scripts, a few seeds of the simulator, all other tests, more seeds. The
first that fails ends the search. A program that comes out of the linker as it was without the mutant
is not run; where that is so of all of them, the compiler has proven that the mutant changes nothing.

A run is repeatable: the same seed on the same commit draws the same mutants in the same order, so
that --from goes on where an earlier run has ended.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# One file alone is made anew for each mutant.
MESON_OPTIONS = ("-Doptimization=1", "-Ddebug=false", "-Dwerror=false", "-Dunity=off")
COPIED = ("include", "src", "bench", "docs", "packaging", "tests", "tools", "meson.build", "meson_options.txt")
# mutant.h is no code of a normal build.
LEFT_OUT = ("src/base/mutant.h", "src/base/mutant.cpp")
BUILD = "build"
SIMULATOR = "tests/sim/binlane-sim"
MANY_SEEDS = "binlane-sim, many seeds"
# The simulator runs twice: a few seeds before most of the tests, and many after them.
FIRST_SEEDS = 12
SEEDS = 300
# A test that takes so much longer than it did without the mutant hangs, which is a find.
OVERDUE_FACTOR = 20
OVERDUE_MIN_S = 30
BASELINE_TIMEOUT_S = 600
COMPILE_TIMEOUT_S = 1800
TESTS_AT_ONCE = 6

FLIPS = (
    (re.compile(r"(?<= )==(?= )"), "!="),
    (re.compile(r"(?<= )!=(?= )"), "=="),
    (re.compile(r"(?<= )<(?= )"), "<="),
    (re.compile(r"(?<= )>(?= )"), ">="),
    (re.compile(r"(?<= )<=(?= )"), "<"),
    (re.compile(r"(?<= )>=(?= )"), ">"),
    (re.compile(r"(?<= )&&(?= |$)", re.MULTILINE), "||"),
    (re.compile(r"(?<= )\|\|(?= |$)", re.MULTILINE), "&&"),
    (re.compile(r"(?<=[\w)\]] )\+(?= |$)", re.MULTILINE), "-"),
    (re.compile(r"(?<=[\w)\]] )-(?= |$)", re.MULTILINE), "+"),
    (re.compile(r"(?<= )\+=(?= )"), "-="),
    (re.compile(r"(?<= )-=(?= )"), "+="),
    (re.compile(r"(?<=[( !])!(?=[\w(*])"), ""),
    (re.compile(r"(?<![\w])\+\+(?=\w)"), "--"),
    (re.compile(r"\btrue\b"), "false"),
    (re.compile(r"\bfalse\b"), "true"),
    (re.compile(r"(?<![\w.'])\d+(?![\w.'])"), None),  # a constant: one more
)
# What is not compiled, or not at run time.
PASSED_OVER = re.compile(r"^\s*#|\bcase \d|operator\s*[<>=!+&|-]|^\s*using |\btemplate <")


@dataclass(frozen=True)
class Flip:
    file: str
    begin: int
    end: int
    line: int
    before: str
    after: str

    @property
    def change(self):
        return f"{self.before} became {self.after or 'nothing'}"


@dataclass
class Finder:
    name: str
    suite: str
    command: list
    environment: dict
    targets: list  # the program, and the programs that it starts
    seconds: float = 0.0
    folder: str = ""


@dataclass
class Outcome:
    flip: Flip
    compiled: bool = True
    same_programs: bool = False  # no program that is tested has changed
    in_time: bool = True
    found_by: str = ""
    seconds: float = field(default=0.0)

    @property
    def verdict(self):
        if self.found_by:
            return self.found_by
        if not self.compiled:
            return "does not compile"
        if self.same_programs:
            return "changes no program"
        return "SURVIVES" if self.in_time else "UNDECIDED: no time left"


# --- what can be flipped


def blanked(text):
    """The same length, without comments and texts, without assertions (which are no behaviour), and
    without what BL_MUTANT would do wrong."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    text = re.sub(r'//[^\n]*|/\*.*?\*/|R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', blank, text)
    for match in re.finditer(r"BL_MUTANT\((\w+),|\b(?:BL_ASSERT|static_assert)\(", text):
        depth, at, ends = 0, match.end(), "," if match.group(1) else ")"
        while depth or text[at] != ends:
            depth += (text[at] in "([{") - (text[at] in ")]}")
            at += 1
        text = text[: match.end()] + re.sub(r"[^\n]", " ", text[match.end() : at]) + text[at:]
    return text


def flips_of(name, text):
    bare = blanked(text)
    lines = bare.split("\n")
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    skipped = {number for number, line in enumerate(lines) if PASSED_OVER.search(line)}
    found = []
    for pattern, after in FLIPS:
        for match in pattern.finditer(bare):
            number = bare.count("\n", 0, match.start())
            if number in skipped:
                continue
            new = str(int(match.group()) + 1) if after is None else after
            found.append(Flip(name, match.start(), match.end(), number + 1, match.group(), new))
    return sorted(found, key=lambda flip: (flip.begin, flip.after))


def all_flips(tree, within):
    found = []
    for path in sorted((tree / "src").rglob("*")):
        name = str(path.relative_to(tree))
        if path.suffix in (".h", ".cpp") and name not in LEFT_OUT and name.startswith(within):
            found += flips_of(name, path.read_text())
    return found


# --- the copy and its build


def copy_tree(tree):
    """A copy of the working tree; files that have not changed keep their time, so that nothing of
    them is compiled again."""
    wanted = set()
    for top in COPIED:
        source = REPOSITORY / top
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_dir() or "__pycache__" in path.parts:
                continue
            target = tree / path.relative_to(REPOSITORY)
            wanted.add(target)
            if not target.exists() or target.read_bytes() != path.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    for top in COPIED:
        for path in sorted((tree / top).rglob("*")):
            if path.is_file() and path not in wanted:
                path.unlink()


def run(command, timeout_s, **more):
    """(status or None if it did not end, what it said). It and all that it started are ended then."""
    with tempfile.TemporaryFile(mode="w+", errors="replace") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **more
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = None
        output.seek(0)
        return status, output.read()


def ninja(build, targets, jobs):
    return run(["ninja", "-C", str(build), "-j", str(jobs), *targets], COMPILE_TIMEOUT_S)


def introspect(build, what):
    command = ["meson", "introspect", f"--{what}", str(build)]
    return json.loads(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout)


def finders(build, jobs):
    made = {}
    for target in introspect(build, "targets"):
        if target["type"] == "executable":
            made[target["id"]] = os.path.relpath(target["filename"][0], build)
    found = []
    for test in introspect(build, "tests"):
        suite = next(iter({each.split(":")[-1] for each in test["suite"]}))
        program = Path(test["cmd"][0])
        wanted = suite in ("unit", "script") or test["name"] == "safety"
        if not wanted or not program.is_relative_to(build) or test["name"].startswith("canary_"):
            continue
        targets = sorted({made[each] for each in test["depends"] if each in made} | {str(program.relative_to(build))})
        folder = os.path.dirname(os.path.relpath(program, build)).removeprefix("tests/unit").strip("/")
        command = [*test["cmd"], *(["--gtest_fail_fast"] if suite == "unit" else [])]
        found.append(Finder(test["name"], suite, command, test["env"], targets, folder=folder))
    for name, first, count in (("binlane-sim", 1, FIRST_SEEDS), (MANY_SEEDS, FIRST_SEEDS + 1, SEEDS - FIRST_SEEDS)):
        seeds = ["--seeds", str(count), "--seed", str(first), "--repeat", str(10**9), "--jobs", str(jobs)]
        found.append(Finder(name, "sim", [str(build / SIMULATOR), *seeds], {}, [SIMULATOR]))
    return found


# --- what depends on what


def unescaped(text):
    return re.sub(r"\$(.)", r"\1", text)


def dependants(build, root):
    """What ninja makes of each file, by its rules, and by the headers that the last compilation has
    read: once by a source file's name in the tree, and once by a target's."""
    by_target = defaultdict(set)
    for line in (build / "build.ninja").read_text().replace("$\n", "").splitlines():
        if line.startswith("build "):
            outputs, inputs = re.split(r"(?<!\$): ", line.removeprefix("build "), maxsplit=1)
            inputs = re.split(r"(?<!\$) \|\| ", inputs)[0]
            for name in re.split(r"(?<!\$) ", inputs)[1:]:
                by_target[unescaped(name)] |= {unescaped(each) for each in re.split(r"(?<!\$) ", outputs)}
    _, said = run(["ninja", "-C", str(build), "-t", "deps"], COMPILE_TIMEOUT_S)
    output = ""
    for line in said.splitlines():
        if line.startswith("    "):
            by_target[line.strip()].add(output)
        elif ": #deps" in line:
            output = line.split(": #deps")[0]
    by_source = defaultdict(set)
    for name, outputs in by_target.items():
        by_source[os.path.relpath((build / name).resolve(), root.resolve())] |= outputs
    return by_source, by_target


def made_anew(name, by_source, by_target):
    """All that has to be made anew when this source file has changed."""
    reached, todo = set(), set(by_source.get(name, ()))
    while todo:
        output = todo.pop()
        if output not in reached:
            reached.add(output)
            todo |= by_target.get(output, set())
    return reached


def digest(path):
    return hashlib.sha256(path.read_bytes()).digest() if path.exists() else b""


def attempt(finder, timeout_s):
    environment = {**os.environ, **finder.environment}
    with tempfile.TemporaryDirectory(prefix="binlane-mutate-") as folder:
        environment["TMPDIR"] = folder
        return run(finder.command, timeout_s, env=environment, cwd=folder)


def measure(all_finders, jobs):
    """Runs everything without a mutant; the names of those that are not green."""

    def one(finder):
        begun = time.monotonic()
        status, _ = attempt(finder, BASELINE_TIMEOUT_S)
        finder.seconds = time.monotonic() - begun
        return finder.name if status != 0 else ""

    simulators = [finder for finder in all_finders if finder.suite == "sim" and finder.targets == [SIMULATOR]]
    with ThreadPoolExecutor(jobs) as pool:
        red = [name for name in pool.map(one, [f for f in all_finders if f not in simulators]) if name]
    return red + [name for name in map(one, simulators) if name]


# --- one mutant


def likeliest(flip, candidates):
    """Batches of finders: the tests of its folder, scripts, a few seeds, the rest, many seeds."""
    folder = os.path.dirname(flip.file.removeprefix("src/"))

    def rank(finder):
        if finder.name == MANY_SEEDS:
            return 6
        if finder.name == "binlane-sim":
            return 4
        if finder.suite == "sim":
            return 3
        if finder.suite == "unit" and finder.folder == folder:
            return 1
        if finder.suite == "script":
            return 2 if folder.startswith("dataplane") else 3
        return 5

    ordered = sorted(candidates, key=lambda finder: (rank(finder), finder.seconds, finder.name))
    batch, before = [], None
    for finder in ordered:
        of_one_program = batch and finder.targets == batch[0].targets
        if batch and (rank(finder) != before or (len(batch) >= TESTS_AT_ONCE and not of_one_program)):
            yield batch
            batch = []
        before = rank(finder)
        batch.append(finder)
    if batch:
        yield batch


def look(build, tree, flip, all_finders, graph, jobs, limit_s):
    """Makes the mutant, and looks for it until somebody finds it."""
    outcome, begun = Outcome(flip), time.monotonic()
    anew = made_anew(flip.file, *graph)
    candidates = [finder for finder in all_finders if anew & set(finder.targets)]
    before = {target: digest(build / target) for finder in candidates for target in finder.targets}
    path = tree / flip.file
    original = path.read_text()
    path.write_text(original[: flip.begin] + flip.after + original[flip.end :])
    touched, changed = set(), False
    try:
        for batch in likeliest(flip, candidates):
            if time.monotonic() - begun > limit_s:
                outcome.in_time = False
                break
            targets = {target for finder in batch for target in finder.targets}
            touched |= targets
            status, _ = ninja(build, sorted(targets), jobs)
            if status != 0:
                outcome.compiled = False
                break
            moved = {target for target in targets if digest(build / target) != before[target]}
            changed = changed or bool(moved)

            def one(finder):
                if outcome.found_by:
                    return
                limit = max(OVERDUE_MIN_S, OVERDUE_FACTOR * finder.seconds)
                status, _ = attempt(finder, limit)
                if status != 0 and not outcome.found_by:
                    outcome.found_by = finder.name + (" (did not end)" if status is None else "")

            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(one, [finder for finder in batch if moved & set(finder.targets)]))
            if outcome.found_by:
                break
    finally:
        path.write_text(original)
        outcome.same_programs = outcome.compiled and outcome.in_time and not changed
        # From the compiler's cache, where there is one.
        ninja(build, sorted(touched), jobs)
    outcome.seconds = time.monotonic() - begun
    return outcome


def report(outcomes, seed):
    judged = [outcome for outcome in outcomes if outcome.compiled and not outcome.same_programs and outcome.in_time]
    return {
        "seed": seed,
        "made": len(outcomes),
        "compiled": sum(1 for outcome in outcomes if outcome.compiled),
        "changes_no_program": sum(1 for outcome in outcomes if outcome.same_programs),
        "undecided": sum(1 for outcome in outcomes if not outcome.in_time),
        "judged": len(judged),
        "found": sum(1 for outcome in judged if outcome.found_by),
        "survivors": [
            {"file": outcome.flip.file, "line": outcome.flip.line, "change": outcome.flip.change}
            for outcome in judged
            if not outcome.found_by
        ],
    }


def main():
    parser = argparse.ArgumentParser(prog="./dev mutate", allow_abbrev=False)
    parser.add_argument("--count", type=int, default=20, help="mutants to make")
    parser.add_argument("--from", dest="first", type=int, default=0, help="pass over so many of them")
    parser.add_argument("--seconds", type=int, default=900, help="how long to look for one mutant")
    parser.add_argument("--seed", type=int, help="what draws them; without it, one that is printed")
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--within", default="src/", help="only in files whose names begin so")
    parser.add_argument("--list", action="store_true", help="print the mutants, and make none")
    parser.add_argument("--build", default=str(REPOSITORY / "build-mutate"), help="folder of the copy")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1, 2**31)
    tree = Path(arguments.build).resolve()
    # Where the repository's own builds are in it, so that the compiler's cache knows what they made.
    build = tree / BUILD
    tree.mkdir(parents=True, exist_ok=True)
    copy_tree(tree)
    known = all_flips(tree, arguments.within)
    random.Random(seed).shuffle(known)
    drawn = known[arguments.first : arguments.first + arguments.count]
    print(f"seed {seed}: {len(drawn)} of {len(known)} mutants", flush=True)
    if arguments.list:
        for flip in drawn:
            print(f"{flip.file}:{flip.line}: {flip.change}")
        return 0
    if not (build / "build.ninja").exists():
        setup = ["meson", "setup", str(build), str(tree), *MESON_OPTIONS]
        linker = {"CXX_LD": "mold"} if shutil.which("mold") else {}
        status, said = run(setup, COMPILE_TIMEOUT_S, env={**linker, **os.environ})
        if status != 0:
            sys.exit(said)
    all_finders = finders(build, arguments.jobs)
    status, said = ninja(build, sorted({target for finder in all_finders for target in finder.targets}), arguments.jobs)
    if status != 0:
        sys.exit(f"{said[-4000:]}\nmutate: the tree does not compile as it is")
    graph = dependants(build, tree)
    red = measure(all_finders, arguments.jobs)
    if red:
        sys.exit(f"mutate: red without a mutant, so that their finds would mean nothing: {', '.join(red)}")
    outcomes = []
    for flip in drawn:
        outcome = look(build, tree, flip, all_finders, graph, arguments.jobs, arguments.seconds)
        outcomes.append(outcome)
        place = f"{flip.file}:{flip.line}: {flip.change}"
        print(f"{outcome.seconds:5.0f} s  {place}: {outcome.verdict}", flush=True)
        # A run that is ended early has said what it found so far.
        if arguments.json:
            Path(arguments.json).write_text(json.dumps(report(outcomes, seed), indent=2) + "\n")
    result = report(outcomes, seed)
    print(", ".join(f"{key} {result[key]}" for key in result if key != "survivors"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
