"""Quorum rules of level applied: a replica's server has executed what a client got OK for."""

import harness
from lab.machine import waiting
from quorum_case import SERVER_TIMEOUT_MS, SOON_S, QuorumCase

# Nothing degrades here; it ends before the server's own.
TIMEOUT_MS = 20_000
RULE = "ANY 1 (r1, r2) LEVEL applied"
ROWS = 50


class AppliedCase(QuorumCase):
    """r1 asks its server, r2 does not know of one."""

    FED = True
    CLUSTER = {
        "ask_servers": ("r1",),
        "timeout_ms": TIMEOUT_MS,
        "server_timeout_ms": SERVER_TIMEOUT_MS,
    }

    def visible(self):
        """Whether r1's server shows the newest row."""
        return self.cluster.replica("r1").server.query(
            f"SELECT COUNT(*) FROM check_db.counted WHERE id = {self.source_row}"
        ) == [(1,)]


class Applied(AppliedCase):
    """The rule changes while it runs."""

    def rule_in_force(self):
        return self.run_binlane("quorum", "--json").json()["rule_in_force"]

    def applied(self, name):
        rows = {row["name"]: row for row in self.cluster.source_status()["replicas"]}
        return rows[name]["applied"]

    def wait_durable(self):
        def caught_up():
            status = self.cluster.source_status()
            return status["replicas"][0]["durable"] == status["written"]

        waiting.until(caught_up, "r1 to have everything durable", SOON_S)

    def test_refused_where_nobody_tells(self):
        waiting.until(lambda: self.applied("r1"), "r1 to tell where its server is", SOON_S)
        self.assertIsNone(self.applied("r2"))
        refused = self.run_binlane("quorum", "set", "ANY 2 (r1, r2) LEVEL applied", code=5).errors
        self.assertIn("cannot be satisfied now: connected are only r1, r2", refused)
        self.assertIn("replica.server_socket", refused)
        self.assertTrue(refused.strip().endswith("lags far behind): r2"), refused)
        self.assertEqual(self.rule_in_force(), "ANY 1 (r1, r2)")

    def test_visible_on_the_replica_when_the_client_knows(self):
        waiting.until(lambda: self.applied("r1"), "r1 to tell where its server is", SOON_S)
        degrades = self.counters()["degrades"]
        self.run_binlane("quorum", "set", RULE)
        self.assertEqual(self.rule_in_force(), RULE)
        for _ in range(ROWS):
            self.commit()
            self.assertTrue(self.visible())

        server = self.cluster.replica("r1").server
        server.stop_applier()
        waiter = self.begin_commit()
        self.wait_sessions(1)
        self.wait_durable()
        # On both replicas' disks, and still too little.
        self.assertTrue(waiter.waiting)
        self.assertFalse(self.visible())
        server.start_applier()
        waiter.finish(SOON_S)
        self.assertIsNone(waiter.error)
        self.assertTrue(self.visible())

        # A source that begins anew finds its replicas where they are, with nothing left to execute.
        self.source.query("FLUSH BINARY LOGS")
        self.commit()
        self.assertTrue(self.visible())
        self.assertEqual(self.counters()["degrades"], degrades)
        self.run_binlane("quorum", "set", "ANY 1 (r1, r2)")
        self.assertEqual(self.rule_in_force(), "ANY 1 (r1, r2)")


class AppliedFromTheStart(AppliedCase):
    """The rule as configured; source and replica are restarted under it."""

    CLUSTER = {**AppliedCase.CLUSTER, "quorum": RULE}

    def test_restarts(self):
        self.commit()
        self.assertTrue(self.visible())
        for daemon in (self.cluster.daemon, self.cluster.replica("r1").daemon):
            daemon.kill()
            daemon.start()
            self.wait_semi_sync()
            self.commit()
            self.assertTrue(self.visible())
        self.cluster.wait_closed_ledger()


if __name__ == "__main__":
    harness.main()
