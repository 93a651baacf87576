"""A field has a size from whatever is seen of it."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate.data.observations import collect
from pinngate.expression import names, parse
from pinngate.model.scales import field_scales
from pinngate.optim.direct_fit.first_values import first_values, state_sizes
from pinngate.optim.direct_fit.marching_form import MarchingForm

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
