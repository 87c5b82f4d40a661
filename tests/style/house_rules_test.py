"""Rules of the house that no compiler knows: how long a file is, who may include whom, what the
planted bugs look like, and what every comment begins and does not say.
"""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(sys.argv.pop())
SRC = ROOT / "src"
LINES_MAX = 400
MUTANT_LIST = SRC / "base" / "mutant.h"
UNFINISHED = re.compile(r"//.*\b(TODO|FIXME|XXX)\b")
OLD_FORM = re.compile(r"(?<![\w])mutant\s*\(\s*Mutant::(\w+)|(?<![\w])mutant\s*\(\s*[a-z]\w*\s*\)")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield path


def name_of(path):
    return str(path.relative_to(ROOT))


def without_comments(text):
    """The same lines, with comments and what stands between quotes blanked out."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def arguments(text, begin):
    """The macro's arguments from its opening parenthesis on, and where it ends."""
    depth, at, found = 0, begin, [begin + 1]
    while True:
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
            if depth == 0:
                break
        elif text[at] == "," and depth == 1 and len(found) < 3:
            found.append(at + 1)
        at += 1
    ends = [start - 1 for start in found[1:]] + [at]
    return [text[start:end].strip() for start, end in zip(found, ends)], at


class HouseRules(unittest.TestCase):
    def test_files_are_short(self):
        long = [name_of(path) for path in sources("src") if len(path.read_text().splitlines()) > LINES_MAX]
        self.assertEqual(long, [], f"more than {LINES_MAX} lines")

    def test_includes_go_down_only(self):
        rooms = re.findall(r"^subdir\('([\w/]+)'\)", (SRC / "meson.build").read_text(), re.MULTILINE)

        def room(path):
            return max((r for r in rooms if path.startswith(r + "/")), key=len, default=None)

        wrong = []
        for path in sources("src"):
            own = room(str(path.relative_to(SRC)))
            self.assertIsNotNone(own, f"{name_of(path)} is in no folder that src/meson.build lists")
            for included in INCLUDE.findall(path.read_text()):
                if included.startswith("binlane/"):
                    continue
                other = room(included)
                if other is None or rooms.index(other) > rooms.index(own):
                    wrong.append(f"{name_of(path)} includes {included}")
        for path in sources("include"):
            wrong += [
                f"{name_of(path)} includes {included}"
                for included in INCLUDE.findall(path.read_text())
                if not included.startswith("binlane/")
            ]
        self.assertEqual(wrong, [], "a folder includes what src/meson.build lists before it")

    def test_mutants_are_expressions(self):
        known = re.findall(r"X\(\s*(\w+),", MUTANT_LIST.read_text().replace("\\\n", " "))
        planted, wrong = set(), []
        for path in sources("src"):
            if path == MUTANT_LIST or path.name == "mutant.cpp":
                continue
            text = without_comments(path.read_text())
            for match in OLD_FORM.finditer(text):
                wrong.append(f"{name_of(path)}: {match.group()} is no BL_MUTANT(name, wrong, right)")
            places = list(re.finditer(r"BL_MUTANT\s*\(", text))
            for match in places:
                (name, *values), end = arguments(text, match.end() - 1)
                planted.add(name)
                if len(values) != 2 or not all(values):
                    wrong.append(f"{name_of(path)}: BL_MUTANT({name}…) wants wrong and right")
                    continue
                if set(values) == {"true", "false"}:
                    wrong.append(f"{name_of(path)}: {name} is a named bool: say what it gets wrong")
                statement = text[match.end() : end + re.search(r"[;{]|\Z", text[end:]).start()]
                if "BL_MUTANT" in statement:
                    wrong.append(f"{name_of(path)}: {name} is not the only one in its statement")
        self.assertEqual(wrong, [])
        self.assertEqual(sorted(set(known) - planted), [], "listed, and planted nowhere")
        self.assertEqual(sorted(planted - set(known)), [], "planted, and not listed")

    def test_mutants_are_planted_in_production_alone(self):
        found = [
            name_of(path)
            for path in sources("tests", "bench")
            if re.search(r"(?<!\w)(BL_MUTANT|mutant)\s*\(", without_comments(path.read_text()))
        ]
        self.assertEqual(sorted(set(found)), [])

    def test_every_header_says_what_it_is(self):
        silent = [
            name_of(path)
            for path in sources("src", "include")
            if path.suffix == ".h" and not path.read_text().startswith("// ")
        ]
        self.assertEqual(silent, [], "a header begins with a comment: what it is, and for whom")

    def test_every_header_is_taken_once(self):
        twice = [
            name_of(path)
            for path in sources("src", "include", "tests", "bench")
            if path.suffix == ".h" and "#pragma once\n" not in path.read_text()
        ]
        self.assertEqual(twice, [])

    def test_nothing_is_left_for_later(self):
        later = [
            f"{name_of(path)}:{number}"
            for path in sources("src", "include", "tests", "bench")
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if UNFINISHED.search(line)
        ]
        self.assertEqual(later, [])

    def test_every_folder_has_its_line(self):
        rooms = re.findall(r"^subdir\('([\w/]+)'\)", (SRC / "meson.build").read_text(), re.MULTILINE)
        page = (SRC / "README.md").read_text()
        self.assertEqual([room for room in rooms if f"| `{room}/` |" not in page], [])
        unit = (ROOT / "tests" / "unit" / "meson.build").read_text()
        mirrored = [room for room in re.findall(r"subdir\('([\w/]+)'\)", unit) if room not in ("bench", "include")]
        self.assertEqual([room for room in mirrored if room not in rooms], [])


if __name__ == "__main__":
    unittest.main()
