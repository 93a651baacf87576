"""Derivatives of fields by their names, ``u_xt``: read, written, and taken of whole expressions.

A value at an earlier time has a name as well, ``u(t - 0.1)``, and is told from u by its delay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pinngate.errors import ExpressionError
from pinngate.expression import (
    ONE,
    Expression,
    Name,
    along,
    differentiate,
    names,
    substitute,
)
from pinngate.expression.printing import number_text

MAX_ORDER = 4
_DELAYED = re.compile(r"(?P<field>\w+)\(\w+ - (?P<delay>[^()]+)\)")


@dataclass(frozen=True)
class Derivative:
    """∂^|α| field / ∂axes^α. `orders` is α: one count for each axis of the domain, in its order.

    Or the field itself, where the only axis has its value less `delay`.
    """

    field: str
    orders: tuple[int, ...]
    delay: float = 0.0

    @property
    def order(self) -> int:
        """Total order |α|."""
        return sum(self.orders)


def parse_derivative(
    name: str, unknowns: tuple[str, ...], axes: tuple[str, ...]
) -> Derivative | None:
    """Read ``u``, ``u_x``, ``u(t - 1)`` … ; None where `name` is no field or derivative of one."""
    if name in unknowns:
        return Derivative(name, (0,) * len(axes))
    if name.endswith(")"):
        found = _DELAYED.fullmatch(name)
        if found is None or found["field"] not in unknowns:
            return None
        return Derivative(found["field"], (0,), float(found["delay"]))
    stem, underscore, letters = name.rpartition("_")
    along = spelled(letters, axes)
    if not underscore or stem not in unknowns or not along:
        return None
    return Derivative(stem, tuple(along.count(axis) for axis in axes))


def spelled(letters: str, axes: Sequence[str]) -> list[str]:
    """Return the axes that letters name one after the other, ``rtheta`` → r, theta.

    Empty where they name something else.
    """
    one = "|".join(sorted(map(re.escape, axes), key=len, reverse=True))
    return re.findall(one, letters) if axes and re.fullmatch(f"(?:{one})+", letters) else []


def differentiated(
    expression: Expression, axes: Sequence[str], orders: Sequence[int]
) -> Expression:
    """Return ∂^orders of an expression in the axes, one axis after the other."""
    for axis, order in zip(axes, orders, strict=True):
        for _ in range(order):
            expression = differentiate(expression, axis)
    return expression


def derivative_name(derivative: Derivative, axes: tuple[str, ...]) -> str:
    """Return the canonical name: axes in the order of the domain, ``u_tx → u_xt``."""
    if derivative.delay:
        return f"{derivative.field}({axes[0]} - {number_text(derivative.delay)})"
    letters = "".join(a * k for a, k in zip(axes, derivative.orders, strict=True))
    return f"{derivative.field}_{letters}" if letters else derivative.field


def canonical(
    expression: Expression, unknowns: tuple[str, ...], axes: tuple[str, ...]
) -> Expression:
    """Rename every derivative to its canonical name, so that ``u_tx`` and ``u_xt`` are one."""
    renamed: dict[str, Expression] = {}
    for name, offset in names(expression).items():
        derivative = parse_derivative(name, unknowns, axes)
        if derivative is not None:
            renamed[name] = Name(derivative_name(derivative, axes), offset)
    return substitute(expression, renamed)


def total_derivative(
    expression: Expression,
    axis: str,
    outputs: tuple[str, ...],
    axes: tuple[str, ...],
    over: Mapping[str, tuple[str, ...]],
) -> Expression:
    """Return d/d axis of an expression in fields, their derivatives and the axes: the chain rule.

    Args:
        expression: its derivatives have canonical names, and so have those of the result.
        axis: one of the axes.
        outputs: names of the fields.
        axes: of the domain.
        over: the axes of those fields that do not vary with all.

    Raises:
        ExpressionError: it holds a value at an earlier time.
    """
    slopes: dict[str, Expression] = {axis: ONE}
    for name in names(expression):
        derivative = parse_derivative(name, outputs, axes)
        if derivative is None or axis not in over.get(derivative.field, axes):
            continue
        if derivative.delay:
            raise ExpressionError(
                f"the derivative of {name} is not followed: equations hold delayed values, "
                "no delayed derivatives",
                expected=f"a bracket without {name}",
                offset=max(0, names(expression)[name]),
                length=len(derivative.field),
            )
        orders = tuple(k + (a == axis) for a, k in zip(axes, derivative.orders, strict=True))
        slopes[name] = Name(derivative_name(Derivative(derivative.field, orders), axes))
    return along(expression, slopes)
