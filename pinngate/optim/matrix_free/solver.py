"""Population-risk Gauss–Newton for problems whose Jacobian does not fit into memory.

The same iteration, trust region, choice of the ridge and reasons to stop as
`pinngate.optim.population_risk_gauss_newton`; only the Jacobian is an operator and the
leave-one-out leverages carry a small stochastic error. `estimate_memory` says which form fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pinngate.coefficients import Coefficients
from pinngate.networks import Network
from pinngate.optim.jacobian import Batches
from pinngate.optim.matrix_free.rows import TILE, LinearisedRows
from pinngate.optim.matrix_free.spectrum import MatrixFreeOptions, MatrixFreeSpectrum
from pinngate.optim.population_risk_gauss_newton import (
    GaussNewtonOptions,
    PopulationRiskGaussNewton,
)
from pinngate.residuals import ResidualModel

if TYPE_CHECKING:
    from pinngate.posterior import Posterior

NUMBER = 8  # bytes of a double


class MatrixFreeGaussNewton(PopulationRiskGaussNewton):
    """`PopulationRiskGaussNewton` without the Jacobian.

    Args:
        model: the terms; at least one must be an observation.
        network: its present weights are the start and the centre of the ridge.
        coefficients: unknown coefficients, may be empty.
        options: of the iteration.
        work: of the linear algebra.

    Attributes:
        spectrum: of the last iteration: its rank, passes and error of the leverages.

    Raises:
        InputError: no observations; network not in double precision.

    Cost of a step: one pass with the basis and some tens of passes with a few vectors, each
    4·N·C·P operations a vector; memory as `estimate_memory`.
    """

    def __init__(
        self,
        model: ResidualModel,
        network: Network,
        coefficients: Coefficients,
        options: GaussNewtonOptions | None = None,
        work: MatrixFreeOptions | None = None,
    ) -> None:
        # a correction would cost a second solve, which here is what a step costs
        plain = replace(options or GaussNewtonOptions(), is_accelerated=False)
        super().__init__(model, network, coefficients, plain)
        self.work = work or MatrixFreeOptions()
        self.spectrum: MatrixFreeSpectrum | None = None

    def _linearise(
        self, batches: Batches, weights: Mapping[str, float]
    ) -> tuple[Any, Tensor, dict[str, slice]]:
        self.spectrum = None  # its cache must be free before the next one is filled
        rows = LinearisedRows(
            self.model,
            self.network,
            self.coefficients,
            batches,
            weights,
            cache_bytes=self.work.cache_bytes,
        )
        return rows, rows.residual, rows.slices

    def _decompose(self, rows: LinearisedRows, num_unpenalised: int, observed: slice) -> Any:
        self.spectrum = MatrixFreeSpectrum(rows, num_unpenalised, observed, self.ridge, self.work)
        return self.spectrum

    def posterior(self, batches: Batches, stated_std: float | None = None) -> Posterior:
        """Return the uncertainty at the present iterate, without ever forming J."""
        from pinngate.optim.matrix_free.posterior import matrix_free_posterior

        return matrix_free_posterior(self, batches, stated_std)


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that one iteration needs beside the library itself."""

    dense: int
    matrix_free: int


def estimate_memory(
    num_rows: int,
    num_parameters: int,
    *,
    width: int,
    num_channels: int = 3,
    depth: int = 3,
    work: MatrixFreeOptions | None = None,
) -> MemoryEstimate:
    """Return the memory of both forms of a step.

    Args:
        num_rows: N, all residuals.
        num_parameters: P, weights and coefficients.
        width: of the layers.
        num_channels: derivatives that the equation carries.
        depth: hidden layers.
        work: options of the matrix-free form.

    Dense: J twice (products of it are transient) and the smaller Gram matrix three times (itself,
    its eigenvectors, the workspace of the decomposition). Matrix-free: the cache, the factors and
    the tape of one tile, the sampled rows twice, basis, product, and the preconditioner's vectors
    with one transient, all P × rank, and the images.
    """
    work = work or MatrixFreeOptions()
    smaller = min(num_rows, num_parameters)
    dense = 2 * num_rows * num_parameters + 3 * smaller**2
    per_point = 2 * width * (depth + 1) * num_channels
    cache = min(work.cache_bytes, NUMBER * num_rows * per_point)
    tile = 8 * min(num_rows, TILE) * per_point
    sampled = min(work.num_sampled, num_rows)
    rank = min(work.max_rank, sampled)
    directions = max(2 * sampled, 5 * rank) * num_parameters + 4 * rank * num_rows
    return MemoryEstimate(NUMBER * dense, int(cache) + NUMBER * (tile + directions))
