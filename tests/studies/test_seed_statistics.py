"""Ratios over seeds are geometric means with Student's interval of their logarithms."""

from __future__ import annotations

import math

import pytest

from pinngate.studies.seed_statistics import paired_ratio, spread


def test_a_ratio_by_hand() -> None:
    found = paired_ratio([2.0, 8.0], [1.0, 1.0])
    assert found.value == pytest.approx(4.0)
    reach = 12.7062047 * math.log(2)  # t of one degree of freedom; deviation ln 4 / √2, over √2
    assert math.log(found.high / found.value) == pytest.approx(reach)
    assert (found.low * found.high) == pytest.approx(found.value**2)
    assert found.seeds == 2


def test_one_seed_has_no_interval() -> None:
    found = paired_ratio([3.0], [1.0])
    assert (found.value, found.low, found.high) == (pytest.approx(3.0), 0.0, math.inf)


def test_spread() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "most": 3.0}
