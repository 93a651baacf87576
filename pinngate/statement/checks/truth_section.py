"""The `truth` of a problem file: the answer to judge by.

Part of `building`. A truth is stated by a formula for each unknown, by a solver with clean data at
the initial time, or by a file; and it may give the true values of estimated coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from pinngate.errors import InputError, nearest
from pinngate.expression import Expression, names
from pinngate.statement.checks.schema import ProblemFile, TruthSection
from pinngate.statement.checks.schema_estimate import EstimateSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.checks.undefined_parts import refuse_undefined
from pinngate.statement.components import Truth
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.equations import Equation
from pinngate.statement.unknown_quantities import Coefficient, CoefficientField

RESERVED = tuple(TruthSection.model_fields)


def build_truth(
    scope: Scope,
    file: ProblemFile,
    coefficients: tuple[Coefficient, ...],
    equations: tuple[Equation, ...],
) -> Truth | None:
    """Read the truth, but for that of coefficient fields.

    Raises:
        InputError: it is stated in no way or in two ways, lacks an unknown, or names what is not
            declared.
    """
    section = file.truth
    if section is None:
        return None
    stated: dict[str, float | str] = section.model_extra or {}
    _check_keys(scope, stated)
    _check_kind(scope, section, stated)
    _check_solver(scope, section)
    constants = _constants(scope, section, stated, file.estimate)
    known = dict(constants) | {c.name: c.truth for c in coefficients if c.truth is not None}
    allowed = [*scope.constants, *known]
    clean = {}
    if section.solver is not None:
        _require_values(scope, known)
    fields = {
        unknown: _formula(scope, stated[unknown], ("truth", unknown), [*scope.axes, *allowed])
        for unknown in scope.unknowns
        if unknown in stated
    }
    if section.solver is not None:
        clean = _clean(scope, section, equations, allowed)
    data = None if section.file is None else scope.data_file(section.file, ("truth", "file"))
    return Truth(fields, section.solver, clean, data, constants)


def _require_values(scope: Scope, known: Mapping[str, float | None]) -> None:
    """Refuse a computed truth where the true value of a coefficient is not stated."""
    for name in scope.coefficients:
        if name not in known:
            raise InputError(
                f"the truth is computed, and the true value of '{name}' is not stated",
                span=scope.source.key(("truth",)),
                expected=f"constants: {{{name}: value}} in truth",
            )


def _own_truths(
    scope: Scope, estimate: Mapping[str, EstimateSection]
) -> Iterator[tuple[Place, float | str]]:
    """Yield the place and text of the truth that a coefficient field states in `estimate`."""
    for name in (*scope.over, *(f.name for f in (*scope.field_functions, *scope.pieces))):
        text = estimate[name].truth
        if text is not None:
            yield ("estimate", name, "truth"), text


Varying = TypeVar("Varying", bound=CoefficientField)


def field_truths(
    scope: Scope,
    file: ProblemFile,
    coefficients: tuple[Coefficient, ...],
    fields: tuple[Varying, ...],
    truth: Truth | None,
) -> tuple[Varying, ...]:
    """Return what varies with its truth, from `estimate` or from `truth`.

    Raises:
        InputError: one is stated in both places, or names an axis with which it does not vary; or
            the truth is computed by a solver and lacks one.
    """
    known = [*scope.constants, *(c.name for c in coefficients if c.truth is not None)]
    known += truth.constants if truth is not None else []
    found = []
    for each in fields:
        stated = _field_truth(scope, file, each.name)
        if stated is not None:
            place, text = stated
            each = replace(each, truth=_formula(scope, text, place, [*each.over, *known]))
        elif truth is not None and truth.solver is not None:
            raise InputError(
                f"the truth is computed, and the true field '{each.name}' is not stated",
                span=scope.source.key(("truth",)),
                expected=f"{each.name}: a formula in {', '.join(each.over)}, in truth",
            )
        found.append(each)
    return tuple(found)


def _field_truth(scope: Scope, file: ProblemFile, name: str) -> tuple[Place, float | str] | None:
    """Return place and text of the truth of a coefficient field; it is stated once at most."""
    in_truth = (file.truth.model_extra or {}).get(name) if file.truth else None
    in_estimate = file.estimate[name].truth
    if in_truth is not None and in_estimate is not None:
        raise InputError(
            f"the truth of '{name}' is stated twice",
            span=scope.source.key(("truth", name)),
            expected="its truth in 'estimate' or in 'truth'",
        )
    if in_estimate is not None:
        return ("estimate", name, "truth"), in_estimate
    return None if in_truth is None else (("truth", name), in_truth)


def _check_keys(scope: Scope, stated: Mapping[str, float | str]) -> None:
    """Refuse a key that is no field."""
    known = [*scope.outputs, *(f.name for f in (*scope.field_functions, *scope.pieces))]
    for key in stated:
        if key not in known:
            raise InputError(
                f"unknown key '{key}'",
                span=scope.source.key(("truth", key)),
                expected=f"the keys here are {', '.join([*known, *RESERVED])}",
                hint=nearest(key, [*known, *RESERVED]),
            )


def _check_kind(scope: Scope, section: TruthSection, stated: Mapping[str, float | str]) -> None:
    """Refuse a truth that is stated in no way, in two, or for some of the unknowns only."""
    span = scope.source.key(("truth",))
    missing = [unknown for unknown in scope.unknowns if unknown not in stated]
    has_formulas = len(missing) < len(scope.unknowns)
    kinds = ["formulas"] * has_formulas + ["solver"] * (section.solver is not None)
    kinds += ["file"] * (section.file is not None)
    if len(kinds) > 1:
        raise InputError(
            f"the truth is stated in {len(kinds)} ways: {', '.join(kinds)}",
            span=span,
            expected="a formula for each unknown, or a solver, or a file",
        )
    if not (kinds or section.constants or stated):
        raise InputError(
            "the truth states nothing",
            span=span,
            expected="a formula for each unknown, or a solver, or a file",
            hint="leave 'truth' out where it is not known",
        )
    if has_formulas and missing:
        raise InputError(
            f"the truth lacks the unknown '{missing[0]}'",
            span=span,
            expected=f"a formula for each of {', '.join(scope.unknowns)}",
        )


def _check_solver(scope: Scope, section: TruthSection) -> None:
    """Refuse a solver without initial data or time, and initial data without a solver."""
    if section.solver is None:
        if section.clean:
            raise InputError(
                "'clean' goes with 'solver' only",
                span=scope.source.key(("truth", "clean")),
                expected="solver: finite-difference, spectral, cole-hopf or runge-kutta",
            )
        return
    if not section.clean:
        raise InputError(
            "a solver needs the exact initial data",
            span=scope.source.span(("truth", "solver")),
            expected="clean: {u: formula at the initial time}",
        )
    if "t" not in scope.axes:
        raise InputError(
            "a solver marches in time, and the domain has no axis t",
            span=scope.source.span(("truth", "solver")),
            expected="a formula for each unknown, or a file",
        )


def _constants(
    scope: Scope,
    section: TruthSection,
    stated: Mapping[str, float | str],
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
            _require_equal(scope, name, number)
        elif name not in scope.coefficients:
            _declare_constant(scope, name, name in used)
        constants[name] = number
    return constants


def _require_equal(scope: Scope, name: str, number: float) -> None:
    """Refuse a second value of a constant."""
    if number != scope.constants[name]:
        raise InputError(
            f"'{name}' is {number:g} here and {scope.constants[name]:g} in 'constants'",
            span=scope.source.span(("truth", "constants", name)),
            expected="one value; true values are stated of estimated coefficients",
        )


def _declare_constant(scope: Scope, name: str, is_used: bool) -> None:
    """Declare a constant of the truth alone, which some formula of the truth uses."""
    place: Place = ("truth", "constants", name)
    if not is_used:
        raise InputError(
            f"'{name}' is no estimated coefficient, and no formula of the truth uses it",
            span=scope.source.key(place),
            expected="the estimated coefficients are " + (", ".join(scope.coefficients) or "none"),
            hint=nearest(name, scope.coefficients),
        )
    scope.declare(name, "a constant of the truth", place)


def _formula(scope: Scope, text: float | str, place: Place, allowed: list[str]) -> Expression:
    expression = scope.formula(text, place)
    scope.check_names(expression, place, "the truth", allowed, "the names here")
    refuse_undefined(expression, scope.constants, scope.source, place)
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
    required: list[str] = []
    known: list[str] = []
    for unknown, order in _orders_in_time(scope, equations).items():
        data = [unknown, *(f"{unknown}_{'t' * k}" for k in range(1, order))]
        known += data
        required += data if order else []
    return required, known


def _orders_in_time(scope: Scope, equations: tuple[Equation, ...]) -> dict[str, int]:
    """Return the highest order of a derivative in time of each unknown."""
    time = scope.axes.index("t")
    orders = dict.fromkeys(scope.unknowns, 0)
    for equation in equations:
        for name in names(equation.residual):
            derivative = parse_derivative(name, scope.unknowns, scope.axes)
            if derivative is not None:
                order = derivative.orders[time]
                orders[derivative.field] = max(order, orders[derivative.field])
    return orders
