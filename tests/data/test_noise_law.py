"""Noise that follows the value: weights, estimates that errors do not bias, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pinngate
from pinngate.data.noise_law import NoiseLaw
from pinngate.errors import InputError
from tests.optim.direct_fit.problems import fitted, sets_of

RATE = 0.7


def decay(noise: dict, count: int = 200) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"t": [0.1, 5]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(0.4, positive=True, truth=RATE)},
        observations=[
            pinngate.Observations.synthetic("u", count=count, layout="grid", noise=noise)
        ],
        truth={"u": f"50*exp(-{RATE}*t)"},
    )


def test_arrays_and_tensors_have_the_same_shape_of_noise() -> None:
    values = np.array([-3.0, 0.0, 0.1, 5.0])
    for kind in ("proportional", "poisson"):
        law = NoiseLaw.of(kind, values, None)
        np.testing.assert_array_equal(law.shape(values), law.shape(torch.as_tensor(values)).numpy())
        assert (law.shape(values) > 0).all()
    assert NoiseLaw.of("poisson", values, None).shape(np.array([9.0]))[0] == 3.0


@pytest.mark.parametrize(
    "noise",
    [
        {"kind": "poisson"},
        {"kind": "proportional", "relative": 0.2},
        {"kind": "log-normal", "factor": 1.25},
    ],
    ids=lambda noise: noise["kind"],
)
def test_estimates_scatter_as_they_say(noise: dict) -> None:
    problem, off = decay(noise, 60), []
    for seed in range(30):
        found = pinngate.optim.direct_fit.through_solver.direct_fit(
            problem,
            pinngate.data.observations.collect(problem, pinngate.reference.truth(problem), seed),
            pinngate.model.coefficients.Coefficients(problem.coefficients, torch.float64),
            lambda points: 50 * np.exp(-RATE * points),
            is_polish=True,  # near the minimum, so that no other is looked for
        )
        value, std = found.coefficients["a"]
        off.append((value - RATE) / std)
    # mean and spread of thirty standard normal numbers, four standard errors
    assert abs(np.mean(off)) < 4 / np.sqrt(30)
    assert 0.5 < np.std(off) < 1.6


def test_counts_are_whole_numbers_and_logarithms_are_fitted() -> None:
    problem = decay({"kind": "poisson"})
    truth = pinngate.reference.truth(problem)
    (counts,) = pinngate.data.observations.collect(problem, truth, 0)
    assert (counts.values == np.round(counts.values)).all()
    problem = decay({"kind": "log-normal", "factor": 1.2})
    (logs,) = pinngate.data.observations.collect(problem, pinngate.reference.truth(problem), 0)
    np.testing.assert_allclose(np.exp(logs.values), logs.as_measured.values)
    assert logs.of == "log(u)"


def test_networks_weigh_values_alike() -> None:
    """A fit by bases and networks of counts is that of the solver."""
    problem = decay({"kind": "poisson"}, 80)
    direct, other = (pinngate.solve(problem, polish=polish) for polish in ("auto", "none"))
    one, two = direct.coefficients["a"], other.coefficients["a"]
    assert abs(one.estimate - two.estimate) < 0.5 * one.std
    assert two.std == pytest.approx(one.std, rel=0.3)


@pytest.mark.parametrize(
    ("noise", "said"),
    [
        ({"kind": "poisson", "std": 1}, "'std' does not go with 'kind: poisson'"),
        ({"kind": "log-normal", "factor": 0.9}, "'factor' is 0.9"),
        ({"kind": "log-normal", "relative": 0.1}, "'relative' does not go with"),
        ({"kind": "gaussian", "factor": 2}, "'factor' goes with 'kind: log-normal' only"),
        ({"kind": "proportional"}, "noise has no 'relative'"),
    ],
)
def test_sizes_of_other_kinds_are_refused(noise: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        decay(noise)


def test_negative_counts_are_refused() -> None:
    problem = pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u"],
        equations=["u_t = -u"],
        observations=[
            pinngate.Observations("u", [0.1, 0.5], [3.0, -1.0], noise={"kind": "poisson"})
        ],
    )
    with pytest.raises(InputError, match="the least value is -1"):
        sets_of(problem)


def test_of_measured_values_the_kind_alone_may_be_stated() -> None:
    times = np.linspace(0.1, 3, 40)
    values = 5 * np.exp(-0.5 * times) * np.exp(0.1 * np.random.default_rng(0).standard_normal(40))
    problem = pinngate.Problem(
        domain={"t": [0, 3]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(1.0, positive=True)},
        observations=[pinngate.Observations("u", times, values, noise={"kind": "log-normal"})],
    )
    found = fitted(problem)
    assert found.noise_std["observation_1"] == pytest.approx(0.1, rel=0.3)
