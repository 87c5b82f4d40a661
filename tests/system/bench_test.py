"""The comparison of commits runs, in every mode, and its rows say what they should. No figure is
judged, but for one that no machine can beat: a delay that was asked for."""

import unittest
from dataclasses import replace

import harness
from lab.bench import modes as bench_modes
from lab.bench.commit import CommitBench
from lab.servers import flavour

DELAY_US = max(bench_modes.DELAYS_US)
DELAYED = f"{bench_modes.OURS}_delay{DELAY_US}"
CELLS = (("insert", 2),)


def bench_of(*names):
    """One short round of these modes, one cell each."""
    bench = CommitBench(1, 1, 600, True, lambda text: None)
    known = {mode.name: mode for mode in bench.modes}
    bench.modes = [replace(known[name], cells=CELLS) for name in names]
    return bench


class EveryMode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = [mode.name for mode in bench_modes.modes(quick=True, fed=flavour.chosen().fed)]
        cls.rows = bench_of(*cls.names).run()

    def cells(self, name):
        return [row for row in self.rows if row["name"] == name and row["load"] == "insert"]

    def test_each_has_its_row(self):
        for name in self.names:
            with self.subTest(name=name):
                (row,) = self.cells(name)
                self.assertGreater(row["commits"], 0)
                self.assertGreater(row["p50_us"], 0)
                self.assertEqual(row["no_tx"], 0)

    def test_only_what_waits_was_acknowledged(self):
        for mode in bench_modes.modes(quick=True, fed=flavour.chosen().fed):
            with self.subTest(name=mode.name):
                self.assertEqual(self.cells(mode.name)[0]["yes_tx"] > 0, mode.waits)

    def test_journals_are_written_by_binlane_alone(self):
        for mode in bench_modes.modes(quick=True, fed=flavour.chosen().fed):
            with self.subTest(name=mode.name):
                self.assertEqual(self.cells(mode.name)[0]["journal_writes"] > 0, mode.binlane)

    def test_a_modelled_delay_is_in_every_commit(self):
        self.assertGreaterEqual(self.cells(DELAYED)[0]["p50_us"], DELAY_US)

    def test_stock_durable_says_that_it_is(self):
        settings = self.cells("stock_durable")[0]["settings"]
        self.assertEqual(settings["replica_sync_relay_log"], 1)
        self.assertEqual(settings[flavour.chosen().semi_sync("enabled")], 1)


class Baselines(unittest.TestCase):
    def test_a_binlaned_that_is_left_over_voids_the_baseline(self):
        bench = bench_of("norep")
        with bench.lab:
            left_over = bench.lab.clusters[1, bench_modes.VHOST].replicas[0].daemon
            left_over.start()
            with self.assertRaises(RuntimeError):
                bench.lab.enter(bench.modes[0])
            left_over.stop()
            bench.lab.enter(bench.modes[0])

    def test_a_replica_that_dies_in_the_middle_voids_the_run(self):
        bench = bench_of(bench_modes.OURS)
        with bench.lab:
            bench.lab.enter(bench.modes[0])
            bench.lab.clusters[1, bench_modes.VHOST].replicas[0].daemon.kill()
            with self.assertRaises(RuntimeError):
                bench.lab.check(bench.modes[0])
            bench.lab.leave(bench.modes[0])


if __name__ == "__main__":
    harness.main()
