"""The noise of each observation set while it is fitted: its size, and whether its tails are heavy.

Sets of unequal noise are brought to a common one, and outliers lose weight under a model with heavy
tails (iteratively reweighted least squares). Below the solver, which asks for factors on its rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import Enum
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
from pinngate.linear.jacobian import Rows
from pinngate.linear.ridge import RidgeFit

# Values by which the noise of all sets counts in that of one: few values that the fit follows
# freely tell nothing of their noise, and would end with all the weight.
POOLED = 2.0
NUM_REFITS = 5  # of models with heavy tails before they are frozen


class Verdict(Enum):
    """What the judgement of the tails has come to.

    Attributes:
        GAUSSIAN: the fit stands where it stood.
        HEAVY: just found; what was fitted before does not compare.
        FROZEN: the models stay from now on, so that risks of successive iterates compare.
    """

    GAUSSIAN = "gaussian"
    HEAVY = "heavy"
    FROZEN = "frozen"


class DataNoise:
    """Noise of the observation terms, in units of the rows.

    Args:
        names: of the terms.

    Attributes:
        models: Gaussian or with heavy tails, by term.
        precision: factor that brings each term to the common noise.
        stated: noise of the terms whose data state it; the others' is estimated.
        is_judging: whether the tails are judged, or were.
        num_refits: under full physics since then.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.models: dict[str, NoiseModel] = {name: GaussianNoise() for name in names}
        self.precision = dict.fromkeys(names, 1.0)
        self.stated: Mapping[str, float] = {}
        self.is_judging = False
        self.num_refits = 0

    def judge_tails(self) -> None:
        """Judge the tails of the noise from now on, unless that is done already."""
        if not self.is_judging:
            self.is_judging, self.num_refits = True, 0

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
        self, plain: Tensor, fit: RidgeFit, slices: Rows, observed: slice, *, is_full: bool
    ) -> Verdict | None:
        """Refit the noise of each set to its residuals; what data state is taken at its word.

        Residuals over √(1 − h) have the variance of the noise. Models with heavy tails are refitted
        while the physics rises, for what the outliers had hidden, and a few times more under full
        physics.

        Args:
            plain: residuals, (N,).
            fit: supplies the leverages h.
            slices: rows of each term.
            observed: rows of all observations.
            is_full: whether the physics has its full weight.
        """
        is_refitted = self.is_judging and self.num_refits < NUM_REFITS
        had_heavy_tails = self.has_heavy_tails
        if is_refitted:
            for name in self.models:
                freedom = 1 - fit.leverage[_own(slices[name], observed)]
                self.models[name] = fit_noise(plain[slices[name]] / freedom.sqrt())
        if len(self.models) > 1 and (is_refitted or not is_full):
            self._balance(plain, fit, slices, observed)
        if not is_refitted:
            return None
        if self.has_heavy_tails and not had_heavy_tails:
            return Verdict.HEAVY
        if not is_full:
            return None
        self.num_refits = NUM_REFITS if self.is_gaussian else self.num_refits + 1
        if self.is_gaussian:
            return Verdict.GAUSSIAN
        return Verdict.FROZEN if self.num_refits == NUM_REFITS else None

    def _balance(self, plain: Tensor, fit: RidgeFit, slices: Rows, observed: slice) -> None:
        """Let the sets' weights follow their noise."""
        sizes, inverse, total = {}, 0.0, 0
        pooled = float(plain[observed].square().sum() / (1 - fit.leverage).sum().clamp_min(1.0))
        for name in self.models:
            rows = slices[name]
            freedom = 1 - fit.leverage[_own(rows, observed)]
            size = self._known(name)
            if size is None:
                square = float(plain[rows].square().sum()) + POOLED * pooled
                size = math.sqrt(square / (float(freedom.sum()) + POOLED))
            sizes[name] = size or 1.0
            inverse += len(freedom) / sizes[name] ** 2
            total += len(freedom)
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

    @property
    def has_heavy_tails(self) -> bool:
        """Whether the tails were judged and found to be heavy."""
        return self.is_judging and not self.is_gaussian

    def state_dict(self) -> dict[str, Any]:
        """Return models, precisions and how far the judgement of the tails has come."""
        return {
            "models": {name: to_state(model) for name, model in self.models.items()},
            "precision": dict(self.precision),
            "is_judging": self.is_judging,
            "num_refits": self.num_refits,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.models = {name: from_state(model) for name, model in state["models"].items()}
        self.precision = dict(state["precision"])
        self.is_judging, self.num_refits = state["is_judging"], state["num_refits"]


def _own(rows: slice, observed: slice) -> slice:
    return slice(rows.start - observed.start, rows.stop - observed.start)
