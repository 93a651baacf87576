"""A fit of a steady problem through elements, and what draws tell of its numbers.

The front door of `steady_fit`; its answer is a direct fit's. Where every number has a prior
and some are pieces, draws tell mean, deviations and intervals of the numbers; the fields are those
of the most likely ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pinngate.data.observations import ObservationSet
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.through_solver import DirectFit, answer_of
from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.optim.steady_fit.sampled_posterior import is_to_be_sampled, sampled_posterior
from pinngate.optim.steady_fit.steady_model import SteadyModel
from pinngate.optim.steady_fit.steady_search import SteadyRecord, SteadySearch
from pinngate.optim.steady_fit.weak_form import SteadyForm
from pinngate.statement.problem import Problem
from pinngate.streams import generator


def can_be_solved(problem: Problem) -> bool:
    """Whether a problem is a steady one with a coefficient on pieces, of a form elements take."""
    if not problem.pieces:
        return False
    try:
        SteadyForm(problem)
    except CannotMarch:
        return False
    return True


def steady_fit(
    problem: Problem,
    sets: Sequence[ObservationSet],
    coefficients: Coefficients,
    *,
    max_iterations: int = 40,
) -> DirectFit:
    """Fit a steady problem to its data through elements.

    Args:
        problem: on one or two axes; its truth is never read.
        sets: the observations.
        coefficients: the scalar coefficients at their initial values; they are not changed.
        max_iterations: steps of the search on each grid.

    Raises:
        CannotMarch: the problem is none that this solver takes, or no solution was found.

    Cost: each iteration one factorisation of the elements' matrix and a solution for each number;
    of draws, see `sampled_posterior`.
    """
    began = time.perf_counter()
    if not sets:
        raise CannotMarch("there are no observations")
    form = SteadyForm(problem)
    unknowns = Unknowns(form, coefficients, np.zeros(0))
    record = SteadyRecord(SteadyModel(form, unknowns), sets)
    search = SteadySearch(record, max_iterations)
    found = search.run(unknowns.start(None))
    fit = answer_of(search, found, began)
    if fit.is_poor or not is_to_be_sampled(problem):
        return fit
    drawn = sampled_posterior(search, found, generator(problem.solve.seed, "draws of numbers"))
    values, slopes = unknowns.scalar_values(drawn.mean)
    deviations = np.abs(slopes) * np.sqrt(drawn.covariance.diagonal())
    told = zip(coefficients.names, values.tolist(), deviations.tolist(), strict=True)
    return replace(
        fit,
        raw=drawn.mean,
        raw_covariance=drawn.covariance,
        coefficients={name: (value, deviation) for name, value, deviation in told},
        seconds=time.perf_counter() - began,
        sampled=drawn,
    )


__all__ = ["can_be_solved", "steady_fit"]
