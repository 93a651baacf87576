"""Many values: the race is run on a part of them, the winner goes on with all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pinngate import config
from pinngate.optim.shared_points import SharedPoints
from pinngate.runs.training import Session, begin

FILE = """\
pinngate: 1
name: plate
domain: {x: [0, 1], y: [0, 1], t: [0, 1]}
unknowns: [u]
estimate: {k: {initial: 0.05, positive: true}}
equations: [u_t = k*(u_xx + u_yy)]
conditions: [u = 0 at x = 0]
observations:
  - {of: u, count: 600, layout: random, noise: {std: 0.01}}
  - {of: u, count: 40, layout: random, noise: {std: 0.01}}
truth: {u: exp(-0.1*pi**2*t)*sin(pi*x)*sin(pi*y)}
solve: {collocation: 32}
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "plate.yaml").write_text(FILE)
    return begin(config.load(tmp_path / "plate.yaml"))


def test_large_sets_are_shown_in_part_and_the_same_part_again(session: Session) -> None:
    source = session.stepper.parts.batches
    points = SharedPoints(source, is_rehearsing=True)
    assert points.num_observations == 104
    first = points.batches["observation_1"].columns["@value"]
    points.draw()
    torch.testing.assert_close(points.batches["observation_1"].columns["@value"], first)
    assert set(first.tolist()) <= set(
        source.observations["observation_1"].columns["@value"].tolist()
    )
    points.show_all()
    assert points.num_observations == 640
    everything = points.batches["observation_1"].columns["@value"]
    torch.testing.assert_close(everything, source.observations["observation_1"].columns["@value"])


def test_the_winner_of_a_rehearsal_sees_every_value(session: Session) -> None:
    stepper = session.stepper
    while stepper.race.winner is None and stepper.points.shown:
        assert stepper.race.num_observations == 104
        stepper.step()
    others = [name for name in stepper.race.left if stepper.solvers[name].stopping.best]
    assert all(len(stepper.solvers[name].stopping.best["errors"]) == 104 for name in others)
    while stepper.race.winner is None:
        stepper.step()
    best = stepper.solvers[stepper.race.winner].stopping.best
    assert len(best["errors"]) == stepper.race.num_observations == 640
    stepper.finish()
    assert stepper.race.left
    assert set(stepper.answer.members()) & set(stepper.race.left) == set()


def test_the_state_knows_how_far_a_rehearsal_has_come(session: Session, tmp_path: Path) -> None:
    stepper = session.stepper
    while stepper.points.shown:
        stepper.step()
    stepper.step()
    stepper.step()
    state = stepper.state_dict()
    again = begin(config.load(tmp_path / "plate.yaml")).stepper
    again.load_state_dict(state)
    assert again.race.left == stepper.race.left
    assert again.race.num_observations == 640
    for _ in range(3):
        stepper.step()
        again.step()
    assert stepper.log_row() == again.log_row()
