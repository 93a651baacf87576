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

_SOLVERS = {"cole-hopf": "Cole–Hopf"}


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
    """Yield the known constants and the coefficients to estimate."""
    for name, value in problem.constants.items():
        yield Line("known: ", mathml.symbol(name), f" = {significant(value, 6)}")
    estimated: list[Coefficient | CoefficientField] = list(problem.coefficients)
    for c in [*estimated, *problem.coefficient_fields]:
        bounds = [f"starting from {significant(c.initial, 6)}"]
        if isinstance(c, CoefficientField):
            bounds.insert(0, f"a field over {', '.join(c.over)}")
        if c.is_positive:
            bounds.append("kept positive")
        else:
            bounds += [f"at least {significant(c.lower, 6)}"] if c.lower is not None else []
            bounds += [f"at most {significant(c.upper, 6)}"] if c.upper is not None else []
        yield Line("estimated from the data: ", mathml.symbol(c.name), f", {', '.join(bounds)}")


def conditions(problem: Problem) -> Iterator[Line]:
    """Yield what is known exactly, each with its kind."""
    for condition in problem.conditions:
        formula = mathml.equation(condition.text, condition.residual, problem)
        kind = _kind(condition, problem)
        yield Line(f"{condition.where}: ", formula, f" ({kind})" if kind else "")
    for axis in problem.periodic:
        yield Line(f"every field is periodic in {axis}")


def _kind(condition: Condition, problem: Problem) -> str:
    found = problem.derivatives(condition.residual).values()
    orders = {d.order for d in found}
    if condition.where.axis == "t":
        return "initial value" if orders == {0} else "initial velocity" if orders == {1} else ""
    if orders == {0}:
        return "fixed value, Dirichlet"
    if orders == {1}:
        return "fixed slope, Neumann"
    return "mixed, Robin" if orders == {0, 1} else ""


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
        layout = "at random points" if stated.layout == "random" else "on a grid"
        if isinstance(stated.layout, dict):
            sides = " × ".join(f"{n} along {a}" for a, n in stated.layout.items())
            layout = f"on a grid, {sides}"
        origin = f"{count or stated.count:,} noisy values of {label_of(stated)} {where}, {layout}"
        return f"{origin}, made from the truth; {_noise(stated.noise)}"
    lead = f"{count:,} measured values" if count else "measured values"
    noise = _noise(stated.noise) if stated.noise else "noise estimated from the data"
    return f"{lead} of {label_of(stated)} from {stated.file.name}; {noise}"


def _noise(noise: Noise) -> str:
    size = (
        f"standard deviation {significant(noise.std)}"
        if noise.std is not None
        else f"{percent(noise.relative)} of the field's standard deviation"
    )
    kind = {
        "gaussian": "Gaussian noise",
        "student-t": "heavy-tailed noise (Student t, three degrees of freedom)",
        "outliers": f"Gaussian noise with {percent(noise.fraction)} outliers "
        f"{significant(noise.scale)} times as large",
    }[noise.kind]
    return f"{kind}, {size}"


def truth(problem: Problem) -> Iterator[Line]:
    """Yield what the answer is judged by."""
    lead = "Judged by, and never trained on, "
    for field in problem.coefficient_fields:
        if field.truth is not None:
            formula = mathml.formula(field.truth, problem, of=field.name)
            yield Line(f"{lead}the true coefficient ", formula)
    if problem.truth is None or not (
        problem.truth.fields or problem.truth.solver or problem.truth.file
    ):
        yield Line("No true field is known: the answer is judged by its own uncertainty and fit.")
        return
    for unknown, expression in problem.truth.fields.items():
        yield Line(f"{lead}the true field ", mathml.formula(expression, problem, of=unknown))
    if problem.truth.solver:
        method = _SOLVERS.get(problem.truth.solver, problem.truth.solver)
        yield Line(f"{lead}a {method} solution from the exact initial data.")
    if problem.truth.file:
        yield Line(f"{lead}the reference in {problem.truth.file.name}.")
