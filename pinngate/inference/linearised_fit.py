"""The fit in its last linearisation: rows, target, ridge and leverages at the answer.

Stands before what is read off the linear model: its posterior (`posterior`) and its kernel spectrum
(`kernel`). Gauss–Newton brings its ridge and its noise model (`pinngate.optim`); for weights that
some other optimizer has found, the ridge is the one of least leave-one-out risk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from pinngate.errors import InputError
from pinngate.inference.misfit import against_stated
from pinngate.linear.forms import DenseForm, Form, Trial
from pinngate.linear.jacobian import Batches, row_weights
from pinngate.linear.linearisation import linearise
from pinngate.linear.system import LinearisedSystem, RidgeFit
from pinngate.model.residuals import ResidualModel

RIDGES = [10.0 ** (k / 4) for k in range(-40, 9)]  # of the squared size of an observation's row


@dataclass(frozen=True)
class LinearisedFit:
    """``min ‖b + A v + C c‖² + α ‖v‖²`` about the answer; v is measured from the ridge's centre.

    Attributes:
        system: of all rows; observations come last.
        target: b (N,), what the linear model is to explain.
        residual: of the observation rows at the answer (n,), in the rows' units.
        observed: the ridge fit seen from the observation rows.
        efficiency: factor on Σ r² that corrects for reweighted rows, 1 for Gaussian noise.
        places: points (n_k, axes) of every set of observations.
        time: the column of time in them, None where there is none.
        counts: as how many values each counts for the size of the noise, (n,); None for ones.
        free: whose errors no bound has selected, (n,); None for all.
    """

    system: LinearisedSystem
    target: Tensor
    residual: Tensor
    observed: RidgeFit
    efficiency: float = 1.0
    places: tuple[Tensor, ...] = ()
    time: int | None = None
    counts: Tensor | None = None
    free: Tensor | None = None

    @property
    def ridge(self) -> float:
        """The ridge α."""
        return self.observed.ridge

    @property
    def degrees_of_freedom(self) -> float:
        """Return Σ counts − d, d the effective dimension, at least 1."""
        count = len(self.residual) if self.counts is None else float(self.counts.sum())
        return max(1.0, count - self.observed.effective_dimension)

    def noise(self, stated_std: float | None = None) -> tuple[float, float]:
        """Return σ² and of how many degrees of freedom it is.

        What the data state stands, and is known, unless the residuals are clearly larger.
        """
        free = self.degrees_of_freedom
        squares = self.efficiency * float(self.residual.square().sum())
        if stated_std is None or against_stated(squares / stated_std**2, free).is_clear:
            return squares / free, free
        return stated_std**2, math.inf


def fit_at_weights(
    trial: Trial,
    batches: Batches,
    by_term: Mapping[str, float],
    anchor: Tensor | None = None,
    form: Form | None = None,
) -> LinearisedFit:
    """Return the linearisation at weights that some other optimizer has found.

    Args:
        trial: the terms, the fitted network in double precision, the fitted coefficients.
        batches: points of every term.
        by_term: weight of each term's rows, 1 for observations.
        anchor: weights the ridge pulls to, (P,); zero by default.
        form: of the linearisation; the Jacobian is formed by default.

    The ridge is found by scanning the leave-one-out risk over twelve decades.

    Raises:
        InputError: there are no observations.
    """
    model, network, _ = trial
    if not any(term.kind == "observation" for term in model.terms):
        raise InputError("a posterior needs observations")
    if anchor is None:
        anchor = network.low.new_zeros(network.num_parameters)
    weights = row_weights(model, batches, by_term)
    line = linearise(form or DenseForm(), trial, batches, weights, anchor)
    size = float(line.system.row_squares(line.weights.observed).mean())
    fit = line.system.best_fit([size * ridge for ridge in RIDGES], line.target)
    places = observed_places(model, batches)
    return LinearisedFit(line.system, line.target, line.observed, fit, 1.0, *places)


def observed_places(
    model: ResidualModel, batches: Batches
) -> tuple[tuple[Tensor, ...], int | None]:
    """Return where each set of observations was taken, and which axis is time."""
    points = [batches[t.name].points for t in model.terms if t.kind == "observation"]
    places = tuple(p if p.ndim == 2 else p.mean(1) for p in points)  # a mean, at its middle
    return places, model.axes.index("t") if "t" in model.axes else None
