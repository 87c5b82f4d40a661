"""Writes a configuration as TOML (the standard library only reads it)."""

import json
from pathlib import Path


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, Path)):
        # A JSON string is a TOML basic string.
        return json.dumps(str(value))
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"no TOML for {value!r}")


def _is_tables(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _table(table, path):
    """Plain keys first, then sub-tables, as TOML wants it."""
    lines = []
    for key, value in table.items():
        if not isinstance(value, dict) and not _is_tables(value):
            lines.append(f"{key} = {_value(value)}")
    for key, value in table.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *_table(value, name)]
        elif _is_tables(value):
            for item in value:
                lines += ["", f"[[{name}]]", *_table(item, name)]
    return lines


def dumps(document):
    return "\n".join(_table(document, "")) + "\n"
