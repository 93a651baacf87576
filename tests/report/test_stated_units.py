"""Whatever a problem names has a unit, and it is shown."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate.errors import InputError
from pinngate.report import stated
from pinngate.report.notation import with_unit

T = np.linspace(0.0, 1.0, 5)
UNITS = {
    "t": "h",
    "u": "mm",
    "size": "m2",
    "rain": "mm/h",
    "k": "1/h",
    "q": "mm/d",
    "f": "mm/s",
    "p": "mm/min",
}


def problem(units: dict[str, str]) -> pinngate.Problem:
    """One equation with a constant, an input and a coefficient of every kind."""
    return pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u"],
        constants={"size": 3},
        inputs={"rain": pinngate.Input(t=T, values=T)},
        estimate={
            "k": pinngate.Unknown(1),
            "q": pinngate.Unknown(1, over="t"),
            "f": pinngate.Unknown(1, over="u"),
            "p": pinngate.Unknown(1, pieces={"t": 2}),
        },
        equations=["u_t = rain - k*u + q/size + f(u) + p"],
        observations=[pinngate.Observations("u", {"t": T}, T)],
        units=units,
    )


def test_every_name_has_a_unit_and_shows_it() -> None:
    made = problem(UNITS)
    shown = "\n".join(line.math + line.after for line in stated.numbers(made))
    for name in ("size", "rain", "k", "q", "f", "p"):
        assert UNITS[name] in shown, name
        assert UNITS[name] in with_unit(name, made.units)


def test_an_unknown_name_has_none() -> None:
    with pytest.raises(InputError, match="a unit of 'w', which is no quantity") as error:
        problem({"w": "m"})
    for name in UNITS:
        assert name in error.value.expected
