"""Waiting for conditions. Nothing in the lab sleeps for a guessed time and hopes."""

import time

INTERVAL_S = 0.02


class WaitTimeout(Exception):
    """A condition did not come true within its bound."""


def until(condition, what, timeout_s, tick=None):
    """Calls condition() until its result is true, and returns that result.

    tick, if given, is called between two tries (the demo draws its table there); otherwise the
    wait naps. `what` completes the sentence "waited N s for …"; a callable is asked at the end.
    """
    end = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= end:
            told = what() if callable(what) else what
            raise WaitTimeout(f"waited {timeout_s:g} s for {told}")
        if tick is not None:
            tick()
        else:
            time.sleep(INTERVAL_S)


def holds(condition, what, duration_s, tick=None):
    """Checks that condition() stays true for the whole duration."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        if not condition():
            raise AssertionError(f"did not hold: {what}")
        if tick is not None:
            tick()
        else:
            time.sleep(INTERVAL_S)
