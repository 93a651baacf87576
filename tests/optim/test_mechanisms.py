"""Every switch does what it says, and leaves the rest alone."""

from __future__ import annotations

import pytest

from pinngate import config
from pinngate.optim.entrants import BASIS, SOLVER
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
    return PhysicsWeight(without(*names))


def race(problem: str, *names: str) -> SecondOrder:
    """The stepper of a shipped problem with some mechanisms off."""
    session = begin(resolve(config.load(config.resolve(problem))))
    whole = session.stepper
    assert isinstance(whole, SecondOrder)
    return SecondOrder(whole.parts, whole.divisions, without(*names))


def test_the_ramp_is_where_the_physics_starts() -> None:
    assert physics().value < 1.0
    assert physics("ramp").value == 1.0


def test_stiffening_follows_the_noise() -> None:
    for names, stiffness in (((), 33.0), (("stiffening",), 1.0)):
        weight = physics(*names)
        weight.value = 1.0
        weight.stiffen(0.01)
        assert weight.stiffness == pytest.approx(stiffness)


def test_a_solver_reads_its_own() -> None:
    setting = NoisyHeat()
    for names, is_judging in (((), True), (("robust",), False)):
        solver = setting.solver(mechanisms=ALL.without(names))
        solver.turn_robust()
        assert solver.noise.is_judging is is_judging


def test_who_races_and_what_is_averaged() -> None:
    whole, bare = race("oscillator"), race("oscillator", "basis", "solver")
    assert {BASIS, SOLVER} <= set(whole.solvers)
    assert not {BASIS, SOLVER} & set(bare.solvers)
    assert race("heat-noisy-ic").answer.is_averaging
    assert not race("heat-noisy-ic", "averaging").answer.is_averaging
