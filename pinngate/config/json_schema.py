"""The JSON Schema of problem files, for editors: made from the schema that checks them.

It takes everything that a problem file may hold, short forms included, and refuses wrong keys and
kinds; what needs more than one key to judge is left to ``pinngate check``.
"""

from __future__ import annotations

from typing import Any

from pinngate.statement.checks.schema import ProblemFile
from pinngate.statement.options import RACE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# what may be written shorter, by the section that it is written out to
SHORT: dict[str, list[dict[str, Any]]] = {
    "ConditionSection": [{"type": "string"}],
    "EstimateSection": [{"type": "number"}, {"type": "string"}],
    "NetworkSection": [{"const": RACE}],
}
LISTS = ("over", "of", "missing")  # of which one item may stand alone


def json_schema() -> dict[str, Any]:
    """Return the schema as plain containers."""
    found = ProblemFile.model_json_schema()
    for section in found["$defs"].values():
        for name in LISTS:
            if name in section["properties"]:
                section["properties"][name] = _alone_too(section["properties"][name])
    walked: dict[str, Any] = _with_short_forms(found)
    stated = [{"required": [key]} for key in ("equations", "candidates")]
    return {"$schema": DIALECT} | walked | {"title": "pinngate problem file", "anyOf": stated}


def _alone_too(stated: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list, or of one item of it."""
    kept = {key: stated.pop(key) for key in ("description", "default", "title") if key in stated}
    options = stated.get("anyOf", [stated])
    items = [option["items"] for option in options if option.get("type") == "array"]
    return {"anyOf": [*options, *items]} | kept


def _with_short_forms(node: Any) -> Any:
    """Return a schema in which every section that has short forms may be one.

    Patterns of text end with what every dialect of regular expressions knows.
    """
    if isinstance(node, str):
        return node.replace(r"\z", "$")
    if isinstance(node, list):
        return [_with_short_forms(item) for item in node]
    if not isinstance(node, dict):
        return node
    section = str(node.get("$ref", "")).rpartition("/")[2]
    if section in SHORT:
        return {key: value for key, value in node.items() if key != "$ref"} | {
            "anyOf": [{"$ref": node["$ref"]}, *SHORT[section]]
        }
    return {key: _with_short_forms(value) for key, value in node.items()}
