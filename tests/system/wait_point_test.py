"""The wait point, changed while it runs: who sees a row whose commit still waits?"""

import harness
from lab.machine import waiting
from quorum_case import SERVER_TIMEOUT_MS, SOON_S, QuorumCase


class WaitPoint(QuorumCase):
    """ANY 1 of two replicas, with time enough to look while a commit waits."""

    CLUSTER = {"timeout_ms": 20_000, "server_timeout_ms": SERVER_TIMEOUT_MS}

    def rows_seen(self):
        return self.source.query("SELECT COUNT(*) FROM check_db.counted")[0][0]

    def waiting_commit(self, look):
        """Begins a commit that waits, calls look() meanwhile, and lets it end well."""
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_sessions(1)
        try:
            look()
            self.assertTrue(waiter.waiting)
        finally:
            self.start_replicas()
        waiter.finish(SOON_S * 2)
        self.assertIsNone(waiter.error)

    def test_phantom_reads(self):
        self.run_binlane("wait-point", "AFTER_SYNC")
        self.assertEqual(self.source.variable(self.source.flavour.semi_sync("wait_point")), "AFTER_SYNC")
        before = self.rows_seen()
        self.waiting_commit(lambda: self.assertEqual(self.rows_seen(), before))
        self.assertEqual(self.rows_seen(), before + 1)
        self.wait_semi_sync()

        self.run_binlane("wait-point", "AFTER_COMMIT")
        self.assertEqual(self.source.variable(self.source.flavour.semi_sync("wait_point")), "AFTER_COMMIT")
        # The classic phantom: another session sees what may yet be lost.
        self.waiting_commit(
            lambda: waiting.until(
                lambda: self.rows_seen() == before + 2, "the phantom to be seen", SOON_S
            )
        )
        self.wait_semi_sync()
        self.run_binlane("wait-point", "AFTER_SYNC")
        shown = self.run_binlane("wait-point", "--json").json()
        waiting.until(
            lambda: self.run_binlane("wait-point", "--json").json()["server"] == "AFTER_SYNC",
            "the server's wait point to be polled",
            SOON_S,
        )
        self.assertEqual(shown["wait_point"], "AFTER_SYNC")

    def test_no_such_wait_point(self):
        outcome = self.run_binlane("wait-point", "AFTER_LUNCH", code=2)
        self.assertIn("AFTER_SYNC", outcome.errors + outcome.text)


if __name__ == "__main__":
    harness.main()
