"""The loss terms of a problem, and the points that each is evaluated on.

A *term* is one equation, one condition, one prior or one set of observations; its loss is
w·mean(r²).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pinngate.expression import Call, Expression, Name, multiply, negate, subtract
from pinngate.model.real_domain import kept_real
from pinngate.model.scales import Scales, characteristic_size, common_size, levelled
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.delays import with_past
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor

TILE = 4096  # points propagated at once: bounds memory and keeps a layer's arrays in cache
Kind = Literal["equation", "condition", "observation"]


@dataclass(frozen=True)
class Term:
    """One loss term. `residual` may name the columns that its batch carries beside the axes."""

    name: str
    kind: Kind
    residual: Expression
    scale: float = 1.0


@dataclass(frozen=True)
class Batch:
    """Points (n, axes) of one term and further columns (n,) that its residual names.

    Where a row is a sum over several nodes, `points` is (n, q, axes) and `node_weights` (q,), or
    (n, q) where rows differ; a column may then be (n, q), too. The column `row_weights.ROW` is a
    factor on each residual.
    """

    points: Tensor
    columns: dict[str, Tensor] = field(default_factory=dict)
    node_weights: Tensor | None = None

    def __len__(self) -> int:
        return self.points.shape[0]

    @property
    def num_nodes(self) -> int:
        """Points of one row."""
        return 1 if self.node_weights is None else self.node_weights.shape[-1]

    def take(self, rows: slice | Tensor) -> Batch:
        """Return the batch of some rows."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        weights = self.node_weights
        own = weights if weights is None or weights.ndim == 1 else weights[rows]
        return Batch(self.points[rows], columns, own)


BELOW = "positive"
"""Terms of this name are zero where a field that is stated to be positive is."""


def _below_zero(field: str) -> Expression:
    """Return what of a field is below zero."""
    u = Name(field)
    return multiply(u, Call("heaviside", negate(u)))


def problem_terms(
    problem: Problem, observed: Sequence[str | Expression], scales: Scales | None = None
) -> list[Term]:
    """Return the terms: equations, those of fluxes, conditions, one for each observation set.

    Args:
        problem: the problem.
        observed: what each observation set sees, in order: a field's name or an expression.
        scales: size and centre of each field; size one where not given.

    An observation's residual is ``seen − value``, the value a column of its batch. Every residual
    over its term's scale is in one unit, the root mean square of the fields' sizes, which is the
    data's own unit where there is one field. Residuals are `kept_real`.
    """
    scales = scales or {}
    unit = common_size(scales) if scales else 1.0
    quantities = [Name(seen) if isinstance(seen, str) else seen for seen in observed]

    def real(stated: Expression) -> Expression:
        return kept_real(problem, searched(problem, stated), scales)

    def term(kind: Kind, k: int, stated: Expression, called: str = "") -> Term:
        if kind == "equation" and called != BELOW:
            stated = levelled(problem, with_past(problem, stated), scales)
        size = characteristic_size(problem, stated, scales)
        return Term(f"{called or kind}_{k}", kind, real(stated), size / unit)

    terms = [term("equation", k, e.residual) for k, e in enumerate(problem.equations, 1)]
    fluxes = enumerate(problem.fluxes, 1)
    terms += [term("equation", k, f.equation.residual, "flux") for k, f in fluxes]
    below = enumerate(map(_below_zero, problem.positive), 1)
    terms += [term("equation", k, residual, BELOW) for k, residual in below]
    terms += [term("condition", k, c.residual) for k, c in enumerate(problem.conditions, 1)]
    terms += [
        Term(
            f"observation_{k}",
            "observation",
            subtract(real(seen), Name("@value")),
            characteristic_size(problem, seen, scales) / unit,
        )
        for k, seen in enumerate(quantities, 1)
    ]
    return terms
