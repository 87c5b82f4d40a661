"""What Binlane shows is what it has read back: what it told the server is read again, and a fault shows
at once in status, `status --check`, metrics and log."""

import harness
from lab.machine import waiting
from lab.servers.cli import binlane
from lab.servers.fleet import BINLANE_USER, PASSWORD
from quorum_case import SERVER_TIMEOUT_MS, SOON_S, QuorumCase

ACCOUNT = f"'{BINLANE_USER}'@'localhost'"
QUIET_S = 3


class Said(QuorumCase):
    """ANY 1 of two replicas."""

    def problems(self):
        status = self.cluster.daemon.try_status() or {}
        return {problem["code"]: problem for problem in status.get("problems", [])}

    def wait_problem(self, code):
        waiting.until(lambda: code in self.problems(), f"the problem {code}", SOON_S)
        outcome = self.run_binlane("status", "--check", code=4)
        self.assertIn(f"({code})", outcome.errors)
        return self.problems()[code]["text"]

    def wait_well(self):
        """Until `status --check` is content."""
        waiting.until(
            lambda: binlane(self.cluster.daemon, "status", "--check").code == 0,
            lambda: f"no fault, beside {sorted(self.problems())}",
            SOON_S,
        )

    def log_count(self, event):
        return self.cluster.daemon.log().count(f"event={event} ")

    def end_our_connections(self):
        for (number,) in self.source.query(
            f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER='{BINLANE_USER}'"
        ):
            self.source.query(f"KILL {number}")

    def setUp(self):
        super().setUp()
        self.run_binlane("set", "fallback", "degrade")
        self.wait_well()

    def test_an_account_that_was_locked_is_noticed_while_old_connections_live(self):
        said = self.log_count("login_failed")
        self.source.query(f"ALTER USER {ACCOUNT} ACCOUNT LOCK")
        try:
            text = self.wait_problem("login_failing")
            self.assertIn("lock", text)
            self.assertEqual(self.cluster.state(), "SEMISYNC")
            self.commit()
            metrics = self.run_binlane("metrics").text
            self.assertIn('binlane_problem{code="login_failing",severity="fault"} 1', metrics)
        finally:
            self.source.query(f"ALTER USER {ACCOUNT} ACCOUNT UNLOCK")
        self.wait_well()
        self.assertEqual(self.log_count("login_failed"), said + 1)

    def test_a_privilege_that_was_revoked_is_noticed_and_its_grant_as_well(self):
        privilege = "REPLICATION MASTER ADMIN ON *.*"
        self.source.query(f"REVOKE {privilege} FROM {ACCOUNT}")
        try:
            text = self.wait_problem("login_failing")
            self.assertIn("REPLICATION MASTER ADMIN", text)
            self.assertEqual(self.cluster.state(), "SEMISYNC")
            # No connection is left that has the privilege still.
            self.end_our_connections()
            self.kill_replicas()
            waiter = self.begin_commit()
            waiting.until(
                lambda: self.cluster.daemon.log().count("event=semi_sync_switch_failed") > 0,
                "an OFF that is refused",
                SOON_S,
            )
            self.assertTrue(waiter.waiting, "released by a server that refused to release")
        finally:
            self.source.query(f"GRANT {privilege} TO {ACCOUNT}")
        waiter.finish(SOON_S)
        self.start_replicas()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.wait_well()

    def test_a_password_that_expired_is_over_when_it_is_renewed(self):
        self.source.query(f"ALTER USER {ACCOUNT} PASSWORD EXPIRE")
        try:
            self.end_our_connections()
            self.wait_problem("poll_failing")
        finally:
            self.source.query(f"ALTER USER {ACCOUNT} IDENTIFIED BY '{PASSWORD}'")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.wait_well()

    def test_a_server_that_is_refused_is_in_the_ledger_while_it_lasts(self):
        """Commits do not wait then, and the host may be lost before it is a source again."""
        self.cluster.wait_closed_ledger()
        self.source.query("SET GLOBAL sync_binlog=0")
        try:
            waiting.until(lambda: self.cluster.state() == "REFUSED", "REFUSED", SOON_S)
            waiting.until(
                lambda: self.cluster.daemon.status()["source"]["ledger"]["open"] == 1,
                "an open interval",
                SOON_S,
            )
        finally:
            self.source.query("SET GLOBAL sync_binlog=1")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.wait_well()

    def test_a_locked_account_without_old_connections_says_the_servers_words(self):
        self.source.query(f"ALTER USER {ACCOUNT} ACCOUNT LOCK")
        try:
            self.end_our_connections()
            waiting.until(
                lambda: any("lock" in each["text"] for each in self.problems().values()),
                "the server's words",
                SOON_S,
            )
            self.run_binlane("status", "--check", code=4)
        finally:
            self.source.query(f"ALTER USER {ACCOUNT} ACCOUNT UNLOCK")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.wait_well()

    def test_settings_of_somebody_else_are_set_back(self):
        for variable, value, wanted in (
            ("rpl_semi_sync_master_timeout", "5", SERVER_TIMEOUT_MS),
            ("rpl_semi_sync_master_wait_point", "'AFTER_COMMIT'", "AFTER_SYNC"),
            ("rpl_semi_sync_master_wait_no_slave", "OFF", 1),
        ):
            with self.subTest(variable):
                mended = self.counters()["settings_mended"]
                said = self.log_count("server_setting_changed")
                self.source.query(f"SET GLOBAL {variable}={value}")
                waiting.until(
                    lambda variable=variable, wanted=wanted: self.source.variable(variable)
                    == wanted,
                    f"{variable} to be {wanted} again",
                    SOON_S,
                )
                self.wait_well()
                self.assertEqual(self.counters()["settings_mended"], mended + 1)
                self.assertEqual(self.log_count("server_setting_changed"), said + 1)

    def test_both_replicas_gone_while_nobody_commits(self):
        self.kill_replicas()
        self.assertIn("cannot satisfy", self.wait_problem("quorum_lost"))
        self.assertEqual(self.cluster.state(), "SEMISYNC")
        text = self.run_binlane("status").text
        self.assertLess(text.index("(quorum_lost)"), text.index("\nsource "))
        self.start_replicas()
        self.wait_well()

    def test_an_open_interval_is_a_fault_until_it_closes(self):
        self.run_binlane("degrade")
        self.commit()
        self.wait_problem("ledger_open")
        self.assertIn("not_semisync", self.problems())
        self.run_binlane("resume")
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.wait_well()

    def test_read_only_is_shown_only_when_the_server_is_so(self):
        self.source.query(f"REVOKE READ_ONLY ADMIN ON *.* FROM {ACCOUNT}")
        self.run_binlane("set", "fallback", "fail")
        self.kill_replicas()
        waiter = self.begin_commit()
        try:
            self.assertIn("READ_ONLY ADMIN", self.wait_problem("read_only_refused"))
            waiting.holds(
                lambda: not self.cluster.source_status()["read_only"],
                "status does not say what the server is not",
                QUIET_S,
            )
            self.assertEqual(self.source.variable("read_only"), 0)
            self.assertTrue(waiter.waiting, "released although the server takes writes")
        finally:
            self.source.query(f"GRANT READ_ONLY ADMIN ON *.* TO {ACCOUNT}")
        waiting.until(
            lambda: self.cluster.source_status()["read_only"], "the server to be read-only", SOON_S
        )
        self.assertEqual(self.source.variable("read_only"), 1)
        waiter.finish(SOON_S)
        self.start_replicas()
        self.wait_semi_sync()
        waiting.until(
            lambda: self.source.variable("read_only") == 0, "read_only to be lifted", SOON_S
        )
        self.cluster.wait_closed_ledger()
        self.wait_well()

    def test_somebody_lifts_the_read_only_of_mode_fail(self):
        self.run_binlane("set", "fallback", "fail")
        self.kill_replicas()
        self.begin_commit().finish(SOON_S)
        waiting.until(
            lambda: self.cluster.source_status()["read_only"], "the server to be read-only", SOON_S
        )
        self.source.query("SET GLOBAL read_only=0")
        waiting.until(
            lambda: self.source.variable("read_only") == 1, "read_only to be set again", SOON_S
        )
        self.start_replicas()
        self.wait_semi_sync()
        self.cluster.wait_closed_ledger()
        self.wait_well()

    def test_a_replica_shows_where_its_feed_listens(self):
        daemon = self.cluster.replica("r1").daemon
        waiting.until(
            lambda: binlane(daemon, "status", "--check").code == 0, "the replica is well", SOON_S
        )
        listening = daemon.status()["replica"]["feed"]["listening"]
        self.assertIn(f"listening at {listening}", binlane(daemon, "status").text)


if __name__ == "__main__":
    harness.main(families=("mariadb",))
