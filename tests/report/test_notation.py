"""Numbers and names as a person reads them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinngate.report.notation import (
    comparable,
    interval,
    mathtext,
    percent,
    seconds,
    significant,
    with_uncertainty,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.298, "0.298"),
        (1234567.0, "1,230,000"),
        (1.5e-7, "1.5·10⁻⁷"),
        (-0.5, "−0.5"),
        (0.0, "0"),
        (3e12, "3·10¹²"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_significant(value: float | None, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.027, "2.7"), (0.96, "96"), (1.0, "100"), (0.9999, "99.9"), (0.0, "0"), (2.5, "250")],
)
def test_percent(value: float, text: str) -> None:
    assert percent(value) == f"{text}\N{NO-BREAK SPACE}%"


@given(st.floats(0, 1, exclude_max=True))
def test_percent_says_100_of_the_whole_only(value: float) -> None:
    assert not percent(value).startswith("100")


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [
        (0.00318, 0.00004, "0.003180 ± 0.000040"),
        (8.5462e-5, 5.9e-7, "(8.546 ± 0.059)·10⁻⁵"),
        (-8.5462e-5, 5.9e-7, "(−8.546 ± 0.059)·10⁻⁵"),
        (12.3456, 0.5, "12.35 ± 0.50"),
        (1234.5, 100.0, "1,230 ± 100"),
        (152_340.0, 1234.0, "152,300 ± 1,200"),
        (3.2e-8, 1e-9, "(3.20 ± 0.10)·10⁻⁸"),
        (0.7, None, "0.7"),
        (0.7, 0.0, "0.7"),
        (None, 0.1, "–"),
    ],
)
def test_with_uncertainty(value: float | None, std: float | None, text: str) -> None:
    assert with_uncertainty(value, std) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e3))
def test_interval_tells_its_ends_apart(middle: float, half: float) -> None:
    low, high = interval(middle - half, middle + half)[1:-1].split(", ")
    assert low != high


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (0.679, 0.761, "", "[0.679, 0.761]"),
        (8.4306e-5, 8.6618e-5, "m²/s", "[8.431, 8.662]·10⁻⁵ m²/s"),
        (0.99999, 1.00001, "", "[0.9999900, 1.0000100]"),
        (-3.0, 3.0, "K", "[−3.0, 3.0] K"),
        (2.0, 2.0, "", "[2, 2]"),
        (None, 2.0, "K", "–"),
    ],
)
def test_an_interval_has_the_digits_of_its_width(low, high, unit: str, text: str) -> None:
    assert interval(low, high, unit) == text


def test_a_unit_stands_behind_both() -> None:
    assert with_uncertainty(8.5462e-5, 5.9e-7, "m²/s") == "(8.546 ± 0.059)·10⁻⁵ m²/s"
    assert with_uncertainty(0.72, 0.021, "1/s") == "(0.720 ± 0.021) 1/s"
    assert with_uncertainty(0.72, None, "1/s") == "0.72 1/s"


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [(8.54e-5, 5.9e-7, "8.54·10⁻⁵ K"), (0.25, 0.012, "0.25 K"), (2.3699123, 0.07, "2.3699 K")],
)
def test_a_truth_has_one_digit_more_than_its_estimate(value: float, std: float, text: str) -> None:
    assert comparable(value, std, "K") == text


def test_seconds() -> None:
    assert [seconds(s) for s in (3.14, 310.0, 9000.0, None)] == ["3.14 s", "5 min", "2.5 h", "–"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("u", "$u$"),
        ("nu", "$ν$"),
        ("k1", "$k_{1}$"),
        ("D_x", "$D_{x}$"),
        ("speed", r"$\mathrm{speed}$"),
        ("a_b_c", r"$\mathrm{a\_b\_c}$"),
    ],
)
def test_mathtext(name: str, text: str) -> None:
    assert mathtext(name) == text
