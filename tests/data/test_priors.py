"""Priors of coefficients, against what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate import config
from pinngate.errors import InputError

TIMES = np.linspace(0.1, 2, 20)
NOISE = 0.2


def line(prior: dict | None, values: np.ndarray, **keys: object) -> pinngate.Problem:
    """u = c t, c unknown: the mean of a normal posterior is known."""
    return pinngate.Problem(
        domain={"t": [0, 2]},
        unknowns=["u"],
        equations=["u_t = c"],
        conditions=["u = 0 at t = 0"],
        estimate={"c": pinngate.Unknown(1.0, prior=prior, **keys)},
        observations=[pinngate.Observations("u", TIMES, values, std=NOISE)],
    )


def values() -> np.ndarray:
    return 0.7 * TIMES + NOISE * np.random.default_rng(1).standard_normal(len(TIMES))


@pytest.mark.parametrize("polish", ["auto", "none"])
def test_a_normal_prior_is_conjugate(polish: str) -> None:
    y, (m, s) = values(), (0.8, 0.05)
    precision = np.sum(TIMES**2) / NOISE**2 + 1 / s**2
    mean = (np.sum(TIMES * y) / NOISE**2 + m / s**2) / precision
    found = pinngate.solve(line({"mean": m, "std": s}, y), polish=polish).metrics["coefficients"][
        "c"
    ]
    assert found["estimate"] == pytest.approx(mean, abs=0.02 * s)
    assert found["std"] == pytest.approx(precision**-0.5, rel=0.15)
    assert found["prior_share"] == pytest.approx(1 / s**2 / precision, rel=0.3)


def test_a_prior_of_a_positive_coefficient_is_of_its_logarithm() -> None:
    problem = line({"median": 0.75, "factor": 1.001}, values(), positive=True)
    found = pinngate.solve(problem).metrics["coefficients"]["c"]
    assert found["estimate"] == pytest.approx(0.75, rel=1e-3)


def test_a_prior_is_written_and_read_again() -> None:
    text = """
pinngate: 1
name: line
domain: {t: [0, 2]}
unknowns: [u]
estimate:
  c: {initial: 1, positive: true, prior: {median: 3, factor: 1.5}}
  b: {initial: 1, prior: {mean: 2, std: 0.5}}
equations: [u_t = c + b*t]
conditions: [u = 0 at t = 0]
observations: [{of: u, count: 5, noise: {std: 0.1}}]
truth: {u: t}
"""
    problem = config.loads(text)
    assert problem.coefficients[1].prior == pinngate.statement.problem.Prior(2.0, 0.5)
    again = config.loads(config.dumps(problem)).coefficients
    for one, two in zip(again, problem.coefficients, strict=True):
        assert str(one.prior) == str(two.prior)


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        ({"mean": 1}, "has mean"),
        ({"mean": 1, "std": 0}, "'std' of the prior is 0"),
        ({"median": 1, "factor": 2}, "is log-normal, and it may be negative"),
    ],
)
def test_a_prior_that_is_none_is_refused(prior: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        line(prior, values())
