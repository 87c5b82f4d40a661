"""Lists of processors as the kernel writes them: 2,4-7."""

import re

PRESENT = "/sys/devices/system/cpu/present"


def parse(text):
    """The numbers, or ValueError."""
    found = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"{text!r} is no list of processors such as 2,4-7")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def text_of(numbers):
    parts = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def present(machine):
    try:
        return parse(machine.read(PRESENT))
    except ValueError:
        return set()
