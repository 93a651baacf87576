"""A noise that the data state is known, unless the residuals clearly object."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import stdtrit

import pinngate
from pinngate.inference.misfit import against_stated

T = np.array([1.0, 3.0, 6.0])
STD = 0.05
CLEAN = 2 * np.exp(-0.286 * T)


def fit(values: np.ndarray, noise: dict[str, float] | None) -> pinngate.Solution:
    """A decay seen at a few times, the rate and the start unknown."""
    problem = pinngate.Problem(
        domain={"t": [0, 6]},
        unknowns=["u"],
        equations=["u_t = -k*u"],
        estimate={"k": pinngate.Unknown(1, positive=True)},
        observations=[pinngate.Observations("u", {"t": T[: len(values)]}, values, noise=noise)],
    )
    return pinngate.solve(problem)


def deviation(rate: float, start: float, std: float, count: int) -> float:
    """Standard deviation of log k by least squares of the closed form."""
    decay = np.exp(-rate * T[:count])
    jacobian = np.stack([decay, -rate * T[:count] * start * decay], axis=1)
    return std * math.sqrt(np.linalg.inv(jacobian.T @ jacobian)[1, 1])


@pytest.mark.parametrize("count", [2, 3])
def test_few_values_of_stated_noise_have_its_intervals(count: int) -> None:
    """Residuals twice as large as stated are no clear misfit of one degree of freedom."""
    shift = 1.87 * STD * np.array([0.40824829, -0.81649658, 0.40824829])[:count]
    found = fit(CLEAN[:count] + shift, {"std": STD}).coefficients["k"]
    half = 1.96 * deviation(0.286, 2.0, STD, count)
    width = math.log(found.interval[1] / found.interval[0])
    assert width == pytest.approx(2 * half, rel=0.15)


def test_a_clear_misfit_widens_the_intervals() -> None:
    shift = 8 * STD * np.array([0.40824829, -0.81649658, 0.40824829])
    posterior = fit(CLEAN + shift, {"std": STD}).uncertainty()
    assert posterior.degrees_of_freedom == pytest.approx(1.0, abs=0.01)
    assert posterior.coefficient_covariance.diagonal().sqrt() > torch.tensor(
        5 * deviation(0.286, 2.0, STD, 3)
    )


def test_noise_that_nobody_states_is_that_of_the_residuals() -> None:
    shift = 0.1 * STD * np.array([0.40824829, -0.81649658, 0.40824829])
    posterior = fit(CLEAN + shift, None).uncertainty()
    assert posterior.degrees_of_freedom == pytest.approx(1.0, abs=0.01)
    assert posterior.quantile == pytest.approx(stdtrit(1, 0.975), rel=0.01)


def test_the_level_is_that_of_the_verdict() -> None:
    assert not against_stated(3.5, 1.0).is_clear
    assert against_stated(7.0, 1.0).is_clear
