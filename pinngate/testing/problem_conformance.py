"""Conformance of problems: what a stated problem must fulfil before it is worth solving.

`check_problem` runs the whole suite on a problem, shipped or one's own; `problem_checks` lists it,
to be given to a test runner one check at a time. Nothing here judges how accurately a problem is
solved, only that what it states is consistent and that solving it can begin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Problem, changed

if TYPE_CHECKING:
    from pinngate.data.observations import ObservationSet
    from pinngate.reference import Reference
    from pinngate.runs.training import Session

SMALL = NetworkOptions(width=8, depth=2, activation="tanh", features=2.0)
NUM_ITERATIONS = 3
REFERENCE_ERROR = 1e-4  # a tenth of the smallest error that any shipped problem is solved to
SLOPE_TOLERANCE = 1e-5  # of central differences with a step of 1e-6


def _require(is_met: bool, message: str) -> None:
    if not is_met:
        raise AssertionError(message)


@dataclass(frozen=True)
class ProblemUnderTest:
    """A problem with its truth and its data, each computed once."""

    problem: Problem

    @cached_property
    def reference(self) -> Reference | None:
        """The truth as a function of points, None where it is not known."""
        from pinngate.reference import truth

        return truth(self.problem)

    @cached_property
    def observations(self) -> list[ObservationSet]:
        """The noisy data of the problem's seed."""
        from pinngate.data.observations import collect

        return collect(self.problem, self.reference, self.problem.solve.seed)

    def begin(self) -> Session:
        """Return a fresh session with a small network and few collocation points.

        Where networks do not follow, with the fit through a solver.
        """
        from pinngate.runs.training import begin

        solve = self.problem.solve
        if not self.problem.beyond_networks:
            solve = replace(solve, network=SMALL, collocation=32)
        return begin(changed(self.problem, solve=solve), self.reference, self.observations)


ProblemCheck = Callable[[ProblemUnderTest], None]


def _check_round_trip(case: ProblemUnderTest) -> None:
    from pinngate import config

    text = config.dumps(case.problem)
    _require(config.loads(text) == case.problem, f"written and read back it differs:\n{text}")


def _check_truth(case: ProblemUnderTest) -> None:
    from pinngate.points.grid import evaluation_grid
    from pinngate.report.truth_check import verify_truth

    for finding in verify_truth(case.problem):
        _require(
            finding.is_satisfied,
            f"the truth leaves a relative residual of {finding.residual:.1e} in "
            f"'{finding.statement}'",
        )
    if case.reference is None:
        return
    estimate = case.reference.error_estimate
    _require(
        estimate is None or estimate < REFERENCE_ERROR,
        f"the truth's own error is estimated at {estimate}",
    )
    grid = evaluation_grid(case.problem, fraction=0.2)
    for field, values in case.reference(grid.points).items():
        _require(bool(np.isfinite(values).all()), f"the truth of '{field}' is not finite")
        _require(bool(np.ptp(values) > 0), f"the truth of '{field}' is the same everywhere")


def _check_data(case: ProblemUnderTest) -> None:
    from pinngate.data.observations import collect

    problem = case.problem
    again = collect(problem, case.reference, problem.solve.seed)
    other = collect(problem, case.reference, problem.solve.seed + 1)
    for data, same, fresh in zip(case.observations, again, other, strict=True):
        _require(bool(np.isfinite(data.values).all()), f"{data.name} is not finite")
        _require(len(data.values) > 0, f"{data.name} is empty")
        _require(
            np.array_equal(data.values, same.values) and np.array_equal(data.points, same.points),
            f"{data.name} is not the same for the same seed",
        )
        if data.clean is not None:
            _require(
                not np.array_equal(data.values, fresh.values)
                or np.array_equal(data.values, data.clean),
                f"{data.name} is the same for another seed",
            )


def _check_scales(case: ProblemUnderTest) -> None:
    from pinngate.model.scales import field_scales
    from pinngate.model.terms import problem_terms

    scales = field_scales(case.problem, case.observations)
    for field, scale in scales.items():
        _require(0 < scale.size < math.inf, f"'{field}' has the size {scale.size}")
    for term in problem_terms(case.problem, [data.of for data in case.observations], scales):
        _require(0 < term.scale < math.inf, f"{term.name} has the size {term.scale}")


def _check_jacobian(case: ProblemUnderTest) -> None:
    """Compare J·δ with central differences of the residuals along a random direction δ.

    Of networks, that is; a fit through a solver has no weights to move.
    """
    if case.problem.beyond_networks:
        return
    import torch

    from pinngate.linear.jacobian import (
        assign,
        flatten,
        jacobian,
        row_weights,
        weighted_residuals,
    )
    from pinngate.model.residuals import ResidualModel

    session = case.begin()
    network, coefficients = session.stepper.network, session.stepper.coefficients
    model, batches = ResidualModel(session.batches.terms, case.problem), session.batches.draw()
    weights = row_weights(model, batches, dict.fromkeys(batches, 1.0))
    jac, residual = jacobian(model, network, coefficients, batches, weights)
    _require(bool(torch.isfinite(residual).all()), "residuals are not finite")
    _require(bool(torch.isfinite(jac).all()), "the Jacobian is not finite")
    theta = flatten(network, coefficients)
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(len(theta), generator=generator, dtype=theta.dtype)
    first = network.linears[0].weight
    free = network.hold_periodic(torch.ones_like(first)).reshape(-1)
    direction[: len(free)] *= free
    step = 1e-6
    sides = []
    for sign in (1.0, -1.0):
        assign(network, coefficients, theta + sign * step * direction)
        sides.append(weighted_residuals(model, network, coefficients, batches, weights))
    slope = (sides[0] - sides[1]) / (2 * step)
    gap = float((jac @ direction - slope).norm() / slope.norm())
    _require(gap < SLOPE_TOLERANCE, f"the Jacobian is off by {gap:.1e} of its size")


def _check_iterates(case: ProblemUnderTest) -> None:
    outcomes = []
    for _ in range(2):
        session = case.begin()
        for _ in range(1 if case.problem.beyond_networks else NUM_ITERATIONS):
            session.stepper.step()
        outcomes.append(session.stepper.log_row())
    for name in ("loss", "leave_one_out_risk"):
        if name in outcomes[0]:
            value = outcomes[0][name]
            _require(math.isfinite(value), f"{name} is {value} after {NUM_ITERATIONS} iterations")
    # repr: not a number, which stands for what is not known yet, equals itself
    _require(repr(outcomes[0]) == repr(outcomes[1]), "two runs with one seed differ")


def _check_limit(case: ProblemUnderTest) -> None:
    from pinngate.limits import limit
    from pinngate.points.grid import evaluation_grid
    from pinngate.runs.metrics import true_noise

    noise = true_noise(case.problem, case.observations)
    if case.reference is None or not noise:
        return
    points = evaluation_grid(case.problem, fraction=0.2).points
    bound = limit(case.problem, case.observations, points, case.reference, noise)
    if bound is None:
        return
    for name, value in (*bound.relative_l2.items(), *bound.coefficients.items()):
        _require(0 <= value < math.inf, f"the limit of '{name}' is {value}")


_PROBLEM_CHECKS: Mapping[str, ProblemCheck] = {
    "round trip": _check_round_trip,
    "truth": _check_truth,
    "data": _check_data,
    "scales": _check_scales,
    "Jacobian": _check_jacobian,
    "iterates": _check_iterates,
    "limit": _check_limit,
}


def problem_checks() -> dict[str, ProblemCheck]:
    """Return the checks of a problem by name, each a function of a `ProblemUnderTest`."""
    return dict(_PROBLEM_CHECKS)


def check_problem(problem: Problem) -> None:
    """Raise unless a problem is consistent and can be solved.

    Its file reads back to itself; its truth satisfies equations and conditions, is finite and known
    accurately; its data are finite and follow from the seed; its fields and equations have sizes;
    residuals and their derivatives are finite and agree with finite differences; a few iterations
    run and repeat themselves; the best possible error is a number or not known.

    Raises:
        AssertionError: a check fails or breaks off; the message names it.

    Cost: that of the reference solution, the limit and six iterations of a small network.
    """
    case = ProblemUnderTest(problem)
    for name, check in problem_checks().items():
        try:
            check(case)
        except AssertionError as error:
            raise AssertionError(f"check_problem {problem.name}, {name}: {error}") from error
        except Exception as error:
            raise AssertionError(
                f"check_problem {problem.name}, {name}: broke off with "
                f"{type(error).__name__}: {error}"
            ) from error
