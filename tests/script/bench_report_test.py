"""The benchmark's arithmetic and its page, on rows that a person can check. Nothing is measured."""

import contextlib
import io
import sys
import unittest
import xml.etree.ElementTree
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))

# pylint: disable=wrong-import-position
import bench_fio  # noqa: E402
import bench_report  # noqa: E402
from bench import FIELDS, Part, Run, document  # noqa: E402
from bench_chart import line_chart  # noqa: E402
from bench_ratios import median, ratio_floors, ratios  # noqa: E402
from lab.bench import modes as bench_modes  # noqa: E402
from lab.traffic import sysbench  # noqa: E402
from lab.bench.commit import Void, check  # noqa: E402
from lab.servers import flavour  # noqa: E402

OURS = bench_modes.OURS


def row(name, number=1, **figures):
    percentiles = {"p50_us": 10.0, "p99_us": 20.0, "p999_us": 30.0, "max_us": 40.0}
    return {"name": name, "round": number, **percentiles, **figures}


def commit(name, clients=1, load="insert", **figures):
    defaults = {"per_s": 1000.0, "yes_tx": 0, "no_tx": 0, "remote_delay_us": 0}
    return row(
        name, **{"clients": clients, "load": load, "replicas_apply": False, **defaults, **figures}
    )


def complete_run():
    """Rows for which every ratio is obvious."""
    rows = []
    for size in (64, 1376):
        rows += [
            row("transport", port="vhost", bytes=size, p50_us=6.0),
            row("transport", port="udp", bytes=size, p50_us=9.0),
            row("transport_raw", port="vhost", bytes=size, p50_us=4.0 if size == 64 else 3.0),
        ]
        for port, p50_us in (("kernel_udp", 12.0), ("kernel_tcp", 24.0)):
            rows += [
                row("transport_kernel", port=port, bytes=size, idle="spinning", p50_us=p50_us),
                row("transport_kernel", port=port, bytes=size, idle="blocking", p50_us=99.0),
            ]
    for loss, repaired in (
        (0.0, {"count": 0, "p50_us": 0.0, "p99_us": 0.0}),
        (1.0, {"count": 3, "p50_us": 15.0, "p99_us": 50.0}),
    ):
        labels = {"port": "vhost", "bytes": 256, "loss_percent": loss}
        rows.append(row("loss", count=9, p50_us=5.0, **labels))
        rows.append(row("loss_repaired", **labels) | repaired)
    rows += [row("journal", p50_us=105.0), row("journal_raw", p50_us=100.0)]
    rows += [
        {"name": "catchup", "round": 1, "bytes_per_s": 8e8},
        {"name": "catchup_raw_port", "round": 1, "bytes_per_s": 2e9},
        {"name": "catchup_raw_write", "round": 1, "bytes_per_s": 1e9},
    ]
    delayed = f"{OURS}_delay100"
    rows += [
        commit("norep", p50_us=300.0, p99_us=1500.0),
        commit(OURS, p50_us=330.0, p99_us=990.0),
        commit(delayed, p50_us=396.0, remote_delay_us=100),
        commit("stock_durable", p50_us=1320.0),
        commit("norep", clients=32, per_s=20000.0),
        commit(OURS, clients=32, per_s=15000.0),
        commit("stock_durable", clients=32, per_s=1500.0),
        commit(OURS, clients=8, load="hot_row", per_s=4000.0),
        commit("stock_durable", clients=8, load="hot_row", per_s=800.0),
    ]
    return rows


EXPECTED = {
    "transport_vs_raw": 2.0,  # the worse of both sizes
    "transport_vs_udp_spin": 0.5,
    "transport_vs_tcp_spin": 0.25,
    "repair_p50": 3.0,
    "repair_p99": 10.0,
    "journal_vs_raw": 1.05,
    "catchup_vs_limit": 0.8,
    "commit1_vs_norep": 1.1,
    "commit1_vs_stock_durable": 0.25,
    "commit1_p99_vs_p50": 3.0,
    "commit32_vs_norep": 0.75,
    "commit32_vs_stock_durable": 10.0,
    "commit_delay100_vs_0": 1.2,
    "hotrow8_vs_stock_durable": 5.0,
}


class Ratios(unittest.TestCase):
    def test_every_ratio_of_a_complete_run(self):
        found = ratios(complete_run())
        self.assertEqual(set(found), set(EXPECTED))
        for key, value in EXPECTED.items():
            self.assertAlmostEqual(found[key], value, msg=key)

    def test_every_ratio_has_a_floor(self):
        self.assertEqual(set(ratio_floors(complete_run())), set(EXPECTED))

    def test_the_floor_of_the_tail_grows_with_the_baselines_own(self):
        self.assertAlmostEqual(ratio_floors(complete_run())["commit1_p99_vs_p50"].bound, 7.5)
        self.assertAlmostEqual(ratio_floors([])["commit1_p99_vs_p50"].bound, 4)

    def test_a_floor_is_a_bound_on_its_own_side_and_nothing_missing_meets_it(self):
        floors = ratio_floors([])
        self.assertTrue(floors["commit1_vs_norep"].met_by(1.25))
        self.assertFalse(floors["commit1_vs_norep"].met_by(1.26))
        self.assertTrue(floors["commit32_vs_stock_durable"].met_by(8))
        self.assertFalse(floors["commit32_vs_stock_durable"].met_by(7.9))
        self.assertFalse(floors["commit32_vs_stock_durable"].met_by(None))

    def test_a_figure_is_the_median_of_the_rounds(self):
        rows = [row("journal", n, p50_us=value) for n, value in enumerate((5.0, 1.0, 900.0))]
        self.assertEqual(median(rows, "p50_us", "journal"), 5.0)

    def test_what_was_not_measured_is_left_out(self):
        rows = [r for r in complete_run() if r["name"] not in ("journal_raw", "stock_durable")]
        missing = set(EXPECTED) - set(ratios(rows))
        self.assertEqual(
            missing,
            {
                "journal_vs_raw",
                "commit1_vs_stock_durable",
                "commit32_vs_stock_durable",
                "hotrow8_vs_stock_durable",
            },
        )

    def test_the_modes_that_ratios_name_are_measured_in_every_round(self):
        named = {r["name"] for r in complete_run() if "load" in r}
        self.assertEqual({m.name for m in bench_modes.modes(quick=True) if m.in_ratios}, named)


class Document(unittest.TestCase):
    def test_every_row_has_every_field(self):
        for found in document(complete_run())["rows"]:
            self.assertLessEqual(set(FIELDS), set(found))

    def test_a_row_keeps_its_figures(self):
        found = document([commit("norep", per_s=7.0)])["rows"][0]
        self.assertEqual((found["per_s"], found["p50_us"], found["clients"]), (7.0, 10.0, 1))


class Parts(unittest.TestCase):
    def test_one_that_fails_leaves_no_rows_and_is_on_record(self):
        def fail():
            raise RuntimeError("no disk")

        run = Run(quick=True)
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(run.measured(Part("journal", 1, 1), fail), [])
            self.assertEqual(run.measured(Part("loss", 1, 1), lambda: [1]), [1])
        self.assertEqual(run.failures, ["journal: no disk"])


class Honesty(unittest.TestCase):
    """A run that silently went asynchronous, or a baseline that waited, is no result."""

    modes = {mode.name: mode for mode in bench_modes.modes()}
    words = flavour.named("mariadb")

    def check(self, mode, commits=100, **cost):
        good = {"yes_tx": 0, "no_tx": 0, "device_flushes": 200, "journal_writes": 0}
        check(self.modes[mode], {**good, **cost}, {"commits": commits}, self.words)

    def test_what_is_as_it_should_be_passes(self):
        self.check(OURS, yes_tx=101, journal_writes=200)
        self.check("norep")
        self.check("norep", device_flushes=None)

    def test_a_commit_without_its_acknowledgement_is_void(self):
        for mode in (OURS, "stock_durable", "stock_after_commit"):
            for yes_tx, no_tx in ((100, 1), (99, 0), (0, 0)):
                with self.subTest(mode=mode, yes_tx=yes_tx), self.assertRaises(Void):
                    self.check(mode, yes_tx=yes_tx, no_tx=no_tx)

    def test_groups_that_were_acknowledged_say_nothing_of_how_many_commits(self):
        self.words = flavour.named("mysql")
        self.check(OURS, yes_tx=7, journal_writes=200)
        for yes_tx, no_tx in ((7, 1), (0, 0)):
            with self.subTest(yes_tx=yes_tx), self.assertRaises(Void):
                self.check(OURS, yes_tx=yes_tx, no_tx=no_tx)

    def test_a_baseline_that_waited_is_void(self):
        for mode in ("norep", "async"):
            with self.subTest(mode=mode), self.assertRaises(Void):
                self.check(mode, yes_tx=1)

    def test_nothing_committed_is_void(self):
        with self.assertRaises(Void):
            self.check("norep", commits=0)

    def test_a_journal_that_wrote_more_often_than_the_device_flushed_is_void(self):
        with self.assertRaises(Void):
            self.check(OURS, yes_tx=100, journal_writes=201)


class Page(unittest.TestCase):
    def setUp(self):
        self.text = bench_report.page(document(complete_run()), ["2 × a <processor>"])

    def test_it_needs_nothing_but_itself(self):
        for outside in ("src=", "href=", "@import", "url("):
            self.assertNotIn(outside, self.text)

    def test_it_has_the_four_kinds_of_plots_and_each_is_well_formed(self):
        charts = [part.partition("</svg>")[0] for part in self.text.split("<svg")[1:]]
        titles = []
        for chart in charts:
            parsed = xml.etree.ElementTree.fromstring("<svg" + chart + "</svg>")
            titles.append(next(parsed.itertext()).strip() or parsed[0].text)
        for wanted in ("Round trip of 64", "Commit of one row", "Throughput", "Penalty", "loss"):
            self.assertTrue(any(wanted in title for title in titles), (wanted, titles))

    def test_a_ratio_that_misses_its_floor_is_marked(self):
        bad = [r | {"p50_us": 900.0} if r["name"] == "journal" else r for r in complete_run()]
        for rows, marked in ((complete_run(), False), (bad, True)):
            table = bench_report.ratio_table(document(rows))
            line = next(part for part in table.split("<tr") if "journal_vs_raw" in part)
            self.assertEqual("missed" in line, marked)

    def test_words_from_outside_are_escaped(self):
        self.assertIn("2 × a &lt;processor&gt;", self.text)

    def test_an_empty_run_gives_a_page_without_plots(self):
        self.assertNotIn("<svg", bench_report.page(document([]), []))


class Chart(unittest.TestCase):
    def test_greater_is_higher_and_what_is_missing_has_no_point(self):
        drawn = xml.etree.ElementTree.fromstring(
            line_chart("t", ["a", "b", "c"], {"s": [1.0, None, 100.0]}, "y")
        )
        dots = [element for element in drawn if element.tag.endswith("circle")]
        self.assertEqual(len(dots), 2)
        self.assertLess(float(dots[1].get("cy")), float(dots[0].get("cy")))
        self.assertLess(float(dots[0].get("cx")), float(dots[1].get("cx")))


    def test_one_value_alone_can_be_drawn(self):
        self.assertEqual(line_chart("t", ["a"], {"s": [3.0]}, "y").count("<circle"), 1)

    def test_nothing_gives_nothing(self):
        self.assertEqual(line_chart("t", ["a"], {"s": [None]}, "y"), "")


class OtherPrograms(unittest.TestCase):
    """What sysbench and fio print, in the form of Debian 12's."""

    def test_sysbench(self):
        found = sysbench.parse(
            "Latency histogram (values are in milliseconds)\n"
            "       value  ------------- distribution ------------- count\n"
            "       0.500 |****************************************** 98\n"
            "       2.000 |                                           1\n"
            "       9.000 |*                                          1\n"
            " \n"
            "    transactions:                        100    (50.25 per sec.)\n"
            "         max:                                    9.10\n"
        )
        self.assertEqual(
            found,
            {
                "commits": 100,
                "p50_us": 500.0,
                "p99_us": 2000.0,
                "p999_us": 9000.0,
                "max_us": 9100.0,
                "per_s": 50.25,
            },
        )

    def test_sysbench_without_a_histogram_is_an_error(self):
        with self.assertRaises(ValueError):
            sysbench.parse("    transactions:    100    (50.25 per sec.)\n")

    def test_fio(self):
        percentiles = '{"50.000000": 1000, "99.000000": 2000, "99.900000": 3000}'
        text = (
            '{"jobs": [{"write": {"total_ios": 7, "iops": 3.5, "clat_ns": '
            f'{{"max": 4000, "percentile": {percentiles}}}}}}}]}}'
        )
        found = bench_fio.row(text, 2)
        self.assertEqual((found["p50_us"], found["p99_us"], found["max_us"]), (1.0, 2.0, 4.0))
        self.assertEqual((found["round"], found["count"], found["per_s"]), (2, 7, 3.5))


if __name__ == "__main__":
    unittest.main()
