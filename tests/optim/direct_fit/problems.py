"""Problems with known solutions, and a direct fit's parts for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import erfc

import pinngate
from pinngate.data.observations import ObservationSet, collect
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.exact_model import ExactModel
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.through_solver import DirectFit, direct_fit
from pinngate.optim.direct_fit.unknowns import Unknowns

Array = np.ndarray


def coefficients_of(problem: pinngate.Problem) -> Coefficients:
    import torch

    return Coefficients(problem.coefficients, torch.float64)


def model_of(problem: pinngate.Problem) -> ExactModel:
    form = MarchingForm(problem)
    sizes = np.ones(len(form.states.all))
    return ExactModel(form, Unknowns(form, coefficients_of(problem), sizes), sizes)


def sets_of(problem: pinngate.Problem) -> list[ObservationSet]:
    return collect(problem, None, 0)


def fitted(problem: pinngate.Problem, start: Callable | None = None) -> DirectFit:
    return direct_fit(problem, sets_of(problem), coefficients_of(problem), start)


def breakthrough(x: Array, t: Array, v: float, diffusion: float) -> Array:
    """Ogata and Banks (1961): c = 0 at first, 1 at the inlet, and no other end."""
    width = 2 * np.sqrt(diffusion * np.maximum(t, 1e-12))
    return 0.5 * (erfc((x - v * t) / width) + np.exp(v * x / diffusion) * erfc((x + v * t) / width))


def column(
    noise: float = 0.02,
    v: float = 0.6,
    initial: float = 0.3,
    *,
    spoil: Callable = lambda values: values,
    is_stated: bool = True,
) -> pinngate.Problem:
    """A tracer that enters a column; its outlet has no condition, with `is_stated` its start has.

    `spoil` takes the measured values and returns others.
    """
    times = np.linspace(0.2, 4.0, 60)
    places = np.repeat([0.5, 1.0], 30)
    values = breakthrough(places, times, v, 0.08)
    values = values + noise * np.random.default_rng(1).standard_normal(60)
    points = np.column_stack([places, times])
    return pinngate.Problem(
        name="column",
        domain={"x": [0, 1], "t": [0, 4]},
        unknowns=["c"],
        equations=["c_t + v*c_x = D*c_xx"],
        conditions=["c = 0 at t = 0"] * is_stated + ["c = 1 at x = 0"],
        estimate={
            "v": pinngate.Unknown(initial, positive=True),
            "D": pinngate.Unknown(0.2, positive=True),
        },
        observations=[pinngate.Observations("c", points, spoil(values))],
    )
