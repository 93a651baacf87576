"""Methods of a benchmark by name: ours, other optimizers on our network, other libraries, classics.

A new method is one entry in the list of its family's file; a new family is one file and one line
here.
"""

from __future__ import annotations

from pinngate.bench.methods.contract import Method
from pinngate.bench.methods.deepxde_rival import DEEPXDE
from pinngate.bench.methods.first_order_rivals import FIRST_ORDER
from pinngate.bench.methods.least_squares import LEAST_SQUARES
from pinngate.bench.methods.own import OWN
from pinngate.bench.methods.pipelines import PIPELINES
from pinngate.bench.methods.variational import VARIATIONAL
from pinngate.errors import InputError, nearest

METHODS = {
    m.name: m for m in (*OWN, *FIRST_ORDER, *DEEPXDE, *PIPELINES, *LEAST_SQUARES, *VARIATIONAL)
}
DEFAULT = "population-risk-gauss-newton"


def method(name: str) -> Method:
    """Return the method of that name; ``auto`` is the package's choice of optimizer.

    Raises:
        InputError: there is none of that name.
    """
    chosen = DEFAULT if name == "auto" else name
    if chosen not in METHODS:
        raise InputError(
            f"unknown method '{name}'",
            expected="the methods are " + ", ".join(METHODS),
            hint=nearest(name, METHODS),
        )
    return METHODS[chosen]
