"""The page of a benchmark run: plots and tables from its rows, self-contained.

    bench_report.py RESULT.json  →  HTML on standard output
"""

import json
import sys
from html import escape
from pathlib import Path

from bench_chart import line_chart
from bench_ratios import median, ratio_floors

PERCENTILES = {"p50": "p50_us", "p99": "p99_us", "p99.9": "p999_us", "max": "max_us"}
OURS = "binlane_1of1_after_sync"
STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; }
td, th { border: 1px solid #ccc; padding: 2px 8px; text-align: right; }
td:first-child, th:first-child { text-align: left; }
.missed { background: #fbe3dd; }
svg { display: block; margin: 1.2rem 0; }
svg text { font: 11px sans-serif; }
svg .title { font: bold 13px sans-serif; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: #ddd; }
"""
# What tells two rows of one name apart, beside the round.
LABELS = (
    *("clients", "load", "port", "bytes", "idle", "loss_percent", "remote_delay_us"),
    *("mode", "stage", "replica"),
)
FIGURES = (
    *PERCENTILES.values(),
    "per_s",
    "bytes_per_s",
    "yes_tx",
    "no_tx",
    "journal_writes",
    "device_flushes",
    "cpu_s_per_1000_commits",
)


def _number(value):
    return "" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _identity(row):
    return (row["name"], *((label, row[label]) for label in LABELS if row.get(label) is not None))


def identities(rows):
    """Each measured thing once, in the order of the rows."""
    return list(dict.fromkeys(_identity(row) for row in rows))


def percentile_chart(title, rows, name_of):
    """A line a measured thing, over the percentiles."""
    series = {
        name_of(dict(labels), name): [
            median(rows, field, name, **dict(labels)) for field in PERCENTILES.values()
        ]
        for name, *labels in identities(rows)
    }
    return line_chart(title, list(PERCENTILES), series, "microseconds")


def transport_charts(rows):
    ours = [row for row in rows if row["name"].startswith("transport")]
    return [
        percentile_chart(
            f"Round trip of {size} bytes",
            [row for row in ours if row["bytes"] == size],
            lambda labels, name: " ".join(
                filter(None, (name.removeprefix("transport_"), labels.get("port"), labels.get("idle")))
            ),
        )
        for size in sorted({row["bytes"] for row in ours})
    ]


def commit_rows(rows):
    return [row for row in rows if row.get("load") == "insert"]


def commit_chart(rows):
    return percentile_chart(
        "Commit of one row, one client",
        [row for row in commit_rows(rows) if row["clients"] == 1],
        lambda labels, name: name,
    )


def throughput_chart(rows):
    found = commit_rows(rows)
    clients = sorted({row["clients"] for row in found})
    names = dict.fromkeys(row["name"] for row in found)
    series = {
        name: [median(found, "per_s", name, clients=count) for count in clients] for name in names
    }
    several = {name: values for name, values in series.items() if len([v for v in values if v]) > 1}
    return line_chart("Throughput against clients", clients, several, "commits per second")


def delay_chart(rows):
    found = [row for row in commit_rows(rows) if row["clients"] == 1 and not row["replicas_apply"]]
    bare = median(found, "p50_us", "norep")
    ours = [row for row in found if row["name"].startswith(OURS)]
    delays = sorted({row["remote_delay_us"] for row in ours})
    penalty = [
        median([r for r in ours if r["remote_delay_us"] == delay], "p50_us", name)
        for delay in delays
        for name in {r["name"] for r in ours if r["remote_delay_us"] == delay}
    ]
    if not bare:
        return ""
    return line_chart(
        "Penalty against remote delay: p50 of one client ÷ no replica",
        [f"+{delay} us" for delay in delays],
        {OURS: [value and value / bare for value in penalty]},
        "ratio",
    )


def loss_chart(rows):
    found = [row for row in rows if row["name"].startswith("loss")]
    losses = sorted({row["loss_percent"] for row in found})
    series = {
        f"{what} {label}": [median(found, field, name, loss_percent=loss) for loss in losses]
        for name, what in (("loss", "every commit"), ("loss_repaired", "repaired"))
        for label, field in PERCENTILES.items()
        if label != "max"
    }
    return line_chart(
        "Round trips under loss of both directions",
        [f"{loss:g} %" for loss in losses],
        series,
        "microseconds",
    )


def ratio_table(result):
    lines = ["<tr><th>ratio</th><th>this run</th><th>floor</th></tr>"]
    for key, floor in ratio_floors(result["rows"]).items():
        value = result["ratios"].get(key)
        met = floor.met_by(value)
        lines.append(
            f'<tr{"" if met else " class=missed"}><td>{key}</td>'
            f"<td>{_number(value)}</td><td>{escape(str(floor))}</td></tr>"
        )
    return "<table>" + "\n".join(lines) + "</table>"


def row_table(rows):
    heads = "".join(f"<th>{figure}</th>" for figure in FIGURES)
    lines = [f"<tr><th>median over the rounds</th>{heads}</tr>"]
    for name, *labels in identities(rows):
        text = " ".join([name, *(f"{key}={value}" for key, value in labels)])
        cells = "".join(
            f"<td>{_number(median(rows, figure, name, **dict(labels)))}</td>" for figure in FIGURES
        )
        lines.append(f"<tr><td>{escape(text)}</td>{cells}</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def page(result, machine):
    """machine: lines that say what was measured on."""
    rows = result["rows"]
    charts = [
        *transport_charts(rows),
        commit_chart(rows),
        throughput_chart(rows),
        delay_chart(rows),
        loss_chart(rows),
    ]
    return "\n".join(
        [
            "<!doctype html><html lang=en><meta charset=utf-8><title>Binlane: benchmark</title>",
            f"<style>{STYLE}</style><h1>Binlane: benchmark</h1>",
            "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in machine) + "</ul>",
            ratio_table(result),
            *charts,
            row_table(rows),
            "</html>",
        ]
    )


if __name__ == "__main__":
    print(page(json.loads(Path(sys.argv[1]).read_text()), []))
