"""Uncertainty of a fitted network: standard deviations of the fields anywhere, and of coefficients.

Stands after any optimizer. The residuals are linearised at the fitted weights; the posterior
covariance of weights and coefficients is ``σ̂² (JᵀJ + α I_w)⁻¹`` with J over all rows, the equations
and conditions being pseudo-observations of zero (Laplace's approximation; D. J. C. MacKay, Neural
Computation 4, 1992; for splines G. Wahba, J. R. Statist. Soc. B 45, 1983). σ̂² is estimated from
the observation rows and α is the ridge of least leave-one-out risk, so nothing is assumed of the
noise; where data state theirs, the larger of the two counts. Where residuals of neighbours are
correlated (`series`), the model does not fit and n values do not count as n: intervals then come
from the sandwich over series or blocks where it is the wider one. An interval is only as good as
the fit: where the risk is far above the noise, it is not to be trusted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.errors import InputError
from pinngate.inference.linearised_fit import LinearisedFit, fit_at_weights
from pinngate.inference.sandwich import add_sandwich
from pinngate.inference.series import Correlation
from pinngate.linear.forms import Trial
from pinngate.linear.gram import UNDETERMINED, inverse_gram
from pinngate.linear.jacobian import Batches, write_rows
from pinngate.linear.system import LinearisedSystem
from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import backward, forward
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network

MAX_TILE = 1 << 22  # numbers in one tile of field gradients: 32 MiB in double precision
CANCELLED = 1e-10  # of a difference of squares, below which digits are lost


@dataclass(frozen=True)
class CoefficientInterval:
    """Estimate, standard deviation and 95 % interval of one coefficient."""

    estimate: float
    std: float
    lower: float
    upper: float


@dataclass(eq=False)
class Posterior:
    """Gaussian posterior of weights and coefficients at a fit.

    The covariance is never formed: right singular vectors of the penalised columns and the Schur
    complement of the others suffice.

    Attributes:
        ridge: α > 0.
        variance: σ̂², in the units of the rows' squares.
        degrees_of_freedom: n − d of that estimate, which widens intervals of few data.
        leverage: h_ii of the observation rows (n,), for their leave-one-out residuals.
        directions: (P, m) right singular vectors times √φ: what data and physics take away from the
            prior variance.
        remainders: (m,) 1 − φ, of which little is left to rounding where the data tell nearly all.
        transfer: (P, K) how the weights that fit best move with the coefficients.
        coefficient_covariance: (K, K), of the raw coefficients.
        information: its inverse, which also knows what the data leave open; None without noise.
        sandwich: (groups, P + K) what each group of values adds to weights and coefficients, where
            residuals are correlated; else None. The sum of their squares is a variance.
        correlation: of neighbouring residuals, None where it was not tested.
        doubt: (m, P + K) what it adds that the ridge is chosen, as rows whose squares are summed.
        stretch: (2, K) lower and upper sides of the coefficients' intervals beside those of the
            linear model, None where that is all that is known.
        drawn: covariance (K, K) of the raw coefficients that draws have told, which counts for them
            in place of that of the linear model; None where there were none.
    """

    ridge: float
    variance: float
    degrees_of_freedom: float
    leverage: Tensor
    directions: Tensor
    remainders: Tensor
    transfer: Tensor
    coefficient_covariance: Tensor
    information: Tensor | None = None
    sandwich: Tensor | None = None
    correlation: Correlation | None = None
    doubt: Tensor | None = None
    stretch: Tensor | None = None
    drawn: Tensor | None = None

    @classmethod
    def of(
        cls,
        system: LinearisedSystem,
        ridge: float,
        variance: float,
        degrees_of_freedom: float,
        leverage: Tensor | None = None,
    ) -> Posterior:
        """Return the posterior at a ridge.

        Args:
            system: of the rows of all terms, P penalised and K other columns.
            ridge: α > 0.
            variance: σ̂².
            degrees_of_freedom: n − d.
            leverage: of the observation rows; None where nobody will ask.

        Raises:
            InputError: the ridge is not positive.

        Cost: P·m² operations in the dual form, m = min(N, P); memory P·m.
        """
        if not ridge > 0:
            raise InputError(f"the ridge is {ridge}", expected="a positive number")
        system.decompose()
        directions, remainders = system.directions(ridge)
        gram = system.unpenalised_gram(ridge)
        return cls(
            float(ridge),
            float(variance),
            float(degrees_of_freedom),
            directions.new_empty(0) if leverage is None else leverage,
            directions,
            remainders,
            system.transfer(ridge),
            variance * inverse_gram(gram),
            gram / variance if variance > 0 else None,
        )

    @property
    def is_widened(self) -> bool:
        """Whether intervals allow for correlated residuals."""
        return self.sandwich is not None

    @property
    def quantile(self) -> float:
        """Half width of a 95 % interval in standard deviations (Student's t)."""
        return student_quantile(self.degrees_of_freedom)

    def variance_of(self, gradient: Tensor, by_coefficient: Tensor | None = None) -> Tensor:
        """Return the variance (n,) of linear functionals g·w + h·c.

        Args:
            gradient: g (n, P), of the weights.
            by_coefficient: h (n, K), of the raw coefficients; none by default.
        """
        variance = self.model_variance_of(gradient, by_coefficient)
        if self.sandwich is None:
            return variance
        influence = self._along(self.sandwich, gradient, by_coefficient)
        return torch.maximum(variance, influence.square().sum(1))

    @staticmethod
    def _along(moves: Tensor, gradient: Tensor, by_coefficient: Tensor | None) -> Tensor:
        """Return what moves (m, P + K) do to functionals, (n, m)."""
        along = gradient @ moves[:, : gradient.shape[1]].T
        if by_coefficient is not None and by_coefficient.shape[1]:
            along = along + by_coefficient @ moves[:, -by_coefficient.shape[1] :].T
        return along

    def model_variance_of(self, gradient: Tensor, by_coefficient: Tensor | None = None) -> Tensor:
        """Return the same, residuals taken as independent."""
        left = self._left(gradient)
        shift = gradient @ self.transfer
        if by_coefficient is not None:
            shift = shift - by_coefficient
        free = torch.sum(shift @ self.coefficient_covariance * shift, 1)
        if self.doubt is not None:
            free = free + self._along(self.doubt, gradient, by_coefficient).square().sum(1)
        return left * (self.variance / self.ridge) + free

    @property
    def filters(self) -> Tensor:
        """φ of every direction, (m,): of weak ones more exact than one less the remainder."""
        return self.directions.square().sum(0).clamp_min(1e-300)

    def _left(self, gradient: Tensor) -> Tensor:
        """Return what is left of the prior variance of g·w, in units of it, (n,).

        Σ (1 − φ_j)(v_j·g)² + ‖g − Σ (v_j·g) v_j‖², the second as a difference of squares, but
        where that is rounding: under a weak ridge rounding would be most of the answer.
        """
        along = gradient @ self.directions
        filters = self.filters
        within = along.square() @ (self.remainders / filters)
        prior = gradient.square().sum(1)
        outside = prior - along.square() @ (1 / filters)
        close = outside < CANCELLED * prior
        if bool(close.any()):
            apart = gradient[close] - (along[close] / filters) @ self.directions.T
            outside[close] = apart.square().sum(1)
        return within + outside.clamp_min(0.0)

    def members_at(self, network: Network) -> list[Member]:
        """Return the network of the answer with this posterior, as the one member of a mean."""
        return [Member(network, 1.0, self)]

    def std(self, network: Network, points: Tensor) -> Tensor:
        """Return the standard deviation of every field at points (N, axes): (N, fields).

        Cost: N·P·m operations, m directions; memory bounded by tiles of points.
        """
        std = points.new_empty(len(points), network.num_outputs)
        for rows, field, gradient in field_gradients(network, points):
            std[rows, field] = self.variance_of(gradient).sqrt()
        return std

    def _widths(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """Return standard deviations of the raw coefficients, (K,), and the quantiles of a level.

        Of posterior and sandwich the wider one counts, each with the quantile of its own degrees
        of freedom.
        """
        if self.drawn is not None:
            raw_std = self.drawn.diagonal().sqrt()
            return raw_std, torch.full_like(
                raw_std, student_quantile(self.degrees_of_freedom, level)
            )
        variance = self.coefficient_covariance.diagonal().clamp_min(0)
        if self.doubt is not None:
            variance = variance + self.doubt[:, self.doubt.shape[1] - len(variance) :].square().sum(
                0
            )
        raw_std = variance.sqrt()
        quantile = torch.full_like(raw_std, student_quantile(self.degrees_of_freedom, level))
        if self.sandwich is not None and len(raw_std):
            other = self.sandwich[:, -len(raw_std) :].square().sum(0).sqrt()
            wide = student_quantile(len(self.sandwich) - 1, level)
            is_wider = wide * other > quantile * raw_std
            raw_std = torch.where(is_wider, other, raw_std)
            quantile = torch.where(is_wider, torch.full_like(quantile, wide), quantile)
        return raw_std, quantile

    def _is_loose(self) -> Tensor:
        """Return which coefficients have a part in directions that the data leave free, (K,).

        Those directions are left at zero when the covariance is made, which is singular there.
        """
        own = self.coefficient_covariance.diagonal().clamp_min(1e-300).sqrt()
        values, vectors = torch.linalg.eigh(self.coefficient_covariance / own[:, None] / own)
        free = vectors[
            :, (values <= UNDETERMINED * values.clamp_min(0).sum()) & (self.variance > 0)
        ]
        return free.square().sum(1) > UNDETERMINED**0.5

    @property
    def raw_covariance(self) -> Tensor:
        """Covariance of the raw coefficients, (K, K), allowing for correlated residuals."""
        if self.drawn is not None:
            return self.drawn
        own = self.coefficient_covariance.diagonal().clamp_min(1e-300).sqrt()
        widened = torch.clamp_min(self.raw_std / own, 1.0)
        return widened[:, None] * self.coefficient_covariance * widened

    @property
    def raw_std(self) -> Tensor:
        """Standard deviations of the raw coefficients, (K,), allowing for correlated residuals."""
        return self._widths()[0]

    def coefficients(
        self, coefficients: Coefficients, level: float = 0.95
    ) -> dict[str, CoefficientInterval]:
        """Return estimates and intervals of a level; bounds of a coefficient hold for both.

        Made in the raw parameter (the logarithm of a positive coefficient), symmetric there but for
        a `stretch`, and mapped from there; infinite for those that the data tell only together with
        others.
        """
        raw_std, quantile = self._widths(level)
        if self.drawn is None:
            raw_std = torch.where(self._is_loose(), torch.inf, raw_std)
        values, slopes = coefficients.values_and_slopes()
        ends = []
        for side, sign in enumerate((-1.0, 1.0)):
            moved = copy.deepcopy(coefficients)
            stretch = 1.0 if self.stretch is None else self.stretch[side].to(raw_std)
            with torch.no_grad():
                moved.raw.add_(sign * quantile * raw_std * stretch)
            ends.append(moved.values_and_slopes()[0])
        return {
            name: CoefficientInterval(
                float(values[k]),
                float(slopes[k].abs() * raw_std[k]),
                float(torch.minimum(ends[0][k], ends[1][k])),
                float(torch.maximum(ends[0][k], ends[1][k])),
            )
            for k, name in enumerate(coefficients.names)
        }


@dataclass(frozen=True)
class Member:
    """A network at its answer, its share w of a mean of networks, and its own posterior."""

    network: Network
    share: float
    posterior: Posterior


def field_gradients(network: Network, points: Tensor) -> Iterator[tuple[slice, int, Tensor]]:
    """Yield the gradients of every output over the weights, a tile of points at a time.

    Args:
        network: the network, P weights.
        points: (N, axes).

    Yields:
        Rows of the points, the output, and its gradient there, (n, P).
    """
    zero = (0,) * points.shape[1]
    plan = Plan(tuple(str(k) for k in range(points.shape[1])), (zero,), (), (), {})
    tile = max(1, MAX_TILE // network.num_parameters)
    for start in range(0, len(points), tile):
        part = points[start : start + tile]
        propagation = forward(network, plan, part, {})
        for field in range(network.num_outputs):
            adjoints = torch.zeros_like(propagation.outputs)
            adjoints[0, :, field] = 1.0
            rows = part.new_empty(len(part), network.num_parameters)
            write_rows(network, backward(propagation, adjoints), rows)
            yield slice(start, start + len(part)), field, rows


def student_quantile(degrees_of_freedom: float, level: float = 0.95) -> float:
    """Return the half width of an interval of that level in standard deviations (Student's t)."""
    from scipy.special import stdtrit

    return float(stdtrit(max(1.0, degrees_of_freedom), 0.5 + level / 2))


def laplace_posterior(
    trial: Trial,
    batches: Batches,
    by_term: Mapping[str, float],
    anchor: Tensor | None = None,
    stated_std: float | None = None,
) -> Posterior:
    """Return Laplace's posterior at weights that some other optimizer has found.

    The arguments are those of `fit_at_weights`; `stated_std` as in `posterior_of`.

    Raises:
        InputError: there are no observations.
    """
    return posterior_of(fit_at_weights(trial, batches, by_term, anchor), stated_std)


def posterior_of(fit: LinearisedFit, stated_std: float | None = None) -> Posterior:
    """Return the posterior of a linearised fit.

    Args:
        fit: at the answer.
        stated_std: noise that the data state, in the rows' units: it stands unless the residuals
            are clearly larger.
    """
    noise = fit.noise(stated_std)
    posterior = Posterior.of(fit.system, fit.ridge, *noise, fit.observed.leverage)
    add_sandwich(posterior, fit)
    return posterior


__all__ = [
    "CoefficientInterval",
    "Posterior",
    "laplace_posterior",
    "posterior_of",
    "student_quantile",
]
