"""Quorum rules, changed during commits."""

import harness
from lab.machine import waiting
from quorum_case import SERVER_TIMEOUT_MS, SOON_S, TIMEOUT_MS, QuorumCase


class Quorum(QuorumCase):
    """Three replicas in two zones."""

    CLUSTER = {
        "replica_names": ("r1", "r2", "r3"),
        "quorum": "ANY 1 (r1, r2, r3)",
        "zones": {"r1": "east", "r2": "east", "r3": "west"},
        "timeout_ms": TIMEOUT_MS,
        "server_timeout_ms": SERVER_TIMEOUT_MS,
    }

    def rule(self):
        return self.run_binlane("quorum", "--json").json()

    def rules_on_record(self, name):
        return self.cluster.replica(name).daemon.status()["replica"]["rules"]

    def change(self, rule, shown=None):
        self.run_binlane("quorum", "set", rule)
        self.assertEqual(self.rule()["rule_in_force"], shown or rule)

    def wait_settled(self, rule):
        """Until every replica has `rule`, alone, on its record, and is back: each record begins a new
        session, and who is between two sessions is not connected."""
        for name in ("r1", "r2", "r3"):
            waiting.until(
                lambda name=name: self.rules_on_record(name) == [rule],
                f"{name} to have the new rule alone",
                SOON_S,
            )
        waiting.until(
            lambda: all(one["connected"] for one in self.cluster.source_status()["replicas"]),
            "all replicas to be connected",
            SOON_S,
        )

    def test_live_change_under_load(self):
        degrades = self.counters()["degrades"]
        with self.load(clients=4, first_client=20) as load:
            for rule in ("ANY 2 (r1, r2, r3)", "ANY 1 (r1, r2) AND ANY 1 (r3)", "FIRST 2 (r2, r1, r3)"):
                mark = load.acknowledged_count()
                self.change(rule)
                waiting.until(
                    lambda mark=mark: load.acknowledged_count() > mark + 50, "commits", SOON_S
                )
            self.change("1 FROM EACH zone", "ANY 1 (r1, r2) AND ANY 1 (r3)")
            self.change("ANY 1 (r1, r2, r3)")
            summary = load.stop()
        self.assertEqual(summary["errors"], 0)
        self.assertEqual(self.counters()["degrades"], degrades)
        self.wait_settled("ANY 1 (r1, r2, r3)")
        self.check_everything_arrived()
        self.check_nothing_lost(load)

    def test_a_slow_first_replica_is_passed_over(self):
        """A gray failure: r1 is connected, but its acknowledgements are late."""
        self.run_binlane("set", "timeout_ms", 20_000)
        self.run_binlane("set", "slow_after_ms", 100)
        self.change("FIRST 1 (r1, r2, r3)")
        # A replica that is not connected is skipped, but does not count as slow.
        self.wait_settled("FIRST 1 (r1, r2, r3)")
        slow = self.counters()["replicas_turned_slow"]
        process = self.cluster.replica("r1").daemon.process
        process.pause()
        try:
            waiter = self.begin_commit()
            waiter.finish(SOON_S)
            self.assertIsNone(waiter.error)
        finally:
            process.resume()
        # The status changes once a turn of the control thread, and the lane knew it before.
        waiting.until(
            lambda: self.counters()["replicas_turned_slow"] == slow + 1, "r1 to be slow", SOON_S
        )
        self.assertEqual(self.cluster.state(), "SEMISYNC")
        log = self.cluster.daemon.log()
        self.assertIn("event=replica_slow", log)
        # It is the wait for FIRST that ended by it, before the session was given up.
        self.assertLess(log.index("event=replica_slow"), (log + "replica_lost").index("replica_lost"))
        self.run_binlane("set", "timeout_ms", TIMEOUT_MS)
        self.change("ANY 1 (r1, r2, r3)")

    def test_refused_with_the_reason(self):
        self.assertIn(
            "can never be satisfied",
            self.run_binlane("quorum", "set", "ANY 4 (r1, r2, r3)", code=5).errors,
        )
        self.assertIn(
            "not a configured replica", self.run_binlane("quorum", "set", "ANY 1 (r9)", code=5).errors
        )
        self.cluster.replica("r3").daemon.kill()
        waiting.until(
            lambda: not self.cluster.source_status()["replicas"][2]["connected"], "r3 gone", SOON_S
        )
        refused = self.run_binlane("quorum", "set", "ANY 3 (r1, r2, r3)", code=5)
        self.assertIn("cannot be satisfied now: connected are only r1, r2", refused.errors)
        self.assertEqual(self.rule()["rule"], "ANY 1 (r1, r2, r3)")
        self.assertEqual(self.rule()["quorum_margin"], 1)


if __name__ == "__main__":
    harness.main()
