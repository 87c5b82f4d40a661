"""Reads a replica's journal by docs/JOURNAL_FORMAT.md alone: nothing of Binlane's code is used.

So that a test can say what a replica really holds, byte by byte, while its binlaned runs or is dead.
"""

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

BLOCK_SIZE = 4096
HEADER_SIZE = 128
MAGIC = b"BLBK"
VERSION = 1
KIND_DATA, KIND_FILE_END, KIND_CUT = 1, 2, 3
INTEGRITY_AT = 80
INTEGRITY_SIZE = 16
IN_USE_AT = 21
# The superblock beside the ring: a durable record of two slots.
SLOT_SIZE = 4096
SLOT_MAGIC = b"blrecord"
SLOT_HEADER_SIZE = 64
SLOT_CRC_AT = 24
META_MAGIC = b"bjournal"
_HEADER = struct.Struct("<4sHHQQQIIQIIIHHQIII")
_CASTAGNOLI = 0x82F63B78


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CASTAGNOLI if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    table = _CRC
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass(frozen=True)
class Block:
    sequence: int
    kind: int
    position: tuple
    payload: bytes
    crc: int
    previous_crc: int


def parse_block(raw, archived=(0, 0)):
    """The block, or None if it does not validate.

    Of one that stands below `archived` the checksum is not computed, only taken for the chain: that
    is slow here, and its bytes are looked for in the archive.
    """
    fields = _HEADER.unpack_from(raw)
    magic, version, kind = fields[0], fields[1], fields[2]
    sequence, file_offset, file_number, used = fields[4], fields[8], fields[9], fields[10]
    if magic != MAGIC or version != VERSION or used > BLOCK_SIZE - HEADER_SIZE:
        return None
    (stored,) = struct.unpack_from("<I", raw, INTEGRITY_AT)
    zeroed = raw[:INTEGRITY_AT] + bytes(INTEGRITY_SIZE) + raw[INTEGRITY_AT + INTEGRITY_SIZE :]
    if (file_number, file_offset) >= archived and crc32c(zeroed) != stored:
        return None
    return Block(
        sequence,
        kind,
        (file_number, file_offset),
        raw[HEADER_SIZE : HEADER_SIZE + used],
        stored,
        fields[16],
    )


@dataclass(frozen=True)
class Superblock:
    """What the record beside the ring says of the stream that it holds now."""

    origin: str
    term: int
    own_folder: bool  # the stream's archive is not the archive's root
    archived_sequence: int  # blocks up to it stand in the archive, or are of an older stream

    @property
    def folder(self):
        """Of the stream's files, below the archive's."""
        return f"{self.origin}.{self.term}" if self.own_folder else "."


def superblock(path):
    """The newest slot of `<journal>.meta` that validates; None while the journal belongs to no stream."""
    raw = Path(path).read_bytes()
    found = None
    for at in range(0, len(raw), SLOT_SIZE):
        slot = raw[at : at + SLOT_SIZE]
        (stored,) = struct.unpack_from("<I", slot, SLOT_CRC_AT)
        zeroed = slot[:SLOT_CRC_AT] + bytes(4) + slot[SLOT_CRC_AT + 4 :]
        if not slot.startswith(SLOT_MAGIC) or crc32c(zeroed) != stored:
            continue
        (sequence,) = struct.unpack_from("<Q", slot, 16)
        if found is None or sequence > found[0]:
            found = (sequence, slot[SLOT_HEADER_SIZE:])
    if found is None or not found[1].startswith(META_MAGIC):
        raise ValueError(f"{path}: no superblock")
    payload = found[1]
    if not any(payload[32:48]):
        return None
    (term,) = struct.unpack_from("<I", payload, 48)
    (archived,) = struct.unpack_from("<Q", payload, 64)
    return Superblock(str(uuid.UUID(bytes=payload[32:48])), term, payload[186] != 0, archived)


def chain(path, archived=(0, 0), behind=0):
    """The blocks of the ring in their order, each naming its predecessor's checksum.

    `behind`: a block's number; only later ones are looked at.

    Ends where the chain breaks: what stands behind a break was never acknowledged, or it is damage,
    and a replica that says otherwise is wrong.
    """
    raw = Path(path).read_bytes()
    candidates = {}
    for at in range(0, len(raw), BLOCK_SIZE):
        slot = raw[at : at + BLOCK_SIZE]
        if slot.startswith(MAGIC):
            sequence = int.from_bytes(slot[16:24], "little")
            if sequence > behind:
                candidates[sequence] = slot
    blocks = []
    for sequence in sorted(candidates):
        block = parse_block(candidates[sequence], archived)
        follows = not blocks or (
            block is not None
            and block.sequence == blocks[-1].sequence + 1
            and block.previous_crc == blocks[-1].crc
        )
        if block is None or not follows:
            break
        blocks.append(block)
    return blocks


def _log_end(block):
    if block.kind == KIND_FILE_END:
        return (block.position[0] + 1, 0)
    if block.kind == KIND_DATA:
        return (block.position[0], block.position[1] + len(block.payload))
    return block.position


def tail(path, archived=(0, 0), behind=0):
    """(end, {block's position: bytes}): what the ring holds, cuts applied.

    end None: the ring is still blank.
    """
    end, pieces = None, {}
    for block in chain(path, archived, behind):
        if block.kind == KIND_CUT:
            for position in [p for p in pieces if p >= block.position]:
                del pieces[position]
            for position, data in list(pieces.items()):
                over = position[1] + len(data) - block.position[1]
                if position[0] == block.position[0] and over > 0:
                    pieces[position] = data[:-over]
        elif block.kind == KIND_DATA:
            pieces[block.position] = block.payload
        end = _log_end(block)
    return end, pieces


def differences(path, binlogs, archived=(0, 0), behind=0):
    """(end of the ring's log, what differs from the binlog files {number: path}), as text.

    A stretch of a file that is not there any more cannot be compared and is not a difference.
    """
    end, pieces = tail(path, archived, behind)
    found = []
    handles = {}
    try:
        for (number, offset), data in sorted(pieces.items()):
            if number not in binlogs:
                continue
            if number not in handles:
                handles[number] = open(binlogs[number], "rb")
            handles[number].seek(offset)
            expected = handles[number].read(len(data))
            if offset <= IN_USE_AT < offset + len(data) and len(expected) == len(data):
                # The one byte that a server changes in place.
                at = IN_USE_AT - offset
                data = data[:at] + data[at + 1 :]
                expected = expected[:at] + expected[at + 1 :]
            if data != expected:
                found.append(f"{path}: the block at {number}:{offset} is not what {binlogs[number]} holds")
    finally:
        for handle in handles.values():
            handle.close()
    return end, found
