"""Solutions in windows: those of one march where that can follow, and chaos where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import pinngate
from pinngate.optim.direct_fit import frames
from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.joined_model import JoinedModel
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.unknowns import Unknowns
from tests.optim.direct_fit.problems import coefficients_of, fitted, sets_of

Array = NDArray[np.float64]


def motion(end: float) -> Callable[[Array], Array]:
    """Return the solution of Lorenz' equations, times (n,) → (3, n)."""

    def rates(_: float, y: Array) -> list[float]:
        return [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]

    bounds, begin = (0, end), [-8, 7, 27]
    found = solve_ivp(rates, bounds, begin, rtol=1e-10, atol=1e-10, dense_output=True)
    return lambda t: np.asarray(found.sol(t))


def lorenz(end: float, seed: int = 0, **starts: float) -> pinngate.Problem:
    """Return Lorenz' equations with twelve noisy values of each field a unit of time."""
    random = np.random.default_rng(seed)
    times = np.sort(random.uniform(0, end, round(12 * end)))

    values = motion(end)(times)
    noisy = values + values.std(axis=1)[:, None] * 0.05 * random.standard_normal(values.shape)
    at = {"s": 10.0, "r": 28.0, "b": 8 / 3} | starts
    return pinngate.Problem(
        domain={"t": [0, end]},
        unknowns=["x", "y", "z"],
        equations=["x_t = s*(y - x)", "y_t = x*(r - z) - y", "z_t = x*y - b*z"],
        estimate={name: {"initial": value, "positive": True} for name, value in at.items()},
        observations=[
            pinngate.Observations(field, {"t": times}, own)
            for field, own in zip("xyz", noisy, strict=True)
        ],
    )


def cycles(**changes: Any) -> pinngate.Problem:
    stated: dict[str, Any] = {
        "domain": {"t": [0, 20]},
        "unknowns": ["u"],
        "equations": ["u_tt - mu*(1 - u**2)*u_t + u = q*sin(t/3)"],
        "conditions": ["u = 1 at t = 0"],
        "estimate": {"mu": {"initial": 0.8}, "q": {"over": "t", "initial": 0.2}},
        "observations": [pinngate.Observations("u", {"t": np.linspace(1, 20, 40)}, np.zeros(40))],
    }
    return pinngate.Problem(**{**stated, **changes})


def record_of(problem: pinngate.Problem) -> FittedRecord:
    form = MarchingForm(problem)
    sizes = np.ones(len(form.marched))
    unknowns = Unknowns(form, coefficients_of(problem), sizes)
    record = FittedRecord(JoinedModel(form, unknowns, sizes), sets_of(problem))
    record.resolution = record.model.first_resolution(1, 1e-7)
    return record


def test_windows_are_the_solution_of_one_march() -> None:
    """So are tangents, but for what is free of the initial state: that has other coordinates."""
    record = record_of(cycles())
    theta = record.model.unknowns.start(None)
    whole = record.at(theta)
    assert whole is not None
    own = frames.joined(record, theta)
    joined = record.at(own)
    assert joined is not None
    assert record.model.windowing.num > 4
    np.testing.assert_allclose(joined.residual, whole.residual, atol=2e-5)
    free = next(iter(record.model.unknowns.initial.values())).part.start
    fixed = np.arange(len(theta)) != free
    rest = [
        np.linalg.lstsq(j[:, [free]], j[:, fixed])[0] for j in (whole.jacobian, joined.jacobian)
    ]
    left = [
        j[:, fixed] - j[:, [free]] @ along
        for j, along in zip((whole.jacobian, joined.jacobian), rest, strict=True)
    ]
    np.testing.assert_allclose(left[1], left[0], atol=1e-3 * np.abs(left[0]).max())
    along = joined.jacobian[:, free] / whole.jacobian[:, free]
    assert np.ptp(along) < 1e-3 * np.abs(along).max()


def test_tangents_in_windows_are_those_of_differences() -> None:
    record, near = record_of(lorenz(4)), motion(4.1)
    start = record.model.unknowns.start(None)
    theta = frames.joined(record, start, lambda points: near(points[:, 0]).T)
    here = record.at(theta)
    assert here is not None
    for k in range(len(theta)):
        step = 1e-5 * np.eye(len(theta))[k]
        pair = [record.at(theta + sign * step) for sign in (1, -1)]
        ends = [one.residual for one in pair if one is not None]
        differences = (ends[0] - ends[1]) / 2e-5
        size = np.abs(here.jacobian[:, k]).max()
        np.testing.assert_allclose(here.jacobian[:, k], differences, atol=3e-3 * size)


def test_chaos_is_followed_from_far_coefficients() -> None:
    """An error of the initial state grows by a factor of a thousand here."""
    found = fitted(lorenz(8, s=7.0, r=24.0, b=2.0))
    assert found.is_settled
    assert not found.is_poor
    for name, value in (("s", 10.0), ("r", 28.0), ("b", 8 / 3)):
        estimate, std = found.coefficients[name]
        assert abs(estimate - value) < 4 * std
        assert std < 0.01 * value


def test_events_and_switches_are_marched_in_one() -> None:
    record = record_of(cycles(equations=["u_t = q*sin(t/3) - u*heaviside(u + 5 - mu)"]))
    theta = record.model.unknowns.start(None)
    frames.joined(record, theta)
    assert record.model.windowing is None


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_part_of_the_record_has_windows_of_its_own(share: float) -> None:
    record = record_of(cycles())
    theta = frames.joined(record, record.model.unknowns.start(None))
    whole = record.at(theta)
    assert whole is not None
    part = record.at(frames.moved(record, theta, share))
    seen = record.noise.active
    assert part is not None
    np.testing.assert_allclose(part.residual[seen], whole.residual[seen], atol=2e-5)
    back = record.at(frames.moved(record, part.theta, 1.0))
    assert back is not None
    np.testing.assert_allclose(back.residual, whole.residual, atol=2e-5)
