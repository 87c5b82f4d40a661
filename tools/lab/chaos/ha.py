"""Chaos on hosts that may each become the source: promotions are drawn like faults.

Clients follow a path that names the source of the moment. An old source is left in one of several
ways, another host is promoted during further failures, and the old one is brought back as
docs/OPERATIONS.md says. In the end every row that was acknowledged under a quorum has to be on every
server, and in the archives of a quorum.
"""

import os
import re
import shutil
import threading
import time
from types import SimpleNamespace

from lab.audit import ledger, verify
from lab.chaos import audit as chaos_audit, terms as chaos_terms
from lab.chaos.plan import BINLANED, FROZEN, KILL, KILLED, LOOK, PAUSE
from lab.chaos.run import (
    JOURNAL_SIZE_MB,
    RECOVER_S,
    SERVER_TIMEOUT_MS,
    SETTLE_S,
    SMALL_SERVER,
    TIMEOUT_MS,
    Audit,
    ChaosRun,
    Failure,
)
from lab.servers.ha import APPLICATION_USER, HaCluster
from lab.traffic.load import read_acknowledged

HOSTS = ("a", "b", "c")
QUORUM_COUNT = 1
PROMOTE_S = 180
# How long one `binlane promote` is followed before the state is checked again.
FOLLOW_S = 10
REJOIN_S = 120
EXIT_DONE, EXIT_REFUSED = 0, 5


def position(text):
    """(file, offset) of "file:offset"."""
    return tuple(int(part) for part in text.split(":"))


def make_link(link, target):
    temporary = link.with_name(link.name + ".new")
    temporary.symlink_to(target)
    os.replace(temporary, link)


class HaChaos(ChaosRun):
    # The hosts that are not the source at the moment, in the order of their names.
    REPLICAS = ("standby1", "standby2")
    PROMOTIONS = True

    def __init__(self, minutes, seed, port, say):
        cluster = HaCluster(
            HOSTS,
            quorum_count=QUORUM_COUNT,
            timeout_ms=TIMEOUT_MS,
            server_timeout_ms=SERVER_TIMEOUT_MS,
            journal_size_mb=JOURNAL_SIZE_MB,
            server_options=SMALL_SERVER,
            name="chaos",
        )
        super().__init__(minutes, seed, port, say, cluster)
        self.active = cluster.hosts[0]
        self.link = cluster.folder / "source.sock"
        self.terms = []
        self.said = ""  # by the last `binlane promote`
        self.archives = {}  # (host's name, stream's origin): folder
        self.counts.update({"promotions_tried": 0, "cuts": 0, "rebuilds": 0})
        for way in (KILLED, BINLANED, FROZEN, "planned"):
            self.counts[f"promotions {way}"] = 0

    @property
    def source_server(self):
        return self.active.server

    @property
    def source_daemon(self):
        return self.active.daemon

    @property
    def term(self):
        return self.terms[-1]

    def standbys(self):
        return [host for host in self.cluster.hosts if host is not self.active]

    def machines(self):
        found = {}
        for host in self.cluster.hosts:
            found[f"{host.name} server"] = host.server
            found[f"{host.name} binlaned"] = host.daemon
        return found

    def slot(self, name):
        """The host that a plan's name means now."""
        if name == "source":
            return self.active
        return self.standbys()[self.REPLICAS.index(name)]

    def machine(self, target):
        name, kind = target.split()
        host = self.slot(name)
        machine = host.server if kind == "server" else host.daemon
        role = "source" if host is self.active else "standby"
        return f"{host.name} {kind} ({role})", machine

    def start_cluster(self):
        self.cluster.start()
        make_link(self.link, self.active.server.socket)
        status = self.active.source_status()
        number = int(status["epoch"].split(".")[0])
        self.terms.append(chaos_terms.Term(number, self.active, status["stream"], 1))

    def load_target(self):
        # read_only binds an application, so that a source that is none any more takes no writes.
        return SimpleNamespace(socket=self.link), {"user": APPLICATION_USER}

    def note_archives(self):
        """Where each host keeps its copy of the stream that it holds now."""
        for host in self.cluster.hosts:
            if held := host.superblock():
                self.archives[host.name, held.origin] = host.daemon.archive / held.folder

    # --- promotion -----------------------------------------------------------------------------

    def promote(self, promotion):
        old, heir = self.active, self.slot(promotion.heir)
        if promotion.settled:
            self.settle()
        self.note_archives()
        self.event(
            f"promotion of {heir.name}; {old.name} is left {promotion.way}"
            f"{', settled' if promotion.settled else ''}"
        )
        self.leave(old, promotion)
        self.promote_under_faults(promotion, old, heir)
        winner = self.finish_promotion(old, heir)
        self.counts["promotions"] += 1
        self.counts[f"promotions {promotion.way}"] += 1
        self.take_over(old, winner)
        # Being away is part of the fault; nothing is expected of this time.
        time.sleep(promotion.away_s)
        self.bring_back(old, promotion)
        self.note_archives()

    def leave(self, old, promotion):
        way = promotion.way
        before_ns = time.monotonic_ns()
        if way == KILLED:
            self.hit(f"{old.name} server", old.server, KILL)
        if way in (KILLED, BINLANED):
            self.hit(f"{old.name} binlaned", old.daemon, KILL)
        if way == FROZEN:
            self.hit(f"{old.name} server", old.server, PAUSE)
            self.hit(f"{old.name} binlaned", old.daemon, PAUSE)
        if promotion.settled and way in (KILLED, BINLANED):
            # With its binlaned, a source can only have told the truth; from here on a server that is
            # left alone may release anything.
            self.term.be_certain(time.monotonic_ns() if way == KILLED else before_ns)
            if way == KILLED:
                self.term.certain_until_ns = float("inf")

    def promote_under_faults(self, promotion, old, heir):
        asked = threading.Thread(target=self.ask, args=(heir,), daemon=True)
        asked.start()
        time.sleep(promotion.hit_delay_s)
        if promotion.hit:
            who, kind = promotion.hit.split()
            other = next(host for host in self.cluster.hosts if host not in (old, heir))
            host = heir if who == "heir" else other
            machine = host.server if kind == "server" else host.daemon
            label = f"{host.name} {kind} ({who})"
            self.hit(label, machine, promotion.hit_kind)
            time.sleep(promotion.hit_hold_s)
            self.heal(label, machine)
        asked.join()

    def ask(self, heir):
        """One `binlane promote`. Its answer is only printed; the truth is looked up."""
        self.counts["promotions_tried"] += 1
        status, _, err = heir.binlane(
            "promote", heir.name, "--from-live-source", "--wait-s", str(FOLLOW_S)
        )
        said = err.strip().splitlines()[-1:] or ["done"]
        said = f"promote {heir.name}: exit {status}, {said[0]}"
        if said != self.said:
            self.event(said)
        self.said = said
        return status, err

    def finish_promotion(self, old, heir):
        """Asks until a host is the source of a later term, which need not be the one asked first."""

        def winner():
            for host in self.cluster.hosts:
                status = host.source_status()
                if host is old or status.get("role") != "SOURCE":
                    continue
                if int(status["epoch"].split(".")[0]) > self.term.number:
                    return host
            return None

        heirs = {host.name: host for host in self.cluster.hosts if host is not old}

        def settled():
            nonlocal heir
            if found := winner():
                return found
            _, err = self.ask(heir)
            if better := re.search(r"promote (\w+) instead", err):
                heir = heirs[better.group(1)]
            elif "holds no stream" in err:  # it rejoined, and nothing has reached it since
                heir = next(host for host in heirs.values() if host is not heir)
            return winner()

        return self.until(
            settled, lambda: f"a promotion to end: {heir.binlane('promotion')}", PROMOTE_S
        )

    def take_over(self, old, winner):
        """Clients go to the new source from now on."""
        promoted = (winner.daemon.try_status() or {})["source"]
        number = int(promoted["epoch"].split(".")[0])
        record = winner.promotion()
        self.term.seal = position(record["sealed_at"])
        first_file = position(record["new_start"])[0]
        self.active = winner
        self.terms.append(chaos_terms.Term(number, winner, promoted["stream"], first_file))
        make_link(self.link, winner.server.socket)
        self.event(
            f"{winner.name} is the source of term {number}; {old.name}'s stream is sealed at "
            f"{record['sealed_at']}"
        )

    # --- the way back --------------------------------------------------------------------------

    def bring_back(self, old, promotion):
        old_term = self.terms[-2]
        if promotion.returns == LOOK and promotion.way == KILLED:
            self.heal(f"{old.name} binlaned", old.daemon)
        else:
            for kind, machine in (("server", old.server), ("binlaned", old.daemon)):
                self.heal(f"{old.name} {kind}", machine)
            self.until(old.server.answers, f"{old.name}'s server to answer", RECOVER_S)
        self.until(
            lambda: old.source_status().get("role") == "FENCED",
            lambda: f"{old.name} to be FENCED: {old.source_status()}",
            RECOVER_S,
        )
        if promotion.way != KILLED and promotion.returns == LOOK:
            self.hit(f"{old.name} server", old.server, KILL)
        if old.server.process.alive:
            # The server's own timeout releases what waits, and then the server takes no writes.
            self.until(
                old.server.fenced,
                f"{old.name}'s server to be read-only",
                RECOVER_S,
            )
        old_term.set_aside(self.cluster.folder / "terms" / str(old_term.number))
        self.rejoin(old)
        self.event(f"{old.name} is a standby now")

    def rejoin(self, old):
        cut = False

        def tried():
            nonlocal cut
            status, out, err = old.binlane("rejoin", *(["--cut"] if cut else []))
            if status == EXIT_DONE:
                return True
            self.event(f"rejoin {old.name}{' --cut' if cut else ''}: {err.strip()}")
            if status != EXIT_REFUSED:
                raise Failure(f"rejoin of {old.name}: exit {status}\n{out}{err}")
            if "start the server" in err:
                self.counts["cuts"] += cut
                cut = False
                self.start_server(old)
                return False
            if "binlane rejoin --cut" in err and not old.server.process.alive:
                cut = True
                return False
            if "rebuild" in err:
                self.rebuild(old)
                return True
            raise Failure(f"rejoin of {old.name}: {out}{err}")

        self.until(tried, f"{old.name} to rejoin", REJOIN_S)

    def start_server(self, host):
        self.heal(f"{host.name} server", host.server)
        self.until(host.server.answers, f"{host.name}'s server to answer", RECOVER_S)

    def rebuild(self, old):
        """A copy of the third host's data, taken while its server is down."""
        self.counts["rebuilds"] += 1
        donor = next(host for host in self.standbys() if host is not old)
        self.event(f"{old.name} is rebuilt from a copy of {donor.name}")
        donor.wait_executed(self.active.server.written_set(), SETTLE_S)
        if old.server.process.alive:
            self.restart_begins(f"{old.name} server", old.server)
        self.restart_begins(f"{donor.name} server", donor.server)
        old.server.copy_data_from(donor.server)
        self.start_server(donor)
        self.start_server(old)
        status, out, err = old.binlane("rejoin", "--rebuilt")
        if status != EXIT_DONE:
            raise Failure(f"rejoin --rebuilt of {old.name}: exit {status}\n{out}{err}")

    # --- the books -----------------------------------------------------------------------------

    def evidence(self):
        self.term.intervals, _ = ledger.read(self.term.ledger_file, self.term.number)
        return self.term.binlogs(), self.copy_journals()

    def judge(self, acknowledged, evidence):
        """What the term's source had acknowledged must be in the journals of a quorum by now."""
        binlogs, copies = evidence
        found, doubled = chaos_terms.places(self.terms, self.books)
        counted, missing = chaos_terms.under_quorum(acknowledged, found)
        ends, differences = chaos_audit.held_by_replicas(copies, binlogs)
        here = {row: place.end for row, place in counted.items() if place.term is self.term}
        losses = [f"row {row}: acknowledged, in no source's binlogs" for row in missing]
        losses += chaos_audit.losses_without_source(here, ends, QUORUM_COUNT)
        return Audit(len(here), ends, losses, differences + doubled)

    def copy_journals(self):
        """Of the standbys that hold the term's stream: {name: JournalCopy}."""
        copies = {}
        for host in self.standbys():
            held = host.superblock()
            if held is None or held.origin != self.term.origin:
                continue
            archived = chaos_audit.archive_end(host.daemon.archive / held.folder)
            copy = self.cluster.folder / f"{host.name}.journal"
            shutil.copyfile(host.daemon.data_dir / "journal", copy)
            copies[host.name] = chaos_audit.JournalCopy(copy, archived, held.archived_sequence)
        return copies

    def archive_of(self, host, term):
        self.note_archives()
        return self.archives.get((host.name, term.origin), self.cluster.folder / "nowhere")

    def wait_equal(self):
        written = verify.lengths(self.term.binlogs())
        for host in self.standbys():
            self.until(
                lambda host=host: verify.archive_at_end(written, self.archive_of(host, self.term)),
                f"{host.name}'s archive to reach the end of the source's binlogs",
                SETTLE_S,
            )
        executed = self.active.server.written_set()
        for host in self.standbys():
            host.wait_executed(executed, SETTLE_S)

    def verify(self):
        problems = []
        by_origin = {term.origin: term for term in self.terms}
        for (name, origin), folder in self.archives.items():
            term = by_origin.get(origin)
            if term is None:
                problems.append(f"{name} holds a stream {origin} that no source had")
            else:
                problems += term.archive_differences(folder)
        servers = [(host.name, host.server) for host in self.standbys()]
        problems += verify.table_differences(self.active.server, servers)
        acknowledged, in_doubt = read_acknowledged(self.load.acknowledged_file)
        found, doubled = chaos_terms.places(self.terms, self.books)
        problems += doubled
        self.under_quorum, missing = chaos_terms.under_quorum(acknowledged, found)
        self.lost += [f"row {row}: in no source's binlogs" for row in missing]
        for host in self.cluster.hosts:
            there = chaos_audit.rows_of_server(host.server)
            self.lost += [
                f"row {row} of term {place.term.number} at {place.end}: not on {host.name}'s server"
                for row, place in self.under_quorum.items()
                if row not in there
            ]
        self.lost += self.losses_in_archives()
        kept = chaos_audit.rows_of_server(self.active.server)
        told = chaos_audit.keys(acknowledged)
        return problems, {
            "acked": len(told),
            "acked_transactions": len(acknowledged),
            "acked_under_quorum": len(self.under_quorum),
            "exposed_and_lost": sum(row not in kept for row in told),
            "in_doubt_transactions": len(in_doubt),
            "terms": len(self.terms),
            "binlog_files": sum(len(term.binlogs()) for term in self.terms),
        }

    def losses_in_archives(self):
        """Rows under quorum that fewer than a quorum of the other hosts' archives hold."""
        ends = {key: chaos_audit.archive_end(folder) for key, folder in self.archives.items()}
        losses = []
        for row, place in self.under_quorum.items():
            term = place.term
            copies = sum(
                place.end <= end
                for (name, origin), end in ends.items()
                if origin == term.origin and name != term.host.name
            )
            if copies < QUORUM_COUNT:
                losses.append(f"row {row} of term {term.number} at {place.end}: in no archive")
        return losses

    def split_acks(self):
        behind = [
            f"row {row}: acknowledged under a quorum in term {place.term.number} at {place.end}, "
            f"behind the seal {place.term.seal}"
            for row, place in self.under_quorum.items()
            if place.behind_seal
        ]
        return self.books.split_acks(self.under_quorum) + behind
