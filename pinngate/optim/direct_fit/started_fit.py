"""A direct fit from where another candidate of the race stands, or from initial values.

Between `through_solver`, which takes the start as a function of points, and `candidate`. Where the
search went astray from initial values, the winner of the others is near enough to the minimum: its
coefficients are where the search begins, and its fields where unknown functions do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from pinngate.expression import evaluate
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.optim.direct_fit.through_solver import DirectFit, direct_fit
from pinngate.optim.direct_fit.unknowns import Guess
from pinngate.optim.parts import Parts
from pinngate.optim.steady_fit.through_elements import steady_fit
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    from pinngate.optim.race import Candidate

Array = NDArray[np.float64]


def started_fit(
    parts: Parts,
    coefficients: Coefficients,
    start: Candidate | None,
    *,
    has_octaves: bool = True,
) -> DirectFit:
    """Return the fit of a problem.

    Args:
        parts: the problem and its data.
        coefficients: at their initial values; they become those of `start`.
        start: whose answer the search begins from, which is left at its best iterate; None for
            initial values, and the fields that are stated as a start.
        has_octaves: as of `direct_fit`.

    Raises:
        CannotMarch: the solver has no solution.
    """
    guess = stated_guess(parts.problem)
    if start is not None:
        start.finish()
        with torch.no_grad():
            coefficients.raw.copy_(start.coefficients.raw)
        guess = outputs_of(start.network)
    sets = parts.batches.sets
    if not parts.problem.has_time:
        return steady_fit(parts.problem, sets, coefficients)
    is_polish = start is not None
    return direct_fit(
        parts.problem, sets, coefficients, guess, has_octaves=has_octaves, is_polish=is_polish
    )


def stated_guess(problem: Problem) -> Guess | None:
    """Return the fields that a problem states as a start, zero where it states none."""
    if not problem.guesses:
        return None

    def outputs(points: Array) -> Array:
        known = {**problem.constants, **dict(zip(problem.axes, points.T, strict=True))}
        found = np.zeros((len(points), len(problem.outputs)))
        for name, guess in problem.guesses.items():
            found[:, problem.unknowns.index(name)] = evaluate(guess, known, np)
        return found

    return outputs


def outputs_of(network: Network) -> Guess:
    """Return the outputs of a network as a function of points (n, axes), (n, F)."""

    def outputs(points: Array) -> Array:
        with torch.no_grad():
            found = network(torch.as_tensor(points).to(network.low))
        return np.asarray(found.double().cpu().numpy())

    return outputs
