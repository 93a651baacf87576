"""Collocation points: fresh, stratified, reproducible.

Each batch is the next stretch of one scrambled Sobol sequence (scipy's), so consecutive batches
fill the domain evenly and a run is resumed by skipping what was drawn. Points of a batch come in
random order: consecutive Sobol points are far from independent, and the grouped statistics need
groups that are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.stats import qmc
from torch import Tensor

from pinngate.problem import Plane
from pinngate.streams import generator


class SobolSampler:
    """Points of a box, or of one of its planes.

    Args:
        domain: axis → (low, high).
        num_points: points in a batch; rounded up to a power of two, which keeps the batch a net.
        seed: the run's seed.
        stream: name of the random stream.
        where: None for the box, else the plane that fixes one axis. A plane of a one-axis domain
            is a single point.
    """

    def __init__(
        self,
        domain: Mapping[str, tuple[float, float]],
        num_points: int,
        seed: int,
        stream: str,
        where: Plane | None = None,
    ) -> None:
        self.free = [k for k, axis in enumerate(domain) if where is None or axis != where.axis]
        self.low = np.array([lo for lo, _ in domain.values()])
        self.high = np.array([hi for _, hi in domain.values()])
        if where is not None:
            fixed = list(domain).index(where.axis)
            self.low[fixed] = self.high[fixed] = where.value
        self.num_points = 1 << (num_points - 1).bit_length() if self.free else 1
        self.num_drawn = 0
        self._engine = qmc.Sobol(len(self.free) or 1, rng=generator(seed, stream), bits=32)
        self._order_seed = int(generator(seed, stream + "/order").integers(2**62))

    def draw(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return the next batch, (num_points, axes)."""
        unit = np.full((self.num_points, len(self.low)), 0.5)
        if self.free:
            order = np.random.default_rng([self._order_seed, self.num_drawn])
            unit[:, self.free] = order.permutation(self._engine.random(self.num_points))
        self.num_drawn += self.num_points
        return torch.from_numpy(self.low + unit * (self.high - self.low)).to(device, dtype)

    def skip(self, num_drawn: int) -> None:
        """Continue where a sampler that has drawn `num_drawn` points stood."""
        self._engine.reset()
        if num_drawn:
            self._engine.fast_forward(num_drawn)
        self.num_drawn = num_drawn
