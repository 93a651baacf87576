"""Posterior at the answer of the matrix-free solver, from the basis of its spectrum.

The counterpart of `pinngate.posterior.gauss_newton_posterior`. Directions outside the basis keep
their prior variance, which errs to the side of wide intervals; their filter is below a twentieth.
"""

from __future__ import annotations

from pinngate.optim.jacobian import Batches, flatten
from pinngate.optim.matrix_free.rows import LinearisedRows
from pinngate.optim.matrix_free.solver import MatrixFreeGaussNewton
from pinngate.optim.matrix_free.spectrum import MatrixFreeSpectrum
from pinngate.posterior import Posterior, robust_factor


def matrix_free_posterior(
    solver: MatrixFreeGaussNewton, batches: Batches, stated_std: float | None = None
) -> Posterior:
    """Return the posterior at a solver's present iterate (call `finish` first).

    Args:
        solver: supplies ridge, row weights and noise model.
        batches: points of every term.
        stated_std: noise that the data state, in data units: the variance is never taken below it.

    Cost: that of the linear algebra of one step; P·rank numbers.
    """
    rows = LinearisedRows(
        solver.model,
        solver.network,
        solver.coefficients,
        batches,
        solver.row_weights(batches),
        cache_bytes=solver.work.cache_bytes,
    )
    plain, slices = rows.residual, rows.slices
    roots = solver.row_roots(plain, slices)
    rows *= roots[:, None]
    observed = slice(slices[solver.observation_terms[0].name].start, len(plain))
    num_free = solver.coefficients.raw.numel()
    spectrum = MatrixFreeSpectrum(rows, num_free, observed, solver.ridge, solver.work)
    offset = flatten(solver.network, solver.coefficients)[: rows.num_weights] - solver.anchor
    fit = spectrum.fits([solver.ridge], roots * plain - rows[:, : rows.num_weights] @ offset)[0]
    free = max(1.0, len(plain) - observed.start - fit.effective_dimension)
    variance = float((roots * plain)[observed].square().sum()) / free
    variance *= robust_factor(solver, plain, slices)
    if stated_std is not None:
        variance = max(variance, (stated_std / solver.unit) ** 2)
    eigenvalues, directions = spectrum.directions()
    transfer = spectrum.solve(solver.ridge, spectrum.unpenalised, solver.work.step_tolerance).x
    return Posterior.from_state_dict(
        {
            "ridge": float(solver.ridge),
            "variance": variance,
            "degrees_of_freedom": free,
            "leverage": fit.leverage,
            "directions": directions * (eigenvalues / (eigenvalues + solver.ridge)).sqrt(),
            "transfer": transfer,
            "coefficient_covariance": variance * spectrum.unpenalised_covariance(solver.ridge),
        }
    )


__all__ = ["matrix_free_posterior"]
