"""Chaos with one source for ever and replicas beside it, over DPDK's vhost-user: no promotions.

Audits freeze the source's binlaned and read the replicas' journals as they are on disk: what was
acknowledged under a quorum must be held by a quorum at that very moment, without the source's help.
"""

from lab.audit import ledger, verify
from lab.chaos import audit as chaos_audit
from lab.chaos.run import (
    JOURNAL_SIZE_MB,
    SERVER_TIMEOUT_MS,
    SETTLE_S,
    SMALL_SERVER,
    TIMEOUT_MS,
    Audit,
    ChaosRun,
    Failure,
)
from lab.servers.cluster import Cluster
from lab.traffic.load import read_acknowledged

QUORUM_COUNT = 2


class FlatChaos(ChaosRun):
    REPLICAS = ("r1", "r2", "r3")

    def __init__(self, minutes, seed, port, say):
        cluster = Cluster(
            replica_names=self.REPLICAS,
            quorum=f"ANY {QUORUM_COUNT} ({', '.join(self.REPLICAS)})",
            timeout_ms=TIMEOUT_MS,
            server_timeout_ms=SERVER_TIMEOUT_MS,
            port="vhost:{run}/{name}.vhost",
            journal_size_mb=JOURNAL_SIZE_MB,
            source_options=SMALL_SERVER,
            replica_options=SMALL_SERVER,
            name="chaos",
        )
        super().__init__(minutes, seed, port, say, cluster)
        self.processes = {"source server": cluster.source, "source binlaned": cluster.daemon}
        for replica in cluster.replicas:
            self.processes[f"{replica.name} server"] = replica.server
            self.processes[f"{replica.name} binlaned"] = replica.daemon
        self.ledger_file = cluster.daemon.data_dir / "ledger.jsonl"
        self.written = []  # the source's binlogs that every archive has, and their lengths

    @property
    def source_server(self):
        return self.cluster.source

    @property
    def source_daemon(self):
        return self.cluster.daemon

    def machines(self):
        return self.processes

    def machine(self, target):
        return target, self.processes[target]

    def start_cluster(self):
        self.cluster.start()

    def load_target(self):
        return self.cluster.source, {}

    def promote(self, promotion):
        raise Failure(f"promotion of {promotion.heir}: these hosts have one role only")

    def evidence(self):
        intervals, _ = ledger.read(self.ledger_file)
        copies = chaos_audit.copy_journals(self.cluster.replicas, self.cluster.folder)
        return intervals, self.cluster.source.binlogs(), copies

    def judge(self, acknowledged, evidence):
        intervals, binlogs, copies = evidence
        positions = self.books.read(binlogs)
        counted, missing = chaos_audit.under_quorum(acknowledged, positions, intervals)
        ends, differences = chaos_audit.held_by_replicas(copies, binlogs)
        losses = [f"row {row}: acknowledged, not in the source's binlogs" for row in missing]
        losses += chaos_audit.losses_without_source(counted, ends, QUORUM_COUNT)
        return Audit(len(counted), ends, losses, differences)

    def wait_equal(self):
        self.written = verify.lengths(self.cluster.source.binlogs())
        for replica in self.cluster.replicas:
            self.until(
                lambda archive=replica.daemon.archive: verify.archive_at_end(self.written, archive),
                f"{replica.name}'s archive to reach the end of the source's binlogs",
                SETTLE_S,
            )
        if self.cluster.flavour.fed:
            self.cluster.wait_replicas_applied(SETTLE_S)

    def verify(self):
        binlogs = self.cluster.source.binlogs()
        problems = []
        for replica in self.cluster.replicas:
            problems += verify.archive_differences(self.written, replica.daemon.archive)
        servers = self.cluster.followers
        problems += verify.table_differences(self.cluster.source, servers)
        acknowledged, in_doubt = read_acknowledged(self.load.acknowledged_file)
        intervals, exposed_groups = ledger.read(self.ledger_file)
        positions = self.books.read(binlogs)
        self.under_quorum, missing = chaos_audit.under_quorum(acknowledged, positions, intervals)
        self.lost += [f"row {row}: not in the source's binlogs" for row in missing]
        told = chaos_audit.keys(acknowledged)
        # No machine was lost, so even what was released without a quorum has to be everywhere.
        for name, server in [("source", self.cluster.source), *servers]:
            there = chaos_audit.rows_of_server(server)
            self.lost += [f"row {row}: not on {name}'s server" for row in told if row not in there]
        problems += [f"one GTID, two contents: {conflict}" for conflict in self.books.conflicts]
        return problems, {
            "acked": len(told),
            "acked_transactions": len(acknowledged),
            "acked_under_quorum": len(self.under_quorum),
            "in_doubt_transactions": len(in_doubt),
            "ledger_intervals": len(intervals),
            "exposed_groups": exposed_groups,
            "binlog_files": len(binlogs),
            "servers_compared": len(servers),
        }
