"""Read residuals and pick the smallest set of derivative channels that evaluates them.

A channel is a linear differential operator applied to the hidden units of a network. Plain channels
are single derivatives ∂^α, closed downwards: Faà di Bruno's formula for ∂^α σ(z) needs every ∂^β z
with 0 < β < α. A *collapsed* channel carries a whole sum L = Σ c_α ∂^α in place of its highest
derivatives, which is possible where they enter a residual linearly with coefficients known at each
point, because L[Wz] = W L[z] and

    L[σ(z)] = σ′(z) L[z] + Σ_α c_α Σ_(partitions of α into k ≥ 2 blocks) σ^(k)(z) Π ∂^block z

holds the lower derivatives only (forward Laplacian and collapsed Taylor mode: arXiv 2307.08214,
2505.13644). Heat and Burgers need three channels in place of four, Kuramoto–Sivashinsky five in
place of six.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pinngate.expression import ZERO, Expression, Name, add, coefficients_of, names, substitute
from pinngate.statement.derivatives import Derivative, derivative_name, parse_derivative

Orders = tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """A collapsed channel L = Σ c_α ∂^α: pairs (α, c_α), c_α in axes and constants."""

    terms: tuple[tuple[Orders, Expression], ...]


@dataclass(frozen=True)
class Plan:
    """Which channels to carry and how residuals are written in them.

    Attributes:
        axes: names of the axes.
        derivatives: plain channels; the first is the value itself.
        operators: collapsed channels, numbered after the plain ones.
        residuals: the residuals, rewritten in the names of `symbols`.
        symbols: name in a residual → (channel, field).
    """

    axes: tuple[str, ...]
    derivatives: tuple[Orders, ...]
    operators: tuple[Operator, ...]
    residuals: tuple[Expression, ...]
    symbols: dict[str, tuple[int, int]]

    @property
    def num_channels(self) -> int:
        """Number of channels C; the cost of a layer is proportional to it."""
        return len(self.derivatives) + len(self.operators)

    @property
    def order(self) -> int:
        """Highest total derivative order carried, collapsed or not."""
        collapsed = [sum(orders) for op in self.operators for orders, _ in op.terms]
        return max([sum(orders) for orders in self.derivatives] + collapsed)

    def describe(self) -> tuple[str, ...]:
        """Return the channels in words: ``1``, ``∂_x``, ``∂_t − …``."""
        plain = tuple(derivative_name_of(o, self.axes) for o in self.derivatives)
        collapsed = tuple(
            "collapsed(" + ", ".join(derivative_name_of(o, self.axes) for o, _ in op.terms) + ")"
            for op in self.operators
        )
        return plain + collapsed


def derivative_name_of(orders: Orders, axes: tuple[str, ...]) -> str:
    """Return ``1`` for the value, ``xx`` for the second derivative in x, and so on."""
    return "".join(a * k for a, k in zip(axes, orders, strict=True)) or "1"


@cache
def partitions(orders: Orders) -> dict[tuple[Orders, ...], int]:
    """Return the partitions of the multiset α into blocks, with their multiplicities.

    Faà di Bruno: ∂^α σ(z) = Σ multiplicity · σ^(number of blocks)(z) · Π_blocks ∂^block z.
    """
    elements = [axis for axis, count in enumerate(orders) for _ in range(count)]
    found: Counter[tuple[Orders, ...]] = Counter()
    for blocks in _set_partitions(elements):
        found[tuple(sorted(_count(block, len(orders)) for block in blocks))] += 1
    return dict(found)


def _set_partitions(elements: Sequence[int]) -> list[list[list[int]]]:
    if not elements:
        return [[]]
    head, rest = elements[0], elements[1:]
    grown = []
    for blocks in _set_partitions(rest):
        grown.append([[head], *blocks])
        for k in range(len(blocks)):
            grown.append([*blocks[:k], [head, *blocks[k]], *blocks[k + 1 :]])
    return grown


def _count(block: Sequence[int], num_axes: int) -> Orders:
    return tuple(block.count(axis) for axis in range(num_axes))


def lower_orders(orders: Orders) -> set[Orders]:
    """Return every β with 0 < β < α, the derivatives that ∂^α σ(z) is made of."""
    below = set(itertools.product(*(range(k + 1) for k in orders)))
    return {b for b in below if 0 < sum(b) < sum(orders)}


def plan_channels(
    residuals: Sequence[Expression],
    unknowns: tuple[str, ...],
    axes: tuple[str, ...],
    estimated: Sequence[str] = (),
    *,
    is_collapsing: bool = True,
) -> Plan:
    """Plan the channels for residuals that are evaluated at the same points.

    Args:
        residuals: expressions in axes, constants, coefficients, fields and their derivatives.
        unknowns: names of the fields, in the order of the network's outputs.
        axes: names of the axes, in the order of the points' columns.
        estimated: names of coefficients that are being inferred: a derivative multiplied by one is
            needed by itself (it is the coefficient's own gradient) and is never collapsed.
        is_collapsing: False gives the textbook set.

    Returns:
        The plan with the fewest channels; among equals the one that collapses least.
    """
    candidates = []
    for residual in residuals:
        for field, unknown in enumerate(unknowns):
            terms = _collapsible(residual, unknown, unknowns, axes, estimated)
            if is_collapsing and terms:
                candidates.append((residual, field, terms))
    best: Plan | None = None
    for size in range(len(candidates) + 1):
        for chosen in itertools.combinations(candidates, size):
            plan = _build(residuals, unknowns, axes, chosen)
            if best is None or plan.num_channels < best.num_channels:
                best = plan
    if best is None:
        raise AssertionError("the empty choice is always a plan")
    return best


def _collapsible(
    residual: Expression,
    unknown: str,
    unknowns: tuple[str, ...],
    axes: tuple[str, ...],
    estimated: Sequence[str],
) -> dict[Orders, Expression]:
    symbols, orders = set(), {}
    for name in names(residual):
        derivative = parse_derivative(name, unknowns, axes)
        if derivative is not None:
            symbols.add(name)
            if derivative.field == unknown and derivative.order > 0:
                orders[name] = derivative.orders
    linear, _ = coefficients_of(residual, symbols)
    return {
        orders[name]: c
        for name, c in linear.items()
        if name in orders and not set(names(c)) & set(estimated)
    }


def _build(
    residuals: Sequence[Expression],
    unknowns: tuple[str, ...],
    axes: tuple[str, ...],
    chosen: Sequence[tuple[Expression, int, dict[Orders, Expression]]],
) -> Plan:
    operators: list[Operator] = []
    rewritten = []
    collapsed: dict[str, tuple[int, int]] = {}
    for residual in residuals:
        expression = residual
        for source, field, terms in chosen:
            if source is not residual:
                continue
            operator = Operator(tuple(sorted(terms.items(), key=lambda item: item[0])))
            if operator not in operators:
                operators.append(operator)
            place = operators.index(operator)
            name = f"{unknowns[field]}@{place}"
            collapsed[name] = (place, field)
            expression = add(_without(expression, unknowns[field], terms, axes), Name(name))
        rewritten.append(expression)
    named = _derivatives_of(rewritten, unknowns, axes)
    derivatives = _closed_downwards([d.orders for d in named.values()], operators, len(axes))
    symbols = {
        name: (derivatives.index(d.orders), unknowns.index(d.field)) for name, d in named.items()
    }
    for name, (place, field) in collapsed.items():
        symbols[name] = (len(derivatives) + place, field)
    return Plan(axes, derivatives, tuple(operators), tuple(rewritten), symbols)


def _derivatives_of(
    expressions: Sequence[Expression], unknowns: tuple[str, ...], axes: tuple[str, ...]
) -> dict[str, Derivative]:
    """Return the fields and derivatives that the expressions name."""
    every = (name for expression in expressions for name in names(expression))
    found = ((name, parse_derivative(name, unknowns, axes)) for name in every)
    return {name: derivative for name, derivative in found if derivative is not None}


def _closed_downwards(
    named: Sequence[Orders], operators: Sequence[Operator], num_axes: int
) -> tuple[Orders, ...]:
    """Return the plain channels: the value, what is named, and what all of that is made of."""
    needed = {(0,) * num_axes, *named}
    for operator in operators:
        for orders, _ in operator.terms:
            needed |= lower_orders(orders)
    for orders in list(needed):
        needed |= lower_orders(orders)
    return tuple(sorted(needed, key=lambda o: (sum(o), tuple(-k for k in o))))


def _without(
    expression: Expression, unknown: str, terms: dict[Orders, Expression], axes: tuple[str, ...]
) -> Expression:
    gone = {derivative_name(Derivative(unknown, orders), axes) for orders in terms}
    return substitute(expression, dict.fromkeys(gone, ZERO))
