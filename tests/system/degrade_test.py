"""The quorum goes and comes back: timeout, ledger, degrade, recovery, and what must not degrade."""

import json

import harness
from lab.audit import ledger
from lab.machine import waiting
from quorum_case import SOON_S, QuorumCase

PAUSE_S = 3


class Degrade(QuorumCase):
    """ANY 1 of two replicas."""

    def test_degrade_and_recovery(self):
        exposed_before = ledger.read(self.ledger_file())[1]
        counters = self.counters()
        self.commit()
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_async()
        waiter.finish(SOON_S)
        self.assertIsNone(waiter.error)
        # Recorded in the ledger before any client was released.
        self.assertTrue(any(interval.end is None for interval in self.intervals()))
        for _ in range(10):
            self.commit()
        self.assertEqual(self.counters()["degrades"], counters["degrades"] + 1)
        transition = self.cluster.source_status()["last_transition"]
        self.assertEqual((transition["from"], transition["to"]), ("SEMISYNC", "ASYNC"))
        self.assertTrue(transition["reason"])

        self.start_replicas()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.assertEqual(self.counters()["recoveries"], counters["recoveries"] + 1)
        # The one that waited and the ten that did not.
        self.assertEqual(ledger.read(self.ledger_file())[1] - exposed_before, 11)
        self.commit()
        self.check_everything_arrived("check_db.counted")
        log = self.cluster.daemon.log()
        self.assertIn("Timeout waiting for reply of binlog", log)
        self.assertIn("Semi-sync replication switched OFF", log)
        self.assertIn("Semi-sync replication switched ON", log)

    def test_paused_replica_is_like_a_dead_one(self):
        process = self.cluster.replica("r1").daemon.process
        process.pause()
        try:
            for _ in range(20):
                self.commit()
            self.assertEqual(self.cluster.state(), "SEMISYNC")
        finally:
            process.resume()
        self.check_everything_arrived("check_db.counted")

    def test_pause_of_the_source_is_no_timeout(self):
        degrades = self.counters()["degrades"]
        process = self.cluster.daemon.process
        process.pause()
        try:
            waiter = self.begin_commit()
            waiting.holds(lambda: waiter.waiting, "the commit waits", PAUSE_S)
        finally:
            process.resume()
        waiter.finish(SOON_S)
        self.assertIsNone(waiter.error)
        self.assertEqual(self.counters()["degrades"], degrades)

    def test_load_through_degrades_loses_nothing(self):
        with self.load(clients=4, first_client=20, rows_per_transaction="1,10") as load:
            for _ in range(2):
                mark = load.acknowledged_count()
                waiting.until(
                    lambda mark=mark: load.acknowledged_count() > mark + 100, "commits", SOON_S
                )
                self.kill_replicas()
                self.wait_async()
                self.source.query("FLUSH BINARY LOGS")
                mark = load.acknowledged_count()
                waiting.until(
                    lambda mark=mark: load.acknowledged_count() > mark + 100,
                    "commits without a quorum",
                    SOON_S,
                )
                self.start_replicas()
                self.wait_semi_sync()
            summary = load.stop()
        self.assertEqual(summary["errors"], 0)
        self.cluster.wait_closed_ledger()
        self.check_everything_arrived()
        self.check_nothing_lost(load, exposed=self.intervals())

    def test_ledger_lines_are_whole(self):
        for line in self.ledger_file().read_text().splitlines():
            json.loads(line)


class BothNeeded(QuorumCase):
    """ANY 2 of two replicas: one that goes is one too many."""

    CLUSTER = {**QuorumCase.CLUSTER, "quorum": "ANY 2 (r1, r2)"}

    def test_one_gone_degrades(self):
        self.commit()
        self.cluster.replica("r2").daemon.kill()
        waiter = self.begin_commit()
        self.wait_async()
        waiter.finish(SOON_S)
        self.cluster.replica("r2").daemon.start()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.commit()
        self.check_everything_arrived("check_db.counted")


if __name__ == "__main__":
    harness.main()
