"""Leave-one-out risk and ridge steps of a linearisation whose Jacobian is never formed.

Takes the place of `dense.DenseSystem` where J does not fit. The eigenvectors of two
thousand sampled rows give a basis Ω of the leading directions of Aᵀ A; one pass over A makes of it
a Nyström preconditioner for conjugate gradients and a Galerkin space. The leverages of the
observations, the diagonal of H = A (Aᵀ A + α I)⁻¹ Aᵀ, are split as in Hutch++ (R. A. Meyer et al.,
arXiv 2010.09649; for diagonals R. A. Baston and Y. Nakatsukasa, arXiv 2201.10684): the part in Ω is
exact, the rest is estimated from random signs z on the observation rows,

    h_i = h_i(Ω) + E z_i (H z − H(Ω) z)_i.

The signs are the same at every ridge, so the risk is a smooth function of the ridge.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from pinngate.linear.conjugate_gradients import (
    NystromPreconditioner,
    RidgeSolutions,
    conjugate_gradients,
)
from pinngate.linear.dense import DenseSystem
from pinngate.linear.effort import MatrixFreeOptions
from pinngate.linear.gram import solve_gram
from pinngate.linear.rows import LinearisedRows
from pinngate.linear.system import RidgeFit

logger = logging.getLogger(__name__)

NEGLIGIBLE = 1e-8  # relative length beyond the basis below which a direction is rounding


class MatrixFreeSystem:
    """`LinearisedSystem` from products with A.

    Args:
        rows: the Jacobian [A C], already scaled.
        num_unpenalised: K.
        observed: the rows that are observations.
        ridge: about which ridges it will be asked; sets the basis.
        options: see `MatrixFreeOptions`.

    Attributes:
        rank: number of directions in the basis.
        num_passes: passes over A by conjugate gradients so far, all solves together.
        leverage_error: standard error of the leverages of the last `fits`, root mean square.

    Cost: one pass with `rank` vectors at once, then each solve a few passes.
    """

    def __init__(
        self,
        rows: LinearisedRows,
        num_unpenalised: int,
        observed: slice,
        ridge: float,
        options: MatrixFreeOptions,
    ) -> None:
        self.rows, self.options, self.observed = rows, options, observed
        self.unpenalised = rows.unpenalised[:, :num_unpenalised]
        self.num_passes = 0
        self.leverage_error = 0.0
        self.basis = _leading_directions(rows, ridge, options)
        self.rank = self.basis.shape[1]
        self.images, product = rows.gram(self.basis)
        self.preconditioner = NystromPreconditioner(self.basis, product)
        self._reduced = self._galerkin(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, P, K."""
        return self.rows.shape[0], self.rows.num_weights, self.unpenalised.shape[1]

    def decompose(self) -> None:
        """Nothing is left to do: the basis has been decomposed."""

    def apply(self, change: Tensor) -> Tensor:
        """Return A v, or A v + C c: (N,). Cost: one pass."""
        num_weights = self.rows.num_weights
        product = self.rows.forward(change[:num_weights, None])[:, 0]
        c = change[num_weights:]
        return product + self.unpenalised @ c if len(c) else product

    def _galerkin(self, images: Tensor) -> DenseSystem:
        """Return the ridge problem restricted to a space of orthonormal directions."""
        joint = torch.cat([images, self.unpenalised], 1)
        reduced = DenseSystem(joint, self.unpenalised.shape[1], self.observed, "normal")
        reduced.decompose()
        return reduced

    def solve(self, ridge: float, y: Tensor, tolerance: float) -> RidgeSolutions:
        """Return (Aᵀ A + α I)⁻¹ Aᵀ y for y (N, m), and its images."""
        rhs = self.rows.adjoint(y)
        found = conjugate_gradients(
            self.rows.gram,
            rhs,
            rhs.new_full((y.shape[1],), ridge),
            self.preconditioner,
            len(y),
            tolerance=tolerance,
            max_passes=self.options.max_passes,
        )
        self.num_passes += found.num_passes
        if found.error > tolerance:
            logger.info(
                "conjugate gradients left an error of %.1e after %d passes (rank %d)",
                found.error,
                found.num_passes,
                self.rank,
            )
        return found

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge.

        Systems are solved at the middle ridge; basis and solutions span the space in which the
        others are solved, exact in the middle and close to it elsewhere.
        """
        middle = ridges[len(ridges) // 2]
        probes = _probes(self.unpenalised, self.rows.shape[0], self.observed, self.options)
        given = torch.cat([b[:, None], self.unpenalised, probes], 1)
        solved = self.solve(middle, given, self.options.risk_tolerance)
        beyond = _images_beyond(self.rows, self.basis, solved.x)
        enriched = self._galerkin(torch.cat([self.images, beyond], 1))
        self._reduced = enriched
        plain = self._galerkin(self.images)
        found = []
        lower = plain.fits(ridges, b)
        signs = probes[self.observed]
        largest = self.rows.row_squares(self.observed)
        for k, fit in enumerate(enriched.fits(ridges, b)):
            missed = _residual(plain, fit.ridge, probes) - _residual(enriched, fit.ridge, probes)
            terms = signs * missed[self.observed]
            if signs.shape[1] == len(signs):
                rest, error = terms.sum(1), torch.zeros_like(b[self.observed])
            else:
                rest = terms.mean(1)
                error = terms.std(1) / signs.shape[1] ** 0.5
            # alone among the penalised, an observation has the leverage ‖a‖²/(‖a‖² + α)
            free = lower[k].leverage + rest
            bound = 1 - fit.ridge / (fit.ridge + largest)
            if not self.unpenalised.shape[1]:
                free = torch.minimum(free, bound)
            diagonal = (1 - free).clamp_min(1e-12)
            found.append(RidgeFit(fit.ridge, fit.residual, free, fit.residual / diagonal))
            if fit.ridge == middle:
                self.leverage_error = float(error.square().mean().sqrt())
        return found

    def best_fit(self, ridges: Sequence[float], b: Tensor) -> RidgeFit:
        """Return the fit of least risk."""
        return min(self.fits(ridges, b), key=lambda fit: fit.risk)

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c) that minimise ‖b + A v + C c‖² + ridge ‖v‖² + damping ‖c‖²."""
        given = torch.cat([b[:, None], self.unpenalised], 1)
        solved = self.solve(ridge, given, self.options.step_tolerance)
        c = b.new_zeros(self.unpenalised.shape[1])
        v = solved.x[:, 0]
        if len(c):
            t_c = self.unpenalised - solved.images[:, 1:]
            gram = self.unpenalised.T @ t_c
            gram = 0.5 * (gram + gram.T)
            gram = gram + damping * torch.eye(len(c), dtype=b.dtype, device=b.device)
            c = -solve_gram(gram, t_c.T @ b)
            v = v + solved.x[:, 1:] @ c
        return -v, c

    def is_definite(self, ridge: float) -> bool:
        """Whether solves at this ridge make sense; conjugate gradients ask for no more."""
        return ridge > 0

    def spectrum(self, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ_j within the basis, those above a twentieth of the ridge, and (v_jᵀ b)²."""
        eigenvalues, directions = (found.flip(-1) for found in self._eigenvectors())
        moments = directions.T @ self.rows.adjoint(b[:, None])[:, 0]
        return eigenvalues, moments.square() / eigenvalues.clamp_min(1e-300)

    def directions(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Return right singular vectors times √φ_j, (P, rank), and 1 − φ_j.

        Directions outside the basis keep their prior variance, which errs to the side of wide
        intervals; their filter is below a twentieth.
        """
        eigenvalues, vectors = self._eigenvectors()
        total = eigenvalues + ridge
        return vectors * (eigenvalues / total).sqrt(), ridge / total

    def _eigenvectors(self) -> tuple[Tensor, Tensor]:
        """Return eigenvalues (rank,) and eigenvectors (P, rank) of AᵀA within the basis."""
        eigen = self._galerkin(self.images).eigen
        return eigen.eigenvalues, self.basis @ eigen.vectors

    def transfer(self, ridge: float) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ C, (P, K)."""
        return self.solve(ridge, self.unpenalised, self.options.step_tolerance).x

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter over all directions; those outside the basis count as zero."""
        eigenvalues = self._reduced.eigen.eigenvalues
        smaller = min(self.rows.shape[0], self.rows.num_weights)
        return float((eigenvalues / (eigenvalues + ridge)).sum()) / smaller

    def unpenalised_gram(self, ridge: float) -> Tensor:
        """Return Cᵀ T_A C, (K, K), in the space of the last `fits`."""
        return self._reduced.unpenalised_gram(ridge)

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,). Cost: one pass."""
        return self.rows.row_squares(rows)

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g (k,), T of the space of the last `fits`."""
        return self._reduced.unshrunk(ridge, rows, residuals)


def _leading_directions(rows: LinearisedRows, ridge: float, options: MatrixFreeOptions) -> Tensor:
    generator = torch.Generator().manual_seed(options.seed)
    sampled = rows.sample(options.num_sampled, generator)
    eigenvalues, vectors = torch.linalg.eigh(sampled @ sampled.T)
    # below, eigenvectors of the sampled rows are rounding
    floor = max(options.smallest * ridge, 1e-12 * float(eigenvalues[-1]))
    rank = min(options.max_rank, max(1, int((eigenvalues > floor).sum())))
    basis: Tensor = torch.linalg.qr(sampled.T @ vectors[:, -rank:]).Q
    return basis


def _probes(like: Tensor, num_rows: int, observed: slice, options: MatrixFreeOptions) -> Tensor:
    """Return the probes on the observation rows, (N, m)."""
    num_observed = observed.stop - observed.start
    num_probes = min(options.num_probes, num_observed)
    probes = like.new_zeros(num_rows, num_probes)
    if num_probes == num_observed:
        signs = torch.eye(num_observed, dtype=probes.dtype)
    else:
        generator = torch.Generator().manual_seed(options.seed + 1)
        coins = torch.randint(0, 2, (num_observed, num_probes), generator=generator)
        signs = 2.0 * coins.to(probes.dtype) - 1.0
    probes[observed] = signs.to(probes.device)
    return probes


def _images_beyond(rows: LinearisedRows, basis: Tensor, solutions: Tensor) -> Tensor:
    """Return A V, V orthonormal, spanning what the solutions add to the basis."""
    new = solutions / solutions.norm(dim=0).clamp_min(1e-300)
    for _ in range(2):  # twice, since one projection leaves rounding of the size of `new`
        new = new - basis @ (basis.T @ new)
    squares, mixing = torch.linalg.eigh(new.T @ new)
    kept = squares > NEGLIGIBLE**2
    kept[: max(0, len(kept) - len(basis) + basis.shape[1])] = False  # no more than there can be
    return rows.forward(torch.linalg.qr(new @ mixing[:, kept]).Q)


def _residual(system: DenseSystem, ridge: float, x: Tensor) -> Tensor:
    """Return T x for x (N, m), both kinds of columns fitted."""
    columns, eigen = system.columns, system.eigen
    left = columns.residual(ridge, x, eigen.inverse(ridge, columns.reduce(x)))
    c = columns.unpenalised
    if not c.shape[1]:
        return left
    t_c = columns.residual(ridge, c, eigen.inverse(ridge, columns.reduced))
    return left - t_c @ solve_gram(c.T @ t_c, t_c.T @ x)
