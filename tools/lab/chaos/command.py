"""Chaos: processes are killed, stopped and restarted at random while clients write numbered rows,
and other hosts take over.

Then the books are balanced from files and servers: whatever a client was told is committed has to
be there.
"""

import json
import random
from pathlib import Path

from lab.chaos.flat import FlatChaos
from lab.chaos.ha import HaChaos
from lab.chaos.run import commit_name

MINUTES_DEFAULT = 1.0
# Hosts that may each become the source talk over UDP; a vhost-user link has two fixed ends.
RUNS = {"udp": HaChaos, "vhost": FlatChaos}
PORT_DEFAULT = "udp"
PROBLEMS_SHOWN = 20


def run(minutes=MINUTES_DEFAULT, json_path=None, seed=None, port=PORT_DEFAULT, keep=False):
    """The process's exit status."""
    seed = random.SystemRandom().randrange(1 << 31) if seed is None else seed
    chaos = RUNS[port](minutes, seed, port, lambda line: print(line, flush=True))
    error, problems, result = None, [], {"acked": 0}
    try:
        problems, result = chaos.run()
    except (Exception, KeyboardInterrupt) as caught:  # pylint: disable=broad-except
        error = f"{type(caught).__name__}: {caught}"
        chaos.event(error)
    split_acks = chaos.split_acks()
    ok = error is None and not problems and not chaos.lost and not split_acks
    ok = ok and result["acked"] > 0 and chaos.counts["audits"] > 0
    result = {
        **chaos.counts,
        **result,
        "acked_lost": len(chaos.lost),
        "split_acks": len(split_acks),
        "ok": ok,
        "seed": seed,
        "port": port,
        "minutes": minutes,
        "commit": commit_name(),
        "error": error,
        "problems": [*problems, *chaos.lost, *map(str, split_acks)][:PROBLEMS_SHOWN],
    }
    chaos.close(keep=keep or not ok)
    for key, value in result.items():
        print(f"  {key:<22} {value}")
    if not ok:
        again = f"./dev chaos --minutes {minutes:g} --seed {seed} --port {port}"
        print(f"everything is kept in {chaos.cluster.folder}; again: {again}")
    print("OK" if ok else "FAILED", flush=True)
    if json_path:
        Path(json_path).write_text(json.dumps(result, indent=2) + "\n")
    return 0 if ok else 1
