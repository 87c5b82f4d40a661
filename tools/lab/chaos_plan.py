"""What a chaos run does, drawn from its seed before it begins: the same seed, the same steps.

A step brings faults upon some processes at once, holds them, and heals them in an order of its own.
How long a step takes depends on the machine; what it does and to whom does not.
"""

import random
from dataclasses import dataclass

KILL, PAUSE, RESTART = "kill", "pause", "restart"
# How many processes a step hits, and how often each number is drawn.
HIT_COUNTS = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3)
KINDS = (KILL, KILL, KILL, PAUSE, PAUSE, RESTART)
# A hold may be over before anybody notices, outlast the quorum's timeout, or the server's own.
HOLDS_S = ((0.0, 0.2), (0.2, 1.5), (1.0, 4.0), (5.0, 8.0))
HOLD_WEIGHTS = (3, 4, 3, 1)
SETTLE_SHARE = 0.6
AUDIT_SHARE = 0.35
ROTATE_SHARE = 0.4
PROMOTE_SHARE = 0.15


@dataclass(frozen=True)
class Hit:
    """One process's fault: `target` is its name, `kind` one of KINDS."""

    target: str
    kind: str


@dataclass(frozen=True)
class Step:
    hits: tuple
    hold_s: float
    heal_order: tuple  # targets
    rotate: bool  # FLUSH BINLOG while the faults hold (or try to)
    settle: bool  # wait for semi-sync and commits before the next step
    audit: bool  # freeze the source and read the replicas' journals
    promote: str  # a replica's name, or nothing


def plan(seed, replicas, promotions=False):
    """Yields steps without an end."""
    random_source = random.Random(seed)
    targets = ["source server", "source binlaned"]
    for name in replicas:
        targets += [f"{name} server", f"{name} binlaned"]
    # What the quorum rests on is hit more often than the replicas' servers.
    weights = [0.5 if t.endswith("server") and not t.startswith("source") else 1 for t in targets]
    while True:
        count = random_source.choice(HIT_COUNTS)
        chosen = []
        while len(chosen) < count:
            target = random_source.choices(targets, weights)[0]
            if target not in chosen:
                chosen.append(target)
        hits = tuple(Hit(target, random_source.choice(KINDS)) for target in chosen)
        hold = random_source.uniform(*random_source.choices(HOLDS_S, HOLD_WEIGHTS)[0])
        order = random_source.sample(chosen, len(chosen))
        settle = random_source.random() < SETTLE_SHARE
        audit = random_source.random() < AUDIT_SHARE
        rotate = random_source.random() < ROTATE_SHARE
        # Drawn in any case, so that a seed means the same steps with and without promotions.
        promote = random_source.random() < PROMOTE_SHARE
        heir = random_source.choice(list(replicas))
        yield Step(
            hits, hold, tuple(order), rotate, settle, audit, heir if promote and promotions else ""
        )
