"""Derived quantities: values, intervals by two routes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate.errors import InputError

TEXT = """
pinngate: 1
name: decay
domain: {t: [0, 4]}
unknowns: [u]
estimate: {k: {initial: 0.3, positive: true}}
equations: [u_t = -k*u]
conditions: [u = 2 at t = 0]
observations: [{of: u, count: 30, layout: grid, noise: {std: 0.05}}]
derived:
  half: log(2)/k
  late: u at t = 3
  total: integral(k*u, t)
  middle: mean(u, t)
  least: min(u, t)
  rate: -u_t
  slope: (2 - u)/t
  never: 1/(u - u)
truth: {u: 2*exp(-0.6*t), constants: {k: 0.6}}
"""


@pytest.fixture(scope="module", params=["auto", "none"])
def told(request: pytest.FixtureRequest) -> tuple[dict, dict]:
    metrics = pinngate.solve(pinngate.config.loads(TEXT), polish=request.param).metrics
    return metrics["derived"], metrics["coefficients"]["k"]


def test_each_is_its_function_of_the_one_unknown(told: tuple[dict, dict]) -> None:
    """All of them are functions of k alone, so that their intervals follow from its."""
    derived, k = told
    value, std = k["estimate"], k["std"]
    formulas = {
        "half": (lambda k: np.log(2) / k),
        "late": (lambda k: 2 * np.exp(-3 * k)),
        "total": (lambda k: 2 * (1 - np.exp(-4 * k))),
        "middle": (lambda k: 2 * (1 - np.exp(-4 * k)) / (4 * k)),
        "least": (lambda k: 2 * np.exp(-4 * k)),
    }
    for name, formula in formulas.items():
        slope = (formula(value + 1e-6) - formula(value - 1e-6)) / 2e-6
        assert derived[name]["estimate"] == pytest.approx(formula(value), rel=5e-3)
        assert derived[name]["std"] == pytest.approx(abs(slope) * std, rel=0.25)
        assert derived[name]["truth"] == pytest.approx(formula(0.6), rel=2e-3)
        low, high = derived[name]["interval_95"]
        assert low < derived[name]["estimate"] < high


def test_a_quantity_with_a_free_axis_is_a_function(told: tuple[dict, dict]) -> None:
    derived, _ = told
    assert derived["rate"]["over"] == ["t"]
    low, high = derived["rate"]["range"]
    assert low == pytest.approx(1.2 * np.exp(-2.4), rel=0.15)
    assert high == pytest.approx(1.2, rel=0.15)
    assert 0 < derived["rate"]["half_width"] < 0.1


def test_what_has_no_value_somewhere_is_told_elsewhere(told: tuple[dict, dict]) -> None:
    derived, _ = told
    low, high = derived["slope"]["range"]
    assert 0 < low < high < 1.5
    assert derived["never"]["range"] is None
    assert derived["never"]["half_width"] is None


def test_on_two_axes_one_is_held_and_one_is_reduced_over() -> None:
    problem = pinngate.load("heat-noisy-ic")
    text = pinngate.config.dumps(problem).replace(
        "\ntruth:",
        "\nderived: {left: -kappa*u_x at x = 0 and t = 0.5, all: 'mean(u, x) at t = 1'}\ntruth:",
    )
    metrics = pinngate.solve(pinngate.config.loads(text)).metrics["derived"]
    assert metrics["left"]["std"] > 0
    assert metrics["all"]["truth"] == pytest.approx(2 / np.pi * np.exp(-0.05 * np.pi**2), rel=0.05)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("late: u at t = 3", "late: u at t = 9", "t = 9"),
        ("late: u at t = 3", "late: w at t = 3", "unknown name 'w'"),
        ("middle: mean(u, t)", "middle: mean(u, t) at t = 1", "takes the axis t twice"),
        ("half: log", "u: log", "cannot name a derived quantity"),
        ("least: min(u, t)", "least: 2*min(u, t)", r"inside of a formula: min\(u, t\)"),
        ("total: integral(k*u, t)", "total: k*integral((u), t)", "integral"),
    ],
)
def test_a_wrong_one_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        pinngate.config.loads(TEXT.replace(old, new))


def test_the_report_tells_them_with_their_units() -> None:
    from pinngate.report.result_tables import derived
    from pinngate.solution.display import archive_of

    stated = pinngate.config.loads(TEXT + "units: {half: h, t: h}\n")
    table = derived(archive_of(pinngate.solve(stated)))
    row = {entry["head"]: entry["cells"] for entry in table["rows"]}["half"]
    estimate, interval = row[:2]
    assert estimate.endswith(" h")
    assert interval.endswith("] h")
    low, high = (float(end) for end in interval[1:-3].split(", "))
    assert low < float(estimate.removesuffix(" h")) < high
    with pytest.raises(InputError, match="a unit of 'w'"):
        pinngate.config.loads(TEXT + "units: {w: h}\n")
