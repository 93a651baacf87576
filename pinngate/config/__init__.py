"""Problem files: strict YAML with positions, checked against a schema, built into a `Problem`.

`load` and `loads` read, `dumps` writes, `resolve` finds shipped problems by name.
"""

from __future__ import annotations

from pinngate.config.catalog import resolve
from pinngate.config.loading import Located, load, load_located, loads
from pinngate.config.write import dumps

__all__ = ["Located", "dumps", "load", "load_located", "loads", "resolve"]
