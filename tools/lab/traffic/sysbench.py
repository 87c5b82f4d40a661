"""Runs sysbench's oltp_write_only, the load that others publish figures of."""

import re
import shutil
import subprocess

TIMEOUT_S = 120
TABLE_ROWS = 10_000
# sysbench draws its histogram so: "       0.520 |****      123", milliseconds and how many.
_BUCKET = re.compile(r"^\s*([0-9.]+) \|\**\s+([0-9]+)$", re.MULTILINE)
_TRANSACTIONS = re.compile(r"transactions:\s+[0-9]+\s+\(([0-9.]+) per sec\.\)")
_MAX = re.compile(r"^\s*max:\s+([0-9.]+)$", re.MULTILINE)


def installed():
    return shutil.which("sysbench") is not None


def _run(server, verb, *options):
    command = [
        "sysbench",
        "oltp_write_only",
        "--db-driver=mysql",
        f"--mysql-socket={server.socket}",
        "--mysql-user=root",
        "--mysql-db=sbtest",
        f"--table-size={TABLE_ROWS}",
        *options,
        verb,
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"sysbench {verb} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def prepare(server):
    server.query("CREATE DATABASE sbtest")
    _run(server, "prepare")


def parse(text):
    """p50_us, p99_us, p999_us, max_us, per_s and commits of one run's output."""
    buckets = [(float(ms) * 1000, int(count)) for ms, count in _BUCKET.findall(text)]
    total = sum(count for _, count in buckets)
    if total == 0:
        raise ValueError(f"sysbench has drawn no histogram:\n{text}")

    def quantile(fraction):
        seen = 0
        for upper_us, count in buckets:
            seen += count
            if seen >= fraction * total:
                return upper_us
        return buckets[-1][0]

    return {
        "commits": total,
        "p50_us": quantile(0.50),
        "p99_us": quantile(0.99),
        "p999_us": quantile(0.999),
        "max_us": float(_MAX.search(text).group(1)) * 1000,
        "per_s": float(_TRANSACTIONS.search(text).group(1)),
    }


def write_only(server, clients, seconds):
    return parse(_run(server, "run", f"--threads={clients}", f"--time={seconds}", "--histogram=on"))
