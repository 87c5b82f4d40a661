"""The admin socket of binlaned: one JSON object a line, in both directions."""

import json
import socket

ANSWER_TIMEOUT_S = 5
ANSWER_BYTES_MAX = 4 << 20


class AdminError(Exception):
    """The daemon answered that it cannot, or did not answer at all."""


def request(path, verb, timeout_s=ANSWER_TIMEOUT_S, **arguments):
    """The result of one verb. Raises AdminError."""
    line = json.dumps({"verb": verb, **arguments}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(line)
            answer = b""
            while not answer.endswith(b"\n"):
                part = connection.recv(1 << 16)
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
