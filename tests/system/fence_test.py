"""`binlane fence` on real servers: on a source, on a standby, and on a host that is a replica only."""

import json
import threading

import harness
from ha_case import EXIT_REFUSED, LONG_TIMEOUT_MS, WAIT_S, HaCase
from lab import waiting
from lab.cli import binlane
from quorum_case import QuorumCase

REASON = "its disk is going"


class Fence(HaCase):
    """One operator fences the source and lets it go on; another fences a standby."""

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
        self.assertIn("this daemon is a's", err)
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
        """Returns the thread whose commit waits from now on; nobody acknowledges it."""
        out, _ = self.fence(a, "--reason", REASON)
        self.assertIn("hands out no quorum any more", out)
        self.assertIn("binlane fence --lift", out)
        a.wait_state("FENCED")
        self.assertIn("FENCED already", self.fence(a, "--reason", "x", status=EXIT_REFUSED)[1])
        self.check_read_only(a)
        # Whom read_only does not bind waits for a quorum that does not come.
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
            [("fence", "refused"), ("fence", "done")],
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


if __name__ == "__main__":
    harness.main()
