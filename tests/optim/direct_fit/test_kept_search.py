"""A fit that is taken again from its numbers."""

from __future__ import annotations

import io

import numpy as np
import torch

import pinngate
from pinngate.optim.direct_fit.through_solver import restored_fit
from tests.optim.direct_fit.problems import coefficients_of, column, fitted, sets_of


def again(problem: pinngate.Problem, numbers: dict) -> object:
    stream = io.BytesIO()
    torch.save(numbers, stream)
    stream.seek(0)
    kept = torch.load(stream, weights_only=True)
    return restored_fit(problem, sets_of(problem), coefficients_of(problem), kept)


def cycles() -> pinngate.Problem:
    """Return an oscillation that is marched in windows."""
    times = np.linspace(0.5, 40, 80)
    values = np.cos(1.3 * times) + 0.1 * np.random.default_rng(0).standard_normal(80)
    return pinngate.Problem(
        domain={"t": [0, 40]},
        unknowns=["u"],
        equations=["u_tt + k*u = 0"],
        conditions=["u_t = 0 at t = 0"],
        estimate={"k": pinngate.Unknown(1.6, positive=True)},
        observations=[pinngate.Observations("u", {"t": times}, values)],
    )


def test_it_is_the_same_to_the_last_digit() -> None:
    for problem in (column(), column(is_stated=False), cycles()):
        found = fitted(problem)
        assert found.kept is not None
        assert (found.kept["frame"] is not None) is (problem.axes == ("t",))
        other = again(problem, found.kept)
        points = np.column_stack([np.linspace(0.05, 1, 20), np.linspace(0.5, 4, 20)])
        points = points[:, -len(problem.axes) :]
        for one, two in (
            (found.theta, other.theta),
            (found.raw_covariance, other.raw_covariance),
            (found.fields(points), other.fields(points)),
            (found.std(points), other.std(points)),
            (found.doubt, other.doubt),
            (found.stretched(1.96), other.stretched(1.96)),
        ):
            np.testing.assert_array_equal(one, two)
        assert found.coefficients == other.coefficients
        assert found.noise_std == other.noise_std
        assert (found.risk, found.is_poor, found.is_converged, found.solver_error) == (
            other.risk,
            other.is_poor,
            other.is_converged,
            other.solver_error,
        )


def test_fits_to_bounds_are_searched_for_again() -> None:
    problem = pinngate.Problem(
        domain={"t": [0, 3]},
        unknowns=["c"],
        equations=["c_t = -k*c"],
        conditions=["c = 1 at t = 0"],
        estimate={"k": pinngate.Unknown(1, positive=True)},
        observations=[
            pinngate.Observations(
                "c",
                [0.2, 0.5, 1, 1.5, 2, 2.5, 3],
                [0.8, 0.6, 0.37, 0.22, 0.2, 0.2, 0.2],
                noise={"kind": "censored", "below": 0.2},
            )
        ],
    )
    assert fitted(problem).kept is None
