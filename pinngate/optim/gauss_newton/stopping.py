"""Which iterate is the best so far, and whether a better one is to be expected.

The answer is the iterate of least score, leave-one-out risk plus misfit of the physics, at the full
weight of the physics; no validation set is used. Fed by the solver once an iteration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions

SAME = 0.9  # share of a weight of the physics from which iterates compare: noise estimates drift
EXACT = 1e-6  # score that leaves nothing wanting: a thousandth of the fields' size, squared


class Stopping:
    """The best iterate and how long ago risk or score last fell.

    Args:
        options: of the solver: tolerance and patience.

    Attributes:
        best: what `judge` was given of the best iterate, None before full physics weight.
        least_risk: of all iterates that compare.
        num_stale: iterations since risk or score last fell.
    """

    def __init__(self, options: GaussNewtonOptions) -> None:
        self.options = options
        self.best: dict[str, Any] | None = None
        self.least_risk = math.inf
        self.num_stale = 0

    def forget(self) -> None:
        """Start anew: iterates so far do not compare with those to come."""
        self.best, self.least_risk, self.num_stale = None, math.inf, 0

    def judge(
        self,
        score: float,
        risk: float,
        physics: float,
        num_values: int,
        iterate: Callable[[], dict[str, Any]],
    ) -> None:
        """Compare an iterate at full physics weight with the best.

        Args:
            score: risk plus misfit, in units of the fields' size.
            risk: in squared data units.
            physics: weight of the equations; iterates under softer physics do not compare.
            num_values: n, by which the standard error of a risk is √(2/n) of it.
            iterate: returns what is needed to come back to it; called where it is the best.
        """
        if self.best is not None and self.best["physics"] < SAME * physics:
            self.best, self.least_risk = None, math.inf
        least_fall = self.options.tolerance * math.sqrt(2 / num_values)
        falls = min(score / self.score, risk / self.least_risk) < 1 - least_fall
        self.num_stale = 0 if falls else self.num_stale + 1
        self.least_risk = min(risk, self.least_risk)
        if score < self.score:
            self.best = {"score": score, "risk": risk, "physics": physics} | iterate()

    @property
    def score(self) -> float:
        """Of the best iterate, infinite before there is one."""
        return math.inf if self.best is None else float(self.best["score"])

    def is_stale(self) -> bool:
        """Whether nothing has fallen for as long as is worth waiting."""
        return self.num_stale >= self.options.patience

    def state_dict(self) -> dict[str, Any]:
        """Return the best iterate and the count."""
        best = None if self.best is None else dict(self.best)
        return {"best": best, "least_risk": self.least_risk, "num_stale": self.num_stale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.best = None if state["best"] is None else dict(state["best"])
        self.least_risk, self.num_stale = state["least_risk"], state["num_stale"]
