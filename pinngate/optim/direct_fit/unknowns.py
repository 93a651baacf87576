"""All that a direct fit searches for, as one vector θ, and what formulas and states see of it.

θ holds, in this order: the raw coefficients, initial values that are numbers (ordinary
differential equations), then weights of functions: the coefficients that vary with one axis, in
the variable in which they are searched for, and unknown initial states over the space axis. Above
`weighted_functions`, beside `semidiscrete`, whose `Parameters` it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pinngate.classical.baseline import fixed_ends
from pinngate.errors import InputError
from pinngate.expression import Expression
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.instant_formulas import InstantFormulas
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.positive_map import positive_map
from pinngate.optim.direct_fit.weighted_functions import AxisBasis, Block
from pinngate.statement.axis_bounds import like
from pinngate.statement.coefficient_fields import values_and_slopes
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.problem import CoefficientField, Problem

Array = NDArray[np.float64]
Guess = Callable[[Array], Array]

NUM_BREAKS = {"initial": 33, "function": 17}  # to begin with
REACH = 0.5  # of the axis: how far an unknown initial state varies beyond an open end
LONGEST = 1.5  # change of a coefficient's logarithm in one step: a factor of 4.5


class SearchedForm(Protocol):
    """What θ has to know of a problem that is solved."""

    problem: Problem

    @property
    def axis(self) -> str | None:
        """The space axis along which initial states vary, None where there is none."""

    @property
    def open_ends(self) -> tuple[bool, bool]:
        """Whether the domain goes on beyond its ends."""

    @property
    def marched(self) -> tuple[tuple[str, int], ...]:
        """Fields and orders in time of the states that have an initial value."""

    def stated_initial(self, state: int) -> Expression | None:
        """Return what the conditions say of an initial value, None where nothing."""


class Unknowns:
    """The vector θ of one problem.

    Args:
        form: the problem as rows.
        coefficients: the scalar coefficients, for their maps between raw numbers and values.
        sizes: characteristic size of each state.
        fineness: intervals of every function in units of those to begin with.

    Attributes:
        count: P.
        num_free: how many of θ, the first ones, carry no ridge.
        functions: the blocks of coefficient functions, by field.
        initial: the blocks of unknown initial states, by state.

    Raises:
        CannotMarch: a coefficient varies with both axes.
    """

    def __init__(
        self, form: SearchedForm, coefficients: Coefficients, sizes: Array, fineness: int = 1
    ) -> None:
        self.form, self.problem, self.coefficients = form, form.problem, coefficients
        self.fineness = fineness
        self._num_breaks = {k: 1 + fineness * (n - 1) for k, n in NUM_BREAKS.items()}
        self._at = 0
        self.scalars = self._take(len(coefficients.names))
        self._stated = {k: form.stated_initial(k) for k in range(len(form.marched))}
        unknown = [k for k, stated in self._stated.items() if stated is None]
        self.initial: dict[int, Block] = {}
        for k in unknown if form.axis is None else ():
            own = positive_map(self.problem, form.marched[k], sizes[k])
            self.initial[k] = Block(f"initial {k}", self._take(1), sizes[k], positive=own)
        self.num_free = self._at
        self.functions = {f.name: self._function(f) for f in self.problem.coefficient_fields}
        if form.axis is not None:
            for k in unknown:
                ends = self._fixed_ends(k, form.axis)
                num_breaks = self._num_breaks["initial"]
                basis = AxisBasis.of(self.problem, form.axis, num_breaks, list(ends), self._reach())
                part = self._take(basis.count)
                own = positive_map(self.problem, form.marched[k], sizes[k])
                self.initial[k] = Block(f"initial {k}", part, sizes[k], basis, ends, own)
        self.count = self._at

    def _reach(self) -> tuple[float, float]:
        """Return where an initial state varies: beyond open ends, too, from where it flows in."""
        whole = self.problem.domain[self.form.axis or ""]
        low, high = whole
        beyond = [REACH * (high - low) * is_open for is_open in self.form.open_ends]
        return like(whole, low - beyond[0], high + beyond[1])

    def _fixed_ends(self, state: int, axis: str) -> dict[float, float]:
        """Return the values that conditions with nothing unknown in them fix at the ends."""
        f, order = self.form.marched[state]
        try:
            return fixed_ends(self.problem, f, axis) if order == 0 else {}
        except InputError:
            return {}

    def _take(self, count: int) -> slice:
        self._at += count
        return slice(self._at - count, self._at)

    def _function(self, searched: CoefficientField) -> Block:
        if len(searched.over) != 1:
            raise CannotMarch(f"{searched.name} varies with {', '.join(searched.over)}")
        basis = AxisBasis.of(self.problem, searched.over[0], self._num_breaks["function"])
        return Block(searched.name, self._take(basis.count), 1.0, basis)

    @cached_property
    def _bent(self) -> NDArray[np.intp]:
        """The entries of θ that are coefficients, but for weights of functions without bounds."""
        free = (f for f in self.problem.field_functions if f.lower is None and f.upper is None)
        linear = {name for f in free for name in f.weights}
        names = enumerate(self.coefficients.names, self.scalars.start)
        return np.array([k for k, name in names if name not in linear], dtype=np.intp)

    @property
    def blocks(self) -> list[Block]:
        """The blocks that carry a ridge."""
        found = [*self.functions.values(), *self.initial.values()]
        return [block for block in found if block.basis is not None]

    def over(self, name: str) -> str:
        """Return the axis over which a coefficient function varies."""
        return next(f.over[0] for f in self.problem.coefficient_fields if f.name == name)

    def start(self, guess: Guess | None) -> Array:
        """Return θ at the initial coefficients and a guess of fields and functions.

        Args:
            guess: points (n, axes) → (n, fields, then coefficient functions); None for zeros.
        """
        theta = np.zeros(self.count)
        theta[self.scalars] = self.coefficients.raw.detach().double().cpu().numpy()
        if guess is not None:
            for k, block in self.initial.items():
                self._guess_initial(theta, k, block, guess)
        return theta

    def _guess_initial(self, theta: Array, state: int, block: Block, guess: Guess) -> None:
        start = self.problem.domain["t"][0]

        def values(places: Array) -> Array:
            return guessed(self.form, state, guess, np.full(len(places), start), places)

        if block.basis is None:
            theta[block.part] = block.free(values(np.zeros(1))) / block.size
        else:
            free = block.basis.fitted(lambda x: block.free(values(x)) - block.fixed(x))
            theta[block.part] = free / block.size

    def length(self, change: Array) -> float:
        """Return how long a change of θ (P,) is: one for the longest that a step may be.

        Of weights in which a formula is linear, damping alone says how far they go.
        """
        longest = np.abs(change[self._bent]).max(initial=0.0)
        for block in self.functions.values():
            assert block.basis is not None
            longest = max(longest, 2 * np.abs(block.basis.on_nodes @ change[block.part]).max())
        return float(longest / LONGEST)

    def at(self, theta: Array, num_more: int = 0) -> ParametersAt:
        """Return what formulas see of θ; tangents are by so many more numbers."""
        return ParametersAt(self, theta, num_more)

    def initial_state(self, theta: Array, x: Array) -> tuple[Array, Array]:
        """Return the states at places (n,) at the initial time, (S, n), and ∂/∂θ (S, n, P)."""
        values = np.zeros((len(self.form.marched), len(x)))
        slopes = np.zeros((*values.shape, self.count))
        for k, block in self.initial.items():
            values[k], slopes[k][:, block.part] = block.state(theta[block.part], x)
        start = self.problem.domain["t"][0]
        formulas = InstantFormulas(self.problem, self.form.marched, self.at(theta), start, x)
        for k, stated in self._stated.items():
            if stated is not None:
                values[k], slopes[k] = formulas.at(stated, values, slopes)
        return values, slopes

    def scalar_values(self, theta: Array) -> tuple[Array, Array]:
        """Return the coefficients and their slopes in the raw numbers, (K,) each."""
        return self.coefficients.mapped(theta[self.scalars])

    def function_values(self, name: str, theta: Array, places: Array) -> tuple[Array, Array]:
        """Return a coefficient function at places (n,) and ∂/∂θ of it, (n,) and (n, P)."""
        block = self.functions[name]
        stated = next(f for f in self.problem.coefficient_fields if f.name == name)
        assert block.basis is not None
        rows = block.basis(places)
        values, slope = values_and_slopes(stated, rows @ theta[block.part])
        jacobian = np.zeros((len(places), self.count))
        jacobian[:, block.part] = slope[:, None] * rows
        return values, jacobian


def guessed(
    form: SearchedForm, state: int, guess: Guess, t: Array, places: Array | float = 0.0
) -> Array:
    """Return a state of given fields at times (n,) and places, by differences forward."""
    (field, order), problem = form.marched[state], form.problem
    start, end = problem.domain["t"]
    step = 1e-4 * (end - start)
    columns = dict.fromkeys(problem.space_axes, np.broadcast_to(places, t.shape))
    found = []
    for k in range(order + 1):
        at = columns | {"t": t + k * step}
        points = np.column_stack([at[a] for a in problem.axes])
        found.append(np.asarray(guess(points))[:, problem.unknowns.index(field)])
    return np.asarray(np.diff(np.stack(found), order, axis=0)[0] / step**order)


class ParametersAt:
    """`semidiscrete.Parameters` at one θ."""

    def __init__(self, unknowns: Unknowns, theta: Array, num_more: int = 0) -> None:
        self._unknowns, self._theta = unknowns, theta
        self.count = unknowns.count + num_more
        values, slopes = unknowns.scalar_values(theta)
        self._scalars: Mapping[str, tuple[int, float, float]] = {
            name: (k, float(values[k]), float(slopes[k]))
            for k, name in enumerate(unknowns.coefficients.names)
        }
        self._kept: dict[tuple[str, int], tuple[Array, Array, Array]] = {}

    def values(self, name: str, t: Array, x: Array) -> Array | float | None:
        """Return a coefficient, or a function or its derivative (places or 1, times or 1)."""
        if name in self._scalars:
            return self._scalars[name][1]
        found = self._block(name)
        if found is None:
            return None
        rows = self._rows(name, *found, t, x)
        return np.asarray(rows @ self._theta[found[0].part])

    def slopes(self, name: str, t: Array, x: Array) -> tuple[slice, Array]:
        """Return the part of θ that a name depends on, and its slopes."""
        if name in self._scalars:
            k, _, slope = self._scalars[name]
            return slice(k, k + 1), np.full((1, 1, 1), slope)
        found = self._block(name)
        assert found is not None
        return found[0].part, self._rows(name, *found, t, x)

    def _block(self, name: str) -> tuple[Block, int, bool] | None:
        problem = self._unknowns.problem
        found = parse_derivative(name, tuple(self._unknowns.functions), problem.axes)
        if found is None:
            return None
        (over,) = next(f.over for f in problem.coefficient_fields if f.name == found.field)
        order = found.orders[problem.axes.index(over)]
        return self._unknowns.functions[found.field], order, over == "t"

    def _rows(
        self, name: str, block: Block, order: int, is_in_time: bool, t: Array, x: Array
    ) -> Array:
        """Return a block's functions, (places or 1, times or 1, k), kept for arrays seen before.

        Of ordinary equations, places are windows, by their times after the first.
        """
        assert block.basis is not None
        key, sought = (name, id(x)), (t if is_in_time else x, x)
        kept = self._kept.get(key)
        if kept is None or any(a is not b for a, b in zip(kept, sought, strict=False)):
            is_in_space = self._unknowns.form.axis is not None
            at = x[:, None] if not is_in_time else t[None] if is_in_space else x[:, None] + t
            rows = block.basis(at.ravel(), order).reshape(*at.shape, -1)
            kept = (*sought, rows)
            self._kept[key] = kept
        return kept[2]


__all__ = ["Guess", "ParametersAt", "Unknowns", "guessed"]
