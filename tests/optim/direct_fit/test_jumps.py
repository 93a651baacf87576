"""Events: jumps of the state and of its tangents, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate.errors import InputError
from tests.optim.direct_fit.problems import fitted, model_of

DOSES, VOLUME, RATE = (0.0, 6.0, 12.0), 10.0, 0.3


def concentration(t: np.ndarray, volume: float, rate: float) -> np.ndarray:
    found = np.zeros_like(t)
    for at in DOSES:
        found += np.where(t >= at, 100 / volume * np.exp(-rate * (t - at)), 0.0)
    return found


def boluses(values: np.ndarray, times: np.ndarray) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"t": [0, 24]},
        unknowns=["C"],
        equations=["C_t = -k*C"],
        conditions=["C = 0 at t = 0"],
        estimate={
            "V": pinngate.Unknown(5.0, positive=True),
            "k": pinngate.Unknown(1.0, positive=True),
        },
        events=[{"at": {"t": list(DOSES)}, "add": {"C": "100/V"}}],
        observations=[pinngate.Observations("C", times, values, std=0.01)],
    )


def test_boluses_are_those_of_the_closed_form() -> None:
    times = np.linspace(0, 24, 49)  # the times of the doses among them
    found = fitted(boluses(concentration(times, VOLUME, RATE), times))
    assert found.coefficients["V"][0] == pytest.approx(VOLUME, rel=1e-3)
    assert found.coefficients["k"][0] == pytest.approx(RATE, rel=1e-3)
    at = np.array([[6.0], [5.999999], [13.0]])
    np.testing.assert_allclose(
        found.fields(at)[:, 0], concentration(at[:, 0], VOLUME, RATE), rtol=2e-3
    )


def test_tangents_pass_a_jump() -> None:
    times = np.linspace(0.5, 23.5, 24)
    model = model_of(boluses(concentration(times, VOLUME, RATE), times))
    resolution = model.first_resolution(1, 1e-9)
    points, theta, step = times[:, None], np.array([0.3, -0.4]), 1e-5

    def values(at: np.ndarray) -> np.ndarray:
        return model.fields(model.solve(at, resolution), at, points)[0][:, 0]

    tangents = model.fields(model.solve(theta, resolution), theta, points)[1][:, 0]
    for k in range(2):
        move = step * np.eye(2)[k]
        difference = (values(theta + move) - values(theta - move)) / (2 * step)
        np.testing.assert_allclose(tangents[:, k], difference, rtol=1e-4, atol=1e-5)


def test_what_is_set_forgets_and_what_is_added_may_depend_on_the_field() -> None:
    times = np.array([0.5, 1.5, 2.5])
    problem = pinngate.Problem(
        domain={"t": [0, 3]},
        unknowns=["u"],
        equations=["u_t = a - u"],
        conditions=["u = 4 at t = 0"],
        estimate={"a": 0.0},
        events=[
            {"at": {"t": 1}, "set": {"u": 2}},
            {"at": {"t": 2}, "add": {"u": "u"}},
        ],
        observations=[pinngate.Observations("u", times, np.zeros(3))],
    )
    model = model_of(problem)
    theta = np.zeros(model.unknowns.count)
    found = model.fields(model.solve(theta, model.first_resolution(1, 1e-9)), theta, times[:, None])
    expected = [4 * np.exp(-0.5), 2 * np.exp(-0.5), 4 * np.exp(-1.5)]
    np.testing.assert_allclose(found[0][:, 0], expected, rtol=1e-6)


def test_a_whole_run_knows_its_events(tmp_path) -> None:
    times = np.linspace(0.2, 23.8, 40)
    values = concentration(times, VOLUME, RATE) + 0.01 * np.sin(37 * times)
    pinngate.run(boluses(values, times), tmp_path / "run")
    found = pinngate.load_solution(tmp_path / "run")
    assert found.metrics["verdict"] == "solved"
    assert found.problem.events[0].times == DOSES


@pytest.mark.parametrize("options", [{"optimizer": "adam"}, {"polish": "none"}])
def test_events_need_a_solver(options: dict) -> None:
    times = np.linspace(0, 24, 9)
    with pytest.raises(InputError, match="fields jump at events"):
        pinngate.solve(boluses(concentration(times, VOLUME, RATE), times), **options)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"at": {"t": 25}, "add": {"C": 1}}, "t = 25 is outside the domain"),
        ({"at": {"x": 1}, "add": {"C": 1}}, "an event has no time"),
        ({"at": {"t": 1}, "add": {"D": 1}}, "changes 'D', which is no unknown"),
        ({"at": {"t": 1}}, "nothing happens"),
    ],
)
def test_events_that_are_none_are_refused(event: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        pinngate.Problem(
            domain={"t": [0, 24]},
            unknowns=["C"],
            equations=["C_t = -C"],
            conditions=["C = 1 at t = 0"],
            events=[event],
        )
