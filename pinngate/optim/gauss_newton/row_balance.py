"""How much the rows of each term weigh: equations, conditions and data against one another.

Every term counts as a mean of squares, whatever the number of its points, in units of the fields'
size. For networks and bases alike; `linear.linearise` adds the roots of the noise.
"""

from __future__ import annotations

import math

from pinngate.linear.jacobian import Batches, row_weights
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions


def balanced_rows(
    model: ResidualModel, batches: Batches, options: GaussNewtonOptions, physics: float, unit: float
) -> RowWeights:
    """Return the weights of the rows.

    Args:
        model: the terms.
        batches: points of every term.
        options: weights of equations and conditions at the reference.
        physics: weight of the equations beside that; conditions follow it above one only.
        unit: size of the fields.
    """
    counts = row_weights(model, batches, {}).counts()
    observed = sum(counts[t.name] for t in model.terms if t.kind == "observation")
    of_kind = {
        "equation": options.equation_weight * physics,
        "condition": options.condition_weight * max(1.0, physics),
    }
    by_term = {
        t.name: of_kind.get(t.kind, 1.0)
        * (math.sqrt(observed / counts[t.name]) if t.kind in of_kind else 1.0)
        / unit
        for t in model.terms
    }
    return row_weights(model, batches, by_term)
