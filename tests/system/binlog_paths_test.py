"""Every form in which a server's setting can name the place of its binlogs."""

import shutil
import unittest

import harness
from lab.machine import waiting
from lab.servers import flavour
from lab.servers.binlaned import Daemon
from lab.servers.cluster import ACKER_SERVER_ID
from lab.servers.fleet import BINLANE_USER, PASSWORD, short_folder
from lab.servers.server import Server

SOON_S = 60


class LogBinForms(unittest.TestCase):
    """One server; its binlogs are somewhere else in each case."""

    @classmethod
    def setUpClass(cls):
        cls.folder = short_folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.source = Server(cls.folder / "server", 7, flavour.chosen().source_options())
        cls.source.initialize()
        cls.options = dict(cls.source.options)

    def check(self, log_bin, index=None, data_dir=None):
        """A daemon reads the binlogs to their end, and finds nothing to complain of."""
        source = self.source
        source.options = {**self.options, "log-bin": log_bin}
        source.options.pop("log-bin-index")
        if index:
            source.options["log-bin-index"] = index
        if data_dir:
            source.options["datadir"] = data_dir
        source.start()
        self.addCleanup(source.stop)
        source.query(
            f"CREATE USER IF NOT EXISTS '{BINLANE_USER}'@'localhost' IDENTIFIED BY '{PASSWORD}'"
        )
        source.query(f"GRANT {source.flavour.source_privileges} ON *.* TO '{BINLANE_USER}'@'localhost'")
        folder = self.folder / self.id().rsplit(".", 1)[-1]
        daemon = Daemon(folder, self.config(folder))
        daemon.start()
        self.addCleanup(daemon.stop)
        # Rotations wait for no replica.
        for _ in range(2):
            source.query("FLUSH BINARY LOGS")
            waiting.until(
                lambda: self.written(daemon) == self.end_of_binlogs(),
                lambda: f"{self.end_of_binlogs()}; the daemon is at {self.written(daemon)}, "
                f"and says {self.status(daemon).get('problem')}",
                SOON_S,
            )

    def config(self, folder):
        return {
            "name": "source",
            "cluster": "paths",
            "source": {
                "server_socket": self.source.socket,
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

    @staticmethod
    def status(daemon):
        return (daemon.try_status() or {}).get("source") or {}

    def written(self, daemon):
        place = self.status(daemon).get("written") or {}
        return (place.get("file"), place.get("offset"))

    def end_of_binlogs(self):
        last = self.source.binlogs()[-1]
        return (int(last.suffix[1:]), last.stat().st_size)

    def test_name_alone(self):
        self.check("name-alone")

    def test_absolute(self):
        (self.folder / "logs").mkdir()
        self.check(self.folder / "logs" / "mysql-bin")

    def test_relative_folder(self):
        (self.source.data_dir / "binlogs").mkdir()
        self.check("binlogs/mysql-bin")

    def test_relative_folder_with_a_dot(self):
        (self.source.data_dir / "dotted").mkdir()
        self.check("./dotted/mysql-bin")

    def test_relative_index_elsewhere(self):
        (self.source.data_dir / "indexes").mkdir()
        self.check("apart-bin", index="indexes/apart.index")

    def test_data_folder_with_a_slash(self):
        self.check("slashed-bin", data_dir=f"{self.source.data_dir}/")

    def test_linked_data_folder(self):
        link = self.folder / "link"
        link.symlink_to(self.source.data_dir)
        (self.source.data_dir / "linked").mkdir()
        self.check("linked/mysql-bin", data_dir=link)


if __name__ == "__main__":
    harness.main()
