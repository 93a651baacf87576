"""Known functions given as tables, piecewise polynomial on the cells of a grid.

Along an axis with knots a₀ < a₁ < …, on the cell from a_i and with s = a − a_i,

    step     f = v_i                                          held until the next knot
    linear   f = v_i + s (v_{i+1} − v_i)/(a_{i+1} − a_i)
    smooth   the cubic spline through all values, "not-a-knot" at the ends, twice differentiable

and the product of these along several axes. Beyond the knots the value at the end is held. A tree
holds one as `Applied`, like a function of the caller's own. Source of the spline: C. de Boor, A
Practical Guide to Splines (1978), chapter IV. Cost: a search and (degree + 1)^axes numbers a place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Interpolation = Literal["linear", "step", "smooth"]
DEGREES: dict[Interpolation, int] = {"step": 0, "linear": 1, "smooth": 3}
KINK = 1e-3  # of the range of a table: what a knot may depart by and still be none


@dataclass(frozen=True, eq=False)
class Tabulated:
    """A function of some axes by its values at knots.

    Two are equal where name, interpolation, knots and values are.

    Attributes:
        name: that formulas use.
        knots: of each axis, increasing.
        values: with an axis for each, at the knots.
        interpolation: between them.
    """

    name: str
    knots: tuple[Array, ...]
    values: Array
    interpolation: Interpolation = "linear"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tabulated) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        shape = " x ".join(str(len(own)) for own in self.knots)
        return f"Tabulated({self.name!r}, {shape} values, {self.interpolation})"

    @cached_property
    def _content(self) -> tuple[object, ...]:
        knots = tuple(own.tobytes() for own in self.knots)
        return self.name, self.interpolation, knots, self.values.tobytes()

    def is_zero(self, by: Sequence[int]) -> bool:
        """Whether a derivative by some of the axes is zero on every cell."""
        return any(by.count(k) > DEGREES[self.interpolation] for k in by)

    def jumps(self, by: Sequence[int], axis: int) -> bool:
        """Whether a derivative by some of the axes is a step along one of them."""
        return self.interpolation != "smooth" and by.count(axis) == DEGREES[self.interpolation]

    def kinks(self, axis: int) -> list[tuple[float, float]]:
        """Return the inner knots of an axis where the function has a kink or a jump.

        Returns:
            Pairs (place, share): the share of the range of all values by which a step changes
            there, or by which a line departs from the straight one between the knots around.
            Knots with a share below `KINK` are none.
        """
        import numpy as np

        knots, size = self.knots[axis], float(np.ptp(self.values))
        if self.interpolation == "smooth" or size == 0.0:
            return []
        v = np.moveaxis(self.values, axis, 0).reshape(len(knots), -1)
        if self.interpolation == "step":
            places, departs = knots[1:], np.abs(np.diff(v, axis=0))
        else:
            places = knots[1:-1]
            part = ((places - knots[:-2]) / (knots[2:] - knots[:-2]))[:, None]
            departs = np.abs(v[1:-1] - (1 - part) * v[:-2] - part * v[2:])
        share = departs.max(axis=1, initial=0.0) / size
        return [(float(p), float(s)) for p, s in zip(places, share, strict=True) if s > KINK]

    @cached_property
    def _pieces(self) -> Array:
        """Coefficients of s^p on every cell, (cells of each axis, powers of each axis)."""
        import numpy as np

        count, made = len(self.knots), self.values
        for axis, knots in enumerate(self.knots):
            first = np.moveaxis(made, axis, 0)
            made = np.moveaxis(self._along(knots, first), (1, 0), (axis, count + axis))
        return np.ascontiguousarray(made)

    def _along(self, knots: Array, values: Array) -> Array:
        """Return the coefficients (powers, cells, …) of values (knots, …) along one axis."""
        import numpy as np

        if self.interpolation == "step":
            return values[None]
        if self.interpolation == "linear":
            length = np.diff(knots).reshape(-1, *[1] * (values.ndim - 1))
            return np.stack([values[:-1], np.diff(values, axis=0) / length])
        from scipy.interpolate import CubicSpline

        return np.asarray(CubicSpline(knots, values, axis=0).c[::-1])

    def evaluate(self, arguments: Sequence[Any], by: Sequence[int] = ()) -> Any:
        """Return the function, or its derivative by some of its axes, elementwise.

        Args:
            arguments: a number, an array or a tensor for each axis, broadcast together.
            by: indices of the axes by which to differentiate.

        Returns:
            A tensor where one of the arguments is one, of its type and on its device; else an
            array, or a float where all are numbers.
        """
        if any(hasattr(a, "detach") for a in arguments):
            return self._on_tensors(arguments, by)
        import numpy as np

        places = np.broadcast_arrays(*[np.asarray(a, dtype=float) for a in arguments])
        cells, rows = [], []
        for axis, place in enumerate(places):
            knots = self.knots[axis]
            inside = np.clip(place, knots[0], knots[-1])
            cell = np.searchsorted(knots, inside, side="right") - 1
            cells.append(np.minimum(cell, self._pieces.shape[axis] - 1))
            rows.append(self._powers(inside - knots[cells[-1]], by.count(axis)))
        found = _contracted(self._pieces[tuple(cells)], [np.stack(row, -1) for row in rows])
        return float(found) if all(np.ndim(a) == 0 for a in arguments) else found

    def _on_tensors(self, arguments: Sequence[Any], by: Sequence[int]) -> Any:
        """Return the same as a tensor, which autograd differentiates."""
        import torch

        like = next(a for a in arguments if isinstance(a, torch.Tensor))
        given = [torch.as_tensor(a, dtype=like.dtype, device=like.device) for a in arguments]
        pieces = torch.as_tensor(self._pieces, dtype=like.dtype, device=like.device)
        cells, rows = [], []
        for axis, place in enumerate(torch.broadcast_tensors(*given)):
            knots = torch.as_tensor(self.knots[axis], dtype=like.dtype, device=like.device)
            inside = torch.clamp(place, float(knots[0]), float(knots[-1]))
            cell = torch.bucketize(inside.detach().contiguous(), knots, right=True) - 1
            cells.append(torch.clamp(cell, max=pieces.shape[axis] - 1))
            rows.append(self._powers(inside - knots[cells[-1]], by.count(axis)))
        return _contracted(pieces[tuple(cells)], [torch.stack(row, -1) for row in rows])

    def _powers(self, s: Any, order: int) -> list[Any]:
        """Return ∂^order of 1, s, s² … as far as the degree."""
        degree = DEGREES[self.interpolation]
        return [
            math.perm(p, order) * s ** (p - order) if p >= order else 0.0 * s
            for p in range(degree + 1)
        ]


def _contracted(pieces: Any, rows: list[Any]) -> Any:
    """Return Σ pieces·rows over the powers of every axis, the last ones of `pieces`."""
    for row in reversed(rows):
        between = pieces.ndim - row.ndim
        shape = (*row.shape[:-1], *[1] * between, row.shape[-1])
        pieces = (pieces * row.reshape(shape)).sum(-1)
    return pieces


__all__ = ["DEGREES", "Interpolation", "Tabulated"]
