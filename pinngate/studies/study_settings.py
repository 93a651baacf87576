"""Settings of a study: ``NAME.yaml`` beside this module, read strictly.

The file holds every setting of the committed result, and under ``quick`` those that differ in the
quick version. Overrides (``--set path=value``) come last; a null takes a key away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pinngate.errors import InputError, nearest

HERE = Path(__file__).parent
QUICK = "quick"


class Settings(BaseModel):
    """Named values of known types; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)


def read_settings(
    kind: type[S], name: str, *, is_quick: bool = False, overrides: Sequence[str] = ()
) -> S:
    """Return the settings of a study.

    Args:
        kind: what they are.
        name: of the study.
        is_quick: whether the values under ``quick`` replace those of the whole study.
        overrides: ``path=value``, a dotted path of keys and a YAML value.

    Raises:
        InputError: an override is none, or a value is unknown, missing or of the wrong kind.
    """
    tree = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    quick = tree.pop(QUICK)
    if is_quick:
        tree = _merged(tree, quick)
    for override in overrides:
        tree = _merged(tree, _branch(override))
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise _told(error, name, tree) from None


def _merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with changed values; mappings are merged, lists replaced, null removes."""
    merged = dict(tree)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
            continue
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old or {}, value) if both else value
    return merged


def _branch(override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise InputError(f"--set {override!r} is no path=value", expected="for example seeds=[0]")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {override!r}: the value is no YAML") from None
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _told(error: ValidationError, name: str, tree: Mapping[str, Any]) -> InputError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or "the settings"
    hint = ""
    if first["type"] == "extra_forbidden":
        hint = nearest(str(first["loc"][-1]), [key for key in tree if key != first["loc"][-1]])
    return InputError(f"study {name}: {place}: {first['msg'].lower()}", hint=hint)
