"""How far an answer can be trusted: solved, doubtful or failed, and what to try.

A pure function of what a run has measured of itself; the truth, where it is known, has no say. The
optimizer's `status` is one of its inputs, so is what a solver says that knows nothing of the
optimizer (`solver_check`), what is left of the physics (`physics_misfit`) and of the data
(`misfit`). Below `judgement`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pinngate.statement.problem import Coefficient, Problem
from pinngate.statement.singular_ends import singular_ends

UNMET = 0.1  # share of an equation or a condition
VAGUE = 1.0  # standard deviation of the logarithm: an interval of a factor of fifty
APART = 3.0  # standard deviations between the field and the solver's
BEYOND = 1e100  # no coefficient that data tell is larger
STILL = 1e-3  # relative change of a coefficient from its initial value that is none

Entries = Mapping[str, Any]


def verdict(problem: Problem, metrics: Entries) -> tuple[str, list[str]]:
    """Return ``solved``, ``doubtful`` or ``failed``, and the reasons, each with what to try."""
    reasons = [
        *_unmet(problem, metrics),
        *_apart(metrics),
        *_misfit(metrics),
        *_undetermined(problem, metrics),
    ]
    lost = [*_lost(problem, metrics)]
    if lost:
        return "failed", [*lost, *reasons]
    if metrics["status"] != "converged":
        advice = "try other initial values of what is estimated, or more iterations"
        return "failed", [f"{metrics['reason']}: {advice}", *reasons]
    return ("doubtful" if reasons else "solved"), reasons


def _lost(problem: Problem, metrics: Entries) -> Iterator[str]:
    """Yield the coefficients of which the search ended nowhere."""
    for coefficient in problem.shown_coefficients:
        found = metrics["coefficients"][coefficient.name]
        estimate = found["estimate"]
        is_absent = estimate is None or abs(estimate) > BEYOND
        if is_absent or (found["std"] == 0 and _is_still(coefficient, found)):
            yield (
                f"{coefficient.name} was not found, the search ended at "
                f"{'no number' if estimate is None else f'{estimate:g}'}: start it elsewhere"
            )


def _unmet(problem: Problem, metrics: Entries) -> Iterator[str]:
    texts = {f"equation_{k}": e.text for k, e in enumerate(problem.equations, 1)}
    for k, condition in enumerate(problem.conditions, 1):
        texts[f"condition_{k}"] = f"{condition.text} at {condition.where}"
    texts |= {f"positive_{k}": f"{u} is positive" for k, u in enumerate(problem.positive, 1)}
    ends = dict(singular_ends(problem))
    for name, share in metrics["physics_misfit"].items():
        if share is None:
            yield f"{name} has no finite value: look for sizes beyond what can be computed with"
        elif share > UNMET:
            stated = f" ({texts[name]})" if name in texts else ""
            yield (
                f"{name}{stated} is unmet by {100 * share:.0f} % of its size: look whether it "
                f"contradicts the data or another condition{_where(ends.get(name))}"
            )


def _where(end: str | None) -> str:
    return "" if end is None else f", above all at {end}, where it grows without bound"


def _apart(metrics: Entries) -> Iterator[str]:
    apart = metrics["solver_check"]
    if apart is not None and apart > APART:
        yield (
            f"a solver that starts from the answer ends {apart:.1f} standard deviations from its "
            "fields: try a shorter time axis, or other initial values of what is estimated"
        )


def _misfit(metrics: Entries) -> Iterator[str]:
    misfit = metrics["misfit"] or {}
    if misfit.get("is_clear"):
        yield (
            f"the model does not fit the data: {misfit['words']}: look at the equations, the "
            "conditions and the noise that is stated"
        )
    if misfit.get("is_overstated"):
        yield (
            f"the data scatter {misfit['ratio']:.2f} times the noise that is stated with them: "
            "intervals are too wide, state what it is"
        )


def _undetermined(problem: Problem, metrics: Entries) -> Iterator[str]:
    if metrics["determined"] is not False:
        return
    yield f"{metrics['determined_words']}: fix some of them, or measure what tells them apart"
    for coefficient in told_by_data(problem):
        found = metrics["coefficients"][coefficient.name]
        if is_vague(coefficient, found) and _is_still(coefficient, found):
            yield f"the search for {coefficient.name} never left its start: start it elsewhere"


def told_by_data(problem: Problem) -> tuple[Coefficient, ...]:
    """Return the coefficients that data alone tell: pieces with a prior have an answer anyway."""
    resting = {name for own in problem.pieces if own.prior is not None for name in own.members}
    return tuple(c for c in problem.shown_coefficients if c.name not in resting)


def is_vague(coefficient: Coefficient, found: Entries) -> bool:
    """Whether the data leave a coefficient open, where its answer has a posterior.

    It has no interval; or it is positive and its interval spans a factor of fifty, over which the
    linear model that it comes from does not hold, or goes to nothing.
    """
    ends = found["interval_95"]
    if ends is None or None in ends:
        return True
    low, high = ends
    if not coefficient.is_positive or high <= 0:
        return False
    return low <= 0 or math.log(high / low) > 2 * 1.96 * VAGUE


def _is_still(coefficient: Coefficient, found: Entries) -> bool:
    return abs(found["estimate"] - coefficient.initial) <= STILL * abs(coefficient.initial)
