"""A search that has ended, in numbers, and the search made of them again by one march.

A run that goes on, or is asked for predictions, does not search once more. Between `staged_search`
and `through_solver`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.exact_model import Resolution
from pinngate.optim.direct_fit.first_values import state_sizes
from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.joined_model import JoinedModel, Windowing
from pinngate.optim.direct_fit.levenberg_marquardt import Iterate
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.staged_search import SolverError, StagedSearch
from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.reference.stencils import Line
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
ARRAYS = ("theta", "chosen", "noise", "nodes", "strengths", "rungs", "tempering")


def kept(search: StagedSearch, theta: Array, seconds: float) -> dict[str, Any] | None:
    """Return what `rebuilt` needs of a search that ended at θ; None of what it cannot rebuild.

    Args:
        search: after its run, before the answer is taken from it.
        theta: where it ended, (P,).
        seconds: that it took.
    """
    record, ridges = search.record, search.ridges
    frame = record.model.windowing
    if not isinstance(record.resolution, Resolution):
        return None
    if any(data.censoring is not None for data in record.sets):
        return None  # their rows depend on the noise of the step before
    line, steps = record.resolution.line, search.steps
    arrays = {
        "theta": theta,
        "chosen": theta if search.chosen is None else search.chosen,
        "noise": record.noise.values,
        "nodes": line.nodes,
        "strengths": ridges.strengths,
        "rungs": ridges.rungs,
        "tempering": ridges.tempering,
    }
    return {name: torch.as_tensor(np.array(array)) for name, array in arrays.items()} | {
        "period": line.period,
        "tolerance": record.resolution.tolerance,
        "fineness": record.model.unknowns.fineness,
        "left": list(search.left),
        "rests": [(torch.as_tensor(np.array(at)), value) for at, value in search.rests],
        "iterations": steps.iterations,
        "has_converged": steps.has_converged,
        "error": [search.error.values, search.error.shift],
        "seconds": seconds,
        "frame": None if frame is None else _as_tensors(asdict(frame)),
    }


def _as_tensors(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {n: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for n, v in numbers.items()}


def _as_arrays(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v.numpy() if isinstance(v, torch.Tensor) else v for n, v in numbers.items()}


def rebuilt(
    problem: Problem,
    sets: Sequence[ObservationSet],
    coefficients: Coefficients,
    state: Mapping[str, Any],
) -> tuple[StagedSearch, Iterate]:
    """Return the search that `kept` was told of, and where it ended.

    Args:
        problem: as it was fitted.
        sets: likewise.
        coefficients: at their initial values.
        state: of `kept`.

    Raises:
        CannotMarch: the problem is another one.

    Cost: one march.
    """
    found = {name: state[name].numpy() for name in ARRAYS}
    form = MarchingForm(problem)
    sizes = state_sizes(form, sets)
    unknowns = Unknowns(form, coefficients, sizes, state["fineness"])
    model = JoinedModel(form, unknowns, sizes)
    model.windowing = None if state["frame"] is None else Windowing(**_as_arrays(state["frame"]))
    record = FittedRecord(model, sets)
    record.resolution = Resolution(Line(found["nodes"], state["period"]), state["tolerance"])
    record.noise.values = found["noise"]
    search = StagedSearch(record, max_iterations=0)
    search.ridges.strengths, search.ridges.rungs = found["strengths"], found["rungs"]
    search.ridges.tempering, search.left = found["tempering"], list(state["left"])
    search.rests = [(at.numpy(), value) for at, value in state["rests"]]
    search.chosen = found["chosen"]
    search.steps.iterations = state["iterations"]
    search.steps.has_converged = state["has_converged"]
    search.error = SolverError(*state["error"])
    ended = record.at(found["theta"])
    if ended is None:
        raise CannotMarch("the answer that was kept is none of this problem")
    return search, ended


__all__ = ["kept", "rebuilt"]
