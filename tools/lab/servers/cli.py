"""The program binlane, as an operator runs it."""

import json
import subprocess

from lab.machine.programs import program

RUN_TIMEOUT_S = 90


class Outcome:
    """What one call said: code, text (standard output), errors (standard error)."""

    def __init__(self, done):
        self.code = done.returncode
        self.text = done.stdout
        self.errors = done.stderr

    def json(self):
        return json.loads(self.text)

    def __str__(self):
        return f"exit {self.code}\n{self.text}{self.errors}"


def binlane(daemon, *arguments, timeout_s=RUN_TIMEOUT_S):
    """Runs `binlane ARGUMENTS` on a lab.Daemon (None: on none)."""
    command = [program("binlane"), *map(str, arguments)]
    if daemon is not None:
        command += ["--socket", str(daemon.admin_socket)]
    return Outcome(
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    )
