"""Collocation points: fresh, stratified, reproducible.

Each batch is the next stretch of one scrambled Sobol sequence (`sobol`), so consecutive batches
fill the domain evenly and a run is resumed by skipping what was drawn. Points of a batch come in
random order: consecutive Sobol points are far from independent, and the grouped statistics need
groups that are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError
from pinngate.points.sobol import ScrambledSobol
from pinngate.statement.axis_bounds import Bounds
from pinngate.statement.axis_places import at_share
from pinngate.statement.problem import Plane
from pinngate.streams import generator

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Array = NDArray[np.float64]
Inside = Callable[[Array], NDArray[np.bool_]]

NUM_CONDITION = 32  # points for each condition; a power of two keeps the Sobol batch a net
NUM_SIDES = 4  # a closed boundary gets the points of the four sides of a box
POSTERIOR_POINTS = 2  # times the collocation points of a step: less dependence on their draw
MAX_STRETCHES = 256  # for one batch, before a place is given up: a share inside of 0.4 %


def size_of_batch(
    num_points: int, domain: Mapping[str, tuple[float, float]], where: Plane | None = None
) -> int:
    """Return the points in a batch: a power of two; one where the plane of one axis is a point."""
    return 1 if where is not None and len(domain) == 1 else 1 << (num_points - 1).bit_length()


class SobolSampler:
    """Points of a box, or of one of its planes.

    Args:
        domain: axis → (low, high).
        num_points: points in a batch; rounded up to a power of two, which keeps the batch a net.
        seed: the run's seed.
        stream: name of the random stream.
        where: None for the box, else the plane that fixes one axis. A plane of a one-axis domain
            is a single point.
        inside: tells which points (n, axes) of the box to keep; None keeps all. Stretches of
            `num_points` are drawn until enough are kept, and what is more is dropped.
    """

    def __init__(
        self,
        domain: Mapping[str, tuple[float, float]],
        num_points: int,
        seed: int,
        stream: str,
        where: Plane | None = None,
        inside: Inside | None = None,
    ) -> None:
        self.free = [k for k, axis in enumerate(domain) if where is None or axis != where.axis]
        self._bounds: list[Bounds] = list(domain.values())
        if where is not None:
            self._bounds[list(domain).index(where.axis)] = (where.value, where.value)
        self.num_points = size_of_batch(num_points, domain, where)
        self.num_drawn = 0
        self._inside, self._where = inside, where
        self._sequence = ScrambledSobol(len(self.free) or 1, generator(seed, stream))
        self._order_seed = int(generator(seed, stream + "/order").integers(2**62))

    def draw(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return the next batch, (num_points, axes).

        Raises:
            InputError: no point of the place is inside.
        """
        import torch

        return torch.from_numpy(self.places()).to(device, dtype)

    def places(self) -> Array:
        """Return the next batch as an array."""
        if self._inside is None:
            return self._stretch()
        kept = np.empty((0, len(self._bounds)))
        for _ in range(MAX_STRETCHES):
            stretch = self._stretch()
            kept = np.concatenate([kept, stretch[self._inside(stretch)]])
            if len(kept) >= self.num_points:
                return kept[: self.num_points]
        raise InputError(
            f"hardly any point of {self._where or 'the domain'} is inside the geometry",
            expected=f"{self.num_points} of {MAX_STRETCHES * self.num_points:,} at least",
        )

    def _stretch(self) -> Array:
        unit = np.full((self.num_points, len(self._bounds)), 0.5)
        if self.free:
            order = np.random.default_rng([self._order_seed, self.num_drawn])
            unit[:, self.free] = order.permutation(
                self._sequence.points(self.num_drawn, self.num_points)
            )
        self.num_drawn += self.num_points
        columns = (at_share(own, share) for own, share in zip(self._bounds, unit.T, strict=True))
        return np.stack(list(columns), axis=1)

    def skip(self, num_drawn: int) -> None:
        """Continue where a sampler that has drawn `num_drawn` points stood."""
        self.num_drawn = num_drawn


class BoundarySampler:
    """Points of a boundary part at all times, with the outward normals there.

    Args:
        places: (m, space axes), in order along the boundary, so that the batches spread over it.
        normals: (m, space axes).
        domain: axis → (low, high).
        num_points: points in a batch; rounded up to a power of two.
        seed: the run's seed.
        stream: name of the random stream.
    """

    def __init__(
        self,
        places: Array,
        normals: Array,
        domain: Mapping[str, tuple[float, float]],
        num_points: int,
        seed: int,
        stream: str,
    ) -> None:
        self.places, self.normals, self.axes = places, normals, tuple(domain)
        box = {"place": (0.0, float(len(places)))}
        box |= {axis: pair for axis, pair in domain.items() if axis == "t"}
        self._sobol = SobolSampler(box, num_points, seed, stream)
        self.num_points = self._sobol.num_points

    @property
    def num_drawn(self) -> int:
        """How many points were drawn so far."""
        return self._sobol.num_drawn

    def draw(self, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the next batch, (num_points, axes), and the normals' components by name."""
        import torch

        drawn = self._sobol.places()
        chosen = drawn[:, 0].astype(int)
        space = [axis for axis in self.axes if axis != "t"]
        columns = dict(zip(space, self.places[chosen].T, strict=True))
        if "t" in self.axes:
            columns["t"] = drawn[:, 1]
        points = np.stack([columns[axis] for axis in self.axes], axis=1)
        normals = {
            f"n_{axis}": torch.from_numpy(component).to(device, dtype)
            for axis, component in zip(space, self.normals[chosen].T, strict=True)
        }
        return torch.from_numpy(points).to(device, dtype), normals

    def skip(self, num_drawn: int) -> None:
        """Continue where a sampler that has drawn `num_drawn` points stood."""
        self._sobol.skip(num_drawn)
