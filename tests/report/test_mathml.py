"""Formulas: well-formed, in the typed order, with the brackets that their meaning needs."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from pinngate.expression import FUNCTIONS, parse, parse_equation
from pinngate.report import mathml
from pinngate.report.notation import mathtext
from tests.report.conftest import heat_problem


def _plain(markup: str) -> str:
    """Linear text of MathML: scripts as ^{} and _{}, fractions as {}/{}."""
    markup = markup.replace("&#x2062;", "").replace("&#x2061;", "")

    def text(node: ElementTree.Element) -> str:
        parts = [text(child) for child in node]
        match node.tag:
            case "msup":
                return f"{parts[0]}^{{{parts[1]}}}"
            case "msub":
                return f"{parts[0]}_{{{parts[1]}}}"
            case "mfrac":
                return f"{{{parts[0]}}}/{{{parts[1]}}}"
            case "msqrt":
                return f"√{{{''.join(parts)}}}"
        return (node.text or "") + "".join(parts)

    return text(ElementTree.fromstring(markup))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kappa*u_xx", "κu_{xx}"),
        ("u*u_x - nu*u_xx", "uu_{x}−νu_{xx}"),
        ("-kappa*pi**2*t", "−κπ^{2}t"),
        ("exp(-9*kappa*t)", "e^{−9κt}"),
        ("(1 + x**2)*u_xx", "(1+x^{2})u_{xx}"),
        ("x - (t - 1)", "x−(t−1)"),
        ("x - t - 1", "x−t−1"),
        ("x + -2*t", "x−2t"),
        ("x*(-t)", "x(−t)"),
        ("2*3", "2·3"),
        ("2*3**x", "2·3^{x}"),
        ("-x**2", "−x^{2}"),
        ("(-x)**2", "(−x)^{2}"),
        ("(x*t)**2", "(xt)^{2}"),
        ("(x**2)**3", "(x^{2})^{3}"),
        ("sin(pi*x)**2", "sin^{2}(πx)"),
        ("(x + t)/(2*x)", "{x+t}/{2x}"),
        ("(x/t)**2", "({x}/{t})^{2}"),
        ("sqrt(x)*abs(t)", "√{x}|t|"),
        ("1e-5*x", "1×10^{−5}x"),
        ("heaviside(x) + sign(t)", "H(x)+sgn(t)"),
        ("-x - -t", "−x−(−t)"),
        ("k1*D_x", "k_{1}D_{x}"),
    ],
)
def test_formula(text: str, shown: str) -> None:
    assert _plain(mathml.formula(parse(text), heat_problem())) == shown


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_typeset(function: str) -> None:
    markup = mathml.formula(parse(f"{function}(x)"), heat_problem())
    assert "x" in _plain(markup)


def test_equation_keeps_its_sides() -> None:
    problem = heat_problem()
    for text, shown in [
        ("u_t = kappa*u_xx", "u_{t}=κu_{xx}"),
        ("u_t - u", "u_{t}−u=0"),
        ("u_tx = 1", "u_{tx}=1"),
    ]:
        assert _plain(mathml.equation(text, parse_equation(text), problem)) == shown


def test_a_text_that_does_not_parse_shows_its_residual() -> None:
    markup = mathml.equation("<script> is zero", parse("u_t"), heat_problem())
    assert _plain(markup) == "u_{t}=0"


def test_what_belongs_to_an_experiment_has_its_name_above() -> None:
    assert _plain(mathml.symbol("N__few")) == "N^{(few)}"
    assert _plain(mathml.symbol("k_1__few")) == "k_{1}^{(few)}"
    assert mathtext("N__few") == r"$N^{(\mathrm{few})}$"
    assert mathtext("k_1__a") == "$k_{1}^{(a)}$"
