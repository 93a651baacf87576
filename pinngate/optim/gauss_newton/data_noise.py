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
from pinngate.linear.jacobian import Batches
from pinngate.linear.linearisation import Linearisation, NoiseOfRows
from pinngate.linear.system import RidgeFit
from pinngate.model.row_weights import RowWeights
from pinngate.optim.gauss_newton.row_bounds import RowBounds
from pinngate.optim.gauss_newton.row_laws import RowLaws

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
        sizes: noise of each term by which they were found.
        own: models of the caller's own, by term; they are fitted where others are chosen.
        stated: noise of the terms whose data state it; the others' is estimated.
        laws: of the terms whose noise follows what is fitted.
        bounds: of the terms of which some values are bounds.
        is_judging: whether the tails are judged, or were.
        num_refits: under full physics since then.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.models: dict[str, NoiseModel] = {name: GaussianNoise() for name in names}
        self.precision = dict.fromkeys(names, 1.0)
        self.sizes: dict[str, float] = {}
        self.own: Mapping[str, NoiseModel] = {}
        self.stated: Mapping[str, float] = {}
        self.laws = RowLaws({})
        self.bounds = RowBounds({})
        self.is_judging = False
        self.num_refits = 0

    def judge_tails(self) -> None:
        """Judge the tails of the noise from now on, unless that is done already."""
        if not self.is_judging:
            self.is_judging, self.num_refits = True, 0

    @property
    def is_balanced(self) -> bool:
        """Whether sizes are followed: of several sets, and of bounds, whose rows depend on them."""
        return len(self.models) > 1 or bool(self.bounds)

    def of_rows(self, batches: Batches) -> NoiseOfRows:
        """Return what gives every row its factor: relative precision times √ω of its model.

        Args:
            batches: points and data of every term.

        Returns:
            Plain residuals (N,) and weights, which say which rows are whose, to weights with roots
            (N,), of one for rows of other terms, and with what values say that are bounds.
        """

        def rooted(plain: Tensor, weights: RowWeights) -> RowWeights:
            roots = torch.ones_like(plain)
            for name, model in self.models.items():
                rows = weights.slices[name]
                if name in self.laws:
                    self.laws.follow(name, batches[name].columns["@value"], plain, weights)
                alike = self.laws.alike(name, plain[rows])
                roots[rows] = self.precision[name] * model.weights(alike).sqrt()
                roots[rows] = self.laws.alike(name, roots[rows])
            self.bounds.sizes.update(self.stated)
            return self.bounds.applied(batches, plain, weights.with_roots(roots))

        return rooted

    def risk(self, errors: Tensor, weights: RowWeights) -> float:
        """Return the mean of errors² over all observations, by likelihood where tails are heavy.

        Args:
            errors: weighted residuals of the observation rows, (n,).
            weights: of all rows, with the roots of `row_roots`.
        """
        total = 0.0
        for name, model in self.models.items():
            if not model.is_heavy:
                total += float(errors[weights.among_observed(name)].square().sum())
            else:
                plain = weights.unrooted(name, errors)
                weight = len(plain) * self.precision[name] ** 2
                total += weight * model.equivalent_variance(plain)
        return total / len(errors)

    def stds(self, line: Linearisation, fit: RidgeFit) -> list[float]:
        """Return the estimated noise of each term."""
        found = []
        for name in self.models:
            own = line.residual[line.weights.slices[name]]
            counts = line.weights.counted(name).to(fit.leverage)
            free = (counts - fit.leverage[line.weights.among_observed(name)]).sum()
            square = float(own.square().sum()) / max(1.0, float(free))
            found.append(math.sqrt(square) / self.precision[name])
        return found

    def update(self, line: Linearisation, fit: RidgeFit, *, is_full: bool) -> Verdict | None:
        """Refit the noise of each set to its residuals; what data state is taken at its word.

        Residuals over √(1 − h) have the variance of the noise. Models with heavy tails are refitted
        while the physics rises, for what the outliers had hidden, and a few times more under full
        physics.

        Args:
            line: supplies the residuals.
            fit: supplies the leverages h.
            is_full: whether the physics has its full weight.
        """
        is_refitted = self.is_judging and self.num_refits < NUM_REFITS
        had_heavy_tails = self.has_heavy_tails
        alike = self.laws.all_alike(line.plain, line.weights)
        if is_refitted:
            self._refit(alike, fit, line.weights)
        if self.is_balanced and (is_refitted or not is_full):
            self._balance(alike, fit, line.weights)
        if not is_refitted:
            return None
        if self.has_heavy_tails and not had_heavy_tails:
            return Verdict.HEAVY
        return self._count_refit() if is_full else None

    def _refit(self, plain: Tensor, fit: RidgeFit, weights: RowWeights) -> None:
        followed = (self.laws, self.bounds)
        for name in [n for n in self.models if not any(n in own for own in followed)]:
            freedom = 1 - fit.leverage[weights.among_observed(name)]
            fitted = self.own[name].fitted if name in self.own else fit_noise
            self.models[name] = fitted(plain[weights.slices[name]] / freedom.sqrt())

    def _count_refit(self) -> Verdict | None:
        """Count a refit under full physics; return what the judgement has come to."""
        if self.is_gaussian:
            self.num_refits = NUM_REFITS
            return Verdict.GAUSSIAN
        self.num_refits += 1
        return Verdict.FROZEN if self.num_refits == NUM_REFITS else None

    def _balance(self, plain: Tensor, fit: RidgeFit, weights: RowWeights) -> None:
        """Let the sets' weights follow their noise.

        A set's variance moves half of the way to Σr²/Σ(1 − h): all of it would swing between sets
        that the fit follows freely, whose residuals fall as their weights rise.
        """
        sizes, inverse, total = {}, 0.0, 0
        free = torch.ones_like(plain) if weights.free is None else weights.free
        square = (plain * free)[weights.observed].square().sum()
        pooled = float(square / (1 - fit.leverage).sum().clamp_min(1.0))
        for name in self.models:
            rows = weights.slices[name]
            freedom = 1 - fit.leverage[weights.among_observed(name)]
            size = self._known(name)
            if name in self.bounds and name not in self.stated:
                leverage = fit.leverage[weights.among_observed(name)]
                size = self.bounds.likeliest(name, plain[rows], leverage)
                self.bounds.sizes[name] = size
            if size is None:
                own = float(plain[rows].square().sum()) + POOLED * pooled
                variance = own / (float(freedom.sum()) + POOLED)
                before = self.sizes.get(name)
                size = math.sqrt(variance if before is None else (variance + before**2) / 2)
            sizes[name] = size or 1.0
            inverse += len(freedom) / sizes[name] ** 2
            total += len(freedom)
        common = math.sqrt(total / inverse)
        self.precision = {name: common / size for name, size in sizes.items()}
        self.sizes = sizes

    def _known(self, name: str) -> float | None:
        if name in self.stated:
            return self.stated[name]
        if name in self.laws.known:
            return self.laws.known[name]
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
            "sizes": dict(self.sizes),
            "is_judging": self.is_judging,
            "num_refits": self.num_refits,
            "bounds": dict(self.bounds.sizes),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.models = {
            name: from_state(model, self.own.get(name)) for name, model in state["models"].items()
        }
        self.precision, self.sizes = dict(state["precision"]), dict(state["sizes"])
        self.is_judging, self.num_refits = state["is_judging"], state["num_refits"]
        self.bounds.sizes = dict(state.get("bounds", {}))
