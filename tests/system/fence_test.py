"""`binlane fence` on real servers: on a source, on a standby, and on a host that is a replica only."""

import json
import threading

import harness
from ha_case import EXIT_REFUSED, LONG_TIMEOUT_MS, WAIT_S, HaCase
from lab.machine import waiting
from lab.servers.cli import binlane
from quorum_case import QuorumCase

REASON = "its disk is failing"


class Fence(HaCase):
    """One operator fences the source and lifts the fence; another fences a standby."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}

    def fence(self, host, *options, status=0):
        got, out, err = host.binlane("fence", host.name, *options)
        self.assertEqual(got, status, f"{out}{err}")
        return out, err

    def test_source_and_back_then_standby(self):
        a, b, c = self.cluster.hosts
        self.insert(a, 1)
        status, _, err = a.binlane("fence", "b", "--reason", REASON)
        self.assertEqual(status, EXIT_REFUSED)
        self.assertIn("this daemon belongs to host a", err)
        self.assertIn("reason: expected", self.fence(a, status=EXIT_REFUSED)[1])
        self.assertIn("not FENCED", self.fence(a, "--lift", status=EXIT_REFUSED)[1])

        waiting_insert = self.fence_the_source(a)
        # A restart does not lead out of it.
        a.daemon.kill()
        a.daemon.start()
        a.wait_state("FENCED")
        self.assertIn(REASON, a.source_status()["fence_reason"])
        self.assertTrue(waiting_insert.is_alive())

        self.assertIn("is the source again", self.fence(a, "--lift")[0])
        a.wait_state("SEMISYNC")
        self.cluster.wait_writable(a)
        waiting_insert.join(WAIT_S)
        self.assertFalse(waiting_insert.is_alive())
        self.assertEqual(a.source_status()["epoch"].split(".")[0], "1")
        self.insert(a, 3)
        self.check_equal()

        self.fence_a_standby(a, b)
        self.promote("c")
        self.assertEqual(c.source_status()["epoch"], "3.1")
        self.rejoin("a")
        self.insert(c, 4)
        self.check_equal()

    def fence_the_source(self, a):
        """Returns the thread whose commit waits from now on; no replica acknowledges it."""
        out, _ = self.fence(a, "--reason", REASON)
        self.assertIn("completes no quorum any more", out)
        self.assertIn("binlane fence --lift", out)
        a.wait_state("FENCED")
        self.assertIn("FENCED already", self.fence(a, "--reason", "x", status=EXIT_REFUSED)[1])
        self.check_read_only(a)
        # An account that read_only does not bind waits for a quorum that does not come.
        statement = threading.Thread(
            target=a.server.query, args=("INSERT INTO d.t VALUES (2, 'by a')", WAIT_S), daemon=True
        )
        statement.start()
        waiting.until(
            lambda: a.server.semi_sync()["wait_sessions"] == 1, "the commit to wait", WAIT_S
        )
        self.assertIn(REASON, (a.daemon.data_dir / "ledger.jsonl").read_text())
        audit = (a.daemon.data_dir / "audit.jsonl").read_text().splitlines()
        entries = [e for e in map(json.loads, audit) if REASON in e["request"]]
        self.assertEqual(
            [(entry["verb"], entry["result"]) for entry in entries],
            [
                ("fence", "asked"),
                ("fence", "refused"),
                ("fence", "asked"),
                ("fence", "done"),
            ],
        )
        return statement

    def fence_a_standby(self, a, b):
        out, _ = self.fence(b, "--reason", REASON)
        self.assertIn("has promised term 2 to nobody", out)
        self.assertIn("besides b these have to be fenced and inspected: c", out)
        self.assertEqual(b.replica_status()["promise"]["term"], 2)
        a.wait_state("FENCED")
        self.assertEqual(a.source_status()["fenced_by"], 2)
        self.assertIn("term 2 has begun elsewhere", self.fence(a, "--lift", status=EXIT_REFUSED)[1])
        self.check_read_only(a)


class FenceReplica(QuorumCase):
    """A host without a [source] section."""

    def test_its_source_is_fenced(self):
        self.commit()
        outcome = binlane(
            self.cluster.replica("r1").daemon, "fence", "r1", "--reason", REASON, "--json"
        )
        self.assertEqual(outcome.code, 0, outcome)
        self.assertTrue(outcome.json()["fenced"])
        self.assertEqual(
            self.cluster.replica("r1").daemon.status()["replica"]["promise"]["term"], 2
        )
        self.cluster.wait_state("FENCED", WAIT_S)
        lift = binlane(self.cluster.daemon, "fence", self.cluster.daemon.config["name"], "--lift")
        self.assertEqual(lift.code, EXIT_REFUSED, lift)


class FenceKillServer(QuorumCase):
    """S20: a client that waits at a fenced source gets OK in the end, unless the server is killed."""

    def test_no_client_who_waits_is_told_ok(self):
        self.commit()
        for replica in self.cluster.replicas:
            replica.daemon.kill()
        waiting_insert = self.begin_commit()
        self.wait_sessions(1)
        name = self.cluster.daemon.config["name"]
        outcome = binlane(
            self.cluster.daemon, "fence", name, "--kill-server", "--reason", REASON
        )
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn("was killed", outcome.text)
        self.assertFalse(self.source.process.alive)
        waiting_insert.finish(WAIT_S)
        self.assertIsNotNone(waiting_insert.error)
        self.cluster.wait_state("FENCED", WAIT_S)
        # If somebody starts the server again, it is made read-only at once.
        self.source.start()
        waiting.until(
            lambda: self.source.variable("read_only") == 1, "the server to be read-only", WAIT_S
        )


class FenceTellsOfWaiting(QuorumCase):
    """S20: without that the answer says who waits and until when, and it comes true."""

    CLUSTER = {"timeout_ms": 20_000, "server_timeout_ms": 22_000}

    def test_who_waits_is_told_ok_at_the_servers_own_timeout(self):
        self.commit()
        for replica in self.cluster.replicas:
            replica.daemon.kill()
        waiting_insert = self.begin_commit()
        self.wait_sessions(1)
        polls = self.cluster.source_status()["counters"]["polls"]
        waiting.until(
            lambda: self.cluster.source_status()["counters"]["polls"] > polls + 1, "a look", WAIT_S
        )
        name = self.cluster.daemon.config["name"]
        outcome = binlane(self.cluster.daemon, "fence", name, "--reason", REASON)
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn("1 commit waits for a quorum: their clients are told OK", outcome.text)
        self.assertIn("22000 ms from now", outcome.text)
        waiting_insert.finish(WAIT_S)
        self.assertIsNone(waiting_insert.error)
        waiting.until(
            lambda: self.source.variable("read_only") == 1, "the server to be read-only", WAIT_S
        )


if __name__ == "__main__":
    harness.main()
