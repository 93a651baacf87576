"""Fresh networks, warmed up by Adam, where the others are stuck."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from pinngate.config import catalog, load
from pinngate.optim.divisions import DIVISIONS
from pinngate.optim.entrants import BASIS
from pinngate.optim.warm_start import STEPS, STEPS_AN_ITERATION
from pinngate.points.grid import evaluation_grid
from pinngate.runs.metrics import relative_l2
from pinngate.runs.training import Session, begin, train

SEED = 3  # with which no network leaves the plateau from its random weights


def stuck(*overrides: str, seed: int = SEED) -> Session:
    """Return a session of networks alone: the basis, which is not stuck, has left the race."""
    path = catalog.resolve("nonlinear-source")
    session = begin(load(path, overrides=[f"solve.seed={seed}", *overrides]))
    stepper, race = session.stepper, session.stepper.race
    if stepper.solvers.pop(BASIS, None) is not None:
        race.divisions = race.divisions[1:]
        race.at_work = next(iter(race.divisions[0].networks))
        stepper.at_work = race.at_work
    return session


def warm_up(session: Session, iterations: int) -> None:
    """Send the first spare network to work and take some iterations."""
    race = session.stepper.race
    race.division, race.at_work = len(race.divisions) - 1, race.spare[0]
    for _ in range(iterations):
        session.stepper.step()


def test_a_warm_start_finds_what_the_random_weights_do_not() -> None:
    session = stuck()
    train(session)
    race = {entry["network"]: entry for entry in session.stepper.describe()["race"]}
    cold = [race[name] for division in DIVISIONS[:2] for name in division.networks]
    warm = [race[name] for name in DIVISIONS[2].networks]
    assert {e["warm_start"] for e in cold} == {0}
    assert {e["warm_start"] for e in warm} == {STEPS}
    assert any(e["is_winner"] for e in warm)
    assert min(e["risk"] for e in warm) < 0.5 * min(e["risk"] for e in cold)
    x = evaluation_grid(session.problem).points
    assert relative_l2(session.evaluate(x)["u"], session.reference(x)["u"]) < 0.1


def test_its_iterations_stand_in_the_history() -> None:
    session = stuck()
    warm_up(session, STEPS // STEPS_AN_ITERATION)
    first = session.stepper.log_row()
    assert first["candidate"] == sum(len(division.networks) for division in DIVISIONS[:2])
    assert math.isfinite(first["loss"])
    assert "leave_one_out_risk" not in first
    session.stepper.step()
    # the solver goes on with the physics at its full weight
    assert session.stepper.log_row()["physics_weight"] == pytest.approx(3.0)
    assert math.isfinite(session.stepper.log_row()["leave_one_out_risk"])


@pytest.mark.parametrize("iterations", [4, 13])
def test_going_on_from_a_checkpoint_is_bitwise_the_same(iterations: int) -> None:
    whole, parts = stuck(), stuck()
    warm_up(whole, iterations)
    parts.stepper.load_state_dict(copy.deepcopy(whole.stepper.state_dict()))
    for session in (whole, parts):
        for _ in range(10):
            session.stepper.step()
    weights = [s.stepper.network.parameters() for s in (whole, parts)]
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    assert whole.stepper.log_row() == parts.stepper.log_row()


NAMED = "solve.network={width: 16, depth: 3, activation: tanh, features: 1}"


def test_a_network_that_was_named_is_warmed_up_where_it_is_stuck() -> None:
    session = stuck(NAMED, seed=5)
    train(session)
    cold, warm = session.stepper.describe()["race"]
    assert (cold["network"], warm["network"]) == ("given", "given-warm")
    assert warm["warm_start"] == STEPS
    assert warm["is_winner"]


def test_a_limit_of_iterations_is_kept() -> None:
    session = stuck(NAMED, "solve.iterations=5")
    train(session)
    assert session.stepper.iteration == 5
    assert session.stepper.describe()["race"] is None


def test_a_loss_that_runs_off_takes_the_network_out(monkeypatch: pytest.MonkeyPatch) -> None:
    session = stuck()
    warm_up(session, 1)
    name, other = session.stepper.race.spare
    with torch.no_grad():
        next(session.stepper.network.parameters()).fill_(math.nan)
    session.stepper.step()
    assert session.stepper.race.failed == [name]
    assert session.stepper.race.at_work == other


def test_the_basis_needs_no_warm_start_there() -> None:
    path = catalog.resolve("nonlinear-source")
    session = begin(load(path, overrides=[f"solve.seed={SEED}"]))
    train(session)
    assert session.stepper.at_work == BASIS
    x = evaluation_grid(session.problem).points
    assert relative_l2(session.evaluate(x)["u"], session.reference(x)["u"]) < 0.1
