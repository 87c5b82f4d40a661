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
# A hold may end before anybody notices, outlast the quorum's timeout, or the server's own.
HOLDS_S = ((0.0, 0.2), (0.2, 1.5), (1.0, 4.0), (5.0, 8.0))
HOLD_WEIGHTS = (3, 4, 3, 1)
SETTLE_SHARE = 0.6
AUDIT_SHARE = 0.35
ROTATE_SHARE = 0.4
PROMOTE_SHARE = 0.2
# How the source is left when another host takes over: it runs (PLANNED), is killed with its binlaned
# (KILLED), has only lost its binlaned (BINLANED), or is frozen with it and finds out later (FROZEN).
PLANNED, KILLED, BINLANED, FROZEN = "planned", "killed", "binlaned killed", "frozen"
WAYS = (PLANNED, PLANNED, KILLED, KILLED, KILLED, BINLANED, FROZEN, FROZEN)
# How it comes back: as a whole, or its binlaned first, so that somebody looks before its server's
# recovery commits what nobody else has.
START, LOOK = "start", "look"
RETURNS = (START, LOOK, LOOK)
# Faults during the promotion; every second promotion has none.
PROMOTE_HITS = (None, None, None, "heir binlaned", "heir binlaned", "heir server", "other binlaned")
PROMOTE_HIT_DELAYS_S = (0.0, 2.5)
AWAY_S = (0.0, 3.0)


@dataclass(frozen=True)
class Hit:
    """One process's fault: `target` is its name, `kind` one of KINDS."""

    target: str
    kind: str


@dataclass(frozen=True)
class Promotion:
    heir: str  # a replica's name
    way: str  # one of WAYS
    settled: bool  # semi-sync held when it began, so that nothing acknowledged before may be missing
    hit: str  # a process that is hit on the way, or nothing
    hit_kind: str
    hit_delay_s: float
    hit_hold_s: float
    returns: str  # one of RETURNS
    away_s: float  # how long the old source stays away once there is a new one


@dataclass(frozen=True)
class Step:
    hits: tuple
    hold_s: float
    heal_order: tuple  # targets
    rotate: bool  # FLUSH BINLOG while the faults hold (or try to)
    settle: bool  # wait for semi-sync and commits before the next step
    audit: bool  # freeze the source and read the replicas' journals
    promote: Promotion  # or nothing


def draw_promotion(random_source, replicas):
    return Promotion(
        heir=random_source.choice(list(replicas)),
        way=random_source.choice(WAYS),
        settled=random_source.random() < SETTLE_SHARE,
        hit=random_source.choice(PROMOTE_HITS),
        hit_kind=random_source.choice((KILL, KILL, PAUSE)),
        hit_delay_s=random_source.uniform(*PROMOTE_HIT_DELAYS_S),
        hit_hold_s=random_source.uniform(*HOLDS_S[1]),
        returns=random_source.choice(RETURNS),
        away_s=random_source.uniform(*AWAY_S),
    )


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
        drawn = draw_promotion(random_source, replicas)
        yield Step(
            hits,
            hold,
            tuple(order),
            rotate,
            settle,
            audit,
            drawn if promote and promotions else None,
        )
