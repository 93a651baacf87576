"""Coefficients keep their bounds and know their slopes."""

from __future__ import annotations

import pytest
import torch

from pinngate.model.coefficients import Coefficients
from pinngate.statement.problem import Coefficient

KINDS = [
    Coefficient("free", -0.5),
    Coefficient("from_zero", 0.0),
    Coefficient("positive", 0.02, lower=0.0),
    Coefficient("below", 1.0, upper=3.0),
    Coefficient("between", 0.2, lower=-1.0, upper=2.0),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda c: c.name)
def test_starts_at_the_initial_value(kind: Coefficient) -> None:
    value = Coefficients([kind], torch.float64).values()[kind.name]
    assert float(value) == pytest.approx(kind.initial, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("kind", KINDS, ids=lambda c: c.name)
@pytest.mark.parametrize("raw", [-30.0, -1.0, 0.5, 30.0])
def test_bounds_hold_and_slopes_are_derivatives(kind: Coefficient, raw: float) -> None:
    coefficients = Coefficients([kind], torch.float64)
    with torch.no_grad():
        coefficients.raw.fill_(raw)
    (value,), (slope,) = coefficients.values_and_slopes()
    assert kind.lower is None or value >= kind.lower
    assert kind.upper is None or value <= kind.upper
    step = 1e-6
    with torch.no_grad():
        coefficients.raw.fill_(raw + step)
        above = coefficients.values_and_slopes()[0][0]
        coefficients.raw.fill_(raw - step)
        below = coefficients.values_and_slopes()[0][0]
    # central difference: error of order step², rounding of |value|·1e-16/step
    rounding = 1e-9 * (1 + abs(float(value)))
    assert float((above - below) / (2 * step)) == pytest.approx(
        float(slope), rel=1e-6, abs=rounding
    )


def test_other_raw_numbers_are_mapped_alike() -> None:
    coefficients = Coefficients(KINDS, torch.float64)
    with torch.no_grad():
        coefficients.raw.copy_(torch.linspace(-2, 3, len(KINDS)))
    values, slopes = coefficients.mapped(coefficients.raw.detach().numpy())
    expected = coefficients.values_and_slopes()
    assert values.tolist() == pytest.approx(expected[0].tolist(), rel=1e-14)
    assert slopes.tolist() == pytest.approx(expected[1].tolist(), rel=1e-14)
    assert [len(own) for own in Coefficients([], torch.float64).mapped(values[:0])] == [0, 0]


def test_a_place_beyond_all_numbers_is_infinite_and_says_nothing() -> None:
    coefficients = Coefficients([Coefficient("a", 1.0, 0.0, None)], torch.float64)
    values, slopes = coefficients.mapped(torch.tensor([1e3], dtype=torch.float64).numpy())
    assert values.tolist() == slopes.tolist() == [float("inf")]
