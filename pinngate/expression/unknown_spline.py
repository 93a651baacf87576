"""A function that is to be found, by its values at evenly spaced places of its arguments.

With places a_k = low + k h, k = 0 … m − 1, and h = (high − low)/(m − 1), that of one argument is

    S(w_0, …, w_{m−1}, a) = Σ_k w_k L_k(a)

where L_k is the cubic spline that is one at a_k and zero at the other places, "not-a-knot" at the
ends; that of two is the tensor product Σ_kl w_kl L_k(a) M_l(b), the last argument varying first
among the weights. These are arguments like any other, so that a tree that holds S is differentiated
by them and by a alike; S is linear in them, and w_k is its value at a_k. Beyond the ends of an
argument the value there is held. Source of the spline: C. de Boor, A Practical Guide to Splines
(1978), chapters IV and XVII.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CUBIC = 3


@dataclass(frozen=True)
class Knots:
    """Evenly spaced places along one argument, and the splines between them.

    Attributes:
        count: m, of places; four or more.
        low: the first place, in the unit of the argument.
        high: the last place, above it.
    """

    count: int
    low: float = 0.0
    high: float = 1.0

    @property
    def spacing(self) -> float:
        """h, between two places."""
        return (self.high - self.low) / (self.count - 1)

    @cached_property
    def _pieces(self) -> NDArray[np.float64]:
        """Coefficients of s^p of every L_k on every cell, s in units of h: (cells, powers, m)."""
        import numpy as np
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(np.arange(self.count), np.eye(self.count), axis=0)
        return np.ascontiguousarray(np.moveaxis(spline.c[::-1], 0, 1))

    def basis(self, place: Any, order: int) -> NDArray[np.float64]:
        """Return ∂^order of every L at places (…), (…, m)."""
        import numpy as np

        s = np.asarray((np.asarray(place, dtype=float) - self.low) / self.spacing)
        inside = s.clip(0, self.count - 1)
        with np.errstate(invalid="ignore"):  # of what is not finite, which stays so
            cell = inside.astype(np.intp).clip(0, self.count - 2)
        row = np.stack(self._powers(inside - cell, order), -1)
        found = (row[..., None, :] @ self._pieces[cell])[..., 0, :]
        return np.asarray(found * (inside == s)[..., None] if order else found)

    def basis_tensor(self, place: Any, order: int) -> Any:
        """Return the same of a tensor (…), which autograd differentiates."""
        import torch

        s = (place - self.low) / self.spacing
        inside = s.clip(0, self.count - 1)
        cell = inside.detach().long().clip(max=self.count - 2)
        row = torch.stack(self._powers(inside - cell, order), -1)
        pieces = torch.as_tensor(self._pieces).to(place)[cell]
        found = (pieces * row.unsqueeze(-1)).sum(-2)
        return found * (inside == s).unsqueeze(-1) if order else found

    def _powers(self, s: Any, order: int) -> list[Any]:
        """Return ∂^order of 1, s, s², s³ in the unit of the argument."""
        scale = self.spacing**-order
        return [
            scale * math.perm(p, order) * s ** (p - order) if p >= order else 0.0 * s
            for p in range(CUBIC + 1)
        ]


@dataclass(frozen=True)
class UnknownSpline:
    """The function S of its weights and its arguments.

    Attributes:
        name: that formulas use.
        along: the places along each argument.
    """

    name: str
    along: tuple[Knots, ...]

    @property
    def count(self) -> int:
        """Weights in all."""
        return math.prod(knots.count for knots in self.along)

    def orders(self, by: Sequence[int]) -> tuple[int, ...]:
        """Return how often it is differentiated by each of its arguments but the weights."""
        return tuple(by.count(self.count + i) for i in range(len(self.along)))

    def is_zero(self, by: Sequence[int]) -> bool:
        """Whether a derivative by some of the arguments is zero everywhere."""
        orders = self.orders(by)
        return max(orders) > CUBIC or len(by) - sum(orders) > 1

    def evaluate(self, arguments: Sequence[Any], by: Sequence[int] = ()) -> Any:
        """Return S, or its derivative by some of its arguments, elementwise.

        Args:
            arguments: the weights, then the places: numbers, arrays or tensors.
            by: indices of the arguments by which to differentiate, for which `is_zero` is false.

        Returns:
            A tensor where one of the arguments is one, of its type and on its device; else an
            array, or a float where all are numbers.

        Cost: 4 m products for each place along each argument, and one for each weight, unless the
        places are those of the last call.
        """
        weights, places = arguments[: self.count], arguments[self.count :]
        orders, chosen = self.orders(by), [k for k in by if k < self.count]
        like = next((a for a in arguments if hasattr(a, "detach")), None)
        if like is not None:
            return self._on_tensors(_one_of(self.count, chosen) or weights, places, orders, like)
        basis = self.rows(places, orders)
        # S is linear in the weights: by one of them it is its L
        found = basis[..., chosen[0]] if chosen else _weighed(basis, weights)
        return float(found) if found.ndim == 0 else found

    def rows(
        self, places: Sequence[Any], orders: tuple[int, ...] | None = None
    ) -> NDArray[np.float64]:
        """Return what every weight adds to a derivative at places that broadcast, (…, weights).

        Args:
            places: one array for each argument; the last ones are remembered.
            orders: of the derivative by each argument; none by default.
        """
        import numpy as np

        orders = orders or (0,) * len(self.along)
        at = [np.asarray(place, dtype=float) for place in places]
        known: dict[tuple[int, ...], Any] = self.__dict__.get("_last", {})
        if orders in known and all(map(np.array_equal, known[orders][0], at)):
            return np.asarray(known[orders][1])
        each = zip(self.along, at, orders, strict=True)
        found = _product(knots.basis(place, order) for knots, place, order in each)
        kept = ([place.copy() for place in at], found)
        object.__setattr__(self, "_last", {**known, orders: kept})
        return np.asarray(found)

    def _on_tensors(
        self, weights: Sequence[Any], places: Sequence[Any], orders: Sequence[int], like: Any
    ) -> Any:
        """Return S as a tensor, which autograd differentiates."""
        import torch

        given = [torch.as_tensor(a).to(like) for a in (*weights, *places)]
        spread = torch.broadcast_tensors(*given)
        own = torch.stack(spread[: self.count], -1)
        each = zip(self.along, spread[self.count :], orders, strict=True)
        basis = _product(knots.basis_tensor(place, order) for knots, place, order in each)
        return (basis * own).sum(-1)


def _product(bases: Iterable[Any]) -> Any:
    """Return all products of one function of each argument, (…, weights)."""

    def outer(one: Any, other: Any) -> Any:
        found = one[..., :, None] * other[..., None, :]
        return found.reshape((*found.shape[:-2], -1))

    return reduce(outer, bases)


def _weighed(basis: NDArray[np.float64], weights: Sequence[Any]) -> NDArray[np.float64]:
    """Return Σ w L, (…): the weights are numbers or as many as there are places."""
    import numpy as np

    if all(isinstance(w, float) for w in weights):
        return np.asarray(basis @ np.array(weights))
    return np.asarray(sum(w * basis[..., k] for k, w in enumerate(weights)))


def _one_of(count: int, chosen: Sequence[int]) -> list[float]:
    """Return one for the index that is chosen and zero for others, nothing where none is."""
    return [float(k == chosen[0]) for k in range(count)] if chosen else []


__all__ = ["Knots", "UnknownSpline"]
