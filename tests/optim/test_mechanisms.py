"""Every switch does what it says, and leaves the rest alone."""

from __future__ import annotations

import pytest

from pinngate import config
from pinngate.optim.entrants import BASIS
from pinngate.optim.gauss_newton.physics_weight import PhysicsWeight
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.mechanisms import ALL
from pinngate.optim.registry import resolve
from pinngate.optim.second_order import SecondOrder
from pinngate.runs.training import begin
from tests.noisy_heat import NoisyHeat


def without(*names: str) -> GaussNewtonOptions:
    return GaussNewtonOptions(mechanisms=ALL.without(names))


def physics(*names: str) -> PhysicsWeight:
    return PhysicsWeight(without(*names), has_coefficients=False)


def race(problem: str, *names: str) -> SecondOrder:
    """The stepper of a shipped problem with some mechanisms off."""
    session = begin(resolve(config.load(config.resolve(problem))))
    whole = session.stepper
    assert isinstance(whole, SecondOrder)
    return SecondOrder(whole.parts, whole.divisions, without(*names))


def test_the_ramp_is_where_the_physics_starts() -> None:
    assert physics().value < 1.0
    assert (physics("ramp").value, physics("ramp").is_released) == (1.0, True)


def test_stiffening_follows_the_noise() -> None:
    for names, stiffness in (((), 33.0), (("stiffening",), 1.0)):
        weight = physics(*names)
        weight.value = 1.0
        weight.stiffen(0.01)
        assert weight.stiffness == pytest.approx(stiffness)


def test_the_weight_waits_for_the_iterate() -> None:
    for names, rises in (((), False), (("following",), True)):
        weight = physics(*names)
        before = weight.value
        weight.advance(risk=2.0, lookahead=1.0, misfit=0.0, share=0.0)
        assert (weight.value > before) is rises


def test_physics_that_costs_the_fit_goes_back() -> None:
    for names, is_capped in (((), True), (("backing_off",), False)):
        weight = physics(*names)
        weight.value, weight.stiffness, weight.least_risk = 2.0, 9.0, 0.1
        weight.is_released, weight.num_held = True, 99
        weight.advance(risk=2.0, lookahead=1.0, misfit=0.0, share=0.0)
        assert weight.is_capped is is_capped


def test_a_solver_reads_its_own() -> None:
    setting = NoisyHeat(sigma=(0.1, 0.3))
    whole, bare = (
        setting.solver(),
        setting.solver(mechanisms=ALL.without(["balance", "undersmoothing", "robust"])),
    )
    assert (whole.noise.is_balanced, bare.noise.is_balanced) == (True, False)
    assert (whole.one_step.undersmoothing, bare.one_step.undersmoothing) == (0.1, 1.0)
    for solver, is_judging in ((whole, True), (bare, False)):
        solver.turn_robust()
        assert solver.noise.is_judging is is_judging


def test_who_races_and_what_is_averaged() -> None:
    whole, bare = race("oscillator"), race("oscillator", "basis", "spare")
    assert BASIS in whole.solvers
    assert BASIS not in bare.solvers
    assert bare.race.spare == []
    assert race("heat-noisy-ic").answer.is_averaging
    assert not race("heat-noisy-ic", "averaging").answer.is_averaging
