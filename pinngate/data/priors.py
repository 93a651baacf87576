"""What is known of coefficients beforehand, as measurements of them.

A prior of mean m and standard deviation s is one more value of noise s: the coefficient itself was
read as m (or its logarithm, of a log-normal prior). Fits, risk and intervals take it as they take
data. Beside `observations`; training sees both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.expression import (
    Call,
    Expression,
    Name,
    Number,
    add,
    divide,
    evaluate,
    multiply,
    subtract,
)
from pinngate.statement.axis_places import at_share
from pinngate.statement.equations import Conserved
from pinngate.statement.measurement import Mean
from pinngate.statement.problem import Coefficient, Prior, Problem, Spread
from pinngate.statement.unknown_quantities import FieldFunction

Array = NDArray[np.float64]

EXACT = 1e-2  # of its size: the error of a mean at one place; all of them tell it far closer
NUM_MEANS = 16  # along an axis, at which such a mean is held
LEAST_SPREAD = 1e-3  # of coefficients between experiments: less is none


def prior_sets(problem: Problem) -> list[ObservationSet]:
    """Return one set of one value for each coefficient that has a prior.

    Their points, which say nothing, are the corner of the domain where every axis begins.
    """
    stated = [(c, c.prior) for c in problem.coefficients if c.prior is not None]
    found = [_set_of(problem, coefficient, prior) for coefficient, prior in stated]
    members = [(spread, member) for spread in problem.spreads for member in spread.members]
    found += [_member_of(problem, spread, member) for spread, member in members]
    return found + [own for f in problem.field_functions for own in _bends_of(problem, f)]


def conserved_sets(
    problem: Problem, observations: Sequence[ObservationSet]
) -> list[ObservationSet]:
    """Return each mean that is known exactly as readings of it, with a small error.

    The error is `EXACT` of the size of the mean; where that is zero, of the values of the fields.

    Args:
        problem: states the means.
        observations: the data, which tell sizes.
    """
    return [
        _mean_of(problem, conserved, k, observations)
        for k, conserved in enumerate(problem.conserved, 1)
    ]


def _mean_of(
    problem: Problem, stated: Conserved, k: int, observations: Sequence[ObservationSet]
) -> ObservationSet:
    points = _spread(problem, stated)
    known: dict[str, Any] = {
        **problem.constants,
        **{c.name: c.initial for c in problem.coefficients},
    }
    known |= dict(zip(problem.axes, points.T, strict=True))
    values = np.broadcast_to(evaluate(stated.equal, known, np), len(points))
    seen = [np.abs(data.values).max() for data in observations] + [1.0]
    size = float(np.abs(values).max()) or float(seen[0]) or 1.0
    return ObservationSet(
        f"mean_{k}",
        str(stated),
        points,
        np.zeros(len(points)),
        np.full(len(points), EXACT * size),
        source=str(stated),
        quantity=stated.residual,
        mean=Mean(stated.over),
        is_prior=True,
    )


def _spread(problem: Problem, stated: Conserved) -> Array:
    """Return places of the axes that are left, `NUM_MEANS` along each, at the middle of others."""
    shares = (np.arange(NUM_MEANS) + 0.5) / NUM_MEANS
    columns = [
        at_share(bounds, np.array([0.5]) if axis in stated.over else shares)
        for axis, bounds in problem.domain.items()
    ]
    return np.stack([m.ravel() for m in np.meshgrid(*columns, indexing="ij")], axis=1)


def _bends_of(problem: Problem, function: FieldFunction) -> Iterator[ObservationSet]:
    """Yield what is known of three neighbouring weights: they lie near a straight line.

    How near, the group of all of them tells, as for coefficients that spread: the prior is that of
    a cubic smoothing spline, or of a tensor product of two whose bends along both arguments are of
    one size (P. H. C. Eilers, B. D. Marx, Chemom. Intell. Lab. Syst. 66, 2003, 159-174).
    """
    weights = np.reshape(np.array(function.weights, dtype=object), function.knots)
    group = f"smoothness of {function.name}"
    for k, over in enumerate(function.over):
        lines = np.moveaxis(weights, k, -1)
        triples = np.lib.stride_tricks.sliding_window_view(lines, 3, axis=-1).reshape(-1, 3)
        for i, (left, middle, right) in enumerate(map(Name, triple) for triple in triples):
            yield ObservationSet(
                f"smooth_{function.name}_{over}_{i}",
                group,
                np.array([[low for low, _ in problem.domain.values()]]),
                np.zeros(1),
                source=group,
                quantity=divide(
                    add(subtract(left, multiply(Number(2.0), middle)), right),
                    Number(function.weight),
                ),
                is_prior=True,
                is_roughness=True,
                group=group,
            )


def _member_of(problem: Problem, spread: Spread, member: str) -> ObservationSet:
    """Return what is known of the coefficient of one experiment: it is like the common one.

    How alike, the group of all of them tells: its noise is their spread.
    """
    own: Expression = Name(member)
    common: Expression = Name(spread.name)
    if spread.is_of_logarithm:
        own, common = Call("log", own), Call("log", common)
    start = next(c.initial for c in problem.coefficients if c.name == spread.name)
    size = 1.0 if spread.is_of_logarithm else abs(start) or 1.0
    return ObservationSet(
        f"spread_{member}",
        f"spread of {spread.name}",
        np.array([[low for low, _ in problem.domain.values()]]),
        np.zeros(1),
        source=f"spread of {spread.name}",
        quantity=divide(subtract(own, common), Number(size)),
        is_prior=True,
        group=spread.name,
    )


def _set_of(problem: Problem, coefficient: Coefficient, prior: Prior) -> ObservationSet:
    seen: Expression = Name(coefficient.name)
    return ObservationSet(
        f"prior_{coefficient.name}",
        f"prior of {coefficient.name}",
        np.array([[low for low, _ in problem.domain.values()]]),
        np.array([prior.mean]),
        np.array([prior.std]),
        source=f"prior of {coefficient.name}",
        quantity=Call("log", seen) if prior.is_of_logarithm else seen,
        is_prior=True,
    )


__all__ = ["conserved_sets", "prior_sets"]
