"""The race of networks: when others are tried, and who wins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pinngate import config
from pinngate.optim.race import HOPELESS, Race
from pinngate.runs.training import Session, begin

FILE = """\
pinngate: 1
name: repeated
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: [u_t = 0.05*u_xx]
observations: [{of: u, file: repeated.csv}]
solve: {collocation: 32}
"""


def _names(race: Race, division: int) -> list[str]:
    return list(race.divisions[division].networks)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Values of noise 0.1, five at each of twelve places."""
    rng = np.random.default_rng(0)
    rows = ["x,t,u"]
    for x, t in rng.uniform(size=(12, 2)):
        rows += [f"{x},{t},{np.sin(np.pi * x) + 0.1 * rng.normal()}" for _ in range(5)]
    (tmp_path / "repeated.csv").write_text("\n".join(rows))
    (tmp_path / "repeated.yaml").write_text(FILE)
    return begin(config.load(tmp_path / "repeated.yaml"))


def test_repeated_measurements_tell_their_noise(session: Session) -> None:
    found = session.batches.pure_error()
    assert (found.degrees_of_freedom, found.num_places) == (48, 12)
    # a standard deviation from 48 degrees of freedom is known to a tenth
    assert found.std == pytest.approx(0.1, rel=0.3)


def test_a_risk_far_above_repeated_measurements_calls_for_other_networks(session: Session) -> None:
    race = session.stepper.race
    name = next(iter(race.solvers))
    solver = race.solvers[name]
    assert not race._is_stuck(name)
    for risk, is_stuck in ((0.01, False), (0.1, True)):
        # as good as it gets, no misfit of the physics
        solver.stopping.best = {"risk": risk, "score": risk, "dimension": 5.0}
        assert race._is_stuck(name) is is_stuck


def test_without_repeated_measurements_nothing_is_called_stuck(session: Session) -> None:
    session.batches.sets = tuple(
        replace(made, points=made.points + 1e-9 * np.arange(60)[:, None])
        for made in session.batches.sets
    )
    assert session.batches.pure_error() is None


def test_spare_networks_are_for_failures_not_for_exact_data(session: Session) -> None:
    """What the physics leaves of a score of nothing is no strain."""
    race = session.stepper.race
    name = _names(race, 1)[0]
    solver = race.solvers[name]
    race.division = 1
    for size, is_strained in ((1e-3, True), (1e-8, False)):
        risk = 0.1 * size * solver.unit**2
        solver.stopping.best = {"risk": risk, "score": size, "dimension": 5.0}
        solver.last_score = size
        assert race._strain(name) == pytest.approx(0.9)
        assert race._is_strained(name, HOPELESS) is is_strained


def test_spare_networks_wait_for_a_solver_still_on_its_way(session: Session) -> None:
    """Its physics has most of the score, but it foresees a far smaller risk."""
    race = session.stepper.race
    name = _names(race, 1)[0]
    solver = race.solvers[name]
    race.division, solver.last_score = 1, 1e-3
    solver.stopping.best = {"risk": 1e-4 * solver.unit**2, "score": 1e-3, "dimension": 5.0}
    for foreseen, is_strained in ((1e-4, True), (1e-6, False)):
        solver.last_lookahead = foreseen
        assert race._is_strained(name, HOPELESS) is is_strained
    solver.reason = "the leave-one-out risk stopped falling"
    assert race._is_strained(name, HOPELESS)


def test_one_network_that_leaves_nothing_wanting_is_enough(session: Session) -> None:
    race = session.stepper.race
    name, other = _names(race, 0)[:2]
    race.solvers[name].last_lookahead = 0.0
    assert race._is_promising(name, 1e-3)
    assert not race._is_promising(name, 1e-7)
    race.division = 1
    late = _names(race, 1)[0]
    for solver, score in ((late, 1e-4), (other, 1e-8)):
        race.solvers[solver].iteration, race.solvers[solver].last_score = 20, score
    assert not race._is_behind(late)
    assert not race._is_strained(late, HOPELESS)


def test_nobody_is_asked_to_better_a_flawless_network(session: Session) -> None:
    race = session.stepper.race
    small, late = _names(race, 0)[0], _names(race, 1)
    solver = race.solvers[small]
    # the physics has nearly all of the score, and there is next to no score
    solver.stopping.best = {"risk": 0.0, "score": 1e-14, "dimension": 5.0}
    solver.iteration = 20
    assert not race._needs_others(small)
    # a division that entered before is left, even in the middle of its way
    race.division, race.alive = 1, list(late)
    for name in late:
        race.solvers[name].iteration, race.solvers[name].last_score = 20, 1e-3
        race.solvers[name].last_lookahead = 1e-4
    race._halve()
    assert race.alive == [small]
    solver.stopping.best["score"] = 1e-9
    race.division, race.alive = 1, list(late)
    race._halve()
    assert race.alive == late


def test_ties_go_on_where_networks_are_averaged(session: Session) -> None:
    """Sixty values: all within 4·ln(10)/60 of the least risk, 15 %; else within a hundredth."""
    race = session.stepper.race
    assert race.tie == pytest.approx(4 * np.log(10) / 60)
    names = _names(race, 0)
    for k, name in enumerate(names):
        race.solvers[name].last_score = 1.0 + 0.06 * k
        race.solvers[name].last_lookahead = 1.0
        race.solvers[name].iteration = 20
    race._halve()
    assert race.alive == names[:3]
    race.alive, race.tie = list(names), 0.01
    race._halve()
    assert race.alive == names[:2]


def test_a_network_left_early_with_half_the_score_calls_for_others(session: Session) -> None:
    race = session.stepper.race
    early, late = _names(race, 0)[0], _names(race, 1)[0]
    for score, is_behind in ((0.9, False), (0.4, True)):
        race.solvers[early].last_score, race.solvers[late].last_score = score, 1.0
        for name in (early, late):
            race.solvers[name].iteration = 20
        assert race._is_behind(late) is is_behind
        assert not race._is_behind(early)


def test_the_best_of_all_has_to_finish(session: Session) -> None:
    """A network that was left for others runs on where those have not done better."""
    race = session.stepper.race
    early, late = _names(race, 0)[0], _names(race, 1)[0]
    for name, score in ((early, 0.5), (late, 1.0)):
        race.solvers[name].iteration, race.solvers[name].last_score = 20, score
    race.solvers[late].reason = "the leave-one-out risk stopped falling"
    race._finish()
    assert race.winner is None
    assert race.at_work == early
    race.solvers[early].reason = "the leave-one-out risk stopped falling"
    race._finish()
    assert race.winner == early


@pytest.mark.parametrize("is_demanding", [False, True])
def test_a_network_that_is_taken_up_after_the_last_division_wins(
    session: Session, is_demanding: bool
) -> None:
    race = session.stepper.race
    early, last = _names(race, 0)[0], _names(race, 2)[0]
    for name, score in ((early, 0.5), (last, 1.0)):
        race.solvers[name].iteration, race.solvers[name].last_score = 20, score
    race.is_demanding = is_demanding
    race.division, race.alive = 2, _names(race, 2)
    for name in race.alive:
        race.solvers[name].reason = "the leave-one-out risk stopped falling"
    race._halve()
    assert (race.winner, race.at_work) == (None, early)
    race.solvers[early].reason = "the leave-one-out risk stopped falling"
    race._halve()
    assert race.winner == early


@pytest.mark.parametrize(("score", "kept"), [(1e-2, 2), (1e-7, 4)])
def test_points_are_kept_twice_as_long_where_the_last_digits_count(
    session: Session, monkeypatch: pytest.MonkeyPatch, score: float, kept: int
) -> None:
    stepper = session.stepper
    stepper.iteration = 1
    solver = next(iter(stepper.solvers.values()))
    solver.last_score = score
    drawn = []
    monkeypatch.setattr(stepper, "_draw", lambda: drawn.append(stepper.race.in_heat))
    monkeypatch.setattr(solver, "step", lambda batches: {})
    for stepper.race.in_heat in range(12):
        stepper._iterate(solver)
    assert drawn == list(range(0, 12, kept))
