"""Equations without a derivative, marched as rates and conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pinngate
from pinngate.expression import constant_value
from pinngate.expression.printing import to_text
from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.marching_form import MarchingForm
from tests.optim.direct_fit.problems import model_of, sets_of

TIMES = np.linspace(0.05, 2, 12)


def enzyme(balance: str, **changes: Any) -> pinngate.Problem:
    """Return a mechanism whose enzyme is free or bound."""
    stated: dict[str, Any] = {
        "domain": {"t": [0, 2]},
        "unknowns": ["S", "E", "C"],
        "constants": {"E0": 1.0},
        "equations": [balance, "S_t = -5*S*E + k*C", "C_t = 5*S*E - (k + 3)*C"],
        "conditions": ["S = 4 at t = 0", "C = 0 at t = 0"],
        "estimate": {"k": pinngate.Unknown(2, positive=True)},
        "observations": [
            pinngate.Observations("E", {"t": TIMES}, np.ones(12)),
            pinngate.Observations("S", {"t": TIMES}, np.ones(12)),
        ],
    }
    return pinngate.Problem(**{**stated, **changes})


def test_a_balance_is_a_rate_and_a_condition() -> None:
    form = MarchingForm(enzyme("E + C = E0"))
    rates = [to_text(row.residual) for row in form.rows]
    assert rates[1] == "E_t + C_t"
    initial = form.stated_initial(1)
    assert initial is not None
    assert constant_value(initial, {"E0": 1.5}) == 1.5


def test_it_marches_as_the_equation_of_the_field_does() -> None:
    conditions = ["S = 4 at t = 0", "C = 0 at t = 0", "E = 1 at t = 0"]
    rate = enzyme("E_t = (k + 3)*C - 5*S*E", conditions=conditions)
    records = (FittedRecord(model_of(p), sets_of(p)) for p in (enzyme("E + C = E0"), rate))
    one, other = (record.at(np.array([0.1])) for record in records)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one.residual, other.residual, atol=1e-6)
    np.testing.assert_allclose(one.jacobian, other.jacobian, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"events": [{"at": {"t": 1}, "add": {"S": 2}}]},
        {"inputs": {"E0": pinngate.Input(values=[1.0, 2.0], t=[0.0, 2.0])}, "constants": {}},
    ],
)
def test_what_jumps_has_no_rate(changes: dict[str, Any]) -> None:
    with pytest.raises(CannotMarch, match="time derivative of E"):
        MarchingForm(enzyme("E + C = E0", **changes))


def test_equations_are_told_apart_by_their_rates() -> None:
    """The first holds two rates, of which only one is left for it."""
    problem = pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u", "v"],
        equations=["u_t + v_t = -k*u", "u_t = -v"],
        conditions=["u = 1 at t = 0", "v = 0 at t = 0"],
        estimate={"k": pinngate.Unknown(2, positive=True)},
        observations=[pinngate.Observations("u", [0.5, 1], [0.6, 0.4])],
    )
    rows = MarchingForm(problem).rows
    assert [to_text(row.residual) for row in rows] == ["u_t - -v", "u_t + v_t - -k*u"]


def test_a_balance_may_repeat_what_is_stated_of_the_start() -> None:
    """E = E0 follows from E + C = E0 and C = 0, whatever E0 is."""
    changes = {
        "conditions": ["S = 4 at t = 0", "C = 0 at t = 0", "E = E0 at t = 0"],
        "constants": {},
        "estimate": {"k": pinngate.Unknown(2), "E0": pinngate.Unknown(1, positive=True)},
    }
    form = MarchingForm(enzyme("E + C = E0", **changes))
    assert form.stated_initial(1) is not None
    with pytest.raises(CannotMarch, match="one too many"):
        MarchingForm(enzyme("E + C = 2*E0", **changes))
