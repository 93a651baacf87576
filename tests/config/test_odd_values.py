"""An odd value at every place of a problem file: a problem, or an `InputError` with its place.

``PINNGATE_FUZZ=10000`` tries as many, each night; without it a thousand are tried.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import yaml

from pinngate.config import loads
from pinngate.errors import InputError
from tests.statement.test_building import RICH
from tests.statement.test_messages import HEAT

NUM_CASES = int(os.environ.get("PINNGATE_FUZZ", "1000"))
ODD: list[Any] = [
    None, True, 0, -1, 1e300, -1e-300, float("inf"), float("nan"), 2**62, 10**30, "", " ", "x", "u",
    "u_x", "1/0", "sqrt(-1)", "exp(1000)", "1_000", "\u0661", "u = 0", "x = 0", "a\x1b[2Jb",
    "x" * 5000,
    "(" * 200, "u+" * 300 + "u", "((u)_x)_x", "(u*u)_" + "x" * 60, [], {}, [[]], [None], {"": None},
    [0, 0], [1, 0], [-1e308, 1e308], [1e10, 1e10], ["u", "u"], {"x": 0}, {"x": 1, "t": 1},
    [1] * 300,
]  # fmt: skip


def places(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inner:
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from places(value, (*place, key))


def replaced(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(tree)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


@pytest.mark.parametrize("part", range(4))
def test_every_place_takes_every_value_or_says_what_is_wrong(part: int) -> None:
    random = Random(part if NUM_CASES == 1000 else None)
    trees = [yaml.safe_load(text) for text in (HEAT.replace("«", "").replace("»", ""), RICH)]
    for _ in range(NUM_CASES // 4):
        tree = random.choice(trees)
        for _ in range(random.choice([1, 1, 2])):
            tree = replaced(tree, random.choice([*places(tree)]), random.choice(ODD))
        text = yaml.safe_dump(tree, allow_unicode=False, width=100_000)
        try:
            loads(text)
        except InputError as error:
            told = str(error)
            assert "\x1b" not in told
            assert len(told) < 20_000
