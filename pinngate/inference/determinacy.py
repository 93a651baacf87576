"""Which combinations of coefficients the data tell where they do not tell each of them.

Two rates that only act as a product leave a valley of the loss in which every pair is as good as
any other. What is known then is read off the information on all coefficients: products of small
integer powers, or sums of small integer multiples, whose variance is that of a number that the data
tell. Which of both it is, the equations say: they keep their solutions along the valley. Above
`posterior`; the verdict of a run says them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space

from pinngate.inference.posterior import Posterior
from pinngate.linear.gram import UNDETERMINED, inverse_gram
from pinngate.model.coefficients import Coefficients

Array = NDArray[np.float64]

LARGEST_POWER = 2
MOST_NAMES = 4  # that are combined: more make hundreds of combinations


@dataclass(frozen=True)
class Combination:
    """A product of powers, or a sum of multiples, with its 95 % interval.

    Attributes:
        text: as a formula, ``a*b**2``.
        estimate: at the answer.
        lower: end of the interval.
        upper: the other end.
    """

    text: str
    estimate: float
    lower: float
    upper: float

    def __str__(self) -> str:
        """Return formula, estimate and interval, with digits that fit."""
        width = max(self.upper - self.lower, 1e-300)
        digits = max(3, 2 + math.ceil(math.log10(max(abs(self.estimate) / width, 1.0))))
        ends = f"{self.lower:.{digits}g} to {self.upper:.{digits}g}"
        return f"{self.text} = {self.estimate:.{digits}g} ({ends})"


def known_combinations(
    posterior: Posterior,
    coefficients: Coefficients,
    names: Sequence[str],
    keeps_solutions: Callable[[Mapping[str, float], bool], bool],
) -> list[Combination]:
    """Return the simplest independent combinations that equations and data tell.

    Args:
        posterior: at the answer.
        coefficients: at the answer.
        names: of those that are not told each by itself.
        keeps_solutions: (p_k by name, whether c_k move as c s^p and not as c + p s) → whether the
            equations allow that.

    Cost: 5^n small products, n names, and an evaluation of the equations for each direction.
    """
    at = [coefficients.names.index(name) for name in names]
    if posterior.information is None or not 2 <= len(at) <= MOST_NAMES:
        return []
    pair = coefficients.values_and_slopes()
    values, slopes = (tensor.double().cpu().numpy()[at] for tensor in pair)
    raw = inverse_gram(posterior.information, floor=UNDETERMINED).double().cpu().numpy()
    for is_product in (True, False):
        if is_product and not values.all():
            continue
        factor = slopes / values if is_product else slopes
        covariance = factor[:, None] * raw[np.ix_(at, at)] * factor
        chosen = _determined(covariance)
        free = null_space(np.array(chosen)).T if chosen else []
        moves = [dict(zip(names, direction.tolist(), strict=True)) for direction in free]
        if chosen and all(keeps_solutions(rates, is_product) for rates in moves):
            made = _product if is_product else _sum
            halves = [posterior.quantile * math.sqrt(w @ covariance @ w) for w in chosen]
            return [made(names, values, w, h) for w, h in zip(chosen, halves, strict=True)]
    return []


def _determined(covariance: Array) -> list[Array]:
    """Return independent weights of little variance beside that of their parts alone."""
    chosen: list[Array] = []
    for weights in _weights(len(covariance)):
        is_new = np.linalg.matrix_rank(np.array([*chosen, weights])) > len(chosen)
        alone = float(weights**2 @ covariance.diagonal())
        is_known = float(weights @ covariance @ weights) < UNDETERMINED**0.5 * alone
        if len(chosen) < len(covariance) - 1 and is_new and is_known:
            chosen.append(weights)
    return chosen


def _product(names: Sequence[str], values: Array, weights: Array, half: float) -> Combination:
    centre = float(np.prod(values**weights))
    ends = sorted((centre * math.exp(-half), centre * math.exp(half)))
    return Combination(_text(names, weights, is_product=True), centre, *ends)


def _sum(names: Sequence[str], values: Array, weights: Array, half: float) -> Combination:
    centre = float(weights @ values)
    text = _text(names, weights, is_product=False)
    return Combination(text, centre, centre - half, centre + half)


def _weights(count: int) -> Iterator[Array]:
    """Yield vectors of small integers without a common factor, the simplest first."""
    powers = range(-LARGEST_POWER, LARGEST_POWER + 1)
    every = [w for w in itertools.product(powers, repeat=count) if sum(map(bool, w)) > 1]
    every = [w for w in every if math.gcd(*w) == 1 and next(filter(None, w)) > 0]
    yield from map(np.array, sorted(every, key=lambda w: (sum(map(abs, w)), -sum(w))))


def _text(names: Sequence[str], weights: Array, *, is_product: bool) -> str:
    """Return ``a*b**2/c``, or ``a + 2*b - c``."""
    text = ""
    for name, weight in zip(names, weights.astype(int).tolist(), strict=True):
        size = abs(weight)
        if not size:
            continue
        if is_product:
            own = name if size == 1 else f"{name}**{size}"
            joint = "*" if weight > 0 else "/"
        else:
            own = name if size == 1 else f"{size}*{name}"
            joint = " + " if weight > 0 else " - "
        text += own if not text else joint + own
    return text


__all__ = ["Combination", "known_combinations"]
