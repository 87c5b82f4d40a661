"""`unit_filter.py UNIT[:DROP_IN]… PROGRAM [ARGUMENT]…` runs a program under a unit's SystemCallFilter=.

The kernel then refuses every system call that the unit does not allow, with the unit's error number,
as under systemd itself. systemd-analyze says what its groups of calls hold.
"""

import ctypes
import errno
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
BPF_LOAD_WORD = 0x20
BPF_JUMP_EQUAL = 0x15
BPF_RETURN = 0x06
NUMBER_OFFSET = 0  # of struct seccomp_data's member nr
TOOL_TIMEOUT_S = 60


def output_of(*command):
    return subprocess.run(
        command, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=True
    ).stdout


def groups():
    """systemd's groups of system calls, as it lists them: name to members, which may be groups."""
    found, members = {}, None
    for line in output_of("systemd-analyze", "syscall-filter", "--no-pager").splitlines():
        word = line.split("#")[0].strip()
        if not word:
            continue
        if not line.startswith(" "):
            members = found.setdefault(word, [])
        else:
            members.append(word)
    return found


def expanded(names, known):
    """The system calls in a list of calls and groups."""
    calls = set()
    for name in names:
        calls |= expanded(known[name], known) if name.startswith("@") else {name}
    return calls


def allowed_calls(*files):
    """What the lines of a unit and its drop-ins leave, taken in their order."""
    known = groups()
    text = "\n".join(Path(file).read_text() for file in files)
    lines = re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)
    if not lines or lines[0].startswith("~"):
        raise ValueError(f"{files[0]}: the first SystemCallFilter= has to be a list of what is allowed")
    calls = expanded(["@default"], known)
    for line in lines:
        names = expanded(line.removeprefix("~").split(), known)
        calls = calls - names if line.startswith("~") else calls | names
    return calls


def numbers():
    """The numbers of this machine's system calls, by name."""
    text = output_of("cc", "-dM", "-E", "-include", "sys/syscall.h", "-x", "c", "/dev/null")
    return {name: int(number) for name, number in re.findall(r"__NR_(\w+) (\d+)\b", text)}


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def restrict(calls):
    """This process and what it executes may make these calls only; others fail with EPERM."""
    known = numbers()
    program = [instruction(BPF_LOAD_WORD, NUMBER_OFFSET)]
    for name in sorted(calls & known.keys()):
        program.append(instruction(BPF_JUMP_EQUAL, known[name], 0, 1))
        program.append(instruction(BPF_RETURN, SECCOMP_RET_ALLOW))
    program.append(instruction(BPF_RETURN, SECCOMP_RET_ERRNO | errno.EPERM))
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), f"prctl{arguments}")


def main():
    restrict(allowed_calls(*sys.argv[1].split(os.pathsep)))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
