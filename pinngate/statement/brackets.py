"""Derivatives of brackets, carried out by the chain rule, or through a flux where a step is inside.

``(a*u_x)_x`` becomes ``a_x*u_x + a*u_xx``. Where a is a step along x, a_x is a pulse of no width:
the chain rule would lose it at every point, and with it the jump of u_x. There the bracket's inside
becomes a further field of its own, the flux

    q = a u_x,        and  (a u_x)_x  becomes  q_x,

which is continuous across the step as the equation wants it, while u keeps its kink. This is the
mixed form of an equation in divergence form (D. Boffi, F. Brezzi, M. Fortin, Mixed Finite Element
Methods and Applications, 2013, chapter 1). Between `scope`, which reads formulas, and `derivatives`
and `steps`. Cost: one field and one equation for each different bracket.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from pinngate.errors import ExpressionError
from pinngate.expression import Call, Expression, Name, names, transformed
from pinngate.expression.printing import to_text
from pinngate.expression.tree import NOWHERE
from pinngate.statement.derivatives import (
    MAX_ORDER,
    canonical,
    parse_derivative,
    spelled,
    total_derivative,
)
from pinngate.statement.equations import Flux
from pinngate.statement.steps import Step, step_along, without_steps

MAX_BRACKET_DERIVATIVES = 200  # of one formula, each letter counted


@dataclass
class Brackets:
    """Carries out the derivatives of brackets in the formulas of one statement.

    Attributes:
        outputs: names of the fields, coefficients that are fields included.
        axes: of the domain.
        over: the axes of those fields that do not vary with all.
        fluxes: those made so far, to which new ones are added; None refuses what needs one.
        taken: names that a flux must not have.
        local: names that a flux cannot depend on, for they have no values inside the domain.
        num_derivatives: carried out so far.
    """

    outputs: tuple[str, ...]
    axes: tuple[str, ...]
    over: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fluxes: list[Flux] | None = None
    taken: Collection[str] = ()
    local: frozenset[str] = frozenset()
    num_derivatives: int = 0

    @property
    def known(self) -> tuple[str, ...]:
        """The fields and the fluxes."""
        return (*self.outputs, *(flux.name for flux in self.fluxes or ()))

    def expanded(self, expression: Expression) -> Expression:
        """Return the expression without derivatives of brackets, names of derivatives canonical.

        Raises:
            ExpressionError: a derivative of a step that no flux can carry.
        """
        return transformed(expression, self._carried_out)

    def _carried_out(self, found: Expression) -> Expression:
        """Return a part without its derivative, where it is that of a bracket."""
        if not (isinstance(found, Call) and found.function.startswith("_")):
            return found
        along = spelled(found.function[1:], self.axes)
        self.num_derivatives += len(along)
        if self.num_derivatives > MAX_BRACKET_DERIVATIVES:
            raise ExpressionError(
                f"{self.num_derivatives:,} derivatives of brackets in one formula",
                expected=f"at most {MAX_BRACKET_DERIVATIVES}",
                offset=max(0, found.offset),
            )
        inner = canonical(found.argument, self.known, self.axes)
        for axis in along:
            step = step_along(inner, axis, partial(self._varies, axis))
            if step is not None:
                inner = self._through_flux(inner, step, axis)
            inner = total_derivative(inner, axis, self.known, self.axes, self.over)
        self._refuse_order(inner, found)
        return inner

    def _varies(self, axis: str, name: str) -> bool:
        if name == axis:
            return True
        derivative = parse_derivative(name, self.known, self.axes)
        return derivative is not None and axis in self.over.get(derivative.field, self.axes)

    def _through_flux(self, inside: Expression, step: Step, axis: str) -> Expression:
        """Return the flux that stands for the inside of a bracket."""
        carriers = set(names(without_steps(inside))) - {axis}
        if not any(self._varies(axis, name) for name in carriers):
            raise _pulse(step, axis)
        if self.fluxes is None or self.local & set(names(inside)):
            raise _unsolved(inside, step, axis)
        for flux in self.fluxes:
            if flux.inside == inside:
                return Name(flux.name)
        self.fluxes.append(Flux(self._free_name(), inside))
        return Name(self.fluxes[-1].name)

    def _free_name(self) -> str:
        """Return q1, q2 …: the first that nothing has and of which nothing reads as derivative."""
        taken = {*self.taken, *self.known}
        return next(
            name
            for name in (f"q{k}" for k in count(1))
            if not any(parse_derivative(other, (name,), self.axes) for other in taken)
        )

    def _refuse_order(self, expression: Expression, bracket: Call) -> None:
        fluxes = tuple(flux.name for flux in self.fluxes or ())
        for name in names(expression):
            derivative = parse_derivative(name, fluxes, self.axes)
            if derivative is not None and derivative.order > MAX_ORDER:
                raise ExpressionError(
                    f"a bracket with a step is differentiated {derivative.order} times",
                    expected=f"derivatives up to order {MAX_ORDER}",
                    offset=max(0, bracket.offset),
                )


def _pulse(step: Step, axis: str) -> ExpressionError:
    text = to_text(step)
    narrow = f"a narrow pulse, such as exp(-(({axis} - a)/w)**2/2)/(w*sqrt(2*pi))"
    smooth = f"a smooth step, tanh(({to_text(step.argument)})/w)" if isinstance(step, Call) else ""
    return _fault(
        step,
        f"the derivative of {text} along {axis} is a pulse of no width, which no point sees",
        f"{narrow}, or {smooth or 'interpolation: smooth'}",
        "where the pulse makes a flux jump, write the step into its bracket, as in "
        f"(u_{axis} + {text})_{axis}",
    )


def _unsolved(inside: Expression, step: Step, axis: str) -> ExpressionError:
    return _fault(
        step,
        f"the derivative of {to_text(step)} along {axis} has no value at a point",
        f"the mixed form: a further unknown q, the equation q = {to_text(inside)}, "
        f"and q_{axis} here",
    )


def _fault(step: Step, what: str, expected: str, hint: str = "") -> ExpressionError:
    # the sign that abs was differentiated to has no place of its own
    if isinstance(step, Call) and step.offset != NOWHERE:
        offset, length = step.offset, len(step.function)
    else:
        offset, length = min(names(step).values()), 1
    return ExpressionError(what, expected=expected, hint=hint, offset=offset, length=length)


__all__ = ["Brackets"]
