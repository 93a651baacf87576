"""Whether a stage needs a finer basis, and where: what it misses of the data and of the physics.

Above `working_space`, whose errors these are; `ascent` asks when a stage has come to rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.collocation.resolved import Resolved
from pinngate.optim.collocation.spaces import by_interval, coarsening_errors, finer, refined
from pinngate.optim.collocation.stages import Stage
from pinngate.optim.collocation.working_space import WorkingSpace
from pinngate.optim.missed_signal import is_missing_signal

Array = NDArray[np.float64]

MOSTLY = 0.5  # of the misfit, left over by a basis that is too coarse
FREE = 0.25  # of the functions, beyond which a fit fills its space
MATTERS = 0.1  # of the noise's part in the risk, from which unmet physics or values matter


def refine(space: WorkingSpace, missed: Mapping[str, Array]) -> bool:
    """Refine the basis where it is not resolved; return whether there was room."""
    return space.change(refined(space.resolution, missed))


def left_over(space: WorkingSpace) -> dict[str, Array]:
    """Return by axis and interval what of the physics the basis cannot do away with."""
    if not space.mixing.parts:
        problem = space.parts.problem
        return coarsening_errors(problem, space.resolution, space.fields, is_of_derivatives=True)
    found = space.mixing.left_over(space.residuals())
    return by_interval(space.resolution, space.fields, found)


def grow(space: WorkingSpace, stage: Stage) -> bool:
    """Add intervals along the axes on which the data fill them; return whether there was room."""
    missed = _missed(space)
    totals = {axis: math.sqrt(float(own.sum())) for axis, own in missed.items()}
    grown = [axis for axis, total in totals.items() if total > _allowed(stage)]
    return space.change(finer(space.parts.problem, space.resolution, grown or list(totals)))


def meet_misfit(space: WorkingSpace, stage: Stage) -> bool:
    """Refine where most of what is unmet of the equations is left over, or values ask for it.

    The rest of the misfit falls as the weight rises.
    """
    if stage.dimension > FREE * space.network.num_parameters:
        return False
    softened = stage.misfit * min(1.0, space.weight.value) ** 2
    if is_strained(stage, softened) and _share_left_over(space) > MOSTLY:
        return refine(space, left_over(space))
    errors = _missed(space)
    return _total(errors) > _allowed(stage) and refine(space, errors)


def is_strained(stage: Stage, misfit: float) -> bool:
    """Whether a misfit of the physics matters beside the noise's part in a stage's risk."""
    return misfit > MATTERS * stage.freedom_in_risk


def is_resolved(stage: Stage, before: Stage) -> bool:
    """Whether the finer basis of a stage changed nothing at the data."""
    change = float((stage.errors - before.errors).square().mean().sqrt())
    return change < _allowed(stage)


def has_more_to_find(space: WorkingSpace, stage: Stage) -> bool:
    """Whether leave-one-out errors still have a pattern and values are left to tell."""
    sets = space.parts.batches.sets
    num_places = len(np.unique(np.concatenate([o.points for o in sets]), axis=0))
    if space.network.num_parameters > len(space.fields.output_scale) * num_places:
        return False
    return is_missing_signal(sets, stage.errors)


def _missed(space: WorkingSpace) -> dict[str, Array]:
    """Return what coarser bases would miss, by axis and interval, in the fields' size."""
    return coarsening_errors(space.parts.problem, space.resolution, space.fields)


def _share_left_over(space: WorkingSpace) -> float:
    """Return the part of the physics' misfit that the basis cannot do away with."""
    resolved = space.mixing.parts
    if not resolved:
        return 1.0
    rows = space.residuals()[: space.row_weights(space.batches).observed.start]
    rest = Resolved(resolved, 0.0)(rows)
    return 1 - float(rest.square().sum() / rows.square().sum().clamp_min(1e-300))


def _allowed(stage: Stage) -> float:
    """Return what a coarser basis may miss: a part of the statistical error."""
    return math.sqrt(MATTERS * stage.freedom_in_risk)


def _total(missed: Mapping[str, Array]) -> float:
    """Return the root mean square of what the worst axis misses."""
    return math.sqrt(max(float(own.sum()) for own in missed.values()))
