"""What happens when no quorum answers: degrade, block, fail; and an operator's own wish."""

import harness
import pymysql
from lab.audit import rows
from lab.machine import waiting
from quorum_case import SOON_S, QuorumCase

HELD_S = 4
READ_ONLY_ERROR = 1290
# How often somebody switches semi-sync off and on again.
FLIPS = 4
FLIPPED_ROWS = 1_000_000


class Modes(QuorumCase):
    """ANY 1 of two replicas, a timeout of a second."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        source = cls.cluster.source
        # Root may write to a server that is read-only; this one may not.
        source.query("CREATE USER 'writer'@'localhost' IDENTIFIED BY ''")
        source.query("GRANT SELECT, INSERT ON check_db.* TO 'writer'@'localhost'")

    def setUp(self):
        super().setUp()
        self.run_binlane("set", "fallback", "degrade")

    def newest_gtid(self):
        return rows.gtids_of_files(self.source.binlogs()[-1:])[-1]

    def test_block_releases_nothing_until_the_quorum_is_back(self):
        self.run_binlane("set", "fallback", "block")
        degrades = self.counters()["degrades"]
        entries = self.ledger_entries()
        self.kill_replicas()
        waiter = self.begin_commit()
        waiting.until(
            lambda: self.cluster.source_status()["blocked"], "the source to be blocked", SOON_S
        )
        waiting.holds(lambda: waiter.waiting, "the commit waits", HELD_S)
        self.assertEqual(self.cluster.state(), "SEMISYNC")
        self.run_binlane("status", "--check", code=4)
        self.start_replicas()
        waiter.finish(SOON_S)
        self.assertIsNone(waiter.error)
        self.assertEqual(self.counters()["degrades"], degrades)
        self.assertGreaterEqual(self.counters()["holds"], 1)
        self.assertEqual(self.ledger_entries(), entries)

    def test_block_a_kill_stands_in_the_ledger_where_it_releases(self):
        self.run_binlane("set", "fallback", "block")
        entries = self.ledger_entries()
        self.kill_replicas()
        waiter = self.begin_commit()
        waiting.until(
            lambda: self.cluster.source_status()["blocked"], "the source to be blocked", SOON_S
        )
        self.source.query(f"KILL {waiter.connection_id}")
        waiter.finish(SOON_S)
        if self.source.flavour.kill_releases:
            waiting.until(lambda: self.ledger_entries() > entries, "an entry", SOON_S)
            return
        # Its client was told nothing, and the commit still waits.
        self.assertIsInstance(waiter.error, pymysql.err.MySQLError)
        waiting.holds(lambda: self.ledger_entries() == entries, "no entry", HELD_S)
        self.assertEqual(self.source.semi_sync()["wait_sessions"], 1)

    def test_fail_makes_the_server_read_only_first(self):
        self.run_binlane("set", "fallback", "fail")
        entries = self.ledger_entries()
        self.kill_replicas()
        waiter = self.begin_commit(user="writer")
        self.wait_async()
        waiter.finish(SOON_S)
        self.assertIsNone(waiter.error)
        waiting.until(
            lambda: self.source.variable("read_only") == 1, "the server to be read-only", SOON_S
        )
        self.assertEqual(self.ledger_entries(), entries + 1)
        refused = self.begin_commit(user="writer")
        refused.finish(SOON_S)
        self.assertIsInstance(refused.error, pymysql.err.OperationalError)
        self.assertEqual(refused.error.args[0], READ_ONLY_ERROR)
        # The server's state when it was last looked at, not what it was told.
        waiting.until(
            lambda: self.cluster.source_status()["read_only"], "status to show it", SOON_S
        )

        self.start_replicas()
        self.wait_semi_sync()
        waiting.until(
            lambda: self.source.variable("read_only") == 0, "read_only to be lifted", SOON_S
        )
        again = self.begin_commit(user="writer")
        again.finish(SOON_S)
        self.assertIsNone(again.error)

    def test_operator_degrades_and_resumes(self):
        entries = self.ledger_entries()
        outcome = self.run_binlane("degrade", "--json").json()
        self.assertEqual(outcome["state"], "ASYNC")
        self.assertTrue(outcome["held"])
        self.assertEqual(self.ledger_entries(), entries + 1)
        self.commit()
        waiting.holds(lambda: self.cluster.state() == "ASYNC", "it stays ASYNC", HELD_S)
        self.run_binlane("resume")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        transitions = self.cluster.source_status()["transitions"]
        self.assertTrue(any("operator" in row["reason"] for row in transitions))
        for row in transitions:
            self.assertEqual(
                {"from", "to", "reason", "at", "lasted_ms", "position"} - row.keys(), set()
            )

    def test_ledger_lists_exports_and_is_acknowledged(self):
        self.run_binlane("degrade")
        self.commit()
        self.commit()
        refused = self.run_binlane("ledger", "ack", self.ledger_entries(), code=5)
        self.assertIn("still open", refused.errors)
        self.run_binlane("resume")
        self.cluster.wait_closed_ledger()
        ledger = self.run_binlane("ledger", "list", "--json").json()
        last = ledger["intervals"][-1]
        self.assertFalse(last["open"])
        # An interval begins where the server was last looked at but one: it may say too much, by
        # what an earlier case has just committed, and never too little.
        self.assertGreaterEqual(last["groups"], 2)
        self.assertIn("operator", last["causes"][0]["reason"])
        exported = self.run_binlane("ledger", "export", last["id"], "--json").json()
        self.assertEqual(len(exported), 1)
        gtids = [group["gtid"] for group in exported[0]["transactions"]]
        self.assertEqual(len(gtids), last["groups"])
        self.assertEqual(gtids[-1], self.newest_gtid())
        self.assertGreater(ledger["unacknowledged"], 0)
        self.run_binlane("ledger", "ack", "--all")
        self.assertEqual(self.run_binlane("ledger", "--json").json()["unacknowledged"], 0)
        audit = (self.cluster.daemon.data_dir / "audit.jsonl").read_text()
        self.assertIn('"verb":"ledger_ack"', audit)

    def test_off_and_on_between_two_looks_stands_in_the_ledger(self):
        enabled = f"SET GLOBAL {self.source.flavour.semi_sync('enabled')}"
        for flip in range(FLIPS):
            entries = self.ledger_entries()
            connection = self.source.connect(database="check_db")
            with connection.cursor() as cursor:
                # Mostly well within the time from one look to the next.
                for statement in (
                    f"{enabled}=OFF",
                    f"INSERT INTO counted VALUES ({FLIPPED_ROWS + flip})",
                    f"{enabled}=ON",
                ):
                    cursor.execute(statement)
            connection.close()
            gtid = self.newest_gtid()
            waiting.until(lambda: self.ledger_entries() > entries, "an entry", SOON_S)
            self.wait_semi_sync()
            self.cluster.wait_closed_ledger()
            last = self.run_binlane("ledger", "list", "--json").json()["intervals"][-1]
            exported = self.run_binlane("ledger", "export", last["id"], "--json").json()
            self.assertIn(gtid, [group["gtid"] for group in exported[0]["transactions"]])

    def test_shutdown_of_the_server_stands_in_the_ledger(self):
        self.run_binlane("set", "fallback", "block")
        entries = self.ledger_entries()
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_sessions(1)
        self.source.stop()
        waiter.finish(SOON_S)
        self.source.start()
        self.start_replicas()
        waiting.until(
            lambda: self.cluster.source_status().get("ledger", {}).get("entries", 0) > entries,
            "an entry in the ledger",
            SOON_S * 2,
        )

    def test_timeout_changes_live(self):
        self.run_binlane("set", "timeout_ms", 8000)
        self.kill_replicas()
        waiter = self.begin_commit()
        waiting.holds(lambda: waiter.waiting, "it waits by the new timeout", HELD_S)
        self.run_binlane("set", "timeout_ms", 1000)
        self.wait_async()
        waiter.finish(SOON_S)


if __name__ == "__main__":
    harness.main()
