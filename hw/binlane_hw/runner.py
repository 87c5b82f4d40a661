"""Carries steps out, one after another, with sh."""

import subprocess

from .step import PREAMBLE

# Longer than a step's own waits, so that its own message is seen.
STEP_TIMEOUT_S = 60


class StepFailed(Exception):
    """`done` is how many steps were carried out before."""

    def __init__(self, step, reason, done):
        super().__init__(f"{step.text}: {reason}")
        self.done = done


def run(steps, say):
    """`say` is called with what each step does; throws StepFailed at the first that fails."""
    for number, step in enumerate(steps):
        say(step.text)
        try:
            done = subprocess.run(
                ["sh", "-c", PREAMBLE + step.shell],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=STEP_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StepFailed(step, f"did not end within {STEP_TIMEOUT_S} s", number) from error
        if done.returncode != 0:
            raise StepFailed(step, done.stderr.strip() or f"exit code {done.returncode}", number)
        if done.stderr.strip():
            say("  " + done.stderr.strip())
