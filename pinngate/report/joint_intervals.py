"""What is known of the coefficients together, in the numbers that are searched for.

Part of the report, for figures and for the words beside them; nothing is drawn here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
from pinngate.report.notation import mathtext, power_of_ten
from pinngate.statement.problem import Coefficient

REACH = 3.2  # standard deviations that an axis shows on either side
VAGUE = 1.0  # of the logarithm: beyond it an interval spans a factor of fifty
WRITTEN_OUT = range(-2, 4)  # powers of ten of values on an axis
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Marginal:
    """One coefficient: what is known of it, in the number that is searched for.

    Attributes:
        coefficient: as stated.
        centre: free number at the estimate.
        std: standard deviation of the free number.
        estimate: the coefficient itself.
        power: of ten by which its axis is divided.
        unit: of the coefficient.
    """

    coefficient: Coefficient
    centre: float
    std: float
    estimate: float
    power: int = 0
    unit: str = ""

    def values(self, free: Array) -> Array:
        """Return coefficients of free numbers, in the units of the axis."""
        return value_of(self.coefficient, free) / 10.0**self.power

    @property
    def axis_name(self) -> str:
        """Its symbol with power of ten and unit."""
        scaled = f"{power_of_ten(self.power)} {self.unit}".strip() if self.power else self.unit
        name = mathtext(self.coefficient.name)
        return f"{name} ({scaled})" if scaled else name

    @property
    def reach(self) -> Array:
        """Free numbers across the axis."""
        return self.centre + self.std * np.linspace(-REACH, REACH, 121)


def free_of(coefficient: Coefficient, value: float) -> float:
    """Return the number that is searched for: a logarithm of what is bounded, else the value."""
    if coefficient.lower is not None and coefficient.upper is not None:
        return math.log((value - coefficient.lower) / (coefficient.upper - value))
    if coefficient.lower is not None:
        return math.log(value - coefficient.lower)
    if coefficient.upper is not None:
        return math.log(coefficient.upper - value)
    return value


def value_of(coefficient: Coefficient, free: Array) -> Array:
    """Return the coefficient of free numbers, the inverse of `free_of`."""
    low, high = coefficient.lower, coefficient.upper
    if low is not None and high is not None:
        return np.asarray(low + (high - low) / (1 + np.exp(-free)))
    if low is not None:
        return np.asarray(low + np.exp(free))
    return free if high is None else np.asarray(high - np.exp(free))


def _slope(coefficient: Coefficient, value: float) -> float:
    """Return the size of d free / d value."""
    low, high = coefficient.lower, coefficient.upper
    above = 0.0 if low is None else 1 / (value - low)
    below = 0.0 if high is None else 1 / (high - value)
    return above + below or 1.0


def marginals(archive: RunArchive) -> list[Marginal]:
    """Return every coefficient that the data tell: inside its bounds, with a standard deviation."""
    found = []
    for coefficient in archive.problem.shown_coefficients:
        at = ("coefficients", coefficient.name)
        estimate, std = archive.number(*at, "estimate"), archive.number(*at, "std")
        if estimate is None or not std:
            continue
        try:
            centre = free_of(coefficient, estimate)
        except (ValueError, ZeroDivisionError):
            continue
        spread = std * _slope(coefficient, estimate)
        if spread > VAGUE and (coefficient.lower, coefficient.upper) != (None, None):
            continue
        power = math.floor(math.log10(max(abs(estimate), std)))
        unit = archive.problem.units.get(coefficient.name, "")
        power = 0 if power in WRITTEN_OUT else power
        found.append(Marginal(coefficient, centre, spread, estimate, power, unit))
    return found


def correlations(archive: RunArchive) -> list[tuple[str, str, float]]:
    """Return (name, other, correlation) of every pair of coefficients, the strongest first."""
    matrix = archive.metrics.get("coefficient_correlation") or []
    names = [c.name for c in archive.problem.shown_coefficients]
    pairs = [
        (names[j], names[i], float(matrix[i][j]))
        for i in range(len(matrix))
        for j in range(i)
        if matrix[i][j] is not None
    ]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))
