"""The choice of measurements, against covariances that are conditioned in one piece."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pinngate
from pinngate.expression import Name
from pinngate.inference.next_measurement import choose, covariance_of_functionals
from pinngate.runs.derived_quantities import slopes_at

NOISE = torch.tensor([0.5, 0.4, 0.3, 0.6, 0.5, 0.7], dtype=torch.float64)


def covariance() -> torch.Tensor:
    rows = np.random.default_rng(0).standard_normal((7, 4))
    return torch.as_tensor(rows @ rows.T)


def left_after(places: tuple[int, ...]) -> float:
    """Return the variance of the last one after measurements, with one solve of all of them."""
    whole = covariance()
    among, across = whole[list(places)][:, list(places)], whole[list(places), -1]
    noise = torch.diag(NOISE[list(places)] ** 2)
    return float(whole[-1, -1] - across @ torch.linalg.solve(among + noise, across))


def test_the_first_is_the_best_of_all() -> None:
    found = choose(covariance(), NOISE, 1)
    every = [left_after((k,)) for k in range(6)]
    assert found.places == [int(np.argmin(every))]
    np.testing.assert_allclose(float(found.variances[0]) - found.first_gain.numpy(), every)


def test_each_variance_is_that_of_all_measurements_before() -> None:
    found = choose(covariance(), NOISE, 5)
    whole = [left_after(tuple(found.places[:k])) for k in range(1, 6)]
    np.testing.assert_allclose(found.variances[1:].numpy(), whole, rtol=1e-9)


def test_each_step_is_the_best_after_those_before() -> None:
    places = choose(covariance(), NOISE, 4).places
    for k in range(1, 4):
        every = [left_after((*places[:k], other)) for other in range(6)]
        assert places[k] == int(np.argmin(every))


@pytest.fixture(scope="module")
def solution() -> pinngate.Solution:
    times = np.linspace(0, 2, 30)
    values = np.exp(-times) + 0.05 * np.random.default_rng(1).standard_normal(30)
    problem = pinngate.Problem(
        domain={"t": (0, 2)},
        unknowns=["u"],
        equations=["u_t = -k*u"],
        estimate={"k": 0.5},
        observations=[pinngate.Observations("u", times, values)],
    )
    return pinngate.solve(problem, progress=False)


def test_variances_on_the_diagonal_are_those_of_the_posterior(solution: pinngate.Solution) -> None:
    points = np.linspace(0, 2, 5)[:, None]
    (member,) = solution.uncertainty().members_at(solution.session.stepper.network)
    _, slopes = slopes_at(solution.session, member.network, Name("u"), points)
    found = covariance_of_functionals(member.posterior, slopes[:, :-1], slopes[:, -1:])
    own = member.posterior.model_variance_of(slopes[:, :-1], slopes[:, -1:])
    torch.testing.assert_close(found.diagonal(), own)
