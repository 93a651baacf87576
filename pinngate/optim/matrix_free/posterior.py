"""Posterior and kernel at the answer of the matrix-free solver, from the basis of its spectrum.

The counterpart of `pinngate.inference.posterior` and `pinngate.inference.kernel`. Directions
outside the basis keep their prior variance, which errs to the side of wide intervals; their filter
is below a twentieth. Residuals are tested for correlation, which widens no interval here.
"""

from __future__ import annotations

from pinngate.inference.kernel import KernelSpectrum
from pinngate.inference.linearised_fit import LinearisedFit, observed_places, robust_factor
from pinngate.inference.posterior import Posterior, residual_correlation
from pinngate.linear.jacobian import Batches, flatten
from pinngate.linear.matrix_free import MatrixFreeSpectrum
from pinngate.linear.rows import LinearisedRows
from pinngate.optim.matrix_free.solver import MatrixFreeGaussNewton


def matrix_free_fit(
    solver: MatrixFreeGaussNewton, batches: Batches
) -> LinearisedFit[MatrixFreeSpectrum]:
    """Return the last linearisation of a solver (call `finish` first), J never formed.

    Cost: that of the linear algebra of one step; P·rank numbers.
    """
    solver.release()
    rows = LinearisedRows(
        solver.model,
        solver.network,
        solver.coefficients,
        batches,
        solver.row_weights(batches),
        cache_bytes=solver.work.cache_bytes,
    )
    plain, slices = rows.residual, rows.slices
    roots = solver.noise.row_roots(plain, slices)
    rows *= roots[:, None]
    r = roots * plain
    observed = slice(slices[solver.observation_terms[0].name].start, len(plain))
    num_free = solver.coefficients.raw.numel()
    spectrum = MatrixFreeSpectrum(rows, num_free, observed, solver.ridge, solver.work)
    offset = flatten(solver.network, solver.coefficients)[: rows.num_weights] - solver.anchor
    target = r - rows[:, : rows.num_weights] @ offset
    fit = spectrum.fits([solver.ridge], target)[0]
    efficiency = robust_factor(solver, plain, slices)
    places = observed_places(solver.model, batches)
    return LinearisedFit(spectrum, target, r[observed], fit, efficiency, *places)


def matrix_free_posterior(
    solver: MatrixFreeGaussNewton, batches: Batches, stated_std: float | None = None
) -> Posterior:
    """Return the posterior at a solver's present iterate (call `finish` first).

    Args:
        solver: supplies ridge, row weights and noise model.
        batches: points of every term.
        stated_std: noise that the data state, in data units: the variance is never taken below it.
    """
    fit = matrix_free_fit(solver, batches)
    spectrum, ridge = fit.spectrum, fit.ridge
    variance = fit.variance(None if stated_std is None else stated_std / solver.unit)
    eigenvalues, directions = spectrum.directions()
    transfer = spectrum.solve(ridge, spectrum.unpenalised, solver.work.step_tolerance).x
    tested = residual_correlation(fit)
    return Posterior(
        ridge=ridge,
        variance=variance,
        degrees_of_freedom=fit.degrees_of_freedom,
        leverage=fit.observed.leverage,
        directions=directions * (eigenvalues / (eigenvalues + ridge)).sqrt(),
        transfer=transfer,
        coefficient_covariance=solver.coefficient_covariance(spectrum, variance),
        correlation=None if tested is None else tested[0],
    )


def matrix_free_kernel(fit: LinearisedFit[MatrixFreeSpectrum]) -> KernelSpectrum:
    """Return the kernel spectrum within the basis: the leading eigenvalues, those above α/20."""
    rows = fit.spectrum.rows
    eigenvalues, directions = (found.flip(-1) for found in fit.spectrum.directions())
    moments = directions.T @ rows.adjoint(fit.target[:, None])[:, 0]
    return KernelSpectrum(
        eigenvalues.cpu().numpy(),
        (moments.square() / eigenvalues.clamp_min(1e-300)).cpu().numpy(),
        float(fit.target.square().sum()),
        fit.ridge,
        fit.observed.effective_dimension,
        len(fit.residual),
        rows.shape[0],
        rows.num_weights,
    )


__all__ = ["matrix_free_fit", "matrix_free_kernel", "matrix_free_posterior"]
