"""Values that are bounds: their rows, the likeliest noise, and fits beside brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_ndtr

import pinngate
from pinngate.data.censoring import Censoring, likeliest_std
from pinngate.data.observations import collect
from pinngate.errors import InputError
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.through_solver import direct_fit
from pinngate.reference import truth

RATE, STD, BELOW = 0.8, 0.05, 0.1
NOISE = {"kind": "censored", "below": BELOW}


def decay(noise: dict, count: int = 50, axis: str = "t", **more: object) -> pinngate.Problem:
    return pinngate.Problem(
        domain={axis: [0, 5]},
        unknowns=["u"],
        equations=[f"u_{axis} = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True, truth=RATE)},
        observations=[
            pinngate.Observations.synthetic("u", count=count, layout="grid", noise=noise)
        ],
        truth={"u": f"exp(-{RATE}*{axis})"},
        **more,
    )


def likeliest(t: np.ndarray, y: np.ndarray, std: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return u(0), log a, log σ of greatest likelihood, and deviations by its curvature."""
    is_bound = y <= BELOW

    def loss(q: np.ndarray) -> float:
        f, size = q[0] * np.exp(-np.exp(q[1]) * t), np.exp(q[2]) if std is None else std
        inside = 0.5 * np.square((y - f)[~is_bound] / size) + np.log(size)
        rest = 0.0 if std is None else 0.5 * (q[2] + 3) ** 2
        return float(inside.sum() - log_ndtr((BELOW - f[is_bound]) / size).sum() + rest)

    best = minimize(loss, [1.0, np.log(RATE), -3.0], tol=1e-10).x
    steps = 1e-3 * np.eye(3)
    curvature = [
        [
            sum(a * b * loss(best + a * i + b * j) for a in (1, -1) for b in (1, -1)) / 4e-6
            for i in steps
        ]
        for j in steps
    ]
    return best, np.sqrt(np.diag(np.linalg.inv(curvature)))


@pytest.mark.parametrize(("bound", "sign"), [(0.2, -1.0), (0.5, 1.0)])
def test_rows_have_slope_and_curvature_of_the_likelihood(bound: float, sign: float) -> None:
    std, step = 0.1, 1e-5
    f = bound + sign * std * np.linspace(-4, 6, 30)  # from fits that miss the bound to deep ones
    censoring, values, stds = Censoring(below=0.2, above=0.5), np.full(30, bound), np.full(30, std)

    def loss(at: np.ndarray) -> np.ndarray:
        return -log_ndtr(sign * (at - bound) / std)

    slope = (loss(f + step) - loss(f - step)) / (2 * step)
    curvature = (loss(f + step) - 2 * loss(f) + loss(f - step)) / step**2
    for is_search in (False, True):
        found = censoring.rows(values, f - values, stds, is_search=is_search)
        np.testing.assert_allclose(
            found.residual * found.slope / std**2, slope, rtol=1e-5, atol=1e-6
        )
        # a value far inside what is censored says nothing, whatever the fit
        is_deep = sign * (f - bound) > 5 * std
        assert is_deep.any()
        assert (found.slope[is_deep] < 0.01).all()
        assert (found.count[is_deep] < 0.05).all()
        assert not found.is_free.any()
    searched = censoring.rows(values, f - values, stds, is_search=True)
    np.testing.assert_allclose((searched.residual / std) ** 2, 2 * loss(f), rtol=1e-12)
    exact = censoring.rows(values, f - values, stds)
    np.testing.assert_allclose((exact.slope / std) ** 2, curvature, rtol=1e-3, atol=1e-3)


def test_errors_near_a_bound_are_selected() -> None:
    values, f = np.array([0.12, 0.12, 0.5]), np.array([0.05, 0.45, 0.45])
    found = Censoring(below=0.1).rows(values, f - values, np.full(3, 0.1))
    np.testing.assert_array_equal(found.is_free, [False, True, True])


def test_measured_values_are_what_they_were() -> None:
    values, residual = np.array([0.3, 0.05, 0.7]), np.array([0.1, -0.2, 0.3])
    found = Censoring(below=0.1).rows(values, residual, np.full(3, 0.1))
    np.testing.assert_array_equal(found.residual[[0, 2]], residual[[0, 2]])
    np.testing.assert_array_equal(found.slope[[0, 2]], 1.0)
    np.testing.assert_array_equal(found.count[[0, 2]], 1.0)
    # what is measured at a bound or beyond is that bound
    np.testing.assert_array_equal(Censoring(0.1, 0.5).bounded(values), [0.3, 0.1, 0.5])


def test_rows_are_finite_however_far_the_fit_is() -> None:
    away = np.array([1e9, 1e3, -1e3, -1e9])
    for is_search in (False, True):
        found = Censoring(below=0.0).rows(np.zeros(4), away, np.ones(4), is_search=is_search)
        for array in (found.residual, found.slope, found.count):
            assert np.isfinite(array).all()
        np.testing.assert_allclose(found.residual[:2], away[:2], rtol=1e-4)
        np.testing.assert_allclose(found.slope[:2], 1.0, rtol=1e-4)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_size_of_the_noise_is_that_of_greatest_likelihood(share: float) -> None:
    errors = 0.3 * np.random.default_rng(0).standard_normal(400)
    bound = float(np.quantile(errors, share))
    side = np.where(errors <= bound, -1.0, 0.0)
    residual = -np.maximum(errors, bound)

    def loss(q: np.ndarray) -> float:
        std, is_bound = np.exp(q[0]), side != 0
        inside = 0.5 * np.square(residual[~is_bound] / std) + q[0]
        return float(inside.sum() - is_bound.sum() * log_ndtr(bound / std))

    wanted = float(np.exp(minimize(loss, [-1.0], tol=1e-12).x[0]))
    assert likeliest_std(side, residual, 1.0) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("std", [None, STD])
def test_a_fit_through_a_solver_is_that_of_greatest_likelihood(std: float | None) -> None:
    problem = decay({**NOISE, "std": STD})
    (made,) = collect(problem, truth(problem), 3)
    assert 10 < (~made.is_measured).sum() < 30
    given = pinngate.Observations(
        "u", made.points[:, 0], made.values, noise=NOISE if std is None else {**NOISE, "std": std}
    )
    fitted = pinngate.Problem(
        domain={"t": [0, 5]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True)},
        observations=[given],
    )
    sets = collect(fitted, None, 0)
    found = direct_fit(fitted, sets, Coefficients(fitted.coefficients, torch.float64))
    best, deviations = likeliest(made.points[:, 0], made.values, std)
    value, deviation = found.coefficients["a"]
    assert value == pytest.approx(np.exp(best[1]), rel=2e-3)
    # the restricted likelihood knows what two parameters took of the noise
    told = found.rows.counts.sum()
    count = 1.0 if std is not None else np.sqrt(told / (told - 2))
    assert found.noise_std["observation_1"] == pytest.approx(
        count * (std or float(np.exp(best[2]))), rel=0.01
    )
    # σ is held at its estimate where the deviation is told; the profile would add a few per cent
    assert deviation == pytest.approx(count * value * deviations[1], rel=0.02 if std else 0.08)


@pytest.mark.parametrize("network", ["race", {"width": 16, "depth": 1}], ids=["basis", "network"])
def test_bases_and_networks_find_what_the_likelihood_says(network: object) -> None:
    problem = decay({**NOISE, "std": STD}, axis="x", solve={"network": network})
    found = pinngate.solve(problem, seed=3)
    (made,) = collect(problem, truth(problem), 3)
    best, deviations = likeliest(made.points[:, 0], made.values, None)
    rate = found.coefficients["a"]
    assert abs(rate.estimate - np.exp(best[1])) < 0.3 * deviations[1] * np.exp(best[1])
    assert rate.std == pytest.approx(deviations[1] * np.exp(best[1]), rel=0.2)
    assert found.metrics["noise_std"]["u"] == pytest.approx(np.exp(best[2]), rel=0.15)
    assert not found.metrics["misfit"]["is_clear"]


def near(points: np.ndarray) -> np.ndarray:
    """The solution: a search that starts there looks for no other minimum."""
    return np.exp(-RATE * points)


def test_intervals_hold_what_they_say() -> None:
    off = []
    for seed in range(40):
        problem = decay({**NOISE, "std": STD}, 40)
        sets = collect(problem, truth(problem), seed)
        coefficients = Coefficients(problem.coefficients, torch.float64)
        found = direct_fit(problem, sets, coefficients, near, is_polish=True)
        value, deviation = found.coefficients["a"]
        off.append((value - RATE) / deviation)
    # mean and spread of forty standard normal numbers, four standard errors
    assert abs(np.mean(off)) < 4 / np.sqrt(40)
    assert 0.55 < np.std(off) < 1.5


def test_nothing_but_bounds_is_refused() -> None:
    given = pinngate.Observations("u", [0.0, 1.0, 2.0], [0.05, 0.1, 0.02], noise=NOISE)
    problem = pinngate.Problem(
        domain={"t": [0, 5]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True)},
        observations=[given],
    )
    with pytest.raises(InputError, match="all values are at a bound"):
        collect(problem, None, 0)


def test_first_order_optimizers_refuse_bounds() -> None:
    problem = decay({**NOISE, "std": STD}, solve={"optimizer": "adam", "iterations": 3})
    with pytest.raises(InputError, match="takes squares of residuals alone"):
        pinngate.solve(problem)


def given(noise: dict) -> pinngate.Problem:
    """Return the decay with values of σ = `STD` as measured, by noise that is assumed."""
    problem = decay({**NOISE, "std": STD}, 200)
    (made,) = collect(problem, truth(problem), 5)
    return pinngate.Problem(
        domain={"t": [0, 5]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True)},
        observations=[
            pinngate.Observations("u", made.points[:, 0], made.values, noise=noise, holdout=0.2)
        ],
    )


@pytest.mark.parametrize(("std", "is_clear"), [(STD, False), (0.6 * STD, True)])
def test_a_stated_size_is_judged_by_bounds_too(std: float, is_clear: bool) -> None:
    found = pinngate.solve(given({**NOISE, "std": std}), seed=0)
    misfit = found.metrics["misfit"]
    assert misfit["is_clear"] == is_clear
    assert misfit["ratio"] == pytest.approx(STD / std, rel=0.15)
    # what is left out is predicted as well as what is left out one by one
    risk = found.metrics["risk"]
    assert risk["held_out"] == pytest.approx(STD**2, rel=0.6)
    assert risk["leave_one_out"] == pytest.approx(STD**2, rel=0.3)


def test_bounds_that_are_taken_as_measured_bias_what_is_estimated() -> None:
    stated, ignored = (
        pinngate.solve(given(noise), seed=0) for noise in ({**NOISE, "std": STD}, {"std": STD})
    )
    right, wrong = (found.coefficients["a"] for found in (stated, ignored))
    assert right.interval[0] < RATE < right.interval[1]
    assert wrong.interval[1] < RATE
