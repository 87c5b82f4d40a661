"""Promotion, fencing, rejoin and verdict on real servers: hosts with both roles, UDP on loopback."""

import itertools
import json
import os
import tempfile
import threading
from pathlib import Path

import harness
import pymysql
from ha_case import EXIT_GOING_ON, EXIT_REFUSED, LONG_TIMEOUT_MS, WAIT_S, HaCase
from lab.machine import waiting
from lab.servers import admin
from lab.servers.fleet import BINLANE_USER
from lab.traffic.load import Load, read_acknowledged

LOAD_CLIENTS = 4
COMMITS_BEFORE_KILL = 200
# Promotions that may have ended before the test looks.
ATTEMPTS = 5
# A server that releases a waiting commit during a case; our own deadline must end before it.
SHORT_TIMEOUTS = {"timeout_ms": 8_000, "server_timeout_ms": 10_000}
EXIT_CHECK = 4
EXIT_ABSENT = 10
EXIT_IN_DOUBT = 11
EXIT_DOCTOR_FAULT = 13


class Failover(HaCase):
    """The whole way: a host dies, another takes over, the first comes back; and once more."""

    def test_failover_and_back(self):
        a, b, c = self.cluster.hosts
        folder = tempfile.mkdtemp(prefix="load-", dir=self.cluster.folder)
        load = Load(folder, a.server, clients=LOAD_CLIENTS, failures_max=1)
        load.process.start()
        waiting.until(
            lambda: load.acknowledged_count() > COMMITS_BEFORE_KILL, "commits", WAIT_S
        )
        a.kill()
        waiting.until(lambda: not load.process.alive, "the load to give up", WAIT_S)
        acknowledged, _ = read_acknowledged(load.acknowledged_file)

        # Each of the two may hold a little more than the other: b fetches that first.
        status, out, err = self.cluster.promote("b")
        new, other = b, c
        self.assertEqual(status, 0, f"{out}{err}")
        # That advice is for a promotion that has waited for some seconds.
        self.assertNotIn("change quorum in this host's configuration", err)
        self.assertIn("proven:", out)
        new.wait_state("SEMISYNC")
        self.cluster.wait_writable(new)
        term, incarnation = map(int, new.source_status()["epoch"].split("."))
        self.assertIn(term, (2, 3))
        self.assertEqual(incarnation, 1)
        # The copy that it was sealed from is not needed any more.
        self.assertFalse((new.daemon.data_dir / "sealed").exists())

        # I1: nothing that was acknowledged is missing on the new source.
        keys = {key for transaction in acknowledged for key in transaction.keys()}
        held = set(new.server.query("SELECT client, sequence FROM bench.numbered"))
        self.assertEqual(keys - held, set())
        self.assertGreater(len(keys), COMMITS_BEFORE_KILL)

        # Writes continue, and the other replica follows across the promotion by GTID.
        self.insert(new, *range(100))
        self.check_equal()
        self.assertEqual(
            other.server.query("SELECT COUNT(*) FROM bench.numbered"),
            new.server.query("SELECT COUNT(*) FROM bench.numbered"),
        )
        self.assertEqual(len(other.replica_status()["sealed"]), 1)

        # The old source comes back: FENCED, read-only, and stays so after a restart.
        a.daemon.start()
        a.wait_state("FENCED")
        # It was killed under load: its last groups may have reached no other host.
        _, err = self.rejoin_with("a", EXIT_REFUSED)
        if "run binlane rejoin --cut" in err:
            self.rejoin_with("a", EXIT_REFUSED, "--cut")
        a.server.start()
        self.check_read_only(a)
        a.daemon.kill()
        a.start()
        a.wait_state("FENCED")
        self.assertEqual(a.source_status()["role"], "FENCED")
        status, _, err = self.cluster.promote("a")
        self.assertNotEqual(status, 0)
        self.assertIn("FENCED", err)

        # Now, at least, it has nothing that no other host has.
        self.assertIn("it holds nothing after that", self.rejoin("a"))
        self.insert(new, *range(100, 200))
        self.check_equal()

        # And once more, while the source lives: it is fenced and rejoins as well.
        self.promote("a", "--from-live-source")
        new.wait_state("FENCED")
        self.check_read_only(new)
        self.rejoin(new.name)
        # No client was told anything since the seal, so nobody has to acknowledge the fence's entry.
        by_fencing = json.loads(new.binlane("ledger", "--json")[1])["intervals"][-1]
        self.assertIn("fenced", by_fencing["causes"][0]["reason"])
        self.assertEqual((by_fencing["groups"], by_fencing["acknowledged"]), (0, True))
        self.insert(a, *range(200, 300))
        self.check_equal()
        self.assertEqual(a.source_status()["epoch"], f"{term + 1}.1")
        # It held the first stream once; this one has a folder of its own.
        self.assertEqual(Path(new.replica_status()["archive_folder"]).suffix, f".{term + 1}")
        self.check_archive(new, a)
        self.check_archive(other, a)


class Lesser(HaCase):
    """Who holds less is promoted all the same: it fetches the rest from who holds it (S1)."""

    def test_fetches_what_it_lacks(self):
        a, b, c = self.cluster.hosts
        self.insert(a, *range(10))
        self.cluster.wait_replicas_applied()
        b.daemon.kill()
        self.insert(a, *range(10, 500))
        a.kill()
        # What a daemon leaves that is killed while it lends goes when it is back.
        (b.daemon.data_dir / "lent").mkdir()
        (b.daemon.data_dir / "lent" / "binlog.000001").write_bytes(b"left over")
        b.daemon.start()
        self.assertFalse((b.daemon.data_dir / "lent").exists())
        out = self.promote("b")
        self.assertIn("proven:", out)
        log = b.daemon.log()
        self.assertIn("c holds all that b holds, and more", log)
        self.assertIn("this host holds all that c holds", log)
        self.assertIn("term 2: b holds less of the stream", c.daemon.log())
        self.assertEqual(b.source_status()["epoch"], "3.1")
        self.insert(b, *range(500, 510))
        self.check_equal()
        # The donor does not need the copy any more.
        waiting.until(
            lambda: not (c.daemon.data_dir / "lent").exists(), "the copy to be gone", WAIT_S
        )


class Refusals(HaCase):
    """A promotion whose proof fails is refused, and says who is missing; nothing is lost by it."""

    def test_refused_then_promoted(self):
        a, b, c = self.cluster.hosts
        self.insert(a, *range(10))
        self.check_dry_run(a, b)
        self.check_a_living_source_stays(a, b)
        status, _, err = b.binlane("promote", "c")
        self.assertEqual(status, EXIT_REFUSED)
        self.assertIn("this daemon belongs to host b", err)
        status, _, err = a.binlane("promote", "a")
        self.assertEqual(status, EXIT_REFUSED)
        self.assertIn("is the source", err)
        c.daemon.kill()
        a.kill()
        self.check_silence_shows(b)
        status, out, err = self.cluster.promote("b")
        self.assertEqual(status, EXIT_REFUSED, f"{out}{err}")
        self.assertIn("the source a was last heard", out)
        self.assertIn("peer c: has not answered", out)
        self.assertIn("c: it has not answered", err)
        self.assertIn("(nothing was changed)", err)
        self.assertEqual(b.source_status()["role"], "STANDBY")
        self.assertEqual(b.replica_status()["promise"]["term"], 1)
        self.assertFalse((b.daemon.data_dir / "sealed").exists())
        # The missing one is back: it can be proven now.
        c.start()
        self.promote("b")
        self.insert(b, *range(11, 20))
        # A newcomer's case: of three hosts one has not rejoined, and its answer is needed. A promotion
        # is refused with this reason, and the source continues.
        a.start()
        a.wait_state("FENCED")
        before = self.sessions(b)
        status, out, err = self.cluster.promote("c", "--from-live-source")
        self.assertEqual(status, EXIT_REFUSED, f"{out}{err}")
        self.assertIn("has not rejoined", err)
        self.assertIn("(nothing was changed)", err)
        self.insert(b, 20)
        self.assertEqual(b.source_status()["state"], "SEMISYNC")
        self.assertEqual(self.sessions(b), before)
        self.rejoin("a")
        self.check_equal()

    def check_silence_shows(self, b):
        """A replica notices by itself that its source is gone."""
        waiting.until(lambda: b.replica_status()["away"], "b to miss its source", WAIT_S)
        self.assertFalse(b.replica_status()["connected"])
        self.assertGreaterEqual(b.replica_status()["last_heard_ms"], 1000)
        status, out, _ = b.binlane("status")
        self.assertRegex(out, r"away, source a, last heard \d+\.\d s ago")
        self.assertEqual(b.binlane("status", "--check")[0], 4)
        self.assertIn("event=source_silent", b.daemon.log())

    @staticmethod
    def sessions(host):
        return [replica["sessions"] for replica in host.source_status()["replicas"]]

    def check_dry_run(self, a, b):
        """A dry run says what a promotion would need and say, and disturbs nobody."""
        before = self.sessions(a)
        status, _, err = b.binlane("promote", "b", "--dry-run")
        self.assertEqual(status, EXIT_REFUSED, err)
        self.assertIn("the source a is alive", err)
        status, out, err = b.binlane("promote", "b", "--dry-run", "--from-live-source")
        self.assertEqual(status, 0, f"{out}{err}")
        self.assertIn("dry run: b (journal ", out)
        self.assertIn(
            "rule ANY 1 (b, c): besides b these have to be fenced and inspected: c", out
        )
        self.assertRegex(out, r"peer c \(journal .*\): would answer: log of epoch 1\.1 up to")
        self.assertIn("peer a: replica refuses: this host is a source itself", out)
        self.assertIn("the source a is alive", out)
        self.check_unchanged(a, b, before)

    def check_unchanged(self, a, b, sessions):
        self.assertEqual(b.replica_status()["promise"]["term"], 1)
        self.assertEqual(self.sessions(a), sessions)
        self.assertEqual(a.source_status()["state"], "SEMISYNC")
        self.assertEqual(a.source_status()["ledger"]["open"], 0)

    def check_a_living_source_stays(self, a, b):
        """The newcomer's outage: a promotion that was refused had fenced the source."""
        before = self.sessions(a)
        status, out, err = self.cluster.promote("b")
        self.assertEqual(status, EXIT_REFUSED, f"{out}{err}")
        self.assertIn("the source a is alive", err)
        self.assertIn("--from-live-source", err)
        self.assertIn("(nothing was changed)", err)
        self.insert(a, 10)
        self.check_unchanged(a, b, before)


class KilledOnTheWay(HaCase):
    """kill -9 of the candidate after the proof: it continues where its record says."""

    # One replica's answer is a fence set, but no host covers the seal alone.
    HOSTS = {"quorum_count": 2}

    def test_goes_on_behind_the_proof(self):
        a, b, c = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        # Only b and its server are left: sealed, but no other host covers the seal.
        c.daemon.kill()
        a.kill()
        status, out, err = self.cluster.promote("b", "--wait-s", "12")
        self.assertEqual(status, EXIT_GOING_ON, f"{out}{err}")
        self.assertIn("step SEALED", out)
        self.assertIn("c does not answer", err)
        self.assertIn("change quorum in this host's configuration", err)
        b.daemon.kill()
        b.daemon.start()
        c.daemon.start()
        # The rule wants two: the old source as well, once it has rejoined.
        waiting.until(
            lambda: "a does not answer" in b.binlane("promotion")[2], "b to go on sealing", WAIT_S
        )
        self.assertIn("step SEALED", b.binlane("promotion")[1])
        self.assertEqual(b.replica_status()["promise"]["term"], 2)
        waiting.until(
            lambda: c.replica_status()["promise"]["term"] == 2, "c to promise the term", WAIT_S
        )
        # The old source does not come back: it leaves the rule, and the promotion is through.
        b.daemon.config["source"]["quorum"] = "ANY 1 (a, c)"
        b.daemon.stop()
        b.daemon.start()
        b.wait_state("SEMISYNC")
        self.cluster.wait_writable(b)
        self.insert(b, 2)
        self.check_equal()


class Resumed(HaCase):
    """kill -9 of the candidate after RELEASED, and after EXECUTED: it continues from there."""

    more_rows = itertools.count(100)

    def wait_source(self, host):
        host.wait_state("SEMISYNC")
        self.cluster.wait_writable(host)
        self.assertEqual(self.step(host), "ACTIVE")

    def promote_until(self, host, step):
        status, out, err = self.cluster.promote(host.name, "--wait-s", "5")
        self.assertEqual(status, EXIT_GOING_ON, f"{out}{err}")
        self.assertIn(f"step {step}", out)
        return err

    def test_released_then_executed(self):
        a, b, _ = self.cluster.hosts
        self.insert(a, *range(10))
        self.cluster.wait_replicas_applied()
        # The local server executes nothing, so the promotion waits after RELEASED.
        b.server.stop_applier()
        self.insert(a, *range(10, 20))
        a.kill()
        self.assertIn("the local server to execute", self.promote_until(b, "RELEASED"))
        b.daemon.kill()
        b.daemon.start()
        self.assertEqual(self.step(b), "RELEASED")
        b.server.start_applier()
        self.wait_source(b)
        self.insert(b, *range(20, 30))
        a.start()
        a.wait_state("FENCED")
        self.rejoin("a")
        self.check_equal()

        # After EXECUTED nothing can be delayed, so a kill that comes too late is tried again.
        old, heir = b, a
        for _ in range(ATTEMPTS):
            if caught := self.kill_at_executed(heir):
                break
            self.wait_source(heir)
            old.wait_state("FENCED")
            self.rejoin(old.name)
            self.insert(heir, self.next_row())
            old, heir = heir, old
            self.check_equal()
        self.assertTrue(caught, "no promotion was seen at EXECUTED")
        # Its server follows no source any more, also after a restart.
        heir.server.kill()
        heir.server.start()
        self.assertEqual(heir.server.replica_status(), {})
        self.assertEqual(heir.server.variable("read_only"), 1)
        heir.daemon.start()
        self.wait_source(heir)
        old.wait_state("FENCED")
        self.rejoin(old.name)
        self.insert(heir, self.next_row())
        self.check_equal()

    @classmethod
    def next_row(cls):
        return next(cls.more_rows)

    def kill_at_executed(self, heir):
        """Promotes, and kills the heir's daemon at EXECUTED. False: it was ACTIVE already."""
        status, out, err = self.cluster.promote(
            heir.name, "--wait-s", "0", "--from-live-source"
        )
        self.assertIn(status, (0, EXIT_GOING_ON), f"{out}{err}")

        def step():
            seen = admin.request(heir.daemon.admin_socket, "promotion")["step"]
            return seen if seen in ("EXECUTED", "ACTIVE") else None

        # Without a nap between two looks: the step lasts for milliseconds.
        seen = waiting.until(step, f"{heir.name} to be at EXECUTED", WAIT_S, tick=lambda: None)
        if seen == "ACTIVE":
            return False
        heir.daemon.kill()
        return True


class RuleChange(HaCase):
    """S4: until a new rule covers all that the old one did, both hold, for commits and for proofs."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}
    OLD, NEW = "ANY 1 (b, c)", "ANY 2 (b, c)"

    def wait_rules(self, host, *rules):
        waiting.until(
            lambda: host.replica_status().get("rules") == list(rules),
            lambda: f"{host.name} to have {rules} on record: {host.replica_status().get('rules')}",
            WAIT_S,
        )

    def test_both_hold_until_the_new_one_covers(self):
        a, b, c = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        c.daemon.kill()
        a.daemon.config["source"]["quorum"] = self.NEW
        a.daemon.stop()
        a.daemon.start()
        self.wait_rules(b, self.OLD, self.NEW)
        # b alone satisfied the old rule; now its word is not enough for a commit …
        self.assertNotEqual(a.source_status()["state"], "SEMISYNC")
        self.assertNotIn("event=rule_changed", a.daemon.log())
        # … and still too little for a proof, because the old rule may have been satisfied by c.
        _, out, _ = b.binlane("promote", "b", "--dry-run")
        self.assertIn(f"rule {self.OLD}: besides b these have to be fenced and inspected: c", out)
        self.assertIn(f"rule {self.NEW}: b alone fences it", out)

        c.daemon.start()
        waiting.until(
            lambda: "event=rule_changed" in a.daemon.log(), "the new rule to stand alone", WAIT_S
        )
        a.wait_state("SEMISYNC")
        self.insert(a, 2)
        # The next session tells the replicas that the old one is covered.
        a.daemon.stop()
        a.daemon.start()
        for host in (b, c):
            self.wait_rules(host, self.NEW)
        self.insert(a, 3)
        a.kill()
        c.daemon.kill()
        status, out, err = self.cluster.promote("b", "--wait-s", "5")
        self.assertEqual(status, EXIT_GOING_ON, f"{out}{err}")
        self.assertIn("proven:", out)
        self.assertNotIn(self.OLD, out)


class NotFollowing(HaCase):
    """A standby whose server does not follow its feed says so, and no verb says that it does."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}

    def problems(self, host):
        status = json.loads(host.binlane("status", "--json")[1])
        return {problem["code"]: problem["text"] for problem in status["problems"]}

    def wait_problem(self, host, code, word):
        waiting.until(
            lambda: word in self.problems(host).get(code, ""),
            lambda: f"{word} in {code}: {self.problems(host)}",
            WAIT_S,
        )

    def wait_none(self, host):
        waiting.until(lambda: not self.problems(host), lambda: str(self.problems(host)), WAIT_S)

    def test_it_is_shown(self):
        a, b, _ = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        self.a_replicas_server_that_stands_still(b)
        self.a_server_that_was_not_rebuilt(a, b)
        self.a_server_that_wrote_by_itself(a)
        self.a_source_that_lacks_a_privilege(b)

    def a_replicas_server_that_stands_still(self, b):
        self.wait_none(b)  # its account came with the stream, and was tried before that
        for stop, thread in ((b.server.stop_applier, "SQL"), (b.server.stop_replica, "IO")):
            stop()
            self.wait_problem(b, "not_following", f"_{thread}_Running is No")
            # It holds the stream all the same, and is no fault of this host.
            status, out, err = b.binlane("status", "--check")
            self.assertEqual(status, 0, out + err)
            b.server.start_replica()
            self.wait_none(b)

    def a_server_that_was_not_rebuilt(self, a, b):
        """It asks the feed for what the new stream does not begin with, and is sent away."""
        self.promote("b", "--from-live-source")
        a.wait_state("FENCED")
        self.insert(b, 2)
        held = a.server.written_set()
        a.server.execute(*a.server.flavour.forget_executed())
        out, _ = self.rejoin_with("a", EXIT_GOING_ON, "--rebuilt", "--wait-s", "3")
        self.assertNotIn("follows it", out)
        self.wait_problem(a, "rejoining", "1236")
        self.assertEqual(a.binlane("status", "--check")[0], EXIT_CHECK)
        a.server.stop_replica()
        a.server.begin_after(held)
        a.server.start_replica()
        waiting.until(lambda: "rejoining" not in self.problems(a), "a to follow", WAIT_S)
        self.check_equal()

    def a_server_that_wrote_by_itself(self, a):
        """It replicates all the same: no source refuses a replica because of the replica's own GTIDs."""
        held = a.server.written_set()
        a.server.set_fence(False)
        self.execute(a, "INSERT INTO d.t VALUES (900, 'only here')")
        a.server.set_fence(True)
        doctor = ("doctor", "--config", str(a.daemon.config_file))
        self.wait_problem(a, "cannot_take_over", "transactions of its own")
        self.assertEqual(a.binlane("status", "--check")[0], EXIT_CHECK)
        status, out, _ = a.binlane(*doctor)
        self.assertEqual(status, EXIT_DOCTOR_FAULT, out)
        self.assertIn("transactions of its own", out)
        # Nobody has rebuilt it.
        _, err = self.rejoin_with("a", EXIT_REFUSED, "--rebuilt")
        self.assertIn("transactions of its own", err)
        self.wait_problem(a, "rejoining", "transactions of its own")
        a.server.stop_replica()
        a.server.reset_binlogs()
        a.server.set_fence(False)
        a.server.execute("SET sql_log_bin=0", "DELETE FROM d.t WHERE id = 900")
        a.server.begin_after(held)
        self.rejoin_with("a", 0, "--rebuilt")
        waiting.until(
            lambda: not {"rejoining", "cannot_take_over"} & self.problems(a).keys(),
            lambda: str(self.problems(a)),
            WAIT_S,
        )
        self.check_equal()

    def a_source_that_lacks_a_privilege(self, b):
        """It would show after the next restart of the server only: read_only is not lifted then."""
        doctor = ("doctor", "--config", str(b.daemon.config_file))
        self.assertNotIn("lacks", b.binlane(*doctor)[1])
        privilege = b.server.flavour.fence_privilege
        b.server.execute(
            "SET sql_log_bin=0", f"REVOKE {privilege} ON *.* FROM {BINLANE_USER}@localhost"
        )
        status, out, _ = b.binlane(*doctor)
        self.assertEqual(status, EXIT_DOCTOR_FAULT, out)
        self.assertIn(f"lacks {privilege}", out)


class ReadOnly(HaCase):
    """S12: a source that comes back takes writes only when a quorum protects them."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}

    def test_lifted_behind_the_grant(self):
        a, b, c = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        for host in (b, c):
            host.daemon.kill()
        a.kill()
        a.start()
        waiting.until(
            lambda: a.source_status().get("server", {}).get("enabled") is not None
            and a.source_status().get("counters", {}).get("incarnations") == 1,
            "a to be at work",
            WAIT_S,
        )
        self.check_read_only(a)
        self.assertNotEqual(a.source_status()["state"], "SEMISYNC")
        b.start()
        a.wait_state("SEMISYNC")
        self.cluster.wait_writable(a)
        self.insert(a, 2)
        c.start()
        self.check_equal()

        # A host that is promoted without a quorum of its own remains read-only as well.
        a.kill()
        c.daemon.kill()
        status, out, err = self.cluster.promote("b")
        self.assertEqual(status, EXIT_REFUSED, f"{out}{err}")
        self.check_read_only(b)
        c.daemon.start()
        self.promote("b")
        self.insert(b, 3)
        self.check_equal()


class LetGo(HaCase):
    """S8 after a promotion: what the old server releases while FENCED was told to a client."""

    HOSTS = SHORT_TIMEOUTS

    def test_a_released_tail_is_not_cut(self):
        a, b, _ = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        # No daemon ships what is committed from here on.
        a.daemon.process.pause()
        statement = threading.Thread(target=Verdicts.insert_or_fail, args=(a, 2), daemon=True)
        statement.start()
        waiting.until(
            lambda: a.server.semi_sync()["wait_sessions"] == 1, "the commit to wait", WAIT_S
        )
        self.assertEqual(self.cluster.promote("b")[0], 0)
        a.daemon.process.resume()
        a.wait_state("FENCED")
        # Its server's own timeout ends the wait; then nothing waits, and it is read-only.
        self.await_release(a, statement)
        ledger = a.daemon.data_dir / "ledger.jsonl"
        waiting.until(
            lambda: "let waiting commits go while this host was FENCED" in ledger.read_text(),
            "the ledger to tell of it",
            WAIT_S,
        )
        self.check_read_only(a)
        a.server.kill()
        out, err = self.rejoin_with("a", EXIT_REFUSED, "--cut")
        self.assertIn("only here: GTID", out)
        self.assertIn("covers the tail: clients were told", err)
        a.server.start()
        self.assertEqual(a.server.query("SELECT COUNT(*) FROM d.t WHERE id = 2"), [(1,)])
        b.wait_state("SEMISYNC")

    def await_release(self, _, statement):
        statement.join(WAIT_S)
        self.assertFalse(statement.is_alive())


class LetGoUnseen(LetGo):
    """The same while its binlaned is down: it compares with what it had on record."""

    def await_release(self, a, statement):
        a.daemon.kill()
        super().await_release(a, statement)
        a.daemon.start()
        a.wait_state("FENCED")


class Verdicts(HaCase):
    """binlane verdict, with its exit codes, on every kind of host."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}

    def test_verdicts(self):
        a, b, c = self.cluster.hosts
        self.insert(a, 1)
        durable = self.newest_gtid(a)
        # That it is synced is confirmed a moment after the commit has returned; until then it is in
        # doubt.
        waiting.until(
            lambda: a.binlane("verdict", durable)[0] == 0, "the commit to be durable", WAIT_S
        )
        self.assertTrue(a.binlane("verdict", durable)[1].startswith("DURABLE"))
        never = a.server.flavour.gtid_later(durable, 1000)
        self.assertEqual(a.binlane("verdict", never)[0], EXIT_ABSENT)
        self.assertEqual(a.binlane("verdict", "nonsense")[0], 1)
        # By the position where it ends. Nothing ends at 1 byte.
        file = a.server.binlogs()[-1]
        place, nowhere = f"{file.name}:{file.stat().st_size}", f"{file.name}:1"
        status, out, err = a.binlane("verdict", place)
        self.assertEqual(status, 0, out + err)
        self.assertIn(f"GTID {durable} ends at", out)
        status, out, _ = a.binlane("verdict", nowhere)
        self.assertEqual(status, EXIT_IN_DOUBT, out)
        self.assertIn("no transaction ends at", out)

        # A replica that is a quorum by itself says so once the source has told it that this is safe.
        self.cluster.wait_replicas_applied()
        waiting.until(
            lambda: b.binlane("verdict", durable)[0] == 0, "b to know that it is durable", WAIT_S
        )
        self.assertEqual(b.binlane("verdict", never)[0], EXIT_IN_DOUBT)

        # No replica acknowledges: the commit waits, and its fate is unknown.
        for host in (b, c):
            host.daemon.kill()
        statement = threading.Thread(target=self.insert_or_fail, args=(a, 2), daemon=True)
        statement.start()
        in_doubt = a.server.flavour.gtid_later(durable, 1)
        waiting.until(
            lambda: a.binlane("verdict", in_doubt)[0] == EXIT_IN_DOUBT,
            "the waiting commit to be in doubt",
            WAIT_S,
        )
        lost_place = f"{file.name}:{file.stat().st_size}"
        # The source dies with it, and the stream is sealed without it.
        a.kill()
        statement.join(WAIT_S)
        for host in (b, c):
            host.start()
        status, out, err = self.cluster.promote("b")
        self.assertEqual(status, 0, f"{out}{err}")
        self.assertEqual(b.binlane("verdict", durable)[0], 0)
        b.wait_state("SEMISYNC")
        self.cluster.wait_writable(b)
        self.insert(b, 3)
        self.check_positions(place, lost_place, (b, c))
        a.start()
        a.wait_state("FENCED")
        waiting.until(
            lambda: a.binlane("verdict", in_doubt)[0] == EXIT_ABSENT,
            "the old source to know that its commit is absent",
            WAIT_S,
        )
        self.assertEqual(a.binlane("verdict", durable)[0], 0)

        # Its recovery has committed what no other host has: rejoin names that, and the host has to be rebuilt.
        out, err = self.rejoin_with("a", EXIT_REFUSED)
        self.assertIn(f"only here: GTID {in_doubt}", out)
        self.assertIn("rebuild", err)
        status, _, err = self.cluster.rejoin("a", "--cut")
        self.assertEqual(status, EXIT_REFUSED)
        self.assertIn("recovery has committed the tail", err)
        self.assertEqual(a.source_status()["role"], "FENCED")

    def check_positions(self, durable, lost, hosts):
        """A position is one stream's: without its term no answer is right for both."""
        for host in hosts:
            waiting.until(
                lambda: host.binlane("verdict", durable, "--term", "1")[0] == 0,
                f"{host.name} to know where term 1 was sealed",
                WAIT_S,
            )
            self.assertEqual(host.binlane("verdict", lost, "--term", "1")[0], EXIT_ABSENT)
            for place in (durable, lost):
                status, out, _ = host.binlane("verdict", place)
                self.assertEqual(status, EXIT_IN_DOUBT, out)
                self.assertIn("--term N", out)
            self.assertEqual(host.binlane("verdict", lost, "--term", "9")[0], EXIT_IN_DOUBT)

    @staticmethod
    def insert_or_fail(host, number):
        try:
            HaCase.execute(host, f"INSERT INTO d.t VALUES ({number}, 'waits')")
        except pymysql.err.MySQLError:
            pass  # its server was killed under it


class Diverged(HaCase):
    """S8, S10: while degraded, one replica's server is fed what no quorum has; then the others are
    promoted without it. It names what they lack, stops its feed, and stays so."""

    HOSTS = {
        "names": ("a", "b", "c", "d"),
        "quorum_count": 2,
        "timeout_ms": 1_000,
        "server_timeout_ms": 30_000,
    }

    def test_a_replica_that_was_fed_what_the_new_source_lacks(self):
        a, b, c, d = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        for host in (c, d):
            host.daemon.kill()
        # After its deadline the source continues without a quorum.
        self.insert(a, 2, 3)
        a.wait_state("ASYNC")
        exposed = self.newest_gtid(a)
        b.wait_executed(a.server.written_set())
        # What was fed lies in an interval that was on record here before.
        intervals = b.replica_status()["exposed"]
        self.assertEqual([interval["to"] for interval in intervals], [None])
        self.assertIn(
            "released to its client without a quorum", b.binlane("verdict", exposed)[1]
        )
        self.assertEqual(b.replica_status()["state"], "FOLLOWING")
        a.kill()
        b.kill()

        # Of four hosts two are left; the candidate's own rule has to do with the other one.
        c.daemon.config["source"]["quorum"] = "ANY 1 (a, b, d)"
        for host in (c, d):
            host.start()
        out = self.promote("c")
        self.assertIn("exposure after last contact with the source", out)
        self.insert(c, 4)
        d.wait_executed(c.server.written_set())

        b.start()
        waiting.until(
            lambda: b.replica_status().get("state") == "DIVERGED", "b to be DIVERGED", WAIT_S
        )
        self.check_diverged(b, exposed)
        b.daemon.kill()
        b.daemon.start()
        self.check_diverged(b, exposed)
        self.assertIn("DIVERGED", b.binlane("status")[1])

    def check_diverged(self, host, exposed):
        status = host.replica_status()
        self.assertEqual(status["state"], "DIVERGED")
        self.assertEqual(status["diverged"]["groups"], 2)
        self.assertFalse(status["feed"]["listening"])
        self.assertEqual([row[0] for row in self.rows_of(host)], [1, 2, 3])
        self.assertEqual(host.binlane("verdict", exposed)[0], EXIT_IN_DOUBT)
        log = host.daemon.log_file.read_text()
        for count in (-1, 0):
            gtid = host.server.flavour.gtid_later(exposed, count)
            self.assertIn(f"does not hold GTID {gtid} at", log)


class Cut(HaCase):
    """An old source that never was started again: what only it has is cut off, and it rejoins."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}

    def test_cut_and_rejoin(self):
        a, b, c = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        for host in (b, c):
            host.daemon.kill()
        statement = threading.Thread(target=Verdicts.insert_or_fail, args=(a, 2), daemon=True)
        before = a.source_status()["written"]
        statement.start()
        waiting.until(
            lambda: a.source_status()["written"] != before
            and a.server.semi_sync()["wait_sessions"] == 1,
            "the commit to wait",
            WAIT_S,
        )
        a.kill()
        statement.join(WAIT_S)
        for host in (b, c):
            host.start()
        self.promote("b")
        self.insert(b, 2)
        # Only its daemon is back. If the server were started now, its recovery would commit what is
        # to be cut: whatever advises an operator says so.
        a.daemon.start()
        a.wait_state("FENCED")
        waiting.until(
            lambda: "do not start it before binlane rejoin" in a.binlane("status", "--json")[1],
            "the status to say that the server is down",
            WAIT_S,
        )
        doctor = a.binlane("doctor", "--config", str(a.daemon.config_file))[1]
        self.assertIn("do not start its server", doctor)
        out, err = self.rejoin_with("a", EXIT_REFUSED)
        self.assertIn(f"only here: GTID {self.newest_gtid(a)}", out)
        status, out, err = self.cluster.rejoin("a", "--cut")
        self.assertIn("the tail is cut off", err, out)
        a.server.start()
        self.rejoin("a")
        self.assertEqual(a.server.query("SELECT COUNT(*) FROM d.t WHERE note = 'waits'"), [(0,)])
        # The problem that the server was down has ended, although a standby's server is not polled.
        status = json.loads(a.binlane("status", "--json")[1])
        codes = {problem["code"] for problem in status["problems"]}
        self.assertFalse(codes & {"poll_failing", "server_down"}, codes)
        self.insert(b, 4)
        self.check_equal()
        self.assertEqual(self.rows_of(a)[1], (2, "by b"))


class SealedWithinAGroup(HaCase):
    """The source dies in the middle of a large transaction whose beginning a quorum had, and was told
    is safe: the seal is within it (S2). The old source comes back all the same."""

    HOSTS = {"timeout_ms": LONG_TIMEOUT_MS}
    LARGE_BYTES = 128 << 20
    PART_BYTES = 4 << 20

    def test_the_old_source_rejoins(self):
        a, b, _ = self.cluster.hosts
        self.insert(a, 1)
        self.execute(a, "CREATE TABLE d.large (id INT PRIMARY KEY, b LONGBLOB)")
        self.cluster.wait_replicas_applied()
        binlog = a.server.binlogs()[-1]
        before = binlog.stat().st_size
        rows = ", ".join(
            f"({i}, REPEAT('x', {self.PART_BYTES}))"
            for i in range(self.LARGE_BYTES // self.PART_BYTES)
        )
        statement = threading.Thread(target=self.insert_or_fail, args=(a, rows), daemon=True)
        statement.start()
        # Without a nap between two looks: the rest follows soon.
        waiting.until(
            lambda: b.replica_status()["released"]["offset"] > before,
            "b to be told that the transaction's beginning is safe",
            WAIT_S,
            tick=lambda: None,
        )
        a.kill()
        statement.join(WAIT_S)
        self.promote("b")
        sealed = int(b.promotion()["sealed_at"].split(":")[1])
        self.assertGreater(sealed, before)
        self.insert(b, 2)
        # Whatever the server had written of it, the power cut leaves what it had synced.
        os.truncate(binlog, sealed)
        a.start()
        a.wait_state("FENCED")
        self.assertIn("it holds nothing after that", self.rejoin("a"))
        self.insert(b, 3)
        self.check_equal()
        self.assertEqual(a.server.query("SELECT COUNT(*) FROM d.large"), [(0,)])

    @staticmethod
    def insert_or_fail(host, rows):
        try:
            HaCase.execute(host, f"INSERT INTO d.large VALUES {rows}")
        except pymysql.err.MySQLError:
            pass  # its server was killed under it


class GtidReuse(HaCase):
    """A power cut takes what the source had not synced; its server then uses the same GTID for other
    data. On stock semi-sync the replica that has the first version never learns of the second."""

    # Both have to acknowledge, and one of them is away: so the commit waits.
    HOSTS = {"quorum_count": 2, "timeout_ms": LONG_TIMEOUT_MS}

    def test_lost_tail_is_cut_from_the_replica(self):
        a, b, c = self.cluster.hosts
        self.insert(a, 1)
        self.cluster.wait_replicas_applied()
        c.daemon.kill()
        binlog = a.server.binlogs()[-1]
        size = binlog.stat().st_size
        # What the source's daemon has on record before the commit: later on it may say that the
        # commit was synced, and in the world of this test it was not.
        state = a.daemon.data_dir / "source.state"
        recorded = state.read_bytes()
        statement = threading.Thread(target=Verdicts.insert_or_fail, args=(a, 2), daemon=True)
        statement.start()
        waiting.until(lambda: binlog.stat().st_size > size, "the commit to be in the binlog", WAIT_S)
        written = binlog.stat().st_size
        waiting.until(
            lambda: (b.replica_status().get("durable") or {}).get("offset") == written,
            "b to have it",
            WAIT_S,
        )
        a.kill()
        statement.join(WAIT_S)
        lost = self.newest_gtid(a)
        self.assertEqual(b.server.query("SELECT COUNT(*) FROM d.t WHERE id = 2"), [(0,)])
        os.truncate(binlog, size)
        state.write_bytes(recorded)
        # Nor has b heard that it was: a replica that has refuses a source that lost it (S5).
        b.daemon.kill()
        b.daemon.start()
        c.start()
        a.start()
        a.wait_state("SEMISYNC")
        self.cluster.wait_writable(a)
        self.execute(a, "INSERT INTO d.t VALUES (2, 'other data')")
        self.assertEqual(self.newest_gtid(a), lost)
        self.check_equal()
        for host in self.cluster.hosts:
            self.assertEqual(self.rows_of(host)[1], (2, "other data"))
        self.assertGreater(
            sum(r["bytes_cut"] for r in a.source_status()["replicas"] if r["name"] == "b"), 0
        )


if __name__ == "__main__":
    harness.main()
