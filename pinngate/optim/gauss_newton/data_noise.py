"""The noise of each observation set while it is fitted: its size, and whether its tails are heavy.

Sets of unequal noise are brought to a common one, and outliers lose weight under a model with heavy
tails (iteratively reweighted least squares). Below the solver, which asks for factors on its rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pinngate.inference.noise_model import (
    GaussianNoise,
    NoiseModel,
    fit_noise,
    from_state,
    to_state,
)
from pinngate.inference.ridge import RidgeFit
from pinngate.optim.gauss_newton.jacobian import Rows

# Values by which the noise of all sets counts in that of one: few values that the fit follows
# freely tell nothing of their noise, and would end with all the weight.
POOLED = 2.0


class DataNoise:
    """Noise of the observation terms, in units of the rows.

    Args:
        names: of the terms.

    Attributes:
        models: Gaussian or with heavy tails, by term.
        precision: factor that brings each term to the common noise.
        stated: noise of the terms whose data state it; the others' is estimated.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.models: dict[str, NoiseModel] = {name: GaussianNoise() for name in names}
        self.precision = dict.fromkeys(names, 1.0)
        self.stated: Mapping[str, float] = {}

    def row_roots(self, plain: Tensor, slices: Rows) -> Tensor:
        """Return the factor on each row (N,): relative precision times √ω of its model.

        Args:
            plain: residuals, (N,).
            slices: rows of each term; those of others keep one.
        """
        roots = torch.ones_like(plain)
        for name, model in self.models.items():
            rows = slices[name]
            roots[rows] = self.precision[name] * model.weights(plain[rows]).sqrt()
        return roots

    def risk(self, errors: Tensor, roots: Tensor, slices: Rows, observed: slice) -> float:
        """Return the mean of errors² over all observations, by likelihood where tails are heavy.

        Args:
            errors: weighted residuals of the observation rows, (n,).
            roots: what `row_roots` returned for all rows.
            slices: rows of each term.
            observed: rows of all observations.
        """
        total = 0.0
        for name, model in self.models.items():
            own, precision = _own(slices[name], observed), self.precision[name]
            if not model.is_heavy:
                total += float(errors[own].square().sum())
            else:
                plain = errors[own] / roots[slices[name]]
                total += len(plain) * precision**2 * model.equivalent_variance(plain)
        return total / len(errors)

    def stds(self, r: Tensor, fit: RidgeFit, slices: Rows, observed: slice) -> list[float]:
        """Return the estimated noise of each term from the weighted residuals r (N,)."""
        found = []
        for name in self.models:
            rows = slices[name]
            free = max(1.0, float((1 - fit.leverage[_own(rows, observed)]).sum()))
            found.append(math.sqrt(float(r[rows].square().sum()) / free) / self.precision[name])
        return found

    def update(
        self,
        plain: Tensor,
        fit: RidgeFit,
        slices: Rows,
        observed: slice,
        *,
        is_refitted: bool,
        is_balanced: bool,
    ) -> None:
        """Refit the noise of each set to its residuals; what data state is taken at its word.

        Residuals over √(1 − h) have the variance of the noise.

        Args:
            plain: residuals, (N,).
            fit: supplies the leverages h.
            slices: rows of each term.
            observed: rows of all observations.
            is_refitted: whether the tails are judged anew.
            is_balanced: whether the sets' weights follow their noise.
        """
        sizes, inverse, total = {}, 0.0, 0
        pooled = float(plain[observed].square().sum() / (1 - fit.leverage).sum().clamp_min(1.0))
        for name in self.models:
            rows = slices[name]
            freedom = 1 - fit.leverage[_own(rows, observed)]
            if is_refitted:
                self.models[name] = fit_noise(plain[rows] / freedom.sqrt())
            size = self._known(name)
            if size is None:
                square = float(plain[rows].square().sum()) + POOLED * pooled
                size = math.sqrt(square / (float(freedom.sum()) + POOLED))
            sizes[name] = size or 1.0
            inverse += len(freedom) / sizes[name] ** 2
            total += len(freedom)
        if len(sizes) > 1 and is_balanced:
            common = math.sqrt(total / inverse)
            self.precision = {name: common / size for name, size in sizes.items()}

    def _known(self, name: str) -> float | None:
        if name in self.stated:
            return self.stated[name]
        model = self.models[name]
        return model.scale if model.is_heavy else None

    @property
    def is_gaussian(self) -> bool:
        """Whether no set has heavy tails."""
        return not any(model.is_heavy for model in self.models.values())

    def state_dict(self) -> dict[str, Any]:
        """Return models and precisions."""
        models = {name: to_state(model) for name, model in self.models.items()}
        return {"models": models, "precision": dict(self.precision)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.models = {name: from_state(model) for name, model in state["models"].items()}
        self.precision = dict(state["precision"])


def _own(rows: slice, observed: slice) -> slice:
    return slice(rows.start - observed.start, rows.stop - observed.start)
