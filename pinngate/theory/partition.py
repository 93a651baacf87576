"""Signal channel and test-invisible reservoir: the two parts into which a run divides its rows.

The eigenvectors of the dissipation 2 W (`gramian`), restricted to some rows, have eigenvalues from
0 (untouched) to 1 (gone). A direction belongs to the *signal channel* where more than half of its
amplitude is gone, 2w > 3/4; for a ridge fit that is φ = λ/(λ + α) > 1/2, as `pinngate spectrum`
counts. What remains is the *reservoir*. Of white noise on n rows a channel of d directions takes
d/n in the mean, whatever the optimizer: the reservoir's share of noise is a count of directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.theory.gramian import Response

CHANNEL = 0.75  # dissipated share of the energy at which half of the amplitude is gone


@dataclass(frozen=True)
class Partition:
    """Directions of some rows, most dissipated first.

    Attributes:
        rows: which rows of the run.
        dissipated: 2w (k,), the share of each direction's energy that is gone.
        directions: (k, k), orthonormal columns over these rows.
        visibility: ‖M v‖ (k,), what a unit of each moved the test outputs by.
        bound: (k,) of `Response.bound`; visibility never exceeds it.
    """

    rows: slice
    dissipated: Tensor
    directions: Tensor
    visibility: Tensor
    bound: Tensor

    @property
    def num_channel(self) -> int:
        """How many directions are signal channel."""
        return int((self.dissipated > CHANNEL).sum())

    def shares(self, vector: Tensor) -> Tensor:
        """Return (v_jᵀ x)²/‖x‖² (k,) of a vector x over these rows."""
        energy = (self.directions.T @ vector).square()
        return energy / energy.sum().clamp_min(1e-300)

    def channel_share(self, vector: Tensor) -> float:
        """Return the share of a vector's energy in the signal channel."""
        return float(self.shares(vector)[: self.num_channel].sum())

    def in_channel(self, vector: Tensor) -> Tensor:
        """Return the part of a vector (k,) that lies in the signal channel."""
        basis = self.directions[:, : self.num_channel]
        return basis @ (basis.T @ vector)

    @property
    def is_bound_met(self) -> bool:
        """Whether no direction moved the test outputs by more than the theorem allows."""
        slack = 1e-9 * float(self.bound.max())
        return bool((self.visibility <= self.bound + slack).all())

    def null_visibility(self, threshold: float) -> float:
        """Return the largest ‖M v‖ of directions with 2w < threshold over the largest of all."""
        hidden = self.visibility[self.dissipated < threshold]
        if not len(hidden):
            return 0.0
        return float(hidden.max() / self.visibility.max().clamp_min(1e-300))


def partition(response: Response, rows: slice) -> Partition:
    """Divide some rows of a run, others held.

    Args:
        response: of the run, N rows.
        rows: k of them, such as those of the observations; ``slice(None)`` for all.

    Cost: k³ and m k N.
    """
    dissipation = 2 * response.gramian[rows, rows]
    values, vectors = torch.linalg.eigh(0.5 * (dissipation + dissipation.T))
    values, vectors = values.flip(0), vectors.flip(1)
    whole = response.gramian.new_zeros(len(response.gramian), vectors.shape[1])
    whole[rows] = vectors
    moved = (response.displacement @ whole).norm(dim=0)
    return Partition(rows, values, vectors, moved, response.bound(whole))
