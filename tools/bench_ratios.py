"""The ratios of docs/PERFORMANCE.md, from the raw rows of a benchmark run and nothing else.

    bench_ratios.py ROWS.json…  →  {"rows": […], "ratios": {…}} on standard output

A figure is the median over the rounds of one run, so that everybody can recompute it from the rows.
A ratio whose rows are missing is left out: an empty cell is better than a guess.
"""

import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path


def median(rows, value, name, **labels):
    """The median over the rounds of `value` in the rows of this name and these labels; None: none."""
    found = [
        row[value]
        for row in rows
        if row["name"] == name
        and row.get(value) is not None
        and row.get("count", 1) > 0
        and all(row.get(label) == wanted for label, wanted in labels.items())
    ]
    return statistics.median(found) if found else None


def quotient(above, below):
    return None if above is None or not below else above / below


def worst(values):
    """The largest; None when one of them is missing."""
    values = list(values)
    return None if not values or None in values else max(values)


def transport_ratios(rows):
    sizes = sorted({row["bytes"] for row in rows if row["name"] == "transport"})

    def against(name, **labels):
        return worst(
            quotient(
                median(rows, "p50_us", "transport", port="vhost", bytes=size),
                median(rows, "p50_us", name, bytes=size, **labels),
            )
            for size in sizes
        )

    return {
        "transport_vs_raw": against("transport_raw", port="vhost"),
        "transport_vs_udp_spin": against("transport_kernel", port="kernel_udp", idle="spinning"),
        "transport_vs_tcp_spin": against("transport_kernel", port="kernel_tcp", idle="spinning"),
    }


def loss_ratios(rows):
    calm = median(rows, "p50_us", "loss", loss_percent=0.0)
    return {
        f"repair_{part}": quotient(median(rows, f"{part}_us", "loss_repaired", loss_percent=1.0), calm)
        for part in ("p50", "p99")
    }


def storage_ratios(rows):
    limits = [
        median(rows, "bytes_per_s", name) for name in ("catchup_raw_port", "catchup_raw_write")
    ]
    limit = None if None in limits else min(limits)
    return {
        "journal_vs_raw": quotient(
            median(rows, "p50_us", "journal"), median(rows, "p50_us", "journal_raw")
        ),
        "catchup_vs_limit": quotient(median(rows, "bytes_per_s", "catchup"), limit),
    }


def commit_ratios(rows):
    def p50(name, **labels):
        return median(rows, "p50_us", name, clients=1, load="insert", **labels)

    def per_s(name, clients, load):
        return median(rows, "per_s", name, clients=clients, load=load)

    ours, delayed = "binlane_1of1_after_sync", "binlane_1of1_after_sync_delay100"
    return {
        "commit1_vs_norep": quotient(p50(ours), p50("norep")),
        "commit1_vs_stock_durable": quotient(p50(ours), p50("stock_durable")),
        "commit1_p99_vs_p50": quotient(
            median(rows, "p99_us", ours, clients=1, load="insert"), p50(ours)
        ),
        "commit32_vs_norep": quotient(per_s(ours, 32, "insert"), per_s("norep", 32, "insert")),
        "commit32_vs_stock_durable": quotient(
            per_s(ours, 32, "insert"), per_s("stock_durable", 32, "insert")
        ),
        "commit_delay100_vs_0": quotient(p50(delayed), p50(ours)),
        "hotrow8_vs_stock_durable": quotient(
            per_s(ours, 8, "hot_row"), per_s("stock_durable", 8, "hot_row")
        ),
    }


def ratios(rows):
    every = {
        **transport_ratios(rows),
        **loss_ratios(rows),
        **storage_ratios(rows),
        **commit_ratios(rows),
    }
    return {key: value for key, value in every.items() if value is not None}


@dataclass(frozen=True)
class Floor:
    """What a ratio has to reach."""

    bound: float
    at_most: bool = True

    def met_by(self, value):
        return value is not None and (value <= self.bound if self.at_most else value >= self.bound)

    def __str__(self):
        return f"{'≤' if self.at_most else '≥'} {self.bound:.3g}"


def ratio_floors(rows):
    """{key: Floor} of every ratio there is; one of them depends on the run's own baseline."""
    norep = {"clients": 1, "load": "insert"}
    own = quotient(
        median(rows, "p99_us", "norep", **norep), median(rows, "p50_us", "norep", **norep)
    )
    return {
        "transport_vs_raw": Floor(2.0),
        "transport_vs_udp_spin": Floor(0.5),
        "transport_vs_tcp_spin": Floor(0.33),
        "repair_p50": Floor(5),
        "repair_p99": Floor(20),
        "journal_vs_raw": Floor(1.10),
        "catchup_vs_limit": Floor(0.6, at_most=False),
        "commit1_vs_norep": Floor(1.25),
        "commit1_vs_stock_durable": Floor(0.40),
        "commit1_p99_vs_p50": Floor(max(4, 1.5 * (own or 0))),
        "commit32_vs_norep": Floor(0.55, at_most=False),
        "commit32_vs_stock_durable": Floor(8, at_most=False),
        "commit_delay100_vs_0": Floor(1.50),
        "hotrow8_vs_stock_durable": Floor(4, at_most=False),
    }


def main(paths):
    rows = [row for path in paths for row in json.loads(Path(path).read_text())["rows"]]
    json.dump({"rows": rows, "ratios": ratios(rows)}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
