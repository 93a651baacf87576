"""Which names a formula of a statement may use, and where it goes wrong.

Between schema and sections: `Scope` parses the formulas of one statement, checks every name against
what is declared and turns faults inside a formula into faults at a line and column.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pinngate.errors import ExpressionError, InputError, Span, nearest
from pinngate.expression import (
    CONSTANTS,
    FUNCTIONS,
    PAIRED,
    RESERVED,
    Applied,
    Call,
    Expression,
    Number,
    constant_value,
    names,
    operands,
    parse,
    parse_equation,
    with_tables,
)
from pinngate.statement.brackets import Brackets
from pinngate.statement.checks.called_fields import called_fields, followed, of_called_derivative
from pinngate.statement.checks.data_files import data_file
from pinngate.statement.checks.source import Place, Source
from pinngate.statement.checks.undefined_parts import refuse_undefined
from pinngate.statement.coordinates import with_laplacians
from pinngate.statement.derivatives import (
    MAX_ORDER,
    Derivative,
    canonical,
    parse_derivative,
    spelled,
)
from pinngate.statement.equations import Flux
from pinngate.statement.field_functions import (
    as_typed,
    callable_in,
    weights_of,
)
from pinngate.statement.unknown_quantities import FieldFunction, Pieces
from pinngate.tables.clock import Clock

AXES = ("x", "y", "z", "t")
DERIVED, EVENT = "a derived quantity", "an event"

_TYPED = {
    "π": "pi",
    "−": "-",
    "·": "*",
    "×": "*",
    "²": "**2",
    "³": "**3",
    "√": "sqrt(...)",
    "∂": "",
}


@dataclass
class Scope:
    """What one statement declares: filled in the order in which `building` reads it.

    `folder` is where relative paths start; `files` has for each data file the place that names it.
    `tables` stand in formulas for the names of inputs and of coefficients on pieces.
    """

    source: Source
    folder: Path = Path()
    axes: tuple[str, ...] = ()
    unknowns: tuple[str, ...] = ()
    constants: dict[str, float] = field(default_factory=dict)
    coefficients: tuple[str, ...] = ()
    over: dict[str, tuple[str, ...]] = field(default_factory=dict)
    domain: dict[str, tuple[float, float]] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    files: dict[Path, Span] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    fluxes: list[Flux] = field(default_factory=list)
    tables: dict[str, Applied] = field(default_factory=dict)
    field_functions: tuple[FieldFunction, ...] = ()
    pieces: tuple[Pieces, ...] = ()
    clock: Clock | None = None
    positive: tuple[str, ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)
    guesses: dict[str, Expression] = field(default_factory=dict)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The unknowns, then the coefficients that are fields."""
        return (*self.unknowns, *self.over)

    def unknown_place(self, name: str, index: int) -> Place:
        """Return where an unknown is stated, in a list or in a mapping."""
        is_mapped = isinstance(self.source.tree["unknowns"], dict)
        return ("unknowns", name if is_mapped else index)

    def declare(self, name: str, kind: str, place: Place) -> None:
        """Enter a name, once.

        Raises:
            InputError: it is no name, or taken.
        """
        span = self.source.key(place)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or keyword.iskeyword(name):
            raise InputError(
                f"'{name}' cannot name {kind}"
                + (": it is reserved" if name.isidentifier() else ""),
                span=span,
                expected="a letter, then letters, digits or _",
                hint=f"write '{name}_'" if keyword.iskeyword(name) else "",
            )
        taken = self.declared.get(name) or _built_in(name)
        derivative = parse_derivative(name, self.outputs, self.axes)
        if taken is None and derivative is not None and kind != "an axis":
            taken = f"a derivative of '{derivative.field}'"
        if taken is not None:
            raise InputError(
                f"'{name}' cannot name {kind}: it is {taken}",
                span=span,
                expected="a name that nothing else has",
            )
        self.declared[name] = kind

    def refuse_derivatives(self) -> None:
        """Refuse names that read as a derivative of a field declared after them.

        Raises:
            InputError: there is one.
        """
        for name, kind in self.declared.items():
            derivative = parse_derivative(name, self.outputs, self.axes)
            if derivative is not None and derivative.order > 0:
                place: Place = ("inputs" if name in self.tables else "constants", name)
                if kind == "an unknown":
                    place = self.unknown_place(name, self.unknowns.index(name))
                elif name in {*self.over, *self.coefficients, *(own.name for own in self.pieces)}:
                    place = ("estimate", name)
                raise InputError(
                    f"'{name}' cannot name {kind}: it is a derivative of '{derivative.field}'",
                    span=self.source.key(place),
                    expected="a name that nothing else has",
                )

    def formula(self, text: float | str, place: Place) -> Expression:
        """Parse a formula without looking at its names.

        Raises:
            InputError: it does not parse; at its place in the file.
        """
        if not isinstance(text, str):
            return Number(text)
        return self._parsed(text, place, "")

    def _parsed(self, text: str, place: Place, context: str) -> Expression:
        """Parse a formula, of a residual in its `context`."""
        for letter in re.finditer(r"[^\x00-\x7f]", text):
            ascii_form = _TYPED.get(letter[0], "")
            raise InputError(
                f"the character {letter[0]!r} is not allowed in a formula",
                span=self.source.within(place, letter.start(), 1),
                expected="ASCII letters, digits and operators",
                hint=f"write {ascii_form}" if ascii_form else "",
            )
        line, own = re.sub(r"\s", " ", text), self.field_functions
        called = called_fields(line, self.unknowns)
        known = {**callable_in(self.functions, own), **called}
        try:
            read = parse_equation(line, known) if context else parse(line, known)
            read = followed(read, called, self, is_equation=context == "an equation")
            typed = with_laplacians(as_typed(read, own), self.axes, self.kinds)
            if context:
                return typed
            self._check_brackets(typed, place)
            return Brackets((), self.axes).expanded(typed)
        except ExpressionError as error:
            raise self.locate(of_called_derivative(error, self), place) from None

    def locate(self, error: ExpressionError, place: Place) -> InputError:
        """Return the error at its place in the file."""
        return InputError(
            error.what,
            span=self.source.within(place, error.offset, error.length),
            expected=error.expected,
            hint=error.hint,
        )

    def data_file(self, name: str, place: Place) -> Path:
        """Return the absolute path of a data file, and remember who names it.

        Raises:
            DataError: it is not there, empty or of another kind.
        """
        span = self.source.span(place)
        path = data_file(name, self.folder, span)
        self.files[path] = span
        return path

    def number(self, text: float | str, place: Place, context: str) -> float:
        """Evaluate a formula in known constants.

        Raises:
            InputError: it does not parse, names something else or has no finite value.
        """
        expression = self.formula(text, place)
        self.check_names(expression, place, context, self.constants, "the constants")
        try:
            return constant_value(expression, self.constants)
        except ExpressionError as error:
            whole = ExpressionError(error.what, hint=error.hint, length=len(str(text)))
            raise self.locate(whole, place) from None
        except (TypeError, AttributeError):  # a function of a complex intermediate value
            raise InputError(
                "the expression has no finite real value", span=self.source.span(place)
            ) from None

    def check_names(
        self, expression: Expression, place: Place, context: str, allowed: Iterable[str], known: str
    ) -> None:
        """Refuse the first name that is neither allowed nor built in."""
        allowed = [*allowed]
        for name, offset in sorted(names(expression).items(), key=lambda item: item[1]):
            if name in allowed or name in CONSTANTS:
                continue
            listed = ", ".join([*allowed, *CONSTANTS])
            expected, hint = f"{known} are {listed}", nearest(name, allowed)
            if name in (*FUNCTIONS, *PAIRED) or name in callable_in(
                self.functions, self.field_functions
            ):
                expected, hint = f"{name} is a function: {name}(...)", ""
            elif name in AXES and name not in self.axes:
                expected = f"the domain has the axes {', '.join(self.axes)}"
            elif name in self.declared and not hint:
                hint = f"'{name}' is {self.declared[name]}, which cannot stand here"
            raise InputError(
                f"unknown name '{name}' in {context}",
                span=self.source.within(place, offset, len(name)),
                expected=expected,
                hint=hint,
            )

    def residual(
        self, text: str, place: Place, context: str, further: Iterable[str] = ()
    ) -> Expression:
        """Parse an equation in fields, derivatives, axes, constants, coefficients and `further`.

        Returns:
            left − right, with canonical names of derivatives.

        Raises:
            InputError: it does not parse, names what is not declared, or a derivative of an order
                above four or of a step, or holds no field at all.
        """
        typed = with_tables(self._parsed(text, place, context), self.tables)
        self._check_brackets(typed, place)
        further = tuple(further)
        expression, fluxes = _expanded(self, typed, place, context, further)
        others = [*self.axes, *self.constants, *self.coefficients, *self.tables, *further]
        known = {*others, *CONSTANTS, *(c.name for c in weights_of(self.field_functions))}
        known |= {name for own in self.pieces for name in own.members}
        has_field = context in (DERIVED, EVENT)  # they may be of coefficients alone
        is_solved = partial(parse_derivative, unknowns=fluxes, axes=self.axes)
        found = {n: k for n, k in names(expression).items() if not is_solved(n)} | names(typed)
        for name, offset in sorted(found.items(), key=lambda item: item[1]):
            derivative = parse_derivative(name, self.outputs, self.axes)
            if derivative is None:
                if name in known:
                    continue
                raise self._unknown(name, offset, place, context, others)
            if derivative.order > MAX_ORDER:
                raise InputError(
                    f"'{name}' is a derivative of order {derivative.order}",
                    span=self.source.within(place, offset, len(name)),
                    expected=f"derivatives up to order {MAX_ORDER}",
                )
            self._check_axes(name, derivative, offset, place)
            is_condition = context == "a condition"  # may give a coefficient field alone
            has_field = has_field or is_condition or derivative.field in self.unknowns
        if not has_field:
            raise InputError(
                f"{context} mentions no unknown",
                span=self.source.span(place),
                expected=f"the unknowns are {', '.join(self.unknowns)}",
            )
        refuse_undefined(typed, self.constants, self.source, place)
        try:
            return canonical(expression, (*self.outputs, *fluxes), self.axes)
        except RecursionError:
            raise InputError(
                "the formula is nested too deeply", span=self.source.span(place)
            ) from None

    def fields_in(self, expression: Expression) -> set[str]:
        """Return the fields that an expression mentions, themselves or in a derivative."""
        found = (parse_derivative(name, self.outputs, self.axes) for name in names(expression))
        return {derivative.field for derivative in found if derivative is not None}

    def _check_axes(self, name: str, derivative: Derivative, offset: int, place: Place) -> None:
        """Refuse a derivative of a coefficient along an axis with which it does not vary."""
        over = self.over.get(derivative.field, self.axes)
        for axis, order in zip(self.axes, derivative.orders, strict=True):
            if order and axis not in over:
                raise InputError(
                    f"'{name}' is zero: '{derivative.field}' does not vary with {axis}",
                    span=self.source.within(place, offset, len(name)),
                    expected=f"derivatives along {', '.join(over)}, the axes it is estimated over",
                )

    def _check_brackets(self, expression: Expression, place: Place) -> None:
        """Refuse a derivative of a bracket along what is no axis.

        Raises:
            InputError: there is one.
        """
        function = expression.function if isinstance(expression, Call) else ""
        if function.startswith("_") and not spelled(function[1:], self.axes):
            raise InputError(
                f"'{function}' after a bracket is no derivative",
                span=self.source.span(place),
                expected=f"the domain has the axes {', '.join(self.axes)}",
            )
        for operand in operands(expression):
            self._check_brackets(operand, place)

    def _unknown(
        self, name: str, offset: int, place: Place, context: str, others: list[str]
    ) -> InputError:
        stem, _, letters = name.rpartition("_")
        axes = f"the domain has the axes {', '.join(self.axes)}"
        if name in (*FUNCTIONS, *PAIRED) or name in callable_in(
            self.functions, self.field_functions
        ):
            expected, hint = f"{name} is a function: {name}(...)", ""
        elif stem in self.outputs and letters:
            expected, hint = axes, _nearest_derivative(stem, letters, self.axes)
        elif name in AXES:
            expected, hint = axes, ""
        else:
            expected = "the names here are " + ", ".join([*self.outputs, *others, *CONSTANTS])
            derivatives = [
                f"{output}_{a}{b}" for output in self.outputs for a in self.axes for b in ("", a)
            ]
            hint = nearest(name, [*self.outputs, *others, *CONSTANTS, *derivatives])
        return InputError(
            f"unknown name '{name}' in {context}",
            span=self.source.within(place, offset, len(name)),
            expected=expected,
            hint=hint,
        )


def _called(scope: Scope) -> set[str]:
    """Return the names of all functions that formulas may call."""
    return {*FUNCTIONS, *PAIRED, *callable_in(scope.functions, scope.field_functions)}


def _expanded(
    scope: Scope, typed: Expression, place: Place, context: str, local: tuple[str, ...]
) -> tuple[Expression, tuple[str, ...]]:
    """Carry out the derivatives of brackets; with the names of all fluxes so far.

    Raises:
        InputError: one loses a step that no flux can carry; for observations there is none, nor
            for a bracket with `local` names, such as the normal.
    """
    taken = [*scope.declared, *scope.functions]
    fluxes = None if context == "an observation" else scope.fluxes
    brackets = Brackets(scope.outputs, scope.axes, scope.over, fluxes, taken, frozenset(local))
    try:
        expression = brackets.expanded(typed)
    except ExpressionError as error:
        raise scope.locate(error, place) from None
    return expression, tuple(flux.name for flux in scope.fluxes)


def _nearest_derivative(stem: str, letters: str, axes: tuple[str, ...]) -> str:
    """Suggest the derivative of the same order in which wrong axes repeat their neighbour."""
    right = [letter for letter in letters if letter in axes]
    if not right or len(letters) > MAX_ORDER:
        return ""
    mended: list[str] = []
    for letter in letters:
        mended.append(letter if letter in axes else (mended or right)[-1])
    return f"did you mean '{stem}_{''.join(mended)}'?"


def _built_in(name: str) -> str | None:
    if name in RESERVED:
        return "a function"
    return "the constant pi" if name in CONSTANTS else None
