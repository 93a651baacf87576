"""Population-risk Gauss–Newton for problems whose Jacobian does not fit into memory.

The same iteration, trust region, choice of the ridge and reasons to stop as
`pinngate.optim.gauss_newton.solver`; only the Jacobian is an operator and the
leave-one-out leverages carry a small stochastic error. `pinngate.linear.memory_plan` says
which form fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from pinngate.linear.jacobian import Batches
from pinngate.linear.matrix_free import MatrixFreeOptions, MatrixFreeSpectrum
from pinngate.linear.rows import LinearisedRows
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions


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
    4·N·C·P operations a vector; memory as `matrix_free_memory`.
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
        self.release()  # its cache must be free before the next one is filled
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

    def release(self) -> None:
        """Free the memory of the last iteration's spectrum."""
        self.spectrum = None
