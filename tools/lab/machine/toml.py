"""Writes a configuration as TOML: the standard library only reads it, tomli_w does the rest."""

from pathlib import Path

import tomli_w


def _plain(value):
    """TOML knows no paths."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def dumps(document):
    return tomli_w.dumps(_plain(document))
