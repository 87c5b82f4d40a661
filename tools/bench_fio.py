"""What fio makes of the journal's pattern: durable writes of 4 KiB, one at a time, over a file."""

import json
import shutil
import subprocess
from pathlib import Path

FILE_BYTES = 16 << 20
TIMEOUT_GRACE_S = 60
PERCENTILES = {"p50_us": "50.000000", "p99_us": "99.000000", "p999_us": "99.900000"}


def installed():
    return shutil.which("fio") is not None


def row(text, number):
    """The row of one run, from fio's own JSON."""
    job = json.loads(text)["jobs"][0]["write"]
    taken = job["clat_ns"]["percentile"]
    return {
        "name": "journal_fio",
        "round": number,
        "count": job["total_ios"],
        **{key: taken[percentile] / 1000 for key, percentile in PERCENTILES.items()},
        "max_us": job["clat_ns"]["max"] / 1000,
        "per_s": job["iops"],
    }


def run(folder, number, seconds):
    file = Path(folder) / "fio.data"
    command = [
        "fio",
        "--name=journal",
        f"--filename={file}",
        f"--size={FILE_BYTES}",
        "--rw=write",
        "--bs=4k",
        "--direct=1",
        "--sync=dsync",
        "--ioengine=io_uring",
        "--iodepth=1",
        "--overwrite=1",
        "--time_based",
        f"--runtime={seconds}",
        "--output-format=json",
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds + TIMEOUT_GRACE_S,
        check=False,
    )
    file.unlink(missing_ok=True)
    if done.returncode != 0:
        raise RuntimeError(f"fio failed:\n{done.stdout}{done.stderr}")
    # fio may say something before its document.
    return row(done.stdout[done.stdout.index("{") :], number)
