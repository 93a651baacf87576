"""Where the next measurement tells most about a number: candidates on a grid, and a greedy choice.

From the posterior of a finished run alone: nothing is solved again. The measurements that are
proposed are places of observed fields, each with the noise that the run found there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.errors import InputError, nearest
from pinngate.expression import Name
from pinngate.inference.next_measurement import choose, covariance_of_functionals
from pinngate.inference.posterior import Member, student_quantile
from pinngate.inference.uncertainty import Uncertainty
from pinngate.points.grid import GRID_POINTS, Grid, evaluation_grid
from pinngate.runs.derived_quantities import number_slopes, slopes_at
from pinngate.runs.training import Session
from pinngate.statement.components import Derived
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]

NUM_CANDIDATES = 1000  # places of a field, about


@dataclass(frozen=True, eq=False)
class Design:
    """Where to measure next, and what it will tell.

    Attributes:
        problem: of the run.
        quantity: the name of the number.
        estimate: of it.
        half_widths: half the 95 % interval now and, as predicted, after each measurement, (m + 1,).
        points: proposed places (m, axes), the best first; a place may be proposed again.
        fields: what to measure at each, (m,).
        noise: the standard deviation that is assumed of each field.
        grid: of the candidates.
        gains: by field, the share of the variance that one measurement at each candidate takes.
    """

    problem: Problem
    quantity: str
    estimate: float
    half_widths: Array
    points: Array
    fields: tuple[str, ...]
    noise: dict[str, float]
    grid: Grid
    gains: dict[str, Array] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How much wider the interval is now than after all measurements."""
        return float(self.half_widths[0] / self.half_widths[-1])

    def table(self) -> dict[str, Array]:
        """Return the columns of ``design.csv``: order, axes, field, interval after each."""
        return {
            "order": np.arange(1, len(self.points) + 1, dtype=float),
            **dict(zip(self.problem.axes, self.points.T, strict=True)),
            "of": np.array(self.fields, dtype=object),
            "half_width_95": self.half_widths[1:],
        }


def quantities_of(problem: Problem) -> list[str]:
    """Return what a design may be asked for: coefficients, then derived quantities."""
    return [c.name for c in problem.shown_coefficients] + [d.name for d in problem.derived]


def design_of(
    session: Session,
    posterior: Uncertainty,
    quantity: str | None,
    noise: dict[str, float],
    count: int,
) -> Design:
    """Return the measurements that tell most about a quantity.

    Args:
        session: after training.
        posterior: of its answer; of a mean of networks the one of largest share.
        quantity: a coefficient or a derived quantity that is a number; the only one by default.
        noise: standard deviation of a measurement of each field that can be measured, above zero.
        count: of measurements.

    Raises:
        InputError: there is no such quantity, or it is a function, or nothing moves it.

    Cost: a Jacobian at a thousand places of each field, and `count` steps of a million operations.
    """
    problem = session.problem
    target = _target(problem, quantity)
    member = max(posterior.members_at(session.stepper.network), key=lambda m: m.share)
    num_axes = len(problem.axes)
    along = NUM_CANDIDATES ** (1 / num_axes)
    grid = evaluation_grid(problem, fraction=along / GRID_POINTS[num_axes])
    estimate, covariance = _joint(session, member, target, list(noise), grid.points)
    stds = np.repeat(list(noise.values()), len(grid.points))
    chosen = choose(covariance, torch.as_tensor(stds).to(covariance), count)
    variances = chosen.variances.double().cpu().numpy()
    _require_open(target.name, float(variances[0]))
    freedom = member.posterior.degrees_of_freedom
    quantiles = [student_quantile(freedom + k) for k in range(count + 1)]
    gains = chosen.first_gain.double().cpu().numpy().reshape(len(noise), -1) / variances[0]
    size = len(grid.points)
    return Design(
        problem,
        target.name,
        estimate,
        np.array(quantiles) * np.sqrt(variances),
        grid.points[[k % size for k in chosen.places]],
        tuple(list(noise)[k // size] for k in chosen.places),
        noise,
        grid,
        dict(zip(noise, gains, strict=True)),
    )


def _require_open(name: str, variance: float) -> None:
    if not variance > 0 or not np.isfinite(variance):
        raise InputError(
            f"the run leaves no uncertainty of '{name}' that a measurement could take away",
            expected="a quantity with an interval",
        )


def _target(problem: Problem, quantity: str | None) -> Derived:
    """Return what is asked for as a derived quantity; a coefficient is the formula of its name."""
    known = quantities_of(problem)
    if quantity is None and len(known) == 1:
        quantity = known[0]
    if quantity not in known:
        raise InputError(
            "which quantity is to be known better?"
            if quantity is None
            else f"there is no quantity '{quantity}'",
            expected=f"one of {', '.join(known)}" if known else "a coefficient or a key 'derived'",
            hint=nearest(quantity or "", known),
        )
    stated = {d.name: d for d in problem.derived}
    return stated.get(quantity) or Derived(quantity, quantity, Name(quantity, 0))


def _joint(
    session: Session, member: Member, target: Derived, fields: Sequence[str], points: Array
) -> tuple[float, Tensor]:
    """Return the number, and the covariance of all fields at all places and of it, last."""
    estimate, *last = number_slopes(session, member.network, target)
    count = last[1].shape[1]
    seen = [slopes_at(session, member.network, Name(f, 0), points)[1] for f in fields]
    rows = torch.cat([*seen, torch.cat(last, 1)])
    split = rows.shape[1] - count
    return estimate, covariance_of_functionals(member.posterior, rows[:, :split], rows[:, split:])


def assumed_noise(problem: Problem, metrics: dict[str, Any], stated: float | None) -> Any:
    """Return the standard deviation of a measurement of each field that was observed.

    Args:
        problem: of the run.
        metrics: of the run, whose noise is assumed again.
        stated: of every field, in place of it.

    Raises:
        InputError: no field was observed by itself, or the noise is unknown or not positive.
    """
    found = {f: v for f, v in metrics["noise_std"].items() if f in problem.unknowns}
    if stated is not None:
        found = dict.fromkeys(found or problem.unknowns, stated)
    if not found or not all(value and value > 0 for value in found.values()):
        raise InputError(
            "the noise of a measurement is not known",
            expected="a standard deviation above zero, --noise 0.1",
        )
    return found


__all__ = ["Design", "assumed_noise", "design_of", "quantities_of"]
