"""Bad input gets a clear error: never a crash, never a hang, never a quiet wrong mode."""

import shutil
import socket
import unittest

import harness
from lab.machine import ports, waiting
from lab.servers import flavour
from lab.servers.binlaned import Daemon
from lab.servers.cluster import ACKER_SERVER_ID
from lab.servers.fleet import BINLANE_USER, PASSWORD, short_folder
from lab.servers.server import Server

REFUSE_TIMEOUT_S = 30
SOON_S = 30
GARBAGE_DATAGRAMS = 500


def source_config(folder, server_socket):
    """A sound configuration of a source; cases spoil one thing each."""
    return {
        "name": "source",
        "cluster": "refusal",
        "source": {
            "server_socket": server_socket,
            "server_user": BINLANE_USER,
            "server_password": PASSWORD,
            "acker_server_id": ACKER_SERVER_ID,
            "quorum": "ANY 1 (r1)",
            "replica": [
                {
                    "name": "r1",
                    "port": f"vhost:{folder}/r1.vhost",
                    "local_address": "198.18.0.1:7100",
                    "address": "198.18.0.2:7100",
                }
            ],
        },
    }


def replica_config(folder):
    return {
        "name": "r1",
        "cluster": "refusal",
        "replica": {
            "port": f"vhost:{folder}/r1.vhost",
            "address": "198.18.0.2:7100",
            "feed_listen": f"127.0.0.1:{ports.free_port()}",
            "feed_user": BINLANE_USER,
            "feed_password": PASSWORD,
        },
    }


class RefusalCase(unittest.TestCase):
    def setUp(self):
        self.folder = short_folder()
        self.addCleanup(shutil.rmtree, self.folder)

    def daemon(self, config, name="binlaned"):
        daemon = Daemon(self.folder / name, config)
        self.addCleanup(daemon.stop)
        return daemon

    def check_refused_at_start(self, config, *words):
        """The daemon ends by itself, not by a signal, and says all of the words."""
        status, text = self.daemon(config).refusal()
        self.assertGreater(status, 0, f"ended with {status}:\n{text}")
        for word in words:
            self.assertIn(word, text)
        self.assertNotIn("assertion", text.lower())


class Configuration(RefusalCase):
    """The file's content is wrong."""

    def setUp(self):
        super().setUp()
        self.config = source_config(self.folder, self.folder / "mysql.sock")

    def test_unknown_key_with_a_suggestion(self):
        self.config["source"]["timeout_sm"] = 1000
        self.check_refused_at_start(self.config, "timeout_sm", "did you mean", "timeout_ms")

    def test_unknown_table(self):
        self.config["soruce"] = {"x": 1}
        self.check_refused_at_start(self.config, "soruce", "source")

    def test_wrong_type(self):
        self.config["source"]["timeout_ms"] = "soon"
        self.check_refused_at_start(self.config, "timeout_ms")

    def test_value_out_of_range(self):
        self.config["lane"] = {"nap_us": 0}
        self.check_refused_at_start(self.config, "nap_us")

    def test_quorum_of_unknown_replica(self):
        self.config["source"]["quorum"] = "ANY 1 (r1, r9)"
        self.check_refused_at_start(self.config, "r9")

    def test_quorum_that_cannot_be(self):
        self.config["source"]["quorum"] = "ANY 2 (r1)"
        self.check_refused_at_start(self.config, "quorum")

    def test_server_timeout_too_close(self):
        self.config["source"].update(timeout_ms=5000, server_timeout_ms=5500)
        self.check_refused_at_start(self.config, "server_timeout_ms")

    def test_neither_source_nor_replica(self):
        del self.config["source"]
        self.check_refused_at_start(self.config, "source", "replica")

    def test_missing_key(self):
        del self.config["source"]["quorum"]
        self.check_refused_at_start(self.config, "quorum")

    def test_not_toml(self):
        daemon = self.daemon(self.config)
        daemon.write_config = lambda: daemon.config_file.write_text("name = [\n")
        status, text = daemon.refusal()
        self.assertGreater(status, 0)
        self.assertIn("binlaned.toml", text)

    def test_missing_file(self):
        daemon = self.daemon(self.config)
        daemon.write_config = lambda: None
        status, text = daemon.refusal()
        self.assertGreater(status, 0)
        self.assertIn("binlaned.toml", text)

    def test_open_password_file(self):
        secret = self.folder / "secret"
        secret.write_text("x\n")
        secret.chmod(0o666)
        del self.config["source"]["server_password"]
        self.config["source"]["server_password_file"] = secret
        self.check_refused_at_start(self.config, "server_password_file")

    def test_data_folder_that_is_a_file(self):
        (self.folder / "file").write_text("")
        self.config["data_dir"] = self.folder / "file"
        self.check_refused_at_start(self.config, "file")

    def test_password_never_appears(self):
        self.config["source"]["timeout_sm"] = 1
        _, text = self.daemon(self.config).refusal()
        self.assertNotIn(PASSWORD, text)


class Ports(RefusalCase):
    """What cannot be opened."""

    def test_unknown_kind_of_port(self):
        config = replica_config(self.folder)
        config["replica"]["port"] = "carrier-pigeon:1"
        self.check_refused_at_start(config, "carrier-pigeon", "vhost", "dpdk", "udp")

    def test_device_that_does_not_exist(self):
        config = replica_config(self.folder)
        config["replica"]["port"] = "dpdk:net_af_packet0,iface=nosuchiface0"
        self.check_refused_at_start(config, "nosuchiface0")

    def test_address_that_is_not_ours(self):
        config = replica_config(self.folder)
        config["replica"].update(port="udp", address="203.0.113.7:7100")
        self.check_refused_at_start(config, "203.0.113.7")

    def test_feed_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = replica_config(self.folder)
            config["replica"]["feed_listen"] = f"127.0.0.1:{taken.getsockname()[1]}"
            self.check_refused_at_start(config, "feed_listen")

    def test_metrics_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = replica_config(self.folder)
            config["metrics_listen"] = f"127.0.0.1:{taken.getsockname()[1]}"
            self.check_refused_at_start(config, "metrics_listen", "cannot listen there")

    def test_second_daemon_on_one_data_folder(self):
        config = replica_config(self.folder)
        first = self.daemon(config)
        first.start()
        status, text = self.daemon(config).refusal()
        self.assertGreater(status, 0, text)
        self.assertIsNotNone(first.try_status(), "the first one must not notice")

    def test_journal_larger_than_the_disk(self):
        config = replica_config(self.folder)
        config["replica"]["journal_size_mb"] = 1 << 20
        free_mb = shutil.disk_usage(self.folder).free >> 20
        if free_mb > 1 << 20:
            self.skipTest("this disk is larger than the largest journal")
        self.check_refused_at_start(config, "journal")

    def test_journal_of_another_format(self):
        config = replica_config(self.folder)
        daemon = self.daemon(config)
        daemon.start()
        daemon.stop()
        journal = daemon.data_dir / "journal"
        kept = journal.read_bytes()
        self.assertTrue(kept)
        journal.write_bytes(b"\x5a" * len(kept))
        status, text = daemon.refusal()
        self.assertGreater(status, 0, text)
        self.assertIn("journal", text)
        # Nothing may be "repaired" by formatting over existing data.
        self.assertEqual(journal.read_bytes()[:8], b"\x5a" * 8)


class SourceServer(RefusalCase):
    """The server is not fit to be a source. The daemon may end or stay and report; it must say why."""

    def start_server(self, **options):
        server = harness.server_alone(self.folder / "server", **options)
        self.addCleanup(server.stop)
        server.create_account(BINLANE_USER, PASSWORD, server.flavour.source_privileges)
        return server

    def check_refused(self, server, *words, change=None):
        config = source_config(self.folder, server.socket)
        if change is not None:
            change(config["source"])
        daemon = self.daemon(config)
        daemon.write_config()
        daemon.process.start()

        def told():
            text = daemon.log()
            return all(word in text for word in words)

        def told_or_ended():
            return told() or not daemon.process.alive

        waiting.until(told_or_ended, f"the log to say {words}: {daemon.log()}", REFUSE_TIMEOUT_S)
        self.assertTrue(told(), daemon.log())
        # It may say so before anybody can ask it.
        waiting.until(
            lambda: not daemon.process.alive or daemon.try_status() is not None,
            "binlaned to answer or to end",
            REFUSE_TIMEOUT_S,
        )
        if daemon.process.alive:
            self.assertNotEqual(daemon.status()["source"]["state"], "SEMISYNC")
        else:
            self.assertGreater(daemon.process.exit_status, 0, daemon.log())
        self.assertNotEqual(server.semi_sync()["status"], "ON")
        self.assertNotIn(PASSWORD, daemon.log())
        # Commits of a server that was refused must not be held up.
        server.query("CREATE DATABASE still_works")

    def test_sync_binlog(self):
        self.check_refused(self.start_server(**{"sync-binlog": 0}), "sync_binlog")

    def test_flush_log_at_commit(self):
        server = self.start_server(**{"innodb-flush-log-at-trx-commit": 2})
        self.check_refused(server, "innodb_flush_log_at_trx_commit")

    def test_log_bin_off(self):
        mysql = flavour.chosen().family == "mysql"
        options = {"disable-log-bin": None, "plugin-load-add": "semisync_source.so"} if mysql else {}
        server = Server(self.folder / "server", 1, options)
        server.initialize()
        server.start()
        self.addCleanup(server.stop)
        server.create_account(BINLANE_USER, PASSWORD, server.flavour.source_privileges)
        self.check_refused(server, "log_bin")

    def test_encrypted_binlog(self):
        if flavour.chosen().family != "mariadb":
            self.skipTest("its keys come from a plugin of MariaDB")
        plugins, reason = harness.encryption_plugin_folder()
        if plugins is None:
            self.skipTest(reason)
        keys = self.folder / "keys"
        keys.write_text("1;" + "00112233445566778899aabbccddeeff" + "\n")
        server = self.start_server(
            **{
                "plugin-dir": plugins,
                "plugin-load-add": "file_key_management",
                "file-key-management-filename": keys,
                "encrypt-binlog": "ON",
            }
        )
        self.check_refused(server, "encrypt_binlog")

    def test_missing_privileges(self):
        server = self.start_server()
        server.query(f"REVOKE REPLICATION SLAVE ON *.* FROM '{BINLANE_USER}'@'localhost'")
        self.check_refused(server, "REPLICATION SLAVE", "GRANT")

    def test_wrong_password(self):
        server = self.start_server()
        self.check_refused(
            server, "Access denied", change=lambda source: source.update(server_password="wrong")
        )

    def test_acker_with_the_servers_own_id(self):
        server = self.start_server()
        self.check_refused(
            server,
            "acker_server_id",
            change=lambda source: source.update(acker_server_id=server.server_id),
        )

    def test_server_that_is_not_there_yet(self):
        config = source_config(self.folder, self.folder / "server" / "mysql.sock")
        daemon = self.daemon(config)
        daemon.write_config()
        daemon.process.start()
        waiting.until(lambda: "mysql.sock" in daemon.log(), "a word about the socket", SOON_S)
        # Either way of dealing with it is clear; a crash is not.
        if not daemon.process.alive:
            self.assertGreater(daemon.process.exit_status, 0)

    def test_sync_binlog_changed_later(self):
        # S7: no position may be called synced while sync_binlog is not 1.
        server = self.start_server()
        config = source_config(self.folder, server.socket)
        daemon = self.daemon(config)
        daemon.start()
        server.query("SET GLOBAL sync_binlog = 0")
        waiting.until(lambda: "sync_binlog" in daemon.log(), "a word about sync_binlog", SOON_S)


class Streams(harness.ClusterCase):
    """Logs that do not belong together, and datagrams that belong to no peer."""

    CLUSTER = {"port": "udp", "replica_names": ("r1", "r2", "r3"), "quorum": "ANY 1 (r1, r2, r3)"}

    def test_garbage_is_counted_and_dropped(self):
        replica = self.cluster.replica("r1")
        host, port = replica.address.split(":")
        counted = self.counted(replica)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(GARBAGE_DATAGRAMS):
                body = bytes((number * 7 + index * 13) % 256 for index in range(number * 3 % 1400))
                sender.sendto(body, (host, int(port)))
        waiting.until(
            lambda: self.counted(replica) >= counted + GARBAGE_DATAGRAMS // 2,
            "foreign datagrams to be counted",
            SOON_S,
        )
        self.source.query("CREATE TABLE check_db.after_garbage (id INT PRIMARY KEY)")
        self.check_semi_sync_is_on()

    @staticmethod
    def counted(replica):
        """Every counter of the replica's daemon that names something dropped."""
        words = ("drop", "foreign", "garbage", "bad", "invalid", "malformed", "reject", "unknown_peer")

        def walk(node):
            if not isinstance(node, dict):
                return 0
            return sum(
                walk(value)
                if isinstance(value, dict)
                else value
                if isinstance(value, int) and any(word in key for word in words)
                else 0
                for key, value in node.items()
            )

        return walk(replica.daemon.status())

    def test_journal_of_another_stream_is_refused(self):
        # r3 comes back with a journal and archive of a different source's stream.
        replica = self.cluster.replica("r3")
        replica.daemon.stop()
        foreign = harness.Cluster(replica_names=("r3",), port="udp", name=self.cluster.name)
        self.addCleanup(foreign.stop)
        foreign.start()
        foreign.source.query("CREATE DATABASE elsewhere")
        foreign.replicas[0].daemon.stop()
        data = replica.daemon.data_dir
        shutil.rmtree(data)
        shutil.copytree(foreign.replicas[0].daemon.data_dir, data)
        replica.daemon.start()
        waiting.until(
            lambda: "refus" in replica.daemon.log() and "refus" in self.cluster.daemon.log(),
            "both ends to say why they refuse",
            SOON_S,
        )
        status = next(
            one for one in self.cluster.source_status()["replicas"] if one["name"] == "r3"
        )
        self.assertFalse(status["connected"])
        self.source.query("CREATE TABLE check_db.after_refusal (id INT PRIMARY KEY)")
        self.check_semi_sync_is_on()


class ReplicaServer(harness.ClusterCase):
    """What the replica's server may get wrong."""

    FAMILIES = ("mariadb",)

    def test_wrong_feed_password_is_an_ordinary_error(self):
        replica = self.cluster.replica("r1")
        replica.server.query("STOP SLAVE")
        replica.server.query("CHANGE MASTER TO MASTER_PASSWORD='wrong'")
        replica.server.query("START SLAVE")
        waiting.until(
            lambda: "Access denied" in replica.server.replica_status()["Last_IO_Error"],
            "Access denied",
            SOON_S,
        )
        replica.follow()
        self.source.query("CREATE TABLE check_db.after_denial (id INT PRIMARY KEY)")
        self.check_everything_arrived("check_db.after_denial")

    def test_file_and_position(self):
        replica = self.cluster.replica("r2")
        self.cluster.wait_replicas_applied()
        replica.server.query("STOP SLAVE")
        last = self.source.binlogs()[-1]
        replica.server.query(
            "CHANGE MASTER TO MASTER_USE_GTID=no, "
            f"MASTER_LOG_FILE='{last.name}', MASTER_LOG_POS={last.stat().st_size}"
        )
        replica.server.query("START SLAVE")
        self.source.query("CREATE TABLE check_db.by_position (id INT PRIMARY KEY)")
        self.source.query("INSERT INTO check_db.by_position VALUES (7)")
        self.check_everything_arrived("check_db.by_position")

    def test_position_beyond_the_end_is_an_ordinary_error(self):
        replica = self.cluster.replica("r1")
        replica.server.query("STOP SLAVE")
        replica.server.query(
            "CHANGE MASTER TO MASTER_USE_GTID=no, MASTER_LOG_FILE='binlog.009999', MASTER_LOG_POS=4"
        )
        replica.server.query("START SLAVE")
        waiting.until(
            lambda: replica.server.replica_status()["Last_IO_Errno"] == 1236, "error 1236", SOON_S
        )
        replica.server.query("STOP SLAVE")
        replica.follow()
        self.source.query("CREATE TABLE check_db.after_1236 (id INT PRIMARY KEY)")
        self.check_everything_arrived("check_db.after_1236")


if __name__ == "__main__":
    harness.main()
