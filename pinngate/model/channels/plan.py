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

Delayed values are channels too, the last ones: each is the value at an earlier place, where
everything is propagated as well (`delayed`).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
        delays: of the last channels.
        start: of the one axis along which values are delayed; they are constant before it.
    """

    axes: tuple[str, ...]
    derivatives: tuple[Orders, ...]
    operators: tuple[Operator, ...]
    residuals: tuple[Expression, ...]
    symbols: dict[str, tuple[int, int]]
    delays: tuple[float, ...] = ()
    start: float = 0.0

    @property
    def num_channels(self) -> int:
        """Number of channels C; the cost of a layer is proportional to it."""
        return len(self.derivatives) + len(self.operators) + len(self.delays)

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
        return plain + collapsed + tuple(f"delayed by {delay:g}" for delay in self.delays)


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
    start: float = 0.0,
) -> Plan:
    """Plan the channels for residuals that are evaluated at the same points.

    Args:
        residuals: expressions in axes, constants, coefficients, fields and their derivatives.
        unknowns: names of the fields, in the order of the network's outputs.
        axes: names of the axes, in the order of the points' columns.
        estimated: names of coefficients that are being inferred: a derivative multiplied by one is
            needed by itself (it is the coefficient's own gradient) and is never collapsed.
        is_collapsing: False gives the textbook set.
        start: of the first axis, before which delayed values are constant.

    Returns:
        The plan with the fewest channels; among equals the one that collapses least.

    Cost: polynomial: 50 coupled equations take about a second.
    """
    candidates: list[Candidate] = []
    for number, residual in enumerate(residuals) if is_collapsing else ():
        for field, terms in _collapsible(residual, unknowns, axes, estimated).items():
            candidates.append(Candidate(number, field, terms))
    chosen = _worthwhile(residuals, unknowns, axes, candidates)
    return replace(_build(residuals, unknowns, axes, chosen), start=start)


@dataclass(frozen=True)
class Candidate:
    """The terms of one field in one residual that may become an operator: α → c_α."""

    residual: int
    field: int
    terms: dict[Orders, Expression]

    @property
    def operator(self) -> Operator:
        """The channel that it would be."""
        return Operator(tuple(sorted(self.terms.items(), key=lambda item: item[0])))


def _collapsible(
    residual: Expression,
    unknowns: tuple[str, ...],
    axes: tuple[str, ...],
    estimated: Sequence[str],
) -> dict[int, dict[Orders, Expression]]:
    """Return for each field its linear terms whose factors are known."""
    named = _derivatives_of([residual], unknowns, axes)
    linear, _ = coefficients_of(residual, set(named))
    found: dict[int, dict[Orders, Expression]] = {k: {} for k in range(len(unknowns))}
    for name, derivative in named.items():
        is_known = name in linear and not set(names(linear[name])) & set(estimated)
        if is_known and derivative.order > 0:
            found[unknowns.index(derivative.field)][derivative.orders] = linear[name]
    return {field: terms for field, terms in found.items() if terms}


def _worthwhile(
    residuals: Sequence[Expression],
    unknowns: tuple[str, ...],
    axes: tuple[str, ...],
    candidates: Sequence[Candidate],
) -> list[Candidate]:
    """Return the candidates that a plan with the fewest channels collapses, no more than needed.

    What is below a term is carried in either case. A derivative α that only terms name is carried
    unless all of them are collapsed, and an operator unless none of its terms is: for each pair of
    them one at least. The fewest are a least vertex cover of this graph between derivatives and
    operators, which a largest matching gives (D. Konig, Matematikai es Fizikai Lapok 38, 1931).

    Cost: edges times the number of operators at most.
    """
    if not candidates:
        return []
    collapsed: dict[int, set[str]] = {}
    for each in candidates:
        gone = collapsed.setdefault(each.residual, set())
        gone |= {derivative_name(Derivative(unknowns[each.field], o), axes) for o in each.terms}
    named = {
        derivative.orders
        for number, residual in enumerate(residuals)
        for name, derivative in _derivatives_of([residual], unknowns, axes).items()
        if name not in collapsed.get(number, ())
    }
    operators = list(dict.fromkeys(each.operator for each in candidates))
    kept = set(_closed_downwards([*named], operators, len(axes)))
    needs = [[o for o, _ in operator.terms if o not in kept] for operator in operators]
    chosen = _operators_of_least_cover(needs)
    return [each for each in candidates if operators.index(each.operator) in chosen]


def _operators_of_least_cover(needs: Sequence[Sequence[Orders]]) -> set[int]:
    """Return the fewest operators that belong to a least vertex cover.

    Args:
        needs: for each operator the derivatives that are carried unless it is.

    Operators that an alternating path reaches from an unmatched derivative are in every least
    cover, and they suffice.
    """
    taken: dict[Orders, int] = {}  # derivative → the operator that it is matched with
    partner: dict[int, Orders] = {}
    for operator in range(len(needs)):
        _match(operator, needs, taken, partner)
    of: dict[Orders, list[int]] = {}
    for operator, derivatives in enumerate(needs):
        for derivative in derivatives:
            of.setdefault(derivative, []).append(operator)
    waiting = [derivative for derivative in of if derivative not in taken]
    reached: set[int] = set()
    while waiting:
        for operator in of[waiting.pop()]:
            if operator not in reached:
                reached.add(operator)
                if operator in partner:
                    waiting.append(partner[operator])
    return reached


def _match(
    operator: int,
    needs: Sequence[Sequence[Orders]],
    taken: dict[Orders, int],
    partner: dict[int, Orders],
) -> None:
    """Match an operator with a derivative, others moving where there is an augmenting path."""
    came_from: dict[Orders, int] = {}
    waiting = [operator]
    while waiting:
        at = waiting.pop()
        for derivative in needs[at]:
            if derivative in came_from:
                continue
            came_from[derivative] = at
            if derivative in taken:
                waiting.append(taken[derivative])
                continue
            free: Orders | None = derivative
            while free is not None:
                owner = came_from[free]
                before = partner.get(owner)
                taken[free], partner[owner] = owner, free
                free = before if owner != operator else None
            return


def _build(
    residuals: Sequence[Expression],
    unknowns: tuple[str, ...],
    axes: tuple[str, ...],
    chosen: Sequence[Candidate],
) -> Plan:
    operators: list[Operator] = []
    rewritten = []
    collapsed: dict[str, tuple[int, int]] = {}
    for number, residual in enumerate(residuals):
        expression = residual
        for each in chosen:
            if each.residual != number:
                continue
            operator, field = each.operator, each.field
            if operator not in operators:
                operators.append(operator)
            place = operators.index(operator)
            name = f"{unknowns[field]}@{place}"
            collapsed[name] = (place, field)
            expression = add(_without(expression, unknowns[field], each.terms, axes), Name(name))
        rewritten.append(expression)
    named = _derivatives_of(rewritten, unknowns, axes)
    derivatives = _closed_downwards([d.orders for d in named.values()], operators, len(axes))
    delays = _delays(named.values())
    channels: list[Orders | Operator | float] = [*derivatives, *operators, *delays]
    symbols = {
        name: (channels.index(d.delay or d.orders), unknowns.index(d.field))
        for name, d in named.items()
    }
    for name, (place, field) in collapsed.items():
        symbols[name] = (len(derivatives) + place, field)
    return Plan(axes, derivatives, tuple(operators), tuple(rewritten), symbols, delays)


def _delays(named: Iterable[Derivative]) -> tuple[float, ...]:
    return tuple(sorted({derivative.delay for derivative in named if derivative.delay}))


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
