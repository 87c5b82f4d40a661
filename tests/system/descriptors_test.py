"""binlaned has no descriptor left, or a few, when it needs some: as an incarnation begins, as a host
is promoted, as a replica goes over to the next stream. It lives, says so, and goes on by itself."""

import os
import re
import resource
from contextlib import contextmanager

import harness
from ha_case import WAIT_S, HaCase
from lab.machine import waiting
from lab.servers import admin

RECOVER_S = 40
ANSWER_S = 30
# Descriptors that a daemon opens as it starts and never closes; and poll(2) takes as many.
FIRST_OPENED = 8
# Descriptors that are left. An incarnation needs eight at once, a promotion more.
SPARES = (0, 1, 2, 3, 5, 7)
SERVER_GONE = {"server_down", "dump_away", "poll_failing", "looking", "refused"}
# As the kernel, libmariadb and the server's protocol say it.
NO_DESCRIPTOR = re.compile(r"Too many open files|\b24\b")


@contextmanager
def held_connection(daemon):
    """An admin connection that the daemon has accepted."""
    with admin.Connection(daemon.admin_socket, ANSWER_S) as held:
        held.request("ping")
        yield held


@contextmanager
def starved(daemon, spare):
    """The daemon can open `spare` more descriptors than it has, and what it closes; None: nothing."""
    pid = daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = [number for number in range(max(taken) + (spare or 0) + 2) if number not in taken]
    limit = FIRST_OPENED if spare is None else free[spare]
    if free[0] < FIRST_OPENED:
        raise RuntimeError(f"descriptor {free[0]} is free")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def faults(status):
    return {p["code"]: p["text"] for p in status["problems"] if p["severity"] == "fault"}


class Incarnations(harness.ClusterCase):
    CLUSTER = {"replica_names": ("r1", "r2"), "port": "udp"}

    def test_an_incarnation_begins(self):
        daemon = self.cluster.daemon
        pid = daemon.process.pid
        for spare in SPARES:
            with self.subTest(spare=spare), held_connection(daemon) as held:
                self.source.stop()
                waiting.until(
                    lambda held=held: SERVER_GONE & set(faults(held.request("status"))),
                    "the server's end to be seen",
                    RECOVER_S,
                )
                with starved(daemon, spare):
                    self.source.start()
                    # It has enough, or it says what is missing.
                    seen = waiting.until(
                        lambda held=held: self.outcome(held.request("status")),
                        lambda held=held: f"an outcome: {held.request('status')['problems']}",
                        RECOVER_S,
                    )
                    print(f"# {spare} descriptors: {seen}")
                self.cluster.wait_state("SEMISYNC", RECOVER_S)
                self.source.query(f"CREATE DATABASE spare{spare}")
                self.assertTrue(daemon.process.alive)
                self.assertEqual(daemon.process.pid, pid)


    @staticmethod
    def outcome(status):
        missing = {
            code: text for code, text in faults(status).items() if NO_DESCRIPTOR.search(text)
        }
        begun = status["source"]["state"] == "SEMISYNC" and not faults(status)
        return missing or ("SEMISYNC" if begun else None)


class Switches(HaCase):
    """c is to follow the stream of a new source."""

    def test_a_stream_is_followed(self):
        a, b, c = self.cluster.hosts
        pid = c.daemon.process.pid
        self.insert(a, *range(10))
        self.cluster.wait_replicas_applied()
        with held_connection(c.daemon) as held:
            with starved(c.daemon, None):
                self.promote("b", "--from-live-source")
                waiting.until(
                    lambda: "feed_closed" in faults(held.request("status")), "feed_closed", WAIT_S
                )
                found = faults(held.request("status"))
                self.assertIn("Too many open files", str(found))
                # What a quorum acknowledges needs no archive.
                self.insert(b, *range(10, 20))
                self.assertEqual(b.source_status()["state"], "SEMISYNC")
            waiting.until(
                lambda: not {"feed_closed", "archive_failed"} & set(faults(held.request("status"))),
                lambda: f"the feed: {faults(held.request('status'))}",
                WAIT_S,
            )
        self.assertEqual(c.daemon.process.pid, pid)
        self.assertTrue(c.daemon.process.alive)
        self.rejoin("a")
        self.check_equal()
        self.check_archive(c, b)


class Promotions(HaCase):
    def test_a_candidate(self):
        for number, (spare, name) in enumerate(zip(SPARES, "bcabca")):
            with self.subTest(spare=spare):
                old = self.cluster.active
                host = self.cluster.host(name)
                if old is host:
                    self.fail(f"{name} is the source already")
                pid = host.daemon.process.pid
                with held_connection(host.daemon) as held:
                    with starved(host.daemon, spare):
                        held.request("promote", replica=name, from_live_source=True)
                        # It ends, one way or another, or waits for descriptors.
                        waiting.until(
                            lambda held=held: not self.running(held)
                            or held.request("promotion")["waiting_for"],
                            "an answer",
                            WAIT_S,
                        )
                        self.assertTrue(host.daemon.process.alive)
                    waiting.until(
                        lambda held=held: not self.running(held), "its end", RECOVER_S
                    )
                    if held.request("promotion")["step"] != "ACTIVE":
                        self.promote(name, "--from-live-source")
                host.wait_state("SEMISYNC", RECOVER_S)
                self.cluster.wait_writable(host)
                self.assertEqual(host.daemon.process.pid, pid)
                self.rejoin(old.name)
                self.insert(host, number)
                self.check_equal()

    @staticmethod
    def running(held):
        return held.request("promotion")["running"]


if __name__ == "__main__":
    harness.main()
