"""One damped step, with and without the correction for curvature."""

from __future__ import annotations

import torch

from pinngate.linear.dense import DenseSystem
from pinngate.optim.gauss_newton.trust_region import Restraint, descend


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    """The curved valley of Rosenbrock (1960), its minimum zero at (1, 1)."""
    return torch.stack([100 * (x[1] - x[0] ** 2), 1 - x[0]])


def iterations(is_accelerated: bool, limit: int = 2000) -> int:
    x, damping = torch.tensor([-1.2, 1.0], dtype=torch.float64), 1.0
    for k in range(limit):
        r = rosenbrock(x)
        if float(r.square().sum()) < 1e-12:
            return k
        jac = torch.autograd.functional.jacobian(rosenbrock, x)
        step = descend(
            lambda delta, x=x: rosenbrock(x + delta),
            DenseSystem(jac, 0, slice(0, 2)),
            r,
            torch.zeros_like(x),
            Restraint(ridge=1e-14, damping=damping),
            is_accelerated=is_accelerated,
        )
        damping = step.damping
        if step.delta is not None:
            x = x + step.delta
    return limit


def test_the_correction_follows_a_curved_valley_in_half_the_iterations():
    plain, corrected = iterations(False), iterations(True)
    assert plain < 2000
    assert corrected <= plain / 2


def test_an_accepted_step_descends_and_a_linear_problem_needs_no_correction():
    generator = torch.Generator().manual_seed(0)
    jac = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    r = torch.randn(8, generator=generator, dtype=torch.float64)
    spectrum = DenseSystem(jac, 0, slice(0, 8))
    steps = [
        descend(
            lambda d: r + jac @ d,
            spectrum,
            r,
            torch.zeros(3, dtype=torch.float64),
            Restraint(ridge=0.1, damping=0.2),
            is_accelerated=choice,
        )
        for choice in (True, False)
    ]
    assert torch.allclose(steps[0].delta, steps[1].delta, atol=1e-12)
    assert steps[0].gain > 0.99
    assert steps[0].damping < 0.2


def test_no_descent_is_no_step():
    jac = torch.eye(2, dtype=torch.float64)
    r = torch.ones(2, dtype=torch.float64)
    step = descend(
        lambda d: torch.full_like(r, float("nan")),
        DenseSystem(jac, 0, slice(0, 2)),
        r,
        torch.zeros(2, dtype=torch.float64),
        Restraint(ridge=0.1, damping=1.0),
    )
    assert step.delta is None
    assert step.damping > 1.0
