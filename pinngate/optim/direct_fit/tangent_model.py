"""The linear model at the answer of a direct fit: its tangents at the data, one row each value.

Between `solved_fields` and `candidate`. Rows are in the unit that all fields share, each over the
noise of its value, so that the ridge is that noise's variance where the prior's variance of scaled
weights is one. Scalar coefficients are the columns without a ridge; posterior, spectrum and
leave-one-out errors are read off the model as off any other linearisation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pinngate.inference.posterior import Posterior
from pinngate.linear.columns import JacobianColumns
from pinngate.linear.factored import FactoredSystem
from pinngate.linear.jacobian import row_weights
from pinngate.linear.linearisation import Linearisation
from pinngate.model.residuals import ResidualModel
from pinngate.optim.direct_fit.fit_figures import FitFigures
from pinngate.optim.direct_fit.solved_fields import SolvedFields
from pinngate.optim.direct_fit.through_solver import DirectFit
from pinngate.points.batches import BatchSource


class TangentModel:
    """The tangents of one fit at its data.

    Args:
        fit: the answer.
        fields: its trial space, whose scales the columns take.
        model: the residuals of the observations.
        source: the data, a set for each of those terms.

    Attributes:
        unit: size of the fields.
        ridge: α of the prior, in units of the noise.
    """

    def __init__(
        self, fit: DirectFit, fields: SolvedFields, model: ResidualModel, source: BatchSource
    ) -> None:
        self.fit, self.fields, self.model, self.source = fit, fields, model, source
        pairs = zip(model.terms, source.sets, strict=True)
        scales = [torch.full((len(o.values),), t.scale, dtype=torch.float64) for t, o in pairs]
        self._scales = torch.cat(scales)
        stds = fit.rows.std / self._scales.numpy()
        self._common = float(np.mean(stds**-2.0) ** -0.5)
        self.unit = fields.unit
        self.ridge = (self._common / self.unit) ** 2

    def precision(self) -> dict[str, float]:
        """Return the factor that brings each term to the common noise, by its name."""
        pairs = zip(self.model.terms, self.source.sets, strict=True)
        return {t.name: self._common * t.scale / self.fit.noise_std[o.name] for t, o in pairs}

    def linearisation(self) -> Linearisation:
        """Return the model as rows of the data; its centre is θ = 0 but for the coefficients.

        Cost: a copy of the Jacobian; its factors are made when somebody asks for them.
        """
        fit, scalars = self.fit, self.fit.unknowns.scalars
        by_term = {t.name: 1 / self.unit for t in self.model.terms}
        weights = row_weights(self.model, self.source.observations, by_term)
        factor = torch.as_tensor(self._common / self.unit / fit.rows.std)
        scaled = factor[:, None] * torch.as_tensor(fit.rows.jacobian)
        a = scaled * torch.as_tensor(self.fields.scale)
        c = a[:, scalars].clone()
        a[:, scalars] = 0.0
        columns = torch.cat([a, a.new_zeros(len(a), 1), c], 1)
        system = FactoredSystem(JacobianColumns(columns, c.shape[1], weights.observed, "normal"))
        residual = factor * torch.as_tensor(fit.rows.residual)
        theta = torch.as_tensor(fit.theta / self.fields.scale)
        theta[scalars] = 0.0
        offset = torch.cat([theta, theta.new_zeros(1)])
        target = residual - system.apply(offset)
        roots = factor * self.unit * self._scales
        plain = residual / roots
        tallies, free = (torch.tensor(own) for own in (fit.rows.counts, fit.rows.free))
        weights = replace(weights, roots=roots, tallies=tallies, free=free)
        return Linearisation(weights, plain, residual, target, offset, system)

    def figures(self) -> FitFigures:
        """Return what the fit is judged by."""
        line = self.linearisation()
        found = line.system.fits([self.ridge], line.target)[0]
        return FitFigures(
            unit=self.unit,
            risk=found.risk,
            training_risk=float(line.observed.square().mean()),
            errors=found.leave_one_out,
            dimension=found.effective_dimension,
        )

    def _doubt(self) -> torch.Tensor:
        """Return what the choice of the ridges leaves uncertain, as `Posterior` has it."""
        found, scalars = self.fit.doubt.T, self.fit.unknowns.scalars
        nothing = np.zeros((len(found), 1))
        rows = [found / self.fields.scale, nothing, found[:, scalars]]
        return torch.as_tensor(np.concatenate(rows, axis=1))

    def complete(self, posterior: Posterior) -> None:
        """Let the fields' tangents move with the coefficients, whose profiles end intervals."""
        scalars = self.fit.unknowns.scalars
        count = scalars.stop - scalars.start
        places = torch.arange(scalars.start, scalars.stop)
        known = posterior.directions.new_zeros(len(posterior.directions), count)
        known[places, torch.arange(count)] = 1.0
        posterior.directions = torch.cat([posterior.directions, known], 1)
        posterior.remainders = torch.cat([posterior.remainders, known.new_zeros(count)])
        posterior.transfer[places] = -torch.eye(count, dtype=posterior.transfer.dtype)
        posterior.doubt = self._doubt()
        if self.fit.sampled is not None:
            posterior.drawn = torch.as_tensor(self.fit.sampled.covariance)
        posterior.stretch = torch.as_tensor(self.fit.stretched(posterior.quantile))
        if posterior.sandwich is not None and count:
            posterior.sandwich[:, places] = posterior.sandwich[:, -count:].clone()
