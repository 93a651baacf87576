"""The JSON Schema takes every shipped problem and every short form, and refuses wrong keys."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from pinngate.config import catalog
from pinngate.config.json_schema import json_schema
from pinngate.config.yaml_source import read
from tests.statement.test_building import RICH

KINDS: dict[str, Any] = {
    "string": str, "object": dict, "array": list, "boolean": bool, "null": type(None),
    "number": (int, float), "integer": (int, float),
}  # fmt: skip


def faults(value: Any, stated: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    """Return what a value has against a schema, of the keywords that this one uses."""
    if "$ref" in stated:
        return faults(value, whole["$defs"][stated["$ref"].rpartition("/")[2]], whole)
    found = [*_own_faults(value, stated), *_inner_faults(value, stated, whole)]
    if "anyOf" in stated:
        each = [faults(value, option, whole) for option in stated["anyOf"]]
        found += [] if [] in each else [f"{value!r} is none of {len(each)}", *each[0]]
    return found


def _own_faults(value: Any, stated: dict[str, Any]) -> list[str]:
    kind, found = stated.get("type"), []
    if kind and (not isinstance(value, KINDS[kind]) or (kind != "boolean" and value is True)):
        found.append(f"{value!r} is no {kind}")
    if value not in stated.get("enum", [value]) or value != stated.get("const", value):
        found.append(f"{value!r} is none of {stated}")
    if isinstance(value, str) and not re.search(stated.get("pattern", ""), value):
        found.append(f"{value!r} does not match")
    return found


def _inner_faults(value: Any, stated: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    if isinstance(value, list) and isinstance(stated.get("items"), dict):
        return [fault for item in value for fault in faults(item, stated["items"], whole)]
    if not isinstance(value, dict):
        return []
    found = [f"no {name}" for name in stated.get("required", []) if name not in value]
    for name, inner in value.items():
        known = stated.get("properties", {}).get(name, stated.get("additionalProperties", True))
        if known is False:
            found.append(f"unknown key {name}")
        elif isinstance(known, dict):
            found += faults(inner, known, whole)
    return found


SHORT = {
    "domain": {"x": [0, 1]},
    "conditions": ["u = 0 at x = 0", "periodic in x"],
    "estimate": {"a": 0.1, "b": "pi/2", "c": {"initial": 1, "over": "x"}},
    "observations": [{"of": "u", "file": "a.csv", "missing": -999}],
    "solve": {"network": "race", "max_memory": "2GB", "iterations": 1e3},
}
LEAST = {"pinngate": 1, "name": "a", "unknowns": ["u"], "equations": ["u_x = 1"]}


@pytest.mark.parametrize("name", catalog.names())
def test_shipped_problems_are_taken(name: str) -> None:
    stated = json_schema()
    tree = read(catalog.path(name).read_text(encoding="utf-8")).tree
    assert faults(tree, stated, stated) == []


def test_short_forms_are_taken() -> None:
    stated = json_schema()
    assert faults(read(RICH).tree, stated, stated) == []
    assert faults({**LEAST, **SHORT}, stated, stated) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [(("unknown",), 1), (("conditions", 0), 3), (("name",), "a b"), (("solve", "network"), "ring")],
)
def test_wrong_keys_and_kinds_are_refused(place: tuple[Any, ...], value: Any) -> None:
    stated, tree = json_schema(), copy.deepcopy({**LEAST, **SHORT})
    inner: Any = tree
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert faults(tree, stated, stated) != []
