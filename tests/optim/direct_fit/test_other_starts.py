"""Minima that are not the least, fields that begin at zero, and records that grow."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

import pinngate
from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.other_starts import OtherStarts, lowest
from tests.optim.direct_fit.problems import fitted, model_of, sets_of


def room(seed: int) -> pinngate.Problem:
    """A room in balance whose heater is turned up: C and R have two minima."""
    heat_capacity, resistance, times = 5e6, 0.004, np.linspace(3600, 14400, 25)
    end, start = 5 + 6000 * resistance, 5 + 2000 * resistance
    clean = end + (start - end) * np.exp(-times / (heat_capacity * resistance))
    values = clean + 0.2 * np.random.default_rng(seed).standard_normal(25)
    return pinngate.Problem(
        domain={"t": [0, 14400]},
        unknowns=["T"],
        equations=["C*T_t = (5 - T)/R + 6000"],
        conditions=["(5 - T)/R + 2000 = 0 at t = 0"],
        estimate={
            "C": pinngate.Unknown(1e6, positive=True),
            "R": pinngate.Unknown(1e-3, positive=True),
        },
        observations=[pinngate.Observations("T", times, values)],
    )


def test_the_least_of_two_minima_is_found() -> None:
    for seed in range(3):
        capacity, deviation = fitted(room(seed)).coefficients["C"]
        assert abs(capacity - 5e6) < 4 * deviation


def test_unseen_fields_do_not_begin_where_rates_have_no_effect() -> None:
    times = np.arange(2.0, 121.0, 2.0)

    def rates(_: float, y: np.ndarray) -> list[float]:
        new = 0.6 * y[0] * y[2] / 5e6
        return [-new, new - 0.25 * y[1], 0.25 * y[1] - 0.2 * y[2], 0.25 * y[1]]

    start = [5e6, 100, 80, 0]
    clean = solve_ivp(rates, (0, 120), start, t_eval=times, rtol=1e-9, atol=1e-3).y[3]
    values = clean + 7000 * np.random.default_rng(1).standard_normal(len(times))
    problem = pinngate.Problem(
        domain={"t": [0, 120]},
        unknowns=["S", "E", "I", "K"],
        constants={"N": 5e6, "sigma": 0.25},
        equations=[
            "S_t = -beta*S*I/N",
            "E_t = beta*S*I/N - sigma*E",
            "I_t = sigma*E - gamma*I",
            "K_t = sigma*E",
        ],
        conditions=["S = N at t = 0", "K = 0 at t = 0"],
        estimate={
            "beta": pinngate.Unknown(1, positive=True),
            "gamma": pinngate.Unknown(0.5, positive=True),
        },
        observations=[pinngate.Observations("K", times, values)],
    )
    found = fitted(problem)
    assert not found.is_poor
    for name, truth in (("beta", 0.6), ("gamma", 0.2)):
        value, deviation = found.coefficients[name]
        assert abs(value - truth) < 4 * deviation


def test_places_fill_decades_of_positive_coefficients_alone() -> None:
    problem = pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u", "w"],
        equations=["u_t = -k*u + b*w", "w_t = -w"],
        conditions=["u = 1 at t = 0"],
        estimate={"k": pinngate.Unknown(1, positive=True), "b": pinngate.Unknown(0.5)},
        observations=[pinngate.Observations("u", [0.5, 1], [0.6, 0.4])],
    )
    model = model_of(problem)
    starts = OtherStarts(FittedRecord(model, sets_of(problem)))
    center = np.array([0.3, 0.7, 0.2])
    found = np.array([place for _, place in starts._places(center, 2.0, 64)])
    assert found.shape == (64, 3)
    assert (found[:, 1] == 0.7).all()
    np.testing.assert_allclose(found[:, 0].min(), 0.3 - 2 * np.log(10))
    assert found[:, 0].max() > 0.3 + 1.9 * np.log(10)
    assert found[:, 2].min() < 3e-6
    assert found[:, 2].max() == 1.0
    assert list(starts._places(center, 2.0, 0)) == []  # marches too long for any


def test_a_growing_record_follows_many_cycles_from_a_wrong_rate() -> None:
    times = np.linspace(0, 60, 400)
    rng = np.random.default_rng(3)
    values = np.cos(2.0 * times) * np.exp(-0.01 * times) + 0.1 * rng.standard_normal(400)
    problem = pinngate.Problem(
        domain={"t": [0, 60]},
        unknowns=["u"],
        equations=["u_tt + 2*d*u_t + k*u = 0"],
        estimate={"d": pinngate.Unknown(0.1), "k": pinngate.Unknown(1.5, positive=True)},
        observations=[pinngate.Observations("u", times, values)],
    )
    found = fitted(problem)
    stiffness, deviation = found.coefficients["k"]
    assert abs(stiffness - (4 + 0.01**2)) < 4 * deviation
    assert found.unexplained < 0.1


def daughter(seed: int) -> pinngate.Problem:
    """A daughter in balance when the supply is cut: two pairs of rates explain it alike."""
    k1, k2, times = 0.3, 0.1, np.linspace(2, 20, 18)
    start = 0.2 / k1 + 4.0
    rest = start - 0.2 / k1

    def clean(t: np.ndarray) -> np.ndarray:
        level, part = 0.2 / k2, k1 * rest / (k2 - k1)
        begun = k1 * start / k2  # B_t = 0
        return level + part * np.exp(-k1 * t) + (begun - level - part) * np.exp(-k2 * t)

    values = clean(times) + 0.05 * np.random.default_rng(seed).standard_normal(len(times))
    return pinngate.Problem(
        domain={"t": [0, 20]},
        unknowns=["A", "B"],
        equations=["A_t = 0.2 - k1*A", "B_t = k1*A - k2*B"],
        conditions=["B_t = 0 at t = 0"],
        estimate={
            "k1": pinngate.Unknown(1, positive=True),
            "k2": pinngate.Unknown(1, positive=True),
        },
        observations=[pinngate.Observations("B", times, values)],
    )


def test_an_answer_that_is_as_likely_is_told() -> None:
    """Whichever of the two is taken, the truth is the answer or among the others."""
    for seed in range(4):
        found = fitted(daughter(seed))
        value, deviation = found.coefficients["k1"]
        others = [rival["k1"] for rival in found.rivals]
        near = [abs(k1 - 0.3) < 4 * max(deviation, 0.02) for k1 in (value, *others)]
        assert any(near)


def test_a_single_minimum_has_no_rivals() -> None:
    assert list(fitted(room(0)).rivals) == []


def test_the_lowest_of_each_basin_comes_first() -> None:
    x = np.array([0.1, 0.9, 0.3, 0.5, 0.2, 0.7])[:, None]
    values = np.array([3.0, 2.0, 2.5, 4.0, 1.0, 3.0])
    assert lowest(x, values).tolist() == [False, True, False, False, True, False]
    assert lowest(x[:1], values[:1]).all()
    assert not lowest(x[:2], np.array([np.inf, np.inf])).any()


def test_frequencies_that_sampling_does_not_tell_apart_are_found() -> None:
    """Sampled once a unit, cos 4.085 t and cos 2.198 t are the same values."""
    t = np.arange(25.0)
    values = np.cos(4.085 * t + 0.4) + 0.05 * np.random.default_rng(0).standard_normal(25)
    problem = pinngate.Problem(
        domain={"t": [0, 24]},
        unknowns=["u"],
        equations=["u_tt + w**2*u = 0"],
        estimate={"w": pinngate.Unknown(4.5, positive=True)},
        observations=[pinngate.Observations("u", {"t": t}, values)],
    )
    found = fitted(problem)
    near = np.array([found.coefficients["w"][0]])
    others = [rival["w"] for rival in found.rivals]
    every = np.concatenate([near, others])
    assert np.abs(every[:, None] - [4.085, 2 * np.pi - 4.085]).min(axis=0).max() < 0.02


def test_two_coefficients_are_found_many_decades_away() -> None:
    """Enzyme kinetics in mol/l and s, from one and one."""
    times = np.linspace(0, 2e4, 40)
    rates = 2e-9, 5e-6
    march = solve_ivp(
        lambda t, s: -rates[0] * s / (rates[1] + s), (0, 2e4), [2e-5], t_eval=times, rtol=1e-9,
        atol=1e-15,
    )  # fmt: skip
    values = march.y[0] + 2e-7 * np.random.default_rng(0).standard_normal(40)
    problem = pinngate.Problem(
        domain={"t": [0, 2e4]},
        unknowns=["S"],
        equations=["S_t = -V*S/(K + S)"],
        estimate={name: pinngate.Unknown(1, positive=True) for name in ("V", "K")},
        observations=[pinngate.Observations("S", {"t": times}, values)],
    )
    found = fitted(problem)
    assert not found.is_poor
    for name, truth in zip(("V", "K"), rates, strict=True):
        estimate, std = found.coefficients[name]
        assert abs(estimate - truth) < 4 * std
        assert std < 0.5 * truth


def test_a_cap_that_is_not_met_at_the_start_is_found() -> None:
    times = np.linspace(0.5, 24, 48)

    def rate(t: float) -> float:
        return min(2.8 * max(0.0, np.sin(np.pi * t / 12)), 1.2)

    march = solve_ivp(
        lambda t, b: rate(t) - 0.08 * b, (0, 24), [1.0], t_eval=times, max_step=0.1, rtol=1e-8
    )
    values = march.y[0] + 0.1 * np.random.default_rng(0).standard_normal(48)
    problem = pinngate.Problem(
        domain={"t": [0, 24]},
        unknowns=["B"],
        equations=["B_t = min(a*max(0, sin(pi*t/12)), cap) - r*B"],
        estimate={
            "a": pinngate.Unknown(1, positive=True),
            "cap": pinngate.Unknown(3, positive=True),
            "r": pinngate.Unknown(0.05, positive=True),
        },
        observations=[pinngate.Observations("B", {"t": times}, values)],
    )
    estimate, std = fitted(problem).coefficients["cap"]
    assert abs(estimate - 1.2) < 4 * std
    assert std < 0.1
