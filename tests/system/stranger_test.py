"""Well-formed frames of strangers: each is sent at a running cluster, and nothing changes.

The table below holds what docs/PROTOCOL.md alone lets anybody write. Every row says which end it is
aimed at; what must not change is the same for all of them (`picture`).
"""

import os
import re
import socket
import unittest

import harness
from lab.audit import forge
from lab.machine import waiting
from lab.servers.cli import binlane
from quorum_case import Committer

NAME = "stranger"
STRANGER = "127.9.9.9"
PEER = "127.0.0.7"  # becomes a listed source in one of the cases
SOON_S = 120
ANSWER_S = 60
FLOOD = 2_000
BURST = 100
LOG_BYTES_MAX = 8 << 10
MEMORY_KB_MAX = 16 << 10
LAST_TERM = 2**32 - 1
NOISE = 0x0123456789ABCDEF
OWN = b"\x11" * 16


def to_replica(phase, **fields):
    return forge.hello(phase, NAME, "r1", **fields)


# What is sent to r1's port …
TO_REPLICA = {
    "a FENCE for the last term of all": to_replica(
        forge.ASK, epoch=(LAST_TERM, 0), flags=forge.FENCE, stream_term=77
    ),
    "a FENCE for the next term": to_replica(forge.ASK, epoch=(2, 0), flags=forge.FENCE),
    "an ASK": to_replica(forge.ASK, epoch=(1, 9)),
    "an ASK of the next term": to_replica(forge.ASK, epoch=(2, 1), stream_term=2),
    "an ASK of no term": to_replica(forge.ASK, epoch=(0, 0), stream_term=0),
    "a COMPARE of 128 bytes": to_replica(forge.COMPARE, compare=(0, 128)),
    "a START that cuts all": to_replica(
        forge.START, epoch=(1, 9), session=NOISE, cut_to=0, answer=NOISE
    ),
    "a START of the next term": to_replica(
        forge.START, epoch=(2, 1), session=NOISE, stream_term=2, answer=NOISE
    ),
    "a seal far back": to_replica(
        forge.ASK,
        epoch=(2, 1),
        stream_term=2,
        sealed_origin=OWN,
        sealed_term=1,
        sealed_at=(1, 4),
    ),
    "a seal of a stream of term 0": to_replica(
        forge.ASK,
        epoch=(2, 1),
        stream_term=0,
        sealed_origin=OWN,
        sealed_term=1,
        sealed_at=(1, 4),
    ),
    "a LEND": to_replica(forge.LEND, epoch=(1, 9)),
    "a REFUSE": to_replica(forge.REFUSE, reason=b"go away"),
    "DATA": forge.data(NOISE, (1, 1), 1, 0, (1, 4), b"x" * 1000, 2**40, 2**40),
    "DATA of the last position": forge.data(
        NOISE, (1, 1), 2**63, 2**63, (LAST_TERM, 2**63), b"x", 2**64 - 1, 2**64 - 1
    ),
    "EXPOSED": forge.exposed(NOISE, (1, 1)),
    "an ACK": forge.ack(NOISE, (1, 1), 10, 1),
    "a HELLO_ACK": forge.hello_ack(forge.ASK, NAME, "r1"),
    "CLOSE": forge.frame(forge.CLOSE, bytes(192), NOISE, (1, 1)),
}
# … and to the source's.
TO_SOURCE = {
    "an ACK of all there is": forge.ack(NOISE, (1, 1), 2**62, 2**62),
    "the answer to an ASK": forge.hello_ack(forge.ASK, NAME, "r1"),
    "a refusal that speaks of a later term": forge.hello_ack(
        forge.ASK, NAME, "r1", status=1, promised=LAST_TERM
    ),
    "STARTED": forge.hello_ack(forge.START, NAME, "r1", status=2),
    "EXPOSED_ACK": forge.exposed_ack(NOISE, (1, 1)),
    "a HELLO": forge.hello(forge.ASK, NAME, "source"),
    "DATA": forge.data(NOISE, (1, 1), 1, 0, (1, 4), b"x" * 1000),
    "CLOSE": forge.frame(forge.CLOSE, bytes(192), NOISE, (1, 1)),
}


def endpoint(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def memory_kb(daemon):
    status = open(f"/proc/{daemon.process.pid}/status", encoding="ascii").read()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


class Strangers(harness.ClusterCase):
    CLUSTER = {"port": "udp", "name": NAME, "timeout_ms": 20_000, "server_timeout_ms": 60_000}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.source.query("CREATE TABLE check_db.rows_ (id INT PRIMARY KEY) ENGINE=InnoDB")
        cls.row = 0

    def setUp(self):
        for replica in self.cluster.replicas:
            if not replica.daemon.process.alive:
                replica.daemon.start()
        self.wait_sessions()
        self.commit()
        # The picture is taken when nothing changes any more.
        waiting.until(self.everything_has_arrived, "both replicas to hold all of it", SOON_S)

    @property
    def r1(self):
        return self.cluster.replica("r1")

    @property
    def r2(self):
        return self.cluster.replica("r2")

    @property
    def source_address(self):
        return endpoint(self.cluster.source_address("udp"))

    def wait_sessions(self):
        waiting.until(
            lambda: self.cluster.state() == "SEMISYNC"
            and all(r["connected"] for r in self.source_now()["replicas"]),
            "both replicas in session",
            60,
        )

    def source_now(self):
        """Its status; patient, because other programs share the machine."""
        return self.cluster.daemon.status(ANSWER_S)["source"]

    def replica_now(self, replica):
        return replica.daemon.status(ANSWER_S)["replica"]

    def everything_has_arrived(self):
        # The server's own word: a lane publishes its marks a moment after it has moved them.
        newest = self.source.binlogs()[-1]
        end = self.source_now()["written"]
        return end["offset"] == newest.stat().st_size and all(
            self.replica_now(r)[mark] == end
            for r in self.cluster.replicas
            for mark in ("received", "durable", "released")
        )

    def next_insert(self):
        type(self).row += 1
        return f"INSERT INTO check_db.rows_ VALUES ({self.row})"

    def commit(self):
        self.cluster.source.query(self.next_insert())

    def socket_at(self, address, port=0):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.bind((address, port))
        return made

    def unheard(self, daemon, key):
        """How many datagrams of strangers that end has dropped."""
        return daemon.status(ANSWER_S)[key]["counters"]["unknown_peers"]

    def picture(self):
        """What no stranger may change."""
        source = self.source_now()
        kept = {
            "source": {
                name: source[name]
                for name in ("state", "role", "epoch", "fenced_by", "problem", "read_only", "stream")
            }
        }
        for name in ("incarnations", "lane_stands", "degrades", "hellos_lost"):
            kept["source"][name] = source["counters"][name]
        kept["source"]["sessions"] = [r["sessions"] for r in source["replicas"]]
        kept["source"]["refusals"] = [r["refusal"] for r in source["replicas"]]
        for replica in self.cluster.replicas:
            status = self.replica_now(replica)
            kept[replica.name] = {
                name: status[name]
                for name in (
                    "connected",
                    "state",
                    "diverged",
                    "exposed_total",
                    "source",
                    "refusal",
                    "stream",
                    "journal_id",
                    "promise",
                    "rules",
                    "sealed",
                    "epoch",
                    "durable",
                )
            }
            kept[replica.name]["feed"] = status["feed"]["listening"]
            for name in ("hellos", "hellos_refused", "hellos_foreign", "hellos_lost"):
                kept[replica.name][name] = status["counters"][name]
            kept[replica.name]["frames"] = status["counters"]["receiver"]["malformed"]
        return kept

    def send_all(self, sender, frames, daemon, key, to):
        """Until that end has counted every one of them as a stranger's."""
        for at in range(0, len(frames), BURST):
            burst = frames[at : at + BURST]
            before = self.unheard(daemon, key)
            for frame in burst:
                sender.sendto(frame, to)
            waiting.until(
                lambda b=before, n=len(burst): self.unheard(daemon, key) >= b + n,
                f"{len(burst)} datagrams to be dropped",
                SOON_S,
            )

    def check_table(self, table, daemon, key, to, addresses):
        daemons = self.cluster.daemons
        logs = [d.log_file.stat().st_size for d in daemons]
        memory = [memory_kb(d) for d in daemons]
        for address in addresses:
            sender = self.socket_at(address)
            for name, frame in table.items():
                with self.subTest(frame=name, sender=address):
                    before = self.picture()
                    self.send_all(sender, [frame], daemon, key, to)
                    self.assertEqual(self.picture(), before)
            before = self.picture()
            frames = list(table.values())
            self.send_all(
                sender, [frames[i % len(frames)] for i in range(FLOOD)], daemon, key, to
            )
            self.assertEqual(self.picture(), before)
            sender.settimeout(0)
            with self.assertRaises(BlockingIOError, msg="a stranger was answered"):
                sender.recv(1 << 16)
        for d, log, kilobytes in zip(daemons, logs, memory):
            self.assertTrue(d.process.alive)
            self.assertLess(d.log_file.stat().st_size - log, LOG_BYTES_MAX, d.log()[-2000:])
            self.assertLess(memory_kb(d) - kilobytes, MEMORY_KB_MAX)
        self.commit()
        self.check_semi_sync_is_on()

    def test_a_replica_hears_no_stranger(self):
        # Another host, and another program on the source's own.
        self.check_table(
            TO_REPLICA,
            self.r1.daemon,
            "replica",
            endpoint(self.r1.address),
            (STRANGER, self.source_address[0]),
        )
        status = self.replica_now(self.r1)
        self.assertTrue(status["unknown_peer"].startswith(self.source_address[0] + ":"))
        self.assertEqual(status["sources"]["from"], "configuration")

    def test_a_source_hears_no_stranger(self):
        self.check_table(
            TO_SOURCE, self.cluster.daemon, "source", self.source_address, (STRANGER, "127.0.0.1")
        )

    def test_a_listed_host_is_told_no_more_than_the_reason(self):
        own = ":".join(map(str, self.source_address))
        done = binlane(self.r1.daemon, "set", "replica.sources", f"{own}, {PEER}")
        self.assertEqual(done.code, 0, done)
        self.addCleanup(binlane, self.r1.daemon, "set", "replica.sources", own)
        sender = self.socket_at(PEER)
        before = self.replica_now(self.r1)
        # It names another stream, as long as the sender does not know which one is here.
        for asked in (
            to_replica(forge.ASK, epoch=(1, 9)),
            to_replica(forge.ASK, epoch=(1, 9), flags=forge.FENCE),
        ):
            sender.settimeout(SOON_S)
            sender.sendto(asked, endpoint(self.r1.address))
            told = forge.read_hello_ack(sender.recv(1 << 16))
            self.assertEqual(told["status"], 1)
            self.assertNotEqual(told["reason"], "")
            null = bytes(16)
            self.assertEqual((told["origin"], told["promised_to"], told["journal"]), (null,) * 3)
            self.assertEqual((told["rules"], told["log_length"]), ("", 0))
            for secret in (before["promise"]["candidate"], before["journal_id"]):
                self.assertNotIn(secret, told["reason"])
        after = self.replica_now(self.r1)
        for name in ("promise", "stream", "state", "epoch", "rules"):
            self.assertEqual(after[name], before[name])

    def test_a_replicas_host_cannot_make_the_lane_stand_still(self):
        # r2's host, without r2's program: its address is a peer's.
        self.r2.daemon.kill()
        sender = self.socket_at(*endpoint(self.r2.address))
        waiting.until(
            lambda: not self.source_now()["replicas"][1]["connected"],
            "r2's session to end",
            SOON_S,
        )
        before = self.source_now()["counters"]
        for i in range(FLOOD):
            sender.sendto(
                forge.hello_ack(forge.ASK, NAME, "r2", handshake=NOISE + i), self.source_address
            )
        self.commit()
        after = self.source_now()["counters"]
        self.assertEqual(after["lane_stands"], before["lane_stands"])
        self.assertEqual(after["incarnations"], before["incarnations"])
        sender.close()

    def test_nobody_else_acknowledges(self):
        """W4: with all that one look at the wire gives, but not from the replica's address."""
        if os.geteuid() != 0:
            self.skipTest("needs root, to look at the wire")
        self.r2.daemon.kill()
        address = endpoint(self.r2.address)
        peer = self.socket_at(*address)
        stranger = self.socket_at(STRANGER)
        waiting.until(
            lambda: not self.source_now()["replicas"][1]["connected"],
            "r2's session to end",
            SOON_S,
        )
        sniffer = forge.Sniffer()
        self.addCleanup(sniffer.close)
        self.r1.daemon.process.pause()
        self.addCleanup(self.r1.daemon.process.resume)
        committer = Committer(self.cluster.source, self.next_insert())
        r1_port = endpoint(self.r1.address)[1]
        while True:
            header, body = sniffer.next(forge.DATA, r1_port)
            if len(body) > 40:  # more than marks
                break
        forged = forge.ack(
            header["session"], header["epoch"], forge.end_of_data(body), header["number"]
        )
        before = self.source_now()["counters"]
        for _ in range(BURST):
            stranger.sendto(forged, self.source_address)
            peer.sendto(forged, self.source_address)

        def arrived():
            now = self.source_now()["counters"]
            return all(
                now[name] >= before[name] + BURST for name in ("unknown_frames", "unknown_peers")
            )

        waiting.until(arrived, "the forged ACKs to arrive", SOON_S)
        self.assertTrue(committer.waiting, "a forged ACK let a commit go")
        self.r1.daemon.process.resume()
        committer.finish(60)
        self.assertIsNone(committer.error)


if __name__ == "__main__":
    harness.main()
