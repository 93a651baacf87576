"""A function that is to be found, by its values at evenly spaced places of its argument.

With places a_k = low + k h, k = 0 … m − 1, and h = (high − low)/(m − 1),

    S(w_0, …, w_{m−1}, a) = Σ_k w_k L_k(a)

where L_k is the cubic spline that is one at a_k and zero at the other places, "not-a-knot" at the
ends. The weights are arguments like any other, so that a tree that holds S is differentiated by
them and by a alike; S is linear in them, and w_k is its value at a_k. Beyond its ends the value
there is held. Source of the spline: C. de Boor, A Practical Guide to Splines (1978), chapter IV.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CUBIC = 3


@dataclass(frozen=True)
class UnknownSpline:
    """The function S of its weights and one argument.

    Attributes:
        name: that formulas use.
        count: m, of weights; four or more.
        low: the first place, in the unit of the argument.
        high: the last place, above it.
    """

    name: str
    count: int
    low: float = 0.0
    high: float = 1.0

    @property
    def spacing(self) -> float:
        """h, between two places."""
        return (self.high - self.low) / (self.count - 1)

    def is_zero(self, by: Sequence[int]) -> bool:
        """Whether a derivative by some of the arguments is zero everywhere."""
        order = by.count(self.count)
        return order > CUBIC or len(by) - order > 1

    @cached_property
    def _pieces(self) -> NDArray[np.float64]:
        """Coefficients of s^p of every L_k on every cell, s in units of h: (cells, powers, m)."""
        import numpy as np
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(np.arange(self.count), np.eye(self.count), axis=0)
        return np.ascontiguousarray(np.moveaxis(spline.c[::-1], 0, 1))

    def evaluate(self, arguments: Sequence[Any], by: Sequence[int] = ()) -> Any:
        """Return S, or its derivative by some of its arguments, elementwise.

        Args:
            arguments: the weights, then the place: numbers, arrays or tensors.
            by: indices of the arguments by which to differentiate, for which `is_zero` is false.

        Returns:
            A tensor where one of the arguments is one, of its type and on its device; else an
            array, or a float where all are numbers.

        Cost: 4 m products for each place, unless the places are those of the last call.
        """
        *weights, place = arguments
        order, chosen = by.count(self.count), [k for k in by if k < self.count]
        like = next((a for a in arguments if hasattr(a, "detach")), None)
        if like is not None:
            return self._on_tensors(_one_of(self.count, chosen) or weights, place, order, like)
        basis = self._basis(place, order)
        # S is linear in the weights: by one of them it is its L
        found = basis[..., chosen[0]] if chosen else _weighed(basis, weights)
        return float(found) if found.ndim == 0 else found

    def _basis(self, place: Any, order: int) -> NDArray[np.float64]:
        """Return ∂^order of every L at places (…), (…, m); the last places are remembered."""
        import numpy as np

        at = np.asarray(place, dtype=float)
        known: dict[int, Any] = self.__dict__.get("_last", {})
        if order in known and np.array_equal(known[order][0], at):
            return np.asarray(known[order][1])
        s = np.asarray((at - self.low) / self.spacing)
        inside = s.clip(0, self.count - 1)
        cell = np.minimum(np.nan_to_num(inside).astype(np.intp), self.count - 2)
        row = np.stack(self._powers(inside - cell, order), -1)
        found = (row[..., None, :] @ self._pieces[cell])[..., 0, :]
        found = found * (inside == s)[..., None] if order else found
        object.__setattr__(self, "_last", {**known, order: (at.copy(), found)})
        return np.asarray(found)

    def _on_tensors(self, weights: Sequence[Any], place: Any, order: int, like: Any) -> Any:
        """Return the same as a tensor, which autograd differentiates."""
        import torch

        given = [torch.as_tensor(a).to(like) for a in (*weights, place)]
        own = torch.stack(torch.broadcast_tensors(*given[:-1]), -1).unsqueeze(-2)
        s = (given[-1] - self.low) / self.spacing
        inside = s.clip(0, self.count - 1)
        cell = inside.detach().long().clip(max=self.count - 2)
        row = torch.stack(self._powers(inside - cell, order), -1)
        pieces = torch.as_tensor(self._pieces).to(like)[cell]
        found = ((pieces * own).sum(-1) * row).sum(-1)
        return found * (inside == s) if order else found

    def _powers(self, s: Any, order: int) -> list[Any]:
        """Return ∂^order of 1, s, s², s³ in the unit of the argument."""
        scale = self.spacing**-order
        return [
            scale * math.perm(p, order) * s ** (p - order) if p >= order else 0.0 * s
            for p in range(CUBIC + 1)
        ]


def _weighed(basis: NDArray[np.float64], weights: Sequence[Any]) -> NDArray[np.float64]:
    """Return Σ w L, (…): the weights are numbers or as many as there are places."""
    import numpy as np

    if all(isinstance(w, float) for w in weights):
        return np.asarray(basis @ np.array(weights))
    return np.asarray(sum(w * basis[..., k] for k, w in enumerate(weights)))


def _one_of(count: int, chosen: Sequence[int]) -> list[float]:
    """Return one for the index that is chosen and zero for others, nothing where none is."""
    return [float(k == chosen[0]) for k in range(count)] if chosen else []


__all__ = ["UnknownSpline"]
