"""Who races beside the networks, and when."""

from __future__ import annotations

from typing import Any

import pytest

import pinngate
from pinngate.optim.entrants import BASIS
from pinngate.optim.second_order import SecondOrder
from pinngate.runs.training import begin


def race(count: int = 50, **changed: Any) -> SecondOrder:
    stated: dict[str, Any] = {
        "domain": {axis: [0, 1] for axis in "xyt"},
        "unknowns": ["u"],
        "equations": ["u_t = 0.1*(u_xx + u_yy)"],
        "truth": {"u": "exp(-0.2*pi**2*t)*sin(pi*x)*sin(pi*y)"},
        "observations": [
            pinngate.Observations.synthetic("u", count=count, layout="random", noise={"std": 0.1})
        ],
    }
    stepper = begin(pinngate.Problem(**(stated | changed))).stepper
    assert isinstance(stepper, SecondOrder)
    return stepper


def test_on_three_axes_a_basis_follows_the_small_networks() -> None:
    names = [list(division.networks) for division in race().race.divisions]
    assert names.index([BASIS]) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {
            "equations": ["u_t = k*(u_xx + u_yy)"],
            "estimate": {"k": pinngate.Unknown(0.2, positive=True, truth=0.1)},
        },
        {"equations": ["u_t = 0.1*(u_xx + u_yy) + u*u_x"]},
        {"equations": ["u_t = 0.1*(u_xx + u_yy) + heaviside(t - 0.3)"]},
        {"count": 20_000},
    ],
    ids=["unknown", "nonlinear", "kinked", "very many values"],
)
def test_networks_alone_race_where_a_basis_would_be_no_single_factorisation(
    changed: dict[str, Any],
) -> None:
    assert BASIS not in race(**changed).solvers
