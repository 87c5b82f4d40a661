"""Writes and reads Binlane's frames by docs/PROTOCOL.md alone: what a stranger on the network can do.

Every frame made here is well formed: its checksum is right, and its cluster too.
"""

import socket
import struct

from lab.audit.journal import crc32c

MAGIC = 0x314E4C42
HELLO, HELLO_ACK, DATA, ACK, CLOSE, EXPOSED, EXPOSED_ACK = 1, 2, 3, 4, 5, 6, 7
ASK, COMPARE, START, REFUSE, LEND = 1, 2, 3, 4, 5
FENCE = 1
NO_CUT = 2**64 - 1
FULL_FRAME = 1472

_HEADER = struct.Struct("<IBBHQIIQIHBBI12s")
_HELLO = struct.Struct("<BBBBIQQ16s16sII16sIQI32s32s128sIQIQQQQQIQQ256s192s")
_HELLO_ACK_HEAD = struct.Struct("<BBHIQQQ16sI16s32sIIII16sIQIQQQQQQIIQIQ")
_HELLO_ACK_SIZE = 1376
_REASON_SIZE, _RULES_SIZE = 192, 448
_DATA = struct.Struct("<QQIIQQ")
_ACK = struct.Struct("<QQQQQQ32sIIIHH")
ETH_P_ALL = 3
ETHERNET_SIZE, IP_SIZE, UDP_SIZE = 14, 20, 8


def cluster_id(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def frame(kind, body, session=0, epoch=(1, 1), number=0, flags=0, size=0):
    """A sealed frame, padded to `size`."""

    def header(crc):
        return _HEADER.pack(
            MAGIC, 1, kind, flags, session, *epoch, number, 0, len(body), 0, 0, crc, bytes(12)
        )

    sealed = header(crc32c(header(0) + body)) + body
    return sealed + bytes(max(0, size - len(sealed)))


def hello(phase, cluster, replica, epoch=(1, 1), session=0, **fields):
    """Fields not named are what a stranger would put there: nothing, or noise."""
    get = fields.get
    null = bytes(16)
    body = _HELLO.pack(
        phase,
        1,
        1,
        0,
        get("flags", 0),
        get("handshake", 0x5150),
        cluster_id(cluster),
        get("origin", b"o" * 16),
        get("candidate", b"c" * 16),
        get("stream_term", 1),
        get("sealed_term", 0),
        get("sealed_origin", null),
        *get("sealed_at", (0, 0)),
        get("sealed_digest", 0),
        get("source_name", b"stranger"),
        replica.encode(),
        b"binlog",
        *get("first", (1, 4)),
        *get("written", (1, 400)),
        1,
        get("answer", 0),
        *get("compare", (0, 0)),
        *get("start_at", (1, 4)),
        get("cut_to", NO_CUT),
        get("rule", b"ANY 1 (r1)"),
        get("reason", b""),
    )
    return frame(HELLO, body, session, epoch, size=FULL_FRAME)


def hello_ack(phase, cluster, replica, epoch=(1, 1), status=0, **fields):
    get = fields.get
    null = bytes(16)
    head = _HELLO_ACK_HEAD.pack(
        phase,
        status,
        0,
        0,
        get("handshake", 0x5150),
        get("answer", 1),
        cluster_id(cluster),
        get("origin", null),
        get("stream_term", 1),
        b"j" * 16,
        replica.encode(),
        *epoch,
        get("promised", 0),
        0,
        null,
        *(0, 0),
        *(0, 0),
        *(0, 0, 0, 0, 0),
        *(0, 0, 0),
        *(0, 0),
    )
    return frame(HELLO_ACK, head + bytes(_HELLO_ACK_SIZE - len(head)), epoch=epoch, size=FULL_FRAME)


def read_hello_ack(datagram):
    """What a replica answered: its fields by name."""
    fields = _HELLO_ACK_HEAD.unpack_from(datagram, _HEADER.size)
    end = _HEADER.size + _HELLO_ACK_SIZE
    rules = datagram[end - _REASON_SIZE - _RULES_SIZE : end - _REASON_SIZE]
    return {
        "status": fields[1],
        "answer": fields[5],
        "origin": fields[7],
        "stream_term": fields[8],
        "journal": fields[9],
        "promised": fields[13],
        "promised_to": fields[15],
        "released": fields[16:18],
        "log_length": fields[20],
        "rules": rules.rstrip(b"\0").decode(),
        "reason": datagram[end - _REASON_SIZE : end].split(b"\0")[0].decode(),
    }


def data(session, epoch, number, offset, at, payload=b"", synced=0, released=0):
    body = _DATA.pack(offset, at[1], at[0], 0, synced, released) + payload
    return frame(DATA, body, session, epoch, number)


def ack(session, epoch, received, largest, released_seen=0):
    """All of it durable, and every packet seen."""
    body = _ACK.pack(
        received, received, 0, released_seen, received + 2**20, largest, b"\xff" * 32, 0, 0, 0, 0, 0
    )
    return frame(ACK, body, session, epoch, 1)


def exposed(session, epoch):
    return frame(EXPOSED, bytes(40 + 24 * 52), session, epoch, 1)


def exposed_ack(session, epoch):
    return frame(EXPOSED_ACK, struct.pack("<Q", 2**63), session, epoch, 1)


class Sniffer:
    """Sees the frames on loopback, as a host on the path does. Needs root."""

    def __init__(self, timeout_s=10):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind(("lo", 0))
        self.socket.settimeout(timeout_s)

    def close(self):
        self.socket.close()

    def next(self, kind, to_port):
        """(header's fields, body) of the next frame of this kind to that UDP port."""
        while True:
            packet = self.socket.recv(1 << 16)
            udp = packet[ETHERNET_SIZE + IP_SIZE :]
            if len(udp) < UDP_SIZE + _HEADER.size:
                continue
            if int.from_bytes(udp[2:4], "big") != to_port:
                continue
            datagram = udp[UDP_SIZE:]
            magic, _, found, _, session, term, incarnation, number, _, length, *_ = (
                _HEADER.unpack_from(datagram)
            )
            if magic != MAGIC or found != kind:
                continue
            body = datagram[_HEADER.size : _HEADER.size + length]
            return {"session": session, "epoch": (term, incarnation), "number": number}, body


def end_of_data(body):
    """Where the bytes of a DATA frame end, in the session's linear offsets."""
    return _DATA.unpack_from(body)[0] + len(body) - _DATA.size
