"""A field has a size from whatever is seen of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pinngate
from pinngate.data.observations import collect
from pinngate.expression import evaluate, names, parse
from pinngate.model.scales import field_scales, with_natural_sizes
from pinngate.model.terms import problem_terms
from pinngate.optim.direct_fit.first_values import first_values, state_sizes
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.statement.coefficient_fields import values_and_slopes

T = np.linspace(0.0, 10.0, 21)
U = 3.0 * np.exp(-0.5 * T)
BACK = np.array([0.0, 10.0]), np.array([1.0, 2.0])

SEEN = {
    "u + 20*t": U + 20 * T,
    "u + b": U + 0.4,
    "u - back": U - np.interp(T, *BACK),
    "u + g": U + 0.7,
    "2*k*u**n": 2 * U,
    "u + 1/(1 + v)": U + 1,
}
ESTIMATED = {
    "k": pinngate.Unknown(1, positive=True),
    "b": pinngate.Unknown(0.4),
    "n": pinngate.Unknown(1, positive=True),
    "g": pinngate.Unknown(0.7, over="t"),
}


def seen(of: str, values: np.ndarray) -> pinngate.Problem:
    """A decay seen through a formula that names more than fields."""
    named = names(parse(of))
    rate = "n*u/n" if "n" in named else "u"
    return pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["u", "v"],
        equations=[f"u_t = -k*{rate}", "v_t = -v"],
        inputs={"back": pinngate.Input(values=BACK[1], t=BACK[0])},
        estimate={name: one for name, one in ESTIMATED.items() if name in {"k", *named}},
        observations=[pinngate.Observations(of, {"t": T}, values)],
    )


@pytest.mark.parametrize("of", SEEN)
def test_formulas_may_name_axes_inputs_and_coefficients(of: str) -> None:
    problem = seen(of, SEEN[of])
    scales = field_scales(problem, collect(problem, None, 0))
    assert scales["u"].size == pytest.approx(float(np.sqrt(np.mean(U**2))), rel=0.2)


def test_a_formula_without_a_value_tells_no_size() -> None:
    problem = seen("u + 1/v", U)
    assert field_scales(problem, collect(problem, None, 0))["u"].size == 1.0


def test_fits_begin_and_march_at_what_a_formula_tells() -> None:
    values = 1000 * U + 0.4
    problem = seen("u + b", values)
    form, sets = MarchingForm(problem), collect(problem, None, 0)
    guess = first_values(form, sets)
    assert guess is not None
    assert guess(np.zeros((1, 1)))[0, 0] == pytest.approx(3000.0)
    assert state_sizes(form, sets)[0] == pytest.approx(1000 * np.sqrt(np.mean(U**2)), rel=0.01)


def test_a_background_is_found() -> None:
    values = U + 0.3 + 0.01 * np.random.default_rng(0).standard_normal(len(T))
    problem = pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["u"],
        equations=["u_t = -k*u"],
        estimate={"k": pinngate.Unknown(1, positive=True), "b": pinngate.Unknown(0.1)},
        observations=[pinngate.Observations("u + b", {"t": T}, values)],
    )
    found = pinngate.solve(problem).coefficients
    for name, truth in {"k": 0.5, "b": 0.3}.items():
        low, high = found[name].interval
        assert low < truth < high
        assert high - low < 0.1


@pytest.mark.parametrize(("initial", "size"), [(0.0, 3e4), (2.0, 3e4), (1e6, 1e6)])
def test_a_function_is_searched_for_in_the_size_at_which_it_matters(
    initial: float, size: float
) -> None:
    """A flux of some 10⁴ W/m² through a plate of 40 W/(m K), that varies by kelvins."""
    points = np.array([[0.004, 20.0], [0.01, 40.0], [0.004, 60.0]])
    problem = pinngate.Problem(
        domain={"x": [0, 0.02], "t": [0, 60]},
        unknowns=["T"],
        constants={"k": 40.0},
        equations=["4e6*T_t = k*T_xx"],
        conditions=["T = 20 at t = 0", "-k*T_x = q at x = 0", "T_x = 0 at x = 0.02"],
        estimate={"q": pinngate.Unknown(initial, over="t")},
        observations=[pinngate.Observations("T", points, [20.0, 30.0, 40.0])],
    )
    sized = with_natural_sizes(problem, collect(problem, None, 0)).coefficient_fields[0]
    assert sized.size == pytest.approx(size, rel=0.1)
    value, slope = values_and_slopes(sized, np.zeros(1))
    assert value[0] == initial
    assert slope[0] == sized.size


def test_a_law_starts_anywhere() -> None:
    """A drag of thousands of newtons is found from zero, and its band holds it."""
    times = np.linspace(0, 60, 61)
    rng = np.random.default_rng(0)

    def drag(v: np.ndarray) -> np.ndarray:
        return 8 * v**2

    march = solve_ivp(
        lambda t, v: (9000 - drag(v)) / 1200, (0, 60), [2.0], t_eval=times, rtol=1e-9, atol=1e-9
    )
    values = march.y[0] + 0.2 * rng.standard_normal(61)
    problem = pinngate.Problem(
        domain={"t": [0, 60]},
        unknowns=["v"],
        equations=["1200*v_t = 9000 - G(v)"],
        estimate={"G": pinngate.Unknown(0, over="v")},
        observations=[pinngate.Observations("v", {"t": times}, values)],
    )
    solution = pinngate.solve(problem)
    speeds = np.linspace(4, 33, 30)
    found = solution.function("G", v=speeds)
    error = np.abs(found.value - drag(speeds))
    assert (error < 3 * found.std).mean() > 0.8
    assert error.max() < 600


def test_what_is_below_zero_has_a_size_along_a_logarithmic_axis() -> None:
    problem = pinngate.Problem(
        domain={"x": {"bounds": [1e-3, 1.0], "log": True}},
        unknowns={"u": {"positive": True}},
        equations=["u_xx = u"],
        conditions=["u = 1 at x = 1e-3", "u = 0 at x = 1"],
    )
    (below,) = (t for t in problem_terms(problem, [], {}) if t.name == "positive_1")
    values = {"x": np.array([0.1, 0.1]), "u": np.array([-0.5, 0.5])}
    np.testing.assert_array_equal(evaluate(below.residual, values, np), [-0.5, 0.0])
