"""The `truth` of a problem file: the answer to judge by.

Part of `build`. A truth is stated by a formula for each unknown, by a solver with clean data at the
initial time, or by a file; and it may give the true values of estimated coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pinngate.errors import InputError, Span, nearest
from pinngate.expression import Expression, names
from pinngate.statement.checks.data_files import data_file
from pinngate.statement.checks.schema import EstimateSection, ProblemFile, TruthSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.problem import Coefficient, CoefficientField, Equation, Truth

RESERVED = tuple(TruthSection.model_fields)


def build_truth(
    scope: Scope,
    section: TruthSection | None,
    folder: Path,
    coefficients: tuple[Coefficient, ...],
    equations: tuple[Equation, ...],
    files: dict[Path, Span],
    estimate: Mapping[str, EstimateSection],
) -> Truth | None:
    """Read the truth; the file it names is entered in `files`.

    Raises:
        InputError: it is stated in no way or in two ways, lacks an unknown, or names what is not
            declared.
    """
    if section is None:
        return None
    stated: dict[str, float | str] = section.model_extra or {}
    _check_kind(scope, section, stated)
    constants = _constants(scope, section, stated, estimate)
    known = dict(constants) | {c.name: c.truth for c in coefficients if c.truth is not None}
    if section.solver is not None:
        for name in scope.coefficients:
            if name not in known:
                raise InputError(
                    f"the truth is computed, and the true value of '{name}' is not stated",
                    span=scope.source.key(("truth",)),
                    expected=f"constants: {{{name}: value}} in truth",
                )
    allowed = [*scope.constants, *known]
    fields = {
        unknown: _formula(scope, stated[unknown], ("truth", unknown), [*scope.axes, *allowed])
        for unknown in scope.unknowns
        if unknown in stated
    }
    clean = _clean(scope, section, equations, allowed) if section.solver else {}
    file = None
    if section.file is not None:
        span = scope.source.span(("truth", "file"))
        file = data_file(section.file, folder, span)
        files[file] = span
    return Truth(fields, section.solver, clean, file, constants)


def _own_truths(
    scope: Scope, estimate: Mapping[str, EstimateSection]
) -> Iterator[tuple[Place, float | str]]:
    """Yield the place and text of the truth that a coefficient field states in `estimate`."""
    for name in scope.over:
        text = estimate[name].truth
        if text is not None:
            yield ("estimate", name, "truth"), text


def field_truths(
    scope: Scope,
    file: ProblemFile,
    coefficients: tuple[Coefficient, ...],
    fields: tuple[CoefficientField, ...],
    truth: Truth | None,
) -> tuple[CoefficientField, ...]:
    """Return the coefficient fields with their truth, from `estimate` or from `truth`.

    Raises:
        InputError: one is stated in both places, or names an axis with which it does not vary; or
            the truth is computed by a solver and lacks one.
    """
    stated: dict[str, float | str] = (file.truth.model_extra or {}) if file.truth else {}
    own = {place[1]: (place, text) for place, text in _own_truths(scope, file.estimate)}
    known = [*scope.constants, *(c.name for c in coefficients if c.truth is not None)]
    known += truth.constants if truth is not None else []
    found = []
    for each in fields:
        place, text = own.get(each.name, (("truth", each.name), stated.get(each.name)))
        if each.name in own and each.name in stated:
            raise InputError(
                f"the truth of '{each.name}' is stated twice",
                span=scope.source.key(("truth", each.name)),
                expected="its truth in 'estimate' or in 'truth'",
            )
        if text is not None:
            each = replace(each, truth=_formula(scope, text, place, [*each.over, *known]))
        elif truth is not None and truth.solver is not None:
            raise InputError(
                f"the truth is computed, and the true field '{each.name}' is not stated",
                span=scope.source.key(("truth",)),
                expected=f"{each.name}: a formula in {', '.join(each.over)}, in truth",
            )
        found.append(each)
    return tuple(found)


def _check_kind(scope: Scope, section: TruthSection, stated: dict[str, float | str]) -> None:
    for key in stated:
        if key not in scope.outputs:
            raise InputError(
                f"unknown key '{key}'",
                span=scope.source.key(("truth", key)),
                expected=f"the keys here are {', '.join([*scope.outputs, *RESERVED])}",
                hint=nearest(key, [*scope.outputs, *RESERVED]),
            )
    span = scope.source.key(("truth",))
    of_fields = [unknown for unknown in scope.unknowns if unknown in stated]
    kinds = ["formulas"] * bool(of_fields)
    kinds += [key for key in ("solver", "file") if getattr(section, key) is not None]
    if len(kinds) > 1:
        raise InputError(
            f"the truth is stated in {len(kinds)} ways: {', '.join(kinds)}",
            span=span,
            expected="a formula for each unknown, or a solver, or a file",
        )
    if not kinds and not section.constants and not stated:
        raise InputError(
            "the truth states nothing",
            span=span,
            expected="a formula for each unknown, or a solver, or a file",
            hint="leave 'truth' out where it is not known",
        )
    missing = [unknown for unknown in scope.unknowns if unknown not in stated]
    if of_fields and missing:
        raise InputError(
            f"the truth lacks the unknown '{missing[0]}'",
            span=span,
            expected=f"a formula for each of {', '.join(scope.unknowns)}",
        )
    if section.solver is None and section.clean:
        raise InputError(
            "'clean' goes with 'solver' only",
            span=scope.source.key(("truth", "clean")),
            expected="solver: finite-difference, spectral, cole-hopf or runge-kutta",
        )
    if section.solver is not None and not section.clean:
        raise InputError(
            "a solver needs the exact initial data",
            span=scope.source.span(("truth", "solver")),
            expected="clean: {u: formula at the initial time}",
        )
    if section.solver is not None and "t" not in scope.axes:
        raise InputError(
            "a solver marches in time, and the domain has no axis t",
            span=scope.source.span(("truth", "solver")),
            expected="a formula for each unknown, or a file",
        )


def _constants(
    scope: Scope,
    section: TruthSection,
    stated: dict[str, float | str],
    estimate: Mapping[str, EstimateSection],
) -> dict[str, float]:
    """Evaluate `truth.constants`; each is an estimated coefficient or used by a formula here."""
    formulas: list[tuple[Place, float | str]] = [
        (("truth", key), value) for key, value in stated.items()
    ]
    formulas += [(("truth", "clean", key), value) for key, value in section.clean.items()]
    formulas += list(_own_truths(scope, estimate))
    used = {name for place, text in formulas for name in names(scope.formula(text, place))}
    constants: dict[str, float] = {}
    for name, value in section.constants.items():
        place: Place = ("truth", "constants", name)
        number = scope.number(value, place, f"the true value of '{name}'")
        if name in scope.constants:
            if number != scope.constants[name]:
                raise InputError(
                    f"'{name}' is {number:g} here and {scope.constants[name]:g} in 'constants'",
                    span=scope.source.span(place),
                    expected="one value; true values are stated of estimated coefficients",
                )
        elif name not in scope.coefficients:
            if name not in used:
                raise InputError(
                    f"'{name}' is no estimated coefficient, and no formula of the truth uses it",
                    span=scope.source.key(place),
                    expected="the estimated coefficients are "
                    + (", ".join(scope.coefficients) or "none"),
                    hint=nearest(name, scope.coefficients),
                )
            scope.declare(name, "a constant of the truth", place)
        constants[name] = number
    return constants


def _formula(scope: Scope, text: float | str, place: Place, allowed: list[str]) -> Expression:
    expression = scope.formula(text, place)
    scope.check_names(expression, place, "the truth", allowed, "the names here")
    return expression


def _clean(
    scope: Scope, section: TruthSection, equations: tuple[Equation, ...], allowed: list[str]
) -> dict[str, Expression]:
    required, known = _initial_data(scope, equations)
    space = [axis for axis in scope.axes if axis != "t"]
    clean = {}
    for key, text in section.clean.items():
        place: Place = ("truth", "clean", key)
        if key not in known:
            raise InputError(
                f"unknown key '{key}'",
                span=scope.source.key(place),
                expected=f"the initial data of these equations are {', '.join(known)}",
                hint=nearest(key, known),
            )
        clean[key] = _formula(scope, text, place, [*space, *allowed])
    for name in required:
        if name not in clean:
            raise InputError(
                f"'clean' lacks '{name}'",
                span=scope.source.key(("truth", "clean")),
                expected=f"the initial data of these equations: {', '.join(required)}",
            )
    return clean


def _initial_data(scope: Scope, equations: tuple[Equation, ...]) -> tuple[list[str], list[str]]:
    """Return the initial data that the orders in time require, u, u_t …, and those they allow."""
    time = scope.axes.index("t")
    orders = dict.fromkeys(scope.unknowns, 0)
    for equation in equations:
        for name in names(equation.residual):
            derivative = parse_derivative(name, scope.unknowns, scope.axes)
            if derivative is not None:
                order = derivative.orders[time]
                orders[derivative.field] = max(order, orders[derivative.field])
    data = {
        unknown: [unknown, *(f"{unknown}_{'t' * k}" for k in range(1, order))]
        for unknown, order in orders.items()
    }
    required = [name for unknown, order in orders.items() if order for name in data[unknown]]
    return required, [name for listed in data.values() for name in listed]
