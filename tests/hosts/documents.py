"""The code blocks of the documents, by name: what is tested is what a reader copies.

A block is named by a comment on the line before it: <!-- block: NAME -->.
"""

import re

BLOCK = re.compile(r"^<!-- block: ([\w-]+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path):
    found = {}
    for name, text in BLOCK.findall(path.read_text()):
        if name in found:
            raise ValueError(f"{path}: two blocks are named {name}")
        found[name] = text
    return found


def packages_of(block):
    """The names in a block's apt-get line."""
    text = block.replace("\\\n", " ")
    line = next(line for line in text.splitlines() if "apt-get install" in line)
    return [word for word in line.split("install", 1)[1].split() if not word.startswith("-")]
