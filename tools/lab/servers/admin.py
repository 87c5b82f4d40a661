"""The admin socket of binlaned: one JSON object a line, in both directions."""

import json
import socket

ANSWER_TIMEOUT_S = 5
ANSWER_BYTES_MAX = 4 << 20


class AdminError(Exception):
    """The daemon answered that it cannot, or did not answer at all."""


class Connection:
    """A connection that is kept: it is served when no new one can be accepted. A context manager."""

    def __init__(self, path, timeout_s=ANSWER_TIMEOUT_S):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)

    def __enter__(self):
        try:
            self.socket.connect(str(self.path))
        except OSError as error:
            self.socket.close()
            raise AdminError(f"{self.path}: {error}") from error
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, verb, **arguments):
        """The result of one verb. Raises AdminError."""
        path = self.path
        line = json.dumps({"verb": verb, **arguments}).encode() + b"\n"
        answer = b""
        try:
            self.socket.sendall(line)
            while not answer.endswith(b"\n"):
                part = self.socket.recv(1 << 16)
                if not part:
                    raise AdminError(f"{path}: closed after {len(answer)} bytes")
                answer += part
                if len(answer) > ANSWER_BYTES_MAX:
                    raise AdminError(f"{path}: answer longer than {ANSWER_BYTES_MAX} bytes")
        except OSError as error:
            raise AdminError(f"{path}: {error}") from error
        try:
            parsed = json.loads(answer)
        except ValueError as error:
            raise AdminError(f"{path}: not JSON: {answer[:200]!r}") from error
        if not parsed.get("ok"):
            raise AdminError(f"{path}: {parsed.get('error')}")
        return parsed.get("result")


def request(path, verb, timeout_s=ANSWER_TIMEOUT_S, **arguments):
    """The result of one verb, on a connection of its own. Raises AdminError."""
    with Connection(path, timeout_s) as connection:
        return connection.request(verb, **arguments)
