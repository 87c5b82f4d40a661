"""A journal that loses what it acknowledged: it says so, and gets it back, or says that it cannot."""

import struct

import harness
from lab.machine import waiting

BLOCK_BYTES = 4096
BLOCK_MAGIC = b"BLBK"
SEQUENCE_AT = 16
SLOT_SEQUENCE_AT = 16
SLOT_PAYLOAD_AT = 64
ARCHIVED_SEQUENCE_AT = 64
# Inside the payload: the block's header stays as it is.
ROTTEN_AT = 200
REPAIR_TIMEOUT_S = 30
COMMITS = 200
ATTEMPTS = 5


def archived_sequence(superblock):
    """The last block that the archive has, by the newer of the superblock's two slots."""
    data = superblock.read_bytes()
    slots = [data[:BLOCK_BYTES], data[BLOCK_BYTES : 2 * BLOCK_BYTES]]
    newest = max(slots, key=lambda slot: struct.unpack_from("<Q", slot, SLOT_SEQUENCE_AT)[0])
    return struct.unpack_from("<Q", newest, SLOT_PAYLOAD_AT + ARCHIVED_SEQUENCE_AT)[0]


def live_blocks(journal):
    """Offsets of the blocks that only the journal has, the newest first."""
    archived = archived_sequence(journal.with_name(journal.name + ".meta"))
    data = journal.read_bytes()
    blocks = [
        (struct.unpack_from("<Q", data, at + SEQUENCE_AT)[0], at)
        for at in range(0, len(data), BLOCK_BYTES)
        if data[at : at + len(BLOCK_MAGIC)] == BLOCK_MAGIC
    ]
    return [at for sequence, at in sorted(blocks, reverse=True) if sequence > archived]


def flip_bit(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


class RottenJournal(harness.ClusterCase):
    """r1's journal is changed while its binlaned is down; the source continues with r2."""

    def kill_under_load(self, load, daemon):
        """While it takes part: it has made something durable since it connected."""

        def durable():
            replica = (daemon.try_status() or {}).get("replica") or {}
            return replica.get("durable") if replica.get("connected") else None

        first = waiting.until(durable, "r1 to be connected", 30)
        mark = load.acknowledged_count()
        waiting.until(
            lambda: durable() not in (None, first) and load.acknowledged_count() > mark + COMMITS,
            "commits that r1 has",
            60,
        )
        daemon.kill()

    def repaired(self, daemon):
        status = daemon.try_status() or {}
        replica = status.get("replica") or {}
        return replica.get("connected") and "event=journal_repaired" in daemon.log()

    def rot_and_restart(self, load, daemon, which):
        """Flips a bit of the block before `which` newer ones."""
        journal = daemon.data_dir / "journal"
        # The archive may have everything just then; seldom, and hardly twice.
        for _ in range(ATTEMPTS):
            self.kill_under_load(load, daemon)
            live = live_blocks(journal)
            if len(live) > which:
                break
            daemon.start()
        flip_bit(journal, live[which] + ROTTEN_AT)
        daemon.start()
        waiting.until(lambda: "event=journal_damaged" in daemon.log(), "the damage to be told", 10)
        waiting.until(lambda: self.repaired(daemon), "the journal's repair", REPAIR_TIMEOUT_S)
        # The next run is recognised by its own log lines.
        daemon.log_file.rename(f"{daemon.log_file}.{which}")

    def test_lost_blocks_come_back_from_the_source(self):
        daemon = self.cluster.replica("r1").daemon
        with self.load(clients=4) as load:
            # The very last block, which no later block proves, and one before it.
            for which in (0, 2):
                self.rot_and_restart(load, daemon, which)
                daemon.stop()
                daemon.start()
            summary = load.stop()
        self.assertEqual(summary["errors"], 0)
        self.check_everything_arrived()
        self.check_nothing_lost(load, quorum_count=2)

    def test_purged_bytes_are_asked_for_elsewhere(self):
        daemon = self.cluster.replica("r1").daemon
        with self.load(clients=4) as load:
            self.kill_under_load(load, daemon)
            self.source.query("FLUSH BINARY LOGS")
            mark = load.acknowledged_count()
            waiting.until(lambda: load.acknowledged_count() > mark, "a commit through r2", 30)
            load.stop()
        self.source.query(f"PURGE BINARY LOGS TO '{self.source.binlogs()[-1].name}'")
        daemon.start()
        replica = waiting.until(
            lambda: (daemon.status()["replica"] or {}).get("refusal") and daemon.status()["replica"],
            "the refusal",
            REPAIR_TIMEOUT_S,
        )
        self.assertIn("purged; fetch it from a peer's archive or re-seed", replica["refusal"])
        self.assertFalse(replica["connected"])


if __name__ == "__main__":
    harness.main()
