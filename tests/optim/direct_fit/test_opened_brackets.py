"""Brackets kept as differences, in formulas of any length."""

from __future__ import annotations

from pinngate.config import loads
from pinngate.expression import parse
from pinngate.expression.printing import to_text
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.opened_brackets import guarded

TEXT = """
pinngate: 1
name: opened
domain: {{x: [0, 1], t: [0, 1]}}
unknowns: [u]
equations:
  - u_t = {right}
conditions:
  - {{where: x = 0, equation: u = 0}}
  - {{where: x = 1, equation: u = 0}}
observations:
  - {{of: u, count: 20, noise: {{std: 0.1}}}}
truth: {{u: x*t}}
"""


def test_long_formulas_are_opened() -> None:
    right = " + ".join(["((u*u_x)_x + u)"] * 80 + ["u"] * 2000)
    form = MarchingForm(loads(TEXT.format(right=right)))
    assert form.brackets


def test_the_inside_of_a_bracket_is_opened_with_it() -> None:
    form = MarchingForm(loads(TEXT.format(right="(u*(u**2)_x)_x")))
    assert len(form.brackets) == 1


def test_long_products_and_deep_roots_are_guarded() -> None:
    guarded(parse("*".join(["sqrt(u)"] * 3000)))
    assert to_text(guarded(parse("u**2 + log(u)"))).startswith("u**2 + log(")
