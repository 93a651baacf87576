from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinngate.config import loads
from pinngate.errors import InputError
from pinngate.statement.checks.wellposedness import jacobi_number

square = st.integers(1, 4).flatmap(
    lambda n: st.lists(
        st.lists(st.none() | st.integers(0, 4), min_size=n, max_size=n), min_size=n, max_size=n
    )
)


@given(square)
@settings(derandomize=True, max_examples=100, deadline=None)
def test_jacobi_number_equals_the_largest_sum_over_permutations(table: list) -> None:
    sums = [
        sum(row[column] for row, column in zip(table, order, strict=True))
        for order in permutations(range(len(table)))
        if all(row[column] is not None for row, column in zip(table, order, strict=True))
    ]
    assert jacobi_number(table) == (max(sums) if sums else None)


def problem(unknowns: str, axes: str, equations: list[str], conditions: list[str]) -> str:
    domain = ", ".join(f"{axis}: [0, 1]" for axis in axes)
    lines = [f"pinngate: 1\nname: p\ndomain: {{{domain}}}\nunknowns: [{unknowns}]\nequations:"]
    lines += [f"  - {equation}" for equation in equations]
    lines += ["conditions:"]
    lines += [f"  - {{where: {c.replace(':', ', equation:')}}}" for c in conditions]
    return "\n".join(lines) + "\n"


# Each stands for a textbook problem whose number of conditions is known; none can be spared.
WELL_POSED = [
    ("u", "xt", ["u_t = u_xx"], ["x = 0: u", "x = 1: u_x", "t = 0: u = 1"]),
    ("u", "xt", ["u_tt = u_xx"], ["x = 0: u", "x = 1: u", "t = 0: u = 1", "t = 0: u_t"]),
    ("u", "xt", ["u_t + u_x"], ["x = 0: u", "t = 0: u = 1"]),
    ("u", "xy", ["u_xx + u_yy = 1"], ["x = 0: u", "x = 1: u", "y = 0: u", "y = 1: u"]),
    ("u", "x", ["u_xxxx = 1"], ["x = 0: u", "x = 0: u_x", "x = 1: u_xx", "x = 1: u_xxx"]),
    ("u, q", "x", ["q = u_x", "q_x = 1"], ["x = 0: u", "x = 1: u"]),
    ("u, v", "x", ["u_xx = v", "v_xx = u"], ["x = 0: u", "x = 1: u", "x = 0: v", "x = 1: v"]),
    (
        "u, v, p",
        "xy",
        ["u*u_x + v*u_y = u_xx + u_yy - p_x", "u*v_x + v*v_y = v_xx + v_yy - p_y", "u_x + v_y"],
        [f"{a} = {end}: {w}" for a in "xy" for end in "01" for w in "uv"],
    ),
]


@pytest.mark.parametrize(("unknowns", "axes", "equations", "conditions"), WELL_POSED)
def test_well_posed_problems_are_accepted_and_lacking_one_condition_refused(
    unknowns: str, axes: str, equations: list[str], conditions: list[str]
) -> None:
    loads(problem(unknowns, axes, equations, conditions))
    for i, spared in enumerate(conditions):
        rest = [*conditions[:i], *conditions[i + 1 :]]
        if not rest:
            continue
        with pytest.raises(InputError, match=f"conditions? along {spared[0]}"):
            loads(problem(unknowns, axes, equations, rest))


def test_a_periodic_axis_has_all_its_conditions() -> None:
    text = problem("u", "xt", ["u_t = u_xx"], ["t = 0: u = 1"]) + "  - {periodic: x}\n"
    assert loads(text).periodic == ("x",)


def test_a_coefficient_can_be_inferred_from_one_condition_more() -> None:
    conditions = ["x = 0: u", "x = 1: u", "x = 0: u_x = 1"]
    eigenvalue = problem("u", "x", ["u_xx + k*u"], conditions) + "estimate: {k: {initial: 9}}\n"
    assert loads(eigenvalue).coefficients[0].name == "k"
