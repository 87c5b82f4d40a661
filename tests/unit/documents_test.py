"""docs/SAFETY.md and docs/GLOSSARY.md name what is there: every rule that the project cites, every
planted bug under its own rule, and tests, files and sections that exist.
"""

import os
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(sys.argv.pop())
SAFETY = "docs/SAFETY.md"
PAGES = (SAFETY, "docs/GLOSSARY.md")
RULES = {f"I{number}" for number in range(1, 9)} | {f"S{number}" for number in range(1, 27)}
RINGS = ("tests/unit", "tests/sim", "tests/system", "tests/hosts")
# The one that its own rule's entry mentions for another one's sake.
ASIDE = re.compile(r"\(`fencing_not_caught_up`.*?\)")


def text(path):
    return (ROOT / path).read_text(errors="replace")


def unwrapped(path):
    return re.sub(r"\n +", " ", text(path))


def planted():
    """Names of the planted bugs, and the rule of each."""
    header = text("src/base/canary.h").replace("\\\n", " ")
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
            sources = [ROOT / ring / (program + end) for ring in RINGS for end in (".cpp", ".py")]
            pattern = rf"TEST(_F|_P)?\(\s*\w+,\s*{case}\)|class {case}\b|def {case}\("
            self.assertTrue(
                any(re.search(pattern, path.read_text()) for path in sources if path.exists()),
                f"{program}.{case}",
            )
        for script in set(re.findall(r"`(\w+\.script)`", page)):
            self.assertTrue((ROOT / "tests/script" / script).exists(), script)


class Pages(unittest.TestCase):
    def test_every_path_that_is_named_exists(self):
        for page in PAGES:
            for path in set(re.findall(r"`((?:src|tests|include|tools|docs)/[\w./-]+)`", text(page))):
                self.assertTrue((ROOT / path).exists(), f"{page}: {path}")

    def test_every_link_leads_somewhere(self):
        for page in PAGES:
            for other, anchor in set(re.findall(r"\]\(([A-Z]+\.md)?(#[\w-]*)?\)", text(page))):
                target = f"docs/{other}" if other else page
                self.assertTrue((ROOT / target).exists(), f"{page}: {target}")
                if anchor:
                    self.assertIn(anchor[1:], anchors(target), page)


if __name__ == "__main__":
    unittest.main()
