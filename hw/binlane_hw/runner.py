"""Gives the script of all steps to sh, and follows it."""

import subprocess
import tempfile
import threading

from .step import script

# For each step; longer than a step's own waits, so that its own message is seen.
STEP_TIMEOUT_S = 30


class StepFailed(Exception):
    """`done` is how many steps were carried out before."""

    def __init__(self, text, reason, done):
        super().__init__(f"{text}: {reason}")
        self.done = done


def run(steps, say):
    """`say` is called with what each step does; throws StepFailed at the first that fails."""
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            ["sh", "-c", script(steps)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        bound = threading.Timer(STEP_TIMEOUT_S * (len(steps) + 1), process.kill)
        bound.start()
        begun = 0
        with process.stdout as told:
            for line in told:
                begun += 1
                say(line.rstrip())
        code = process.wait()
        bound.cancel()
        complaints.seek(0)
        reason = complaints.read().strip()
    if code != 0:
        text = steps[begun - 1].text if begun else "sh"
        raise StepFailed(text, reason or f"exit code {code}", max(begun - 1, 0))
    if reason:
        say(reason)
