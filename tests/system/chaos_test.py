"""Chaos on real servers, short; and its instruments, which must notice what they are there for."""

import itertools
import json
import shutil
import struct
import subprocess
import sys
import unittest
import uuid
from types import SimpleNamespace
from unittest import mock

import harness
from lab.audit import journal, rows, verify
from lab.chaos import audit as chaos_audit, terms as chaos_terms
from lab.chaos.plan import plan
from lab.servers import flavour
from lab.servers.fleet import short_folder
from lab.traffic.load import Transaction

MINUTES = 0.4
# Its second step promotes.
SEED = 2
TIMEOUT_S = 700
STEPS = 500
FIRST_UUID = "c80a54d1-ed28-11f1-8ea2-02fc00000001"
SECOND_UUID = "ceb89f7c-ed28-11f1-80b1-02fc00000001"


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


    def test_blocks_of_an_older_stream_are_left_out(self):
        self.add(journal.KIND_DATA, (7, 0), b"another stream")
        self.add(journal.KIND_DATA, (1, 0), b"0123456789")
        self.write()
        self.assertEqual(journal.differences(self.ring, {1: self.binlog}, behind=1), ((1, 10), []))

    def superblock(self, *slots):
        """A record of (sequence, payload)."""
        raw = bytearray(2 * journal.SLOT_SIZE)
        for sequence, payload in slots:
            slot = bytearray(journal.SLOT_SIZE)
            slot[:8] = journal.SLOT_MAGIC
            struct.pack_into("<Q", slot, 16, sequence)
            slot[journal.SLOT_HEADER_SIZE : journal.SLOT_HEADER_SIZE + len(payload)] = payload
            struct.pack_into("<I", slot, journal.SLOT_CRC_AT, journal.crc32c(slot))
            at = sequence % 2 * journal.SLOT_SIZE
            raw[at : at + journal.SLOT_SIZE] = slot
        path = self.ring.with_name("journal.meta")
        path.write_bytes(raw)
        return path

    @staticmethod
    def meta(origin, term, archived, own_folder):
        payload = bytearray(210)
        payload[:8] = journal.META_MAGIC
        payload[32:48] = origin.bytes
        struct.pack_into("<I", payload, 48, term)
        struct.pack_into("<Q", payload, 64, archived)
        payload[186] = own_folder
        return payload

    def test_superblock(self):
        origin = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
        old, new = self.meta(origin, 1, 5, 0), self.meta(origin, 2, 9, 1)
        path = self.superblock((4, old), (5, new))
        found = journal.superblock(path)
        self.assertEqual((found.term, found.archived_sequence), (2, 9))
        self.assertEqual(found.folder, f"{origin}.2")
        # A slot that is torn does not count.
        raw = bytearray(path.read_bytes())
        raw[journal.SLOT_SIZE + 2000] ^= 1
        path.write_bytes(raw)
        self.assertEqual((journal.superblock(path).term, journal.superblock(path).folder), (1, "."))
        nobody = self.superblock((6, self.meta(uuid.UUID(int=0), 0, 9, 1)))
        self.assertIsNone(journal.superblock(nobody))


class Terms(unittest.TestCase):
    """What is believed of sources that come and go."""

    class FakeTerm(chaos_terms.Term):
        """Rows and ledger as given."""

        def rows(self, books):
            return self.positions

    def term(self, number, positions, intervals=(), seal=None):
        term = self.FakeTerm(number, None, f"origin {number}", 1, seal)
        term.folder, term.positions, term.intervals = "aside", positions, list(intervals)
        return term

    def judge(self, *terms, ended_ns=1):
        found, doubled = chaos_terms.places(terms, None)
        acknowledged = [Transaction(1, 0, 1, 0, ended_ns), Transaction(2, 0, 1, 0, ended_ns)]
        counted, missing = chaos_terms.under_quorum(acknowledged, found)
        return set(counted), missing, doubled

    def test_each_row_is_judged_by_its_own_term(self):
        exposed = [verify.Interval((1, 50), None)]
        one = self.term(1, {(1, 0): (1, 100)}, exposed)
        two = self.term(2, {(2, 0): (1, 100)})
        self.assertEqual(self.judge(one, two), ({(2, 0)}, [], []))

    def test_a_row_in_no_term_is_missing_and_one_in_two_is_doubled(self):
        one, two = self.term(1, {(1, 0): (1, 100)}), self.term(2, {(1, 0): (1, 100)})
        counted, missing, doubled = self.judge(one, two)
        self.assertEqual((counted, missing, len(doubled)), ({(1, 0)}, [(2, 0)], 1))

    def test_what_a_source_says_after_its_end_excuses_nothing_before(self):
        rows_at = {(1, 0): (1, 100), (2, 0): (1, 200)}
        term = self.term(1, rows_at, [verify.Interval((1, 50), None)])
        term.certain_until_ns = 10
        self.assertEqual(self.judge(term, ended_ns=9)[0], {(1, 0), (2, 0)})
        self.assertEqual(self.judge(term, ended_ns=10)[0], set())

    def test_behind_the_seal(self):
        term = self.term(1, {}, seal=(2, 300))
        self.assertFalse(chaos_terms.Place(term, (2, 300)).behind_seal)
        self.assertTrue(chaos_terms.Place(term, (2, 301)).behind_seal)

    def test_archives_are_beginnings_of_what_the_source_had(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        aside, archive = folder / "aside", folder / "archive"
        for path in (aside, archive):
            path.mkdir()
        (aside / "binlog.000002").write_bytes(b"0123456789")
        term = chaos_terms.Term(1, SimpleNamespace(), "o", 2, (2, 8), aside)
        copy = archive / "binlog.000002"
        copy.write_bytes(b"01234567")
        self.assertEqual(term.archive_differences(archive), [])
        copy.write_bytes(b"0123x567")
        self.assertEqual(len(term.archive_differences(archive)), 1)
        copy.write_bytes(b"012345678")
        self.assertIn("behind the seal", term.archive_differences(archive)[0])
        copy.rename(archive / "binlog.000001")
        self.assertIn("no counterpart", term.archive_differences(archive)[0])


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
        books = chaos_audit.Books(flavour=flavour.named("mariadb"))
        books.note(rows.Group("0-1-7", (1, 100), ((1, 0),), 1), "here")
        books.note(rows.Group("0-1-7", (2, 300), ((1, 0),), 1), "there")
        self.assertEqual(books.conflicts, [])
        books.note(rows.Group("0-1-7", (1, 100), ((1, 1),), 1), "there")
        self.assertEqual(len(books.conflicts), 1)
        self.assertEqual(books.split_acks({(1, 0): (1, 100)}), [])
        self.assertEqual(len(books.split_acks({(1, 0): (1, 100), (1, 1): (1, 100)})), 1)

    def test_a_rebuilt_host_gives_its_file_numbers_out_again(self):
        folder = short_folder()
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "binlog.000032"
        books = chaos_audit.Books(flavour=flavour.named("mariadb"))

        def read(row):
            groups = [rows.Group(f"0-1-{row}", (32, 100), ((1, row),), 1)]
            with mock.patch.object(rows, "groups_of_file", return_value=groups) as decoder:
                return books.read([path], 1, live=False), decoder.call_count

        path.write_bytes(b"what it wrote as the old source")
        self.assertEqual(read(7), ({(1, 7): (32, 100)}, 1))
        self.assertEqual(read(7), ({(1, 7): (32, 100)}, 0))
        path.unlink()
        path.write_bytes(b"what it wrote as the new source")
        self.assertEqual(read(8), ({(1, 8): (32, 100)}, 1))

    def test_two_sources_at_one_place(self):
        books = chaos_audit.Books(flavour=flavour.named("mariadb"))
        books.note(rows.Group("0-1-7", (1, 100), ((1, 0),), 1), "the old one")
        books.note(rows.Group("0-2-7", (1, 300), ((2, 0),), 2), "the new one")
        self.assertEqual(books.split_acks({(2, 0): (1, 300)}), [])
        self.assertEqual(len(books.split_acks({(1, 0): (1, 100), (2, 0): (1, 300)})), 1)

    def test_mysql_sources_never_share_a_gtid(self):
        books = chaos_audit.Books(flavour=flavour.named("mysql"))
        books.note(rows.Group(f"{FIRST_UUID}:7", (1, 100), ((1, 0),), 1), "the old one")
        books.note(rows.Group(f"{SECOND_UUID}:7", (1, 300), ((2, 0),), 2), "the new one")
        self.assertEqual(books.conflicts, [])
        books.note(rows.Group(f"{FIRST_UUID}:7", (1, 100), ((1, 1),), 1), "a copy")
        self.assertEqual(len(books.conflicts), 1)


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
        for key in ("kills", "promotions", "acked", "acked_under_quorum", "audits"):
            self.assertGreater(result[key], 0, key)


if __name__ == "__main__":
    harness.main()
