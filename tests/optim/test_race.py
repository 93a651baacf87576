"""The race of networks: when others are tried, and who wins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pinngate import config
from pinngate.errors import SolveError
from pinngate.optim.best_arm import Arm
from pinngate.optim.race import HEAT, Race
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


def _arm(race: Race, name: str) -> Arm:
    return next(arm for arm in race.standing().arms if arm.name == name)


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


def test_the_table_tells_misfit_and_paired_uncertainty(session: Session) -> None:
    """Errors that differ by a constant in one value of a hundred: paired, that is all there is."""
    race = session.stepper.race
    names = list(race.divisions[0].networks)[:2]
    errors = torch.linspace(-1, 1, 100, dtype=torch.float64)
    for name, score in zip(names, (0.5, 0.6), strict=True):
        solver = race.solvers[name]
        solver.iteration, solver.last_lookahead = 20, 0.3
        solver.stopping.best = {"risk": 0.4 * solver.unit**2, "score": score, "errors": errors}
        errors = errors.clone()
        errors[0] = 0.0
    best, other = (_arm(race, name) for name in names)
    assert (best.score, best.foreseen, best.misfit) == (0.5, 0.3, pytest.approx(0.1))
    assert best.uncertainty == 0.0
    assert best.risk_error == pytest.approx(
        float(torch.linspace(-1, 1, 100).square().std()) / 10, rel=0.01
    )
    assert other.uncertainty == pytest.approx(0.01, rel=0.02)
    assert other.misfit == pytest.approx(0.2)


def test_a_solver_below_full_physics_is_judged_by_what_it_foresees(session: Session) -> None:
    race = session.stepper.race
    solver = race.solvers[race.at_work]
    solver.iteration, solver.last_score, solver.last_lookahead = 20, 2.0, 0.5
    assert _arm(race, race.at_work).misfit == 0.0
    assert _arm(race, race.at_work).risk_error == pytest.approx(np.sqrt(2 / 60) * 0.5)
    solver.reason = "the limit of iterations is reached"
    assert _arm(race, race.at_work).misfit == 2.0


def test_turns_pass_on_after_a_heat_and_the_state_says_all(session: Session) -> None:
    race = session.stepper.race
    first, second = list(race.divisions[0].networks)[:2]
    for _ in range(HEAT):
        assert race.at_work == first
        race.solvers[first].iteration += 1
        race.count()
    assert (race.at_work, race.in_heat) == (second, 0)
    state = race.state_dict()
    race.at_work, race.in_heat = first, 7
    race.load_state_dict(state)
    assert (race.at_work, race.in_heat) == (second, 0)


def test_only_candidates_that_break_down_leave_the_race(session: Session) -> None:
    race = session.stepper.race
    names = list(race.solvers)
    for name in names[:-1]:
        race.fail(name, "no value")
        race.count()
    assert race.at_work == names[-1]
    race.fail(names[-1], "no value either")
    with pytest.raises(SolveError, match=r"every candidate failed: no value$"):
        race.count()


@pytest.mark.parametrize(("score", "kept"), [(1e-2, 2), (1e-7, 4)])
def test_points_are_kept_twice_as_long_where_the_last_digits_count(
    session: Session, monkeypatch: pytest.MonkeyPatch, score: float, kept: int
) -> None:
    stepper = session.stepper
    stepper.iteration = 1
    solver = stepper.solvers["sine-24-4"]
    solver.last_score = score
    drawn = []
    monkeypatch.setattr(stepper.points, "draw", lambda: drawn.append(stepper.race.in_heat))
    monkeypatch.setattr(solver, "step", lambda batches: {})
    stepper.race.at_work = "sine-24-4"
    for stepper.race.in_heat in range(12):
        stepper.race.at_work = "sine-24-4"
        stepper.step()
    assert drawn == list(range(0, 12, kept))


def test_exact_candidates_draw_no_points(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = session.stepper
    stepper.iteration = 1
    solver = stepper.solvers["basis"]
    monkeypatch.setattr(stepper.points, "draw", lambda: pytest.fail("drawn in vain"))
    monkeypatch.setattr(solver, "step", lambda batches: {})
    stepper.race.at_work = "basis"
    for _ in range(4):
        stepper.step()
