"""Binlane under the names a DBA knows: the classic steps, and the status next to the server's own."""

import harness
from lab.machine import waiting
from lab.servers import flavour
from quorum_case import RECOVER_S, SERVER_TIMEOUT_MS, SOON_S, QuorumCase


def table_rows(text):
    """Name and value of each row of a table as MySQL's client prints it."""
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    return {name.strip(): value.strip() for name, value in rows[1:]}


def own_generation():
    """Which generation of names the server itself has."""
    return "source" if flavour.chosen().family == "mysql" else "master"


class MySqlNames(QuorumCase):
    """One replica, as in the manuals."""

    CLUSTER = {
        "replica_names": ("r1",),
        "timeout_ms": 10_000,
        "server_timeout_ms": SERVER_TIMEOUT_MS,
    }

    def compare_with_server(self):
        """status --mysql agrees with SHOW STATUS, in both generations of names."""

        def agrees():
            shown = table_rows(self.run_binlane("status", "--mysql", "--names", own_generation()).text)
            server = dict(self.source.query("SHOW STATUS LIKE 'Rpl_semi_sync%'"))
            # How long they took, and how many answers came: these grow during the comparison.
            moving = ("_wait_time", "_get_ack", "_net_waits", "_net_avg_wait_time")
            still = {k: v for k, v in server.items() if not k.endswith(moving)}
            return still == {k: v for k, v in shown.items() if not k.endswith(moving)}

        waiting.until(agrees, "status --mysql to agree with SHOW STATUS", SOON_S)
        both = table_rows(self.run_binlane("status", "--mysql").text)
        for name in ("status", "clients", "yes_tx", "no_tx"):
            self.assertEqual(
                both[f"Rpl_semi_sync_source_{name}"], both[f"Rpl_semi_sync_master_{name}"]
            )

    def wait_async_told_at_once(self):
        """The first status that says ASYNC says under the server's names that semi-sync is OFF."""

        def is_async():
            told = self.cluster.source_status()
            if told.get("state") != "ASYNC":
                return False
            values = told["server"]["status_values"]
            self.assertEqual(values[f"Rpl_semi_sync_{own_generation()}_status"], "OFF")
            return True

        waiting.until(is_async, "the source to be ASYNC", SOON_S, tick=lambda: None)
        self.wait_async()

    def test_status_agrees_over_a_degrade_and_a_recovery(self):
        self.run_binlane("set", "rpl_semi_sync_source_timeout", 1000)
        for _ in range(5):
            self.commit()
        self.compare_with_server()
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_async()
        waiter.finish(SOON_S)
        for _ in range(3):
            self.commit()
        self.compare_with_server()
        self.start_replicas()
        self.wait_semi_sync()
        for _ in range(5):
            self.commit()
        self.compare_with_server()

    def test_the_classic_steps(self):
        # SET GLOBAL rpl_semi_sync_master_timeout = 2000
        self.run_binlane("set", "rpl_semi_sync_master_timeout", 2000)
        variables = table_rows(self.run_binlane("variables", "--mysql", "timeout").text)
        self.assertEqual(
            variables,
            {"rpl_semi_sync_master_timeout": "2000", "rpl_semi_sync_source_timeout": "2000"},
        )
        # Stop the replica; a commit waits for the timeout, then returns; the status is OFF.
        self.kill_replicas()
        waiter = self.begin_commit()
        self.wait_async_told_at_once()
        waiter.finish(SOON_S)
        self.assertIsNone(waiter.error)
        status = table_rows(self.run_binlane("status", "--mysql", "--names", "source").text)
        self.assertEqual(status["Rpl_semi_sync_source_status"], "OFF")
        # Start it: semi-sync comes back by itself.
        self.start_replicas()
        self.cluster.wait_state("SEMISYNC", RECOVER_S)
        waiting.until(
            lambda: table_rows(self.run_binlane("status", "--mysql").text)[
                "Rpl_semi_sync_master_status"
            ]
            == "ON",
            "the status to be ON",
            SOON_S,
        )
        # Change the wait point.
        self.run_binlane("set", "rpl-semi-sync-master-wait-point", "AFTER_COMMIT")
        wait_point = self.source.variable(f"rpl_semi_sync_{own_generation()}_wait_point")
        self.assertEqual(wait_point, "AFTER_COMMIT")
        self.run_binlane("set", "rpl_semi_sync_source_wait_point", "AFTER_SYNC")
        # Switch it off and on by the variable that everybody knows.
        self.run_binlane("set", "rpl_semi_sync_master_enabled", "OFF")
        self.wait_async()
        self.run_binlane("set", "rpl_semi_sync_source_enabled", "ON")
        self.wait_semi_sync()
        log = self.cluster.daemon.log()
        for words in (
            "Timeout waiting for reply of binlog (file: ",
            "Semi-sync replication switched OFF.",
            "Semi-sync replication switched ON at (",
            "Start semi-sync binlog_dump to slave (server_id: ",
        ):
            self.assertIn(words, log)

    def test_names_that_have_no_meaning_here_say_why(self):
        refused = self.run_binlane("set", "rpl_semi_sync_source_wait_for_replica_count", 2, code=1)
        self.assertIn("binlane quorum set", refused.errors)
        self.run_binlane("set", "rpl_semi_sync_master_wait_no_slave", "OFF", code=1)
        mistyped = self.run_binlane("set", "rpl_semi_sync_master_timeuot", 5, code=1)
        self.assertIn("did you mean", mistyped.errors)
        bad = self.run_binlane("set", "rpl_semi_sync_master_timeout", "soon", code=1)
        self.assertIn("source.timeout_ms: expected an integer", bad.errors)


if __name__ == "__main__":
    harness.main()
