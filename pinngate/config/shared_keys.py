"""What several candidates have in common and what is each one's own, of their problem files.

Beside `write`: keys and values as the text of a file holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHARED = ("unknowns", "estimate", "constants", "conditions", "derived")
Tree = Mapping[str, Any]


def divided(trees: Mapping[str, Tree]) -> dict[str, Any]:
    """Return the keys of candidates: those that are common, and under ``candidates`` the others.

    Of lists and mappings the entries with which all begin are common, so that their order stays.

    Args:
        trees: the file of each candidate alone, by name.
    """
    own: dict[str, dict[str, Any]] = {name: {} for name in trees}
    common: dict[str, Any] = {}
    for key in SHARED:
        parts = {name: _items(tree.get(key)) for name, tree in trees.items()}
        count = _num_alike(list(parts.values()))
        kind: Any = type(next((tree[key] for tree in trees.values() if key in tree), []))
        for name, items in parts.items():
            common[key] = kind(items[:count])
            if items[count:]:
                own[name][key] = kind(items[count:])
    equations = [tree["equations"] for tree in trees.values()]
    is_one = all(one == equations[0] for one in equations)
    common["equations"] = equations[0] if is_one else None
    for name, tree in trees.items():
        stated = {"equations": None if is_one else tree["equations"], **own[name]}
        stated["unknowns"] = [
            i if isinstance(i, str) else i[0] for i in own[name].get("unknowns", ())
        ]
        stated["optional"] = tree.get("optional")
        own[name] = {k: v for k, v in stated.items() if v}
    return common | {"candidates": own}


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(value or ())


def _num_alike(lists: Sequence[list[Any]]) -> int:
    """Return with how many equal entries all lists begin."""
    count = 0
    for entries in zip(*lists, strict=False):
        if any(entry != entries[0] for entry in entries):
            break
        count += 1
    return count


__all__ = ["divided"]
