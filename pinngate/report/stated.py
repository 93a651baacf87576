"""The stated problem in words and formulas, for a reader who has not seen its file.

Part of the report: equations, conditions, observations, known and unknown numbers, and what the
answer is judged by. Formulas are MathML; words are plain text that the page escapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pinngate.expression.printing import to_text
from pinngate.report import mathml
from pinngate.report.notation import percent, significant
from pinngate.statement.components import single_coefficients
from pinngate.statement.problem import (
    Coefficient,
    CoefficientField,
    Condition,
    Noise,
    Problem,
    StatedObservations,
    SyntheticObservations,
    label_of,
)
from pinngate.statement.unknown_quantities import FieldFunction, Pieces

_SOLVERS = {"cole-hopf": "Cole–Hopf"}
_BETWEEN = {
    "step": "each held until the next",
    "linear": "straight lines between them",
    "smooth": "a cubic spline through them",
}
# kinds of conditions by the orders of the derivatives in them
_INITIAL_KINDS = {frozenset({0}): "initial value", frozenset({1}): "initial velocity"}
_BOUNDARY_KINDS = {
    frozenset({0}): "fixed value, Dirichlet",
    frozenset({1}): "fixed slope, Neumann",
    frozenset({0, 1}): "mixed, Robin",
}


@dataclass(frozen=True)
class Line:
    """Text, a formula, text; `math` is MathML."""

    before: str = ""
    math: str = ""
    after: str = ""


def domain(problem: Problem) -> str:
    """Return where the equation holds, ``0 ≤ x ≤ 1, 0 ≤ t ≤ 1``, and inside which shapes."""
    box = ", ".join(
        f"{significant(low, 6)} ≤ {axis} ≤ {significant(high, 6)}"
        for axis, (low, high) in problem.domain.items()
    )
    return f"{box}; inside {to_text(problem.geometry.inside)}" if problem.geometry else box


def equations(problem: Problem) -> list[str]:
    """Return each equation as MathML."""
    return [mathml.equation(e.text, e.residual, problem) for e in problem.equations]


def numbers(problem: Problem) -> Iterator[Line]:
    """Yield the known constants and tables, and the coefficients to estimate."""
    for name, value in problem.constants.items():
        unit = f" {problem.units.get(name, '')}".rstrip()
        yield Line("known: ", mathml.symbol(name), f" = {significant(value, 6)}{unit}")
    for given in problem.inputs:
        own = given.function
        words = f", a table over {', '.join(given.over)} of {own.values.size:,} values from "
        told = f"{_unit(problem, given.name)}{words}{given.file.name}"
        yield Line("known: ", mathml.symbol(given.name), f"{told}, {_BETWEEN[own.interpolation]}")
    estimated: list[Coefficient | CoefficientField] = [*single_coefficients(problem)]
    varying = (*problem.coefficient_fields, *problem.field_functions, *problem.pieces)
    for c in [*estimated, *varying]:
        line = f"{_unit(problem, c.name)}, {', '.join(_bounds(c))}"
        yield Line("estimated from the data: ", mathml.symbol(c.name), line)


def _unit(problem: Problem, name: str) -> str:
    unit = problem.units.get(name, "")
    return f" ({unit})" if unit else ""


def _bounds(c: Coefficient | CoefficientField) -> Iterator[str]:
    if isinstance(c, CoefficientField):
        yield f"{_kind_of(c)} {' and '.join(c.over)}"
    yield f"starting from {significant(c.initial, 6)}"
    if c.is_positive:
        yield "kept positive"
    if isinstance(c, Coefficient | Pieces) and c.prior is not None:
        yield f"known beforehand as {c.prior}"
        return
    for words, bound in (("at least", c.lower), ("at most", c.upper)):
        if bound is not None:
            yield f"{words} {significant(bound, 6)}"


def _kind_of(c: CoefficientField) -> str:
    if isinstance(c, Pieces):
        return f"constant on {' × '.join(map(str, c.function.shape))} pieces along"
    return "a function of" if isinstance(c, FieldFunction) else "a field over"


def conditions(problem: Problem) -> Iterator[Line]:
    """Yield what is known exactly, each with its kind."""
    for condition in problem.conditions:
        formula = mathml.equation(condition.text, condition.residual, problem)
        kind = _kind(condition, problem)
        yield Line(f"{condition.where}: ", formula, f" ({kind})" if kind else "")
    for conserved in problem.conserved:
        seen = mathml.equation(conserved.of, conserved.residual, problem, is_bare=True)
        over = ", ".join(conserved.over)
        yield Line("the mean of ", seen, f" over {over} is {conserved.equals}")
    for axis in problem.periodic:
        yield Line(f"every field is periodic in {axis}")
    for event in problem.events:
        yield Line(str(event))


def _kind(condition: Condition, problem: Problem) -> str:
    orders = {d.order for d in problem.derivatives(condition.residual).values()}
    kinds = _INITIAL_KINDS if condition.where.axis == "t" else _BOUNDARY_KINDS
    return kinds.get(frozenset(orders), "")


def observations(problem: Problem, counts: list[int]) -> Iterator[Line]:
    """Yield what was observed.

    Args:
        problem: the problem.
        counts: number of values in each set, where the sets are those of the problem.
    """
    known = counts if len(counts) == len(problem.observations) else [0] * len(problem.observations)
    for stated, count in zip(problem.observations, known, strict=True):
        yield Line(_observed(stated, count))


def _observed(stated: StatedObservations, count: int) -> str:
    if isinstance(stated, SyntheticObservations):
        where = f"at {stated.where}" if stated.where else "over the whole domain"
        origin = f"{count or stated.count:,} noisy values of {label_of(stated)} {where}, "
        return f"{origin}{_layout(stated)}, made from the truth; {_noise(stated.noise)}"
    lead = f"{count:,} measured values" if count else "measured values"
    noise = _noise(stated.noise) if stated.noise else "noise estimated from the data"
    return f"{lead} of {label_of(stated)} from {stated.file.name}; {noise}"


def _layout(stated: SyntheticObservations) -> str:
    if isinstance(stated.layout, dict):
        sides = " × ".join(f"{n} along {a}" for a, n in stated.layout.items())
        return f"on a grid, {sides}"
    return "at random points" if stated.layout == "random" else "on a grid"


def _noise(noise: Noise) -> str:
    size = "its size estimated"
    if noise.std is not None:
        size = f"standard deviation {significant(noise.std)}"
    elif noise.factor is not None:
        size = f"a factor of {significant(noise.factor)}"
    elif noise.relative is not None:
        of = "each value" if noise.kind == "proportional" else "the field's standard deviation"
        size = f"{percent(noise.relative)} of {of}"
    if noise.kind == "poisson":
        return "the noise of counts (Poisson)"
    kind = {
        "gaussian": "Gaussian noise",
        "censored": "Gaussian noise",
        "log-normal": "log-normal noise",
        "proportional": "noise in proportion to the value",
        "student-t": "heavy-tailed noise (Student t, three degrees of freedom)",
        "outliers": f"Gaussian noise with {percent(noise.fraction)} outliers "
        f"{significant(noise.scale)} times as large",
    }[noise.kind]
    return f"{kind}, {size}{noise.details}"


def truth(problem: Problem) -> Iterator[Line]:
    """Yield what the answer is judged by."""
    lead = "Judged by, and never trained on, "
    for field in (*problem.coefficient_fields, *problem.field_functions, *problem.pieces):
        if field.truth is not None:
            formula = mathml.formula(field.truth, problem, of=field.name)
            yield Line(f"{lead}the true coefficient ", formula)
    stated = problem.truth
    if stated is None or not (stated.fields or stated.solver or stated.file):
        yield Line("No true field is known: the answer is judged by its own uncertainty and fit.")
        return
    for unknown, expression in stated.fields.items():
        yield Line(f"{lead}the true field ", mathml.formula(expression, problem, of=unknown))
    if stated.solver:
        method = _SOLVERS.get(stated.solver, stated.solver)
        yield Line(f"{lead}a {method} solution from the exact initial data.")
    if stated.file:
        yield Line(f"{lead}the reference in {stated.file.name}.")
