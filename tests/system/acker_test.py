"""The source's binlaned dies and comes back, and the server releases by itself (rules S3 and S8)."""

import shutil

import harness
from quorum_case import QuorumCase, RECOVER_S, SOON_S
from lab.machine import waiting

SHORT_SERVER_TIMEOUT_MS = 4_000
LONG_TIMEOUT_MS = 90_000
LONG_SERVER_TIMEOUT_MS = 120_000
HOLD_S = 4


class DeadAcker(QuorumCase):
    """A dead binlaned never hangs the server: the server's own timeout is the backstop."""

    CLUSTER = {"timeout_ms": 1_000, "server_timeout_ms": SHORT_SERVER_TIMEOUT_MS}

    def test_commits_end_by_the_servers_timeout(self):
        self.commit()
        self.cluster.daemon.kill()
        waiter = self.begin_commit()
        waiter.finish(SHORT_SERVER_TIMEOUT_MS / 1000 + SOON_S)
        self.assertIsNone(waiter.error)
        self.wait_server("OFF")
        self.commit()
        self.cluster.daemon.start()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.check_everything_arrived("check_db.counted")

    def test_restarts_under_load_lose_nothing(self):
        with self.load(clients=4, first_client=30) as load:
            for _ in range(3):
                mark = load.acknowledged_count()
                waiting.until(
                    lambda mark=mark: load.acknowledged_count() > mark + 100, "commits", SOON_S
                )
                self.cluster.daemon.kill()
                self.source.query("FLUSH BINARY LOGS")
                self.cluster.daemon.start()
                self.wait_semi_sync()
            summary = load.stop()
        self.assertEqual(summary["errors"], 0)
        self.cluster.wait_closed_ledger()
        self.check_everything_arrived()
        self.check_nothing_lost(load, exposed=self.intervals())

    def test_orderly_stop_and_start(self):
        self.assertTrue(self.cluster.daemon.stop(), "binlaned did not end when asked")
        self.commit()
        self.cluster.daemon.start()
        self.wait_semi_sync()
        self.commit()
        for replica in self.cluster.replicas:
            self.assertTrue(replica.daemon.stop(), f"{replica.name} did not end when asked")
        self.start_replicas()
        self.wait_semi_sync()
        self.check_everything_arrived("check_db.counted")


class WaitingCommit(QuorumCase):
    """Timeouts far away: nothing may end a wait but the quorum itself."""

    CLUSTER = {"timeout_ms": LONG_TIMEOUT_MS, "server_timeout_ms": LONG_SERVER_TIMEOUT_MS}

    def test_s3_restart_of_the_acker_releases_nothing(self):
        self.commit()
        before = self.source.semi_sync()
        entries = self.ledger_entries()
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_sessions(1)
        self.cluster.daemon.kill()
        self.cluster.daemon.start()
        waiting.holds(
            lambda: waiter.waiting, "the commit waits, whoever restarted in between", HOLD_S
        )
        self.assertEqual(self.ledger_entries(), entries)
        self.start_replicas()
        waiter.finish(RECOVER_S)
        self.assertIsNone(waiter.error)
        after = self.source.semi_sync()
        self.assertGreaterEqual(after["yes_tx"], before["yes_tx"] + 1)
        self.assertEqual(after["no_tx"], before["no_tx"])
        self.wait_semi_sync()
        self.check_everything_arrived("check_db.counted")

    def test_quorum_that_returns_in_time_ends_the_wait(self):
        before = self.source.semi_sync()
        self.kill_replicas()
        waiters = [self.begin_commit() for _ in range(5)]
        self.wait_sessions(1)
        self.start_replicas()
        for waiter in waiters:
            waiter.finish(RECOVER_S)
            self.assertIsNone(waiter.error)
        self.assertEqual(self.source.semi_sync()["no_tx"], before["no_tx"])
        self.assertEqual(self.cluster.state(), "SEMISYNC")

    def test_s8_kill_of_waiting_clients_is_detected(self):
        entries = self.ledger_entries()
        self.kill_replicas()
        waiters = [self.begin_commit() for _ in range(4)]
        self.wait_sessions(1)
        for waiter in waiters:
            self.source.query(f"KILL {waiter.connection_id}")
        for waiter in waiters:
            waiter.finish(SOON_S)
        waiting.until(
            lambda: self.cluster.source_status().get("ledger", {}).get("entries", 0) > entries,
            "the ledger to name what the server released by itself",
            SOON_S,
        )
        self.start_replicas()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.check_everything_arrived("check_db.counted")

    def test_s8_operator_switches_semi_sync_off(self):
        entries = self.ledger_entries()
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_sessions(1)
        self.source.set_semi_sync("enabled", "OFF")
        waiter.finish(SOON_S)
        waiting.until(
            lambda: self.cluster.source_status().get("ledger", {}).get("entries", 0) > entries,
            "the ledger to name what the operator released",
            SOON_S,
        )
        self.assertNotEqual(self.cluster.state(), "SEMISYNC")
        self.start_replicas()
        self.source.set_semi_sync("enabled", "ON")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.check_everything_arrived("check_db.counted")


class UnseenReset(QuorumCase):
    """S3, S16: RESET MASTER while binlaned is down, and the server writes on until the numbers have
    passed where it had been. To register there would acknowledge what no replica has."""

    # A client in the middle of nowhere would wait for the server's own timeout.
    CLUSTER = {"timeout_ms": LONG_TIMEOUT_MS, "server_timeout_ms": LONG_SERVER_TIMEOUT_MS}

    def test_s3_reset_that_nobody_saw(self):
        self.commit()
        state = self.cluster.daemon.data_dir / "source.state"
        synced = self.cluster.source_status()["written"]
        recorded = state.read_bytes()
        waiting.until(lambda: state.read_bytes() != recorded, "the state to be stored", SOON_S)
        self.cluster.daemon.kill()
        self.source.set_semi_sync("enabled", "OFF")
        self.source.reset_binlogs()
        while len(self.source.binlogs()) < synced["file"]:
            self.source.query("FLUSH BINARY LOGS")
        newest = self.source.binlogs()[-1]
        while newest.stat().st_size <= synced["offset"]:
            self.commit()
        self.source.set_semi_sync("enabled", "ON")
        waiter = self.begin_commit()
        self.wait_sessions(1)
        acknowledged = self.source.semi_sync()["yes_tx"]
        self.cluster.daemon.start()
        self.cluster.wait_state("REFUSED", SOON_S)
        self.assertIn("they were reset", self.cluster.source_status()["problem"])
        self.assertTrue(waiter.waiting)
        self.assertEqual(self.source.semi_sync()["yes_tx"], acknowledged)
        self.source.set_semi_sync("enabled", "OFF")
        waiter.finish(SOON_S)


class SeenReset(QuorumCase):
    """S16: the server's binlogs begin anew while binlaned reads them, at a number of the operator's
    choice. That is a new stream, which no replica acknowledges before it was re-seeded."""

    def test_s16_reset_to_a_number(self):
        # The number that a rotation would have taken, and one far away from it.
        for ahead in (1, 1000):
            with self.subTest(ahead=ahead):
                self.reset_to(int(self.source.binlogs()[-1].suffix[1:]) + ahead)

    def reset_to(self, number):
        self.commit()
        self.check_everything_arrived("check_db.counted")
        before = self.cluster.source_status()["stream"]
        self.source.reset_binlogs(number)
        waiting.until(
            lambda: self.cluster.source_status()["stream"] != before, "a new stream", SOON_S
        )
        acknowledged = self.source.semi_sync()["yes_tx"]
        self.commit()
        self.assertEqual(self.source.semi_sync()["yes_tx"], acknowledged)
        # No replica has this stream, so nothing waits for one. The ledger has that only if semi-sync
        # was still ON when the stream began: in a new stream nothing was promised to anybody.
        self.assertNotEqual(self.cluster.state(), "SEMISYNC")
        for replica in self.cluster.replicas:
            self.reseed(replica)
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.commit()
        self.assertGreater(self.source.semi_sync()["yes_tx"], acknowledged)
        binlogs = self.source.binlogs()
        self.assertEqual(int(binlogs[0].suffix[1:]), number)
        self.check_everything_arrived("check_db.counted")

    @staticmethod
    def reseed(replica):
        """Its server has all that was committed before the reset, and keeps it."""
        replica.daemon.stop()
        shutil.rmtree(replica.daemon.archive)
        for name in ("journal", "journal.meta", "journal.exposed"):
            (replica.daemon.data_dir / name).unlink(missing_ok=True)
        replica.server.stop_replica()
        replica.server.query(replica.server.flavour.reset_replica)
        replica.server.begin_after("")
        replica.daemon.start()
        replica.server.start_replica()


class ServerRestart(QuorumCase):
    """The server dies under a living binlaned (rule S6)."""

    def test_s6_crash_and_restart_under_load(self):
        with self.load(clients=4, first_client=40) as load:
            for _ in range(2):
                mark = load.acknowledged_count()
                waiting.until(
                    lambda mark=mark: load.acknowledged_count() > mark + 200, "commits", RECOVER_S
                )
                self.source.kill()
                self.source.start()
                self.wait_semi_sync()
            mark = load.acknowledged_count()
            waiting.until(lambda: load.acknowledged_count() > mark + 200, "commits", RECOVER_S)
            load.stop()
        self.cluster.wait_closed_ledger()
        self.check_everything_arrived()
        self.check_nothing_lost(load, exposed=self.intervals())

    def test_orderly_restart(self):
        self.commit()
        self.assertTrue(self.source.stop())
        self.source.start()
        self.wait_semi_sync()
        self.commit()
        self.check_everything_arrived("check_db.counted")


if __name__ == "__main__":
    harness.main()
