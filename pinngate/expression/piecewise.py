"""A function that is constant on stated pieces, by its value on each.

With the breaks of every axis b_1 < … < b_m, which part it in m + 1 cells, and a weight w_c for each
cell c of their product, the last axis running fastest,

    P(w_1, …, w_C, a_1, …, a_d) = Σ_c w_c 1[a in cell c]

The weights are arguments like any other: P is linear in them, and its derivative by one is the
indicator of its cell. On a break P is the mean of both sides, as heaviside is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Piecewise:
    """The function P of its weights and places.

    Attributes:
        name: that formulas use.
        breaks: inner ends of the cells along each axis, increasing.
    """

    name: str
    breaks: tuple[tuple[float, ...], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(len(own) + 1 for own in self.breaks)

    @property
    def count(self) -> int:
        """C, of cells."""
        return prod(self.shape)

    def is_zero(self, by: Sequence[int]) -> bool:
        """Whether a derivative by some of the arguments is zero but for the breaks."""
        return len(by) > 1 or any(k >= self.count for k in by)

    def jumps(self, by: Sequence[int], argument: int) -> bool:
        """Whether it, or its derivative by a weight, is a step along an argument."""
        return argument >= self.count and not self.is_zero(by)

    def evaluate(self, arguments: Sequence[Any], by: Sequence[int] = ()) -> Any:
        """Return P, or its derivative by a weight, elementwise.

        Args:
            arguments: the weights, then the places: numbers, arrays or tensors.
            by: index of the weight by which to differentiate, if any.

        Returns:
            A tensor where one of the arguments is one, of its type and on its device; else an
            array, or a float where all are numbers.

        Cost: a search of the cell for each place.
        """
        weights, places = list(arguments[: self.count]), arguments[self.count :]
        if by:
            weights = [float(k == by[0]) for k in range(self.count)]
        like = next((a for a in arguments if hasattr(a, "detach")), None)
        if like is not None:
            return self._on_tensors(weights, places, like)
        found = self._on_arrays(weights, places)
        return found if found.ndim or any(hasattr(a, "ndim") for a in arguments) else float(found)

    def _on_arrays(self, weights: Sequence[Any], places: Sequence[Any]) -> NDArray[np.float64]:
        import numpy as np

        sides = self.cells([np.asarray(a, dtype=float) for a in places])
        own = [np.asarray(w, dtype=float) for w in weights]
        if all(w.ndim == 0 for w in own):
            return np.asarray(np.mean([np.array(own)[cell] for cell in sides], axis=0))
        shape = np.broadcast_shapes(sides[0].shape, *(w.shape for w in own))
        table = np.stack([np.broadcast_to(w, shape) for w in own])
        rows = [np.broadcast_to(cell, shape)[None] for cell in sides]
        return np.asarray(np.mean([np.take_along_axis(table, r, 0)[0] for r in rows], axis=0))

    def cells(self, places: Sequence[NDArray[np.float64]]) -> list[NDArray[np.intp]]:
        """Return the index of the cell at places, of each axis (…), once unless on a break.

        There it is that of each cell around, as many for all places.
        """
        import numpy as np

        found = []
        for side in ("left", "right"):
            along = zip(self.breaks, places, strict=True)
            found.append([np.searchsorted(own, at, side=side) for own, at in along])
        pairs = zip(*found, strict=True)
        sides = [(one,) if np.array_equal(one, two) else (one, two) for one, two in pairs]
        return [
            np.ravel_multi_index(np.broadcast_arrays(*chosen), self.shape)
            for chosen in itertools.product(*sides)
        ]

    def _on_tensors(self, weights: Sequence[Any], places: Sequence[Any], like: Any) -> Any:
        """Return the same as a tensor, which autograd differentiates."""
        import numpy as np
        import torch

        given = [torch.as_tensor(w).to(like) for w in weights]
        at = [np.asarray(torch.as_tensor(a).detach().double().cpu()) for a in places]
        sides = [torch.as_tensor(cell).to(like.device) for cell in self.cells(at)]
        if all(w.ndim == 0 for w in given):
            return torch.stack([torch.stack(given)[cell] for cell in sides]).mean(0)
        table = torch.stack(torch.broadcast_tensors(*given, sides[0].to(like)))[:-1]
        rows = [cell.expand(table.shape[1:])[None] for cell in sides]
        return torch.cat([table.gather(0, row) for row in rows]).mean(0)


__all__ = ["Piecewise"]
