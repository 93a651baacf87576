"""A watched run: the same as an unwatched one, and foretold by its own path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinngate import config
from pinngate.linear.jacobian import weighted_residuals
from pinngate.runs.training import Session, begin, train
from pinngate.theory.gramian import FlowResponse, ridge_response
from pinngate.theory.recording import Recorder, logged_times, noise_of, with_noise_of_draw

SMALL = ["solve.network={width: 8, depth: 2, features: 2.0}", "solve.collocation=32"]
METHODS = {
    "adam": [*SMALL, "solve.optimizer=adam", "solve.iterations=30"],
    "gated": [*SMALL, "solve.optimizer=population-risk-adam", "solve.iterations=30"],
}
RIDGE = ["solve.network={width: 12, depth: 1, activation: sin, features: 3}"]


def session(overrides: list[str]) -> Session:
    return begin(config.load(config.resolve("wave-noisy-ic"), overrides=overrides))


@pytest.mark.parametrize("name", METHODS)
def test_watching_changes_no_digit(name: str) -> None:
    plain, watched = session(METHODS[name]), session(METHODS[name])
    train(plain)
    recorder = Recorder(watched)
    snapshots = list(recorder.follow())
    assert snapshots[0].iteration == 0
    assert snapshots[-1].iteration == 30
    for own, other in zip(plain.stepper.network.weights, recorder.network.weights, strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("name", METHODS)
def test_path_foretells_the_residual(name: str) -> None:
    """What A Aᵀ of hooks and Jacobians says of the steps is what the steps did."""
    watched = session(METHODS[name])
    recorder = Recorder(watched)
    before = first = flow = None
    for now in recorder.follow():
        if before is None:
            first, flow = now, FlowResponse(len(now.residual), len(now.test_outputs))
        else:
            rows, tests = before.jacobian + now.jacobian, before.test_jacobian + now.test_jacobian
            flow.advance(recorder.metric.scaled(0.5 * rows), recorder.metric.scaled(0.5 * tests))
            recorder.metric.reset()
        before = now
    told = flow.response().residual @ first.residual
    moved = (before.residual - first.residual).norm()
    assert float((told - before.residual).norm()) < 0.35 * float(moved)


def test_scaled_jacobian_of_rotated_layers_is_the_plain_one_where_the_metric_is_flat() -> None:
    watched = session(METHODS["gated"])
    recorder = Recorder(watched)
    for _ in range(3):
        watched.stepper.step()
    assert any(basis is not None for basis in recorder.metric.bases)
    recorder.metric.sums = [torch.full_like(s, 0.5) for s in recorder.metric.sums]
    rows = recorder.take().jacobian
    turned = recorder.metric.scaled(rows)
    torch.testing.assert_close(turned @ turned.T, rows @ rows.T, rtol=1e-4, atol=1e-4)


def test_gauss_newton_rests_at_its_ridge_fit() -> None:
    watched = session(RIDGE)
    *_, now = Recorder(watched).follow()
    target = now.residual - now.jacobian @ now.offset
    told = ridge_response(now.jacobian, now.test_jacobian, now.ridge).residual @ target
    assert float((told - now.residual).norm()) < 0.02 * float(target.norm())


def test_rows_of_the_noise_are_what_the_noise_adds() -> None:
    watched = session(METHODS["adam"])
    recorder = Recorder(watched)
    noise = noise_of(watched.observations)
    before = recorder.take().residual
    name = "observation_1"
    batch = recorder.batches[name]
    clean = torch.as_tensor(watched.observations[0].clean)
    batch.columns["@value"] = clean
    now = weighted_residuals(
        recorder.model,
        recorder.network.double(),
        recorder.coefficients.double(),
        recorder.batches,
        recorder.weights(),
    )
    torch.testing.assert_close(now, before + recorder.rows_of(noise), rtol=1e-5, atol=1e-6)


def test_draws_keep_places_and_change_the_noise() -> None:
    own = session(METHODS["adam"])
    stated = own.problem.observations
    assert with_noise_of_draw(own.observations, stated, 0, 0) == own.observations
    (first,) = with_noise_of_draw(own.observations, stated, 0, 1)
    (second,) = with_noise_of_draw(own.observations, stated, 0, 2)
    assert np.array_equal(first.points, own.observations[0].points)
    assert abs(np.corrcoef(noise_of([first])[0], noise_of([second])[0])[0, 1]) < 0.3
    assert np.std(noise_of([first])[0]) == pytest.approx(0.3, rel=0.2)


def test_times_crowd_at_the_start() -> None:
    found = logged_times(1000, 20)
    assert found[-1] == 1000
    assert sorted(set(found)) == found
    assert logged_times(3, 20) == [1, 2, 3]
