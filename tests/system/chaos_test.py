"""Chaos on real servers, short; and its instruments, which must notice what they are there for."""

import itertools
import json
import shutil
import struct
import subprocess
import sys
import unittest

import harness
from lab import chaos_audit, journal, rows, verify
from lab.chaos_plan import plan
from lab.cluster import short_folder
from lab.load import Transaction

MINUTES = 0.5
SEED = 3
TIMEOUT_S = 700
STEPS = 500


def sealed(sequence, kind, position, payload, previous_crc):
    """A journal block, by docs/JOURNAL_FORMAT.md."""
    raw = bytearray(journal.BLOCK_SIZE)
    struct.pack_into("<4sHHQQQ", raw, 0, journal.MAGIC, journal.VERSION, kind, 7, sequence, 0)
    struct.pack_into("<QII", raw, 40, position[1], position[0], len(payload))
    struct.pack_into("<I", raw, 76, previous_crc)
    raw[journal.HEADER_SIZE : journal.HEADER_SIZE + len(payload)] = payload
    struct.pack_into("<I", raw, journal.INTEGRITY_AT, journal.crc32c(raw))
    return bytes(raw)


class JournalReader(unittest.TestCase):
    """The lab's own reader of journals, on rings made here."""

    def setUp(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        self.ring = folder / "journal"
        self.binlog = folder / "binlog.000001"
        self.binlog.write_bytes(b"0123456789" * 3 + b"tail")
        self.blocks = []

    def add(self, kind, position, payload=b"", link=None):
        previous = self.blocks[-1][1] if self.blocks else 0
        sequence = len(self.blocks) + 1
        raw = sealed(sequence, kind, position, payload, previous if link is None else link)
        self.blocks.append((raw, struct.unpack_from("<I", raw, journal.INTEGRITY_AT)[0]))

    def write(self):
        self.ring.write_bytes(b"".join(raw for raw, _ in self.blocks) + bytes(4096))

    def read(self):
        self.write()
        return journal.differences(self.ring, {1: self.binlog})

    def test_checksum(self):
        self.assertEqual(journal.crc32c(b"123456789"), 0xE3069283)

    def test_good(self):
        self.add(journal.KIND_DATA, (1, 0), b"0123456789")
        self.add(journal.KIND_DATA, (1, 10), b"0123456789")
        self.assertEqual(self.read(), ((1, 20), []))
        self.add(journal.KIND_FILE_END, (1, 34), bytes(32))
        self.assertEqual(self.read(), ((2, 0), []))

    def test_blank(self):
        self.ring.write_bytes(bytes(8 * journal.BLOCK_SIZE))
        self.assertEqual(journal.differences(self.ring, {}), (None, []))

    def test_other_bytes(self):
        self.add(journal.KIND_DATA, (1, 0), b"0123456789")
        self.add(journal.KIND_DATA, (1, 10), b"0123x56789")
        self.assertEqual(len(self.read()[1]), 1)

    def test_the_in_use_flag_may_differ(self):
        self.add(journal.KIND_DATA, (1, 20), b"0x23456789")
        self.assertEqual(self.read(), ((1, 30), []))
        self.blocks = []
        self.add(journal.KIND_DATA, (1, 20), b"01x3456789")
        self.assertEqual(len(self.read()[1]), 1)

    def test_damage_and_a_foreign_successor_end_the_log(self):
        self.add(journal.KIND_DATA, (1, 0), b"0123456789")
        self.add(journal.KIND_DATA, (1, 10), b"0123456789")
        self.write()
        whole = self.ring.read_bytes()
        damaged = bytearray(whole)
        damaged[journal.BLOCK_SIZE + journal.HEADER_SIZE] ^= 1
        self.ring.write_bytes(damaged)
        self.assertEqual(journal.tail(self.ring)[0], (1, 10))
        self.blocks.pop()
        self.add(journal.KIND_DATA, (1, 10), b"0123456789", link=1)
        self.assertEqual(self.read()[0], (1, 10))

    def test_cut(self):
        self.add(journal.KIND_DATA, (1, 0), b"0123456789")
        self.add(journal.KIND_DATA, (1, 10), b"0123456789")
        self.add(journal.KIND_CUT, (1, 5))
        self.write()
        self.assertEqual(journal.tail(self.ring), ((1, 5), {(1, 0): b"01234"}))


class Audit(unittest.TestCase):
    """Every kind of bad news, once."""

    ACKNOWLEDGED = [Transaction(1, 0, 2, 0, 1), Transaction(2, 0, 1, 0, 1)]
    POSITIONS = {(1, 0): (1, 100), (1, 1): (1, 100), (2, 0): (1, 200)}

    def test_lost_at_the_source(self):
        positions = {key: at for key, at in self.POSITIONS.items() if key != (2, 0)}
        self.assertEqual(
            chaos_audit.under_quorum(self.ACKNOWLEDGED, positions, [])[1], [(2, 0)]
        )

    def test_the_ledger_excuses_what_it_names(self):
        exposed = [verify.Interval((1, 100), (1, 200))]
        counted, missing = chaos_audit.under_quorum(self.ACKNOWLEDGED, self.POSITIONS, exposed)
        self.assertEqual((set(counted), missing), ({(1, 0), (1, 1)}, []))

    def test_fewer_copies_than_a_quorum(self):
        ends = {"r1": (1, 200), "r2": (1, 199), "r3": (1, 150)}
        losses = chaos_audit.losses_without_source(self.POSITIONS, ends, 2)
        self.assertEqual(len(losses), 1, losses)
        self.assertIn("(2, 0)", losses[0])

    def test_one_gtid_two_contents(self):
        books = chaos_audit.Books()
        books.note(rows.Group("0-1-7", (1, 100), ((1, 0),)), "here")
        books.note(rows.Group("0-1-7", (2, 300), ((1, 0),)), "there")
        self.assertEqual(books.conflicts, [])
        books.note(rows.Group("0-1-7", (1, 100), ((1, 1),)), "there")
        self.assertEqual(len(books.conflicts), 1)
        self.assertEqual(books.split_acks({(1, 0): (1, 100)}), [])
        self.assertEqual(len(books.split_acks({(1, 0): (1, 100), (1, 1): (1, 100)})), 1)


class Plan(unittest.TestCase):
    def first(self, seed, **options):
        return list(itertools.islice(plan(seed, ("r1", "r2"), **options), STEPS))

    def test_a_seed_means_its_steps(self):
        self.assertEqual(self.first(1), self.first(1))
        self.assertNotEqual(self.first(1), self.first(2))

    def test_everybody_is_hit_in_every_way_and_healed(self):
        steps = self.first(1)
        hits = {(hit.target, hit.kind) for step in steps for hit in step.hits}
        self.assertEqual(len(hits), 6 * 3)
        for step in steps:
            self.assertEqual(sorted(step.heal_order), sorted(hit.target for hit in step.hits))

    def test_promotions_change_nothing_else(self):
        with_promotions = self.first(1, promotions=True)
        self.assertTrue(any(step.promote for step in with_promotions))
        self.assertFalse(any(step.promote for step in self.first(1)))
        self.assertEqual(
            [step.hits for step in with_promotions], [step.hits for step in self.first(1)]
        )


class Chaos(unittest.TestCase):
    def test_short_run(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        report = folder / "out.json"
        arguments = ["chaos", "--minutes", MINUTES, "--seed", SEED, "--json", report]
        done = subprocess.run(
            [sys.executable, "-m", "lab", *map(str, arguments)],
            cwd=harness.REPOSITORY / "tools",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        result = json.loads(report.read_text())
        self.assertIs(result["ok"], True)
        self.assertEqual((result["acked_lost"], result["split_acks"]), (0, 0))
        for key in ("kills", "acked", "acked_under_quorum", "audits"):
            self.assertGreater(result[key], 0, key)
        self.assertGreaterEqual(result["promotions"], 0)


if __name__ == "__main__":
    harness.main()
