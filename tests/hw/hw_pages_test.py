"""hw/README.md, hw/NICS.md and docs/DEPLOY.md say what the program does: options, verbs, exit codes, files."""

import argparse
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from hw_case import commands, exit_code, options

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "hw/README.md").read_text()
DEPLOY = (ROOT / "docs/DEPLOY.md").read_text()
PAGES = (README, (ROOT / "hw/NICS.md").read_text(), DEPLOY)
NO_OPTIONS = {"--help"}
TIMEOUT_S = 60


def verbs():
    action = next(a for a in options.parser()._actions if isinstance(a, argparse._SubParsersAction))
    return action.choices


class Pages(unittest.TestCase):
    def test_exit_codes(self):
        table = README.partition("| exit code | |")[2].partition("\n\n")[0]
        documented = sorted(int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE))
        known = sorted(value for value in vars(exit_code).values() if isinstance(value, int))
        self.assertEqual(documented, known)

    def test_verbs(self):
        table = README.partition("| verb | what it does |")[2].partition("\n\n")[0]
        documented = re.findall(r"^\| `(\w+)", table, re.MULTILINE)
        self.assertEqual(sorted(documented), sorted(verbs()))
        for verb in verbs():
            self.assertTrue(hasattr(commands.Commands, verb))

    def test_options(self):
        """Each option, and the verbs that have it."""
        table = README.partition("| option | of | what |")[2].partition("\n\n")[0]
        documented = {}
        for option, of in re.findall(r"^\| `(--[\w-]+)[^|]*\| ([^|]+) \|", table, re.MULTILINE):
            documented[option] = set(verbs()) if of == "all" else set(re.findall(r"`(\w+)`", of))
        known = {}
        for verb, parser in verbs().items():
            for action in parser._actions:
                for option in set(action.option_strings) - NO_OPTIONS:
                    if option.startswith("--"):
                        known.setdefault(option, set()).add(verb)
        self.assertEqual(documented, known)

    def test_every_path_that_is_named_exists(self):
        for page in PAGES:
            for path in set(re.findall(r"(?<![\w/-])((?:hw|packaging|tests|docs)/[\w./*-]*\w)", page)):
                self.assertTrue(list(ROOT.glob(path)), path)

    def test_what_is_installed_runs(self):
        """The page's own block, in a folder in place of the machine: also through the link in /usr/sbin."""
        block = re.search(r"^<!-- block: hw -->\n```sh\n(.*?)^```$", DEPLOY, re.MULTILINE | re.DOTALL)[1]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "usr/sbin").mkdir(parents=True)
            script = re.sub(r"(?<= )/(?=usr|etc)", f"{folder}/", block)
            subprocess.run(["sh", "-ec", script], cwd=ROOT, timeout=TIMEOUT_S, check=True)
            program = Path(folder, "usr/sbin/binlane-hw")
            done = subprocess.run(
                [program, "up", "--help"], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
            )
            self.assertIn("--hugepages", done.stdout)

    def test_the_boot_units_words(self):
        """hw.conf's are the options of `up`."""
        words = re.search(r"BINLANE_HW=\"(.*?)\"", DEPLOY)[1].split()
        self.assertEqual(options.parser().parse_args(["up", *words]).nic, ["0000:01:00.0"])
        unit = (ROOT / "packaging/systemd/binlane-hw.service").read_text()
        self.assertIn("ExecStart=/usr/sbin/binlane-hw up $BINLANE_HW\n", unit)

    def test_every_command_that_is_shown_is_one(self):
        """Of all pages that show how it is called."""
        shown = 0
        for path in (*ROOT.glob("hw/*.md"), *ROOT.glob("docs/*.md")):
            for words in re.findall(r"(?:^|`)binlane-hw ([a-z][^#\n`…]*)", path.read_text(), re.MULTILINE):
                options.parser().parse_args(words.split())
                shown += 1
        self.assertGreater(shown, 6)


if __name__ == "__main__":
    unittest.main()
