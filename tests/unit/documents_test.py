"""docs/SAFETY.md and docs/GLOSSARY.md name what is there: every rule that the project cites, every
planted bug under its own rule, and tests, files and sections that exist. The pages that guide a
newcomer through src/ name files that exist. A number beside a constant's marker is that constant.
What ./dev says of the simulator's options is what the simulator takes.
"""

import os
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(sys.argv.pop())
SAFETY = "docs/SAFETY.md"
PAGES = (SAFETY, "docs/GLOSSARY.md")
# These name files by their paths below src/.
GUIDES = ("src/README.md", "docs/ARCHITECTURE.md", "docs/PROTOCOL.md")
RULES = {f"I{number}" for number in range(1, 9)} | {f"S{number}" for number in range(1, 27)}
RINGS = ("tests/unit", "tests/sim", "tests/system", "tests/hosts")
# The one that its own rule's entry mentions for another one's sake.
ASIDE = re.compile(r"\(`fencing_not_caught_up`.*?\)")


# In these pages each number with a unit has the constant that it comes from beside it, as an
# expression in a comment: 100 ms<!-- kKeepaliveNs -->, or with its file before it if more than one
# file has a constant of that name.
FORMATS = ("docs/PROTOCOL.md", "docs/JOURNAL_FORMAT.md")
MARKED = re.compile(r"(\d[\d.]*(?:\^\d+)?)(?: (\w+))?<!-- (?:(\w+\.h): )?(.+?) -->")
UNMARKED = re.compile(r"\d[\d.]* (?:µs|ms|s|KiB|MiB|GiB|bytes|blocks|frames|packets)\b(?!<!--)")
# No constant says these: a field's part, and what four rounds of digests add up to.
NO_CONSTANT = ("first 4 of 16 bytes", "64 MiB take four rounds")
UNITS = {"µs": 10**3, "ms": 10**6, "s": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def text(path):
    return (ROOT / path).read_text(errors="replace")


def unwrapped(path):
    return re.sub(r"\n +", " ", text(path))


def planted():
    """Names of the planted bugs, and the rule of each."""
    header = text("src/base/mutant.h").replace("\\\n", " ")
    entries = re.findall(r'X\(\s*(\w+),\s*"([^"]*)",\s*"([^"]*)"\)', header)
    return {name: rule for name, rule, _ in entries}


def anchors(path):
    headings = re.findall(r"^#+ (.*)$", text(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower().strip()).replace(" ", "-") for each in headings}


def files(suffixes):
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each != ".git" and not each.startswith("build")]
        for name in names:
            if name.endswith(suffixes):
                yield Path(folder) / name


class Constants:
    """The constants that headers and sources define, and the sizes that they assert."""

    DEFINED = re.compile(r"constexpr\s+[\w:]+\s+(k\w+)\s*=\s*([^;]+);")
    SIZED = re.compile(r"static_assert\(sizeof\((?:\w+::)?(\w+)\) == ([^)]+)\)")

    def __init__(self):
        self.expressions, self.sizes = {}, {}  # {name: {file: expression}}, {struct: size}
        for root in ("include", "src"):
            for path in sorted((ROOT / root).rglob("*")):
                if path.suffix not in (".h", ".cpp"):
                    continue
                source = re.sub(r"//[^\n]*", "", path.read_text())
                for name, expression in self.DEFINED.findall(source):
                    if not re.search(rf"\b{name}\b", expression):  # else another namespace's
                        self.expressions.setdefault(name, {})[path.name] = expression
                for name, size in self.SIZED.findall(source):
                    self.sizes[name] = size

    def value(self, expression, file=None):
        """The value of a C++ expression over constants; `file` contains it."""
        plain = re.sub(r"(?<=\d)'(?=\d)", "", expression)
        plain = re.sub(r"std::(?:u?int\d+_t|size_t)\{([^{}]*)\}", r"(\1)", plain)
        plain = re.sub(r"sizeof\((?:\w+::)?(\w+)\)", lambda m: f"({self.sizes[m[1]]})", plain)
        plain = re.sub(r"(?:\w+::)*(k[A-Z]\w*)", lambda m: f"({self.named(m[1], file)})", plain)
        plain = re.sub(r"\b(0x[\da-f]+|\d+)[uUlL]+\b", r"\1", plain).replace("/", "//")
        if not re.fullmatch(r"[\d\sx()<>+*/-]+", plain):
            raise ValueError(f"cannot compute {expression!r}: {plain!r}")
        return eval(plain)  # numbers and operators alone, as was just checked

    def named(self, name, file):
        """The constant of this file, or the only one of that name."""
        found = self.expressions.get(name, {})
        found = {file: found[file]} if file in found else found
        values = {self.value(expression, place) for place, expression in found.items()}
        if len(values) != 1:
            raise ValueError(f"{name} has {len(values)} values in {sorted(found)}: name the file")
        return values.pop()


class Formats(unittest.TestCase):
    def test_every_number_beside_a_marker_is_its_constant(self):
        constants = Constants()
        for page in FORMATS:
            marked = MARKED.findall(text(page))
            self.assertEqual(len(marked), text(page).count("<!-- "), f"{page}: a marker stands alone")
            for number, unit, file, expression in marked:
                base, _, power = number.partition("^")
                said = float(base) ** int(power or 1) * UNITS.get(unit, 1)
                self.assertEqual(said, constants.value(expression, file), f"{page}: {number} {unit}, {expression}")

    def test_every_number_with_a_unit_has_a_marker(self):
        for page in FORMATS:
            rest = text(page)
            for known in NO_CONSTANT:
                rest = rest.replace(known, "")
            self.assertEqual(UNMARKED.findall(rest), [], page)


class Safety(unittest.TestCase):
    def sections(self):
        for section in re.split(r"^### ", unwrapped(SAFETY), flags=re.MULTILINE)[1:]:
            yield section.split("\n")[0].strip(), section

    def test_every_rule_has_its_entry(self):
        self.assertEqual(sorted(rule for rule, _ in self.sections()), sorted(RULES))

    def test_every_rule_that_is_cited_is_defined(self):
        cited = set()
        for path in files((".h", ".cpp", ".py", ".md", ".script")):
            cited |= set(re.findall(r"(?<![\w./-])([SI]\d{1,2})(?![\w-])", path.read_text(errors="replace")))
        self.assertEqual(cited - RULES, set())

    def test_every_planted_bug_is_under_its_rule_once(self):
        rules = planted()
        found = []
        for rule, section in self.sections():
            line = re.search(r"^\* Planted bugs: (.*)$", section, re.MULTILINE)
            self.assertIsNotNone(line, rule)
            names = re.findall(r"`(\w+)`", ASIDE.sub("", line.group(1)))
            for name in names:
                self.assertEqual(rules.get(name), rule, name)
            found += names
        without = re.findall(r"^\| `(\w+)` \|", unwrapped(SAFETY), re.MULTILINE)
        for name in without:
            self.assertEqual(rules.get(name), "-", name)
        self.assertEqual(sorted(found + without), sorted(rules))

    def test_every_test_that_is_named_exists(self):
        page = unwrapped(SAFETY)
        for program, case in set(re.findall(r"`(\w+_(?:test|check))\.(\w+)`", page)):
            sources = [
                path
                for ring in RINGS
                for end in (".cpp", ".py")
                for path in (ROOT / ring).rglob(program + end)
            ]
            pattern = rf"TEST(_F|_P)?\(\s*\w+,\s*{case}\)|class {case}\b|def {case}\("
            self.assertTrue(
                any(re.search(pattern, path.read_text()) for path in sources),
                f"{program}.{case}",
            )
        for script in set(re.findall(r"`(\w+\.script)`", page)):
            self.assertTrue((ROOT / "tests/script" / script).exists(), script)


class Scripts(unittest.TestCase):
    def test_dev_knows_the_options_of_the_simulator(self):
        usage = re.search(r"^sim_usage\(\).*?^TEXT$", text("dev"), re.MULTILINE | re.DOTALL).group()
        listed = {name: bool(value) for name, value in re.findall(r"^  (--[a-z]+)( [A-Z])?", usage, re.MULTILINE)}
        own = re.findall(r'add_(option|flag)\("(--[a-z]+)"', text("tests/sim/main.cpp"))
        self.assertEqual(listed, {name: kind == "option" for kind, name in own})


class Pages(unittest.TestCase):
    def test_every_path_that_is_named_exists(self):
        for page in PAGES:
            for path in set(re.findall(r"`((?:src|tests|include|tools|docs)/[\w./-]+)`", text(page))):
                self.assertTrue((ROOT / path).exists(), f"{page}: {path}")

    def test_every_source_file_of_a_guide_exists(self):
        for page in GUIDES:
            found = re.findall(r"`((?:base|storage|dataplane|shim|control)/[\w./-]*)`", text(page))
            self.assertTrue(found, page)
            for path in set(found):
                self.assertTrue((ROOT / "src" / path).exists(), f"{page}: {path}")

    def test_every_link_leads_somewhere(self):
        for page in PAGES:
            for other, anchor in set(re.findall(r"\]\(([A-Z]+\.md)?(#[\w-]*)?\)", text(page))):
                target = f"docs/{other}" if other else page
                self.assertTrue((ROOT / target).exists(), f"{page}: {target}")
                if anchor:
                    self.assertIn(anchor[1:], anchors(target), page)


if __name__ == "__main__":
    unittest.main()
