"""What is known of coefficients beforehand, as measurements of them.

A prior of mean m and standard deviation s is one more value of noise s: the coefficient itself was
read as m (or its logarithm, of a log-normal prior). Fits, risk and intervals take it as they take
data. Beside `observations`; training sees both.
"""

from __future__ import annotations

import numpy as np

from pinngate.data.observations import ObservationSet
from pinngate.expression import Call, Expression, Name
from pinngate.statement.problem import Coefficient, Prior, Problem


def prior_sets(problem: Problem) -> list[ObservationSet]:
    """Return one set of one value for each coefficient that has a prior.

    Their points, which say nothing, are the corner of the domain where every axis begins.
    """
    stated = [(c, c.prior) for c in problem.coefficients if c.prior is not None]
    return [_set_of(problem, coefficient, prior) for coefficient, prior in stated]


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


__all__ = ["prior_sets"]
