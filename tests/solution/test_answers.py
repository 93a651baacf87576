"""The solution object: what it answers, what it refuses, and that it survives the disk."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import pinngate
from pinngate import config
from pinngate.errors import InputError
from pinngate.runs.judgement import deviations
from pinngate.solution import Solution
from pinngate.solution.display import archive_of

QUICK = {"optimizer": "population-risk-adam", "iterations": 40, "collocation": 32}
SMALL = {"width": 12, "depth": 2}


def shipped(name: str, *overrides: str) -> pinngate.Problem:
    return config.load(config.resolve(name), overrides=list(overrides))


@pytest.fixture(scope="module")
def heat() -> Solution:
    """A linear problem, answered by the mean of several networks."""
    return pinngate.solve(shipped("heat-noisy-ic"), seed=0)


@pytest.fixture(scope="module")
def oscillator() -> Solution:
    """Two coefficients, stopped early."""
    return pinngate.solve(shipped("oscillator"), network=SMALL, callback=lambda p: p.iteration >= 3)


@pytest.fixture(scope="module")
def conductivity() -> Solution:
    """A coefficient that varies and is positive."""
    return pinngate.solve(shipped("heat-conductivity"), network=SMALL, **QUICK)


def test_a_data_frame_is_read_by_its_columns(heat: Solution) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"t": [0.1, 0.9], "note": ["a", "b"], "x": [0.5, 0.25]})
    expected = heat([[0.5, 0.1], [0.25, 0.9]])["u"]
    np.testing.assert_array_equal(heat(frame)["u"], expected)
    with pytest.raises(InputError, match="the axis t is missing"):
        heat(frame[["x"]])


def test_values_are_those_of_the_judged_grid(heat: Solution) -> None:
    record = heat.judged.solution
    x, t = record["x"], record["t"]
    np.testing.assert_allclose(heat(x=x[:, None], t=t)["u"], record["u"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(heat.std(x=x[:, None], t=t)["u"], record["u_std"], rtol=1e-9)


def test_points_in_a_hole_are_outside_the_geometry() -> None:
    pytest.importorskip("deepxde")
    solution = pinngate.solve(shipped("heat-disk"), network=SMALL, **QUICK | {"iterations": 2})
    low = [ends[0] for ends in solution.problem.domain.values()]
    with pytest.raises(InputError, match="outside the domain"):
        solution([low])  # a corner of the box around the disk
    assert np.isfinite(solution([low], extrapolate=True)["u"]).all()


def test_coefficients_have_their_joint_covariance(oscillator: Solution) -> None:
    found = oscillator.coefficients
    assert list(found) == ["damping", "stiffness"]
    for name, estimate in found.items():
        entry = oscillator.metrics["coefficients"][name]
        assert (float(estimate), estimate.std, estimate.truth) == (
            entry["estimate"],
            entry["std"],
            entry["truth"],
        )
        assert list(estimate.interval) == entry["interval_95"]
    stds = [estimate.std for estimate in found.values()]
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), stds)
    correlation = found.correlation
    np.testing.assert_allclose(np.diag(correlation), 1)
    np.testing.assert_allclose(correlation, correlation.T)
    assert correlation[0, 1] == pytest.approx(found.covariance[0, 1] / stds[0] / stds[1])
    assert abs(correlation[0, 1]) < 1
    text = repr(found).splitlines()
    assert len(text) == 2
    assert text[0].startswith("damping = ")


def test_the_report_knows_their_correlation(oscillator: Solution) -> None:
    recorded = oscillator.metrics["coefficient_correlation"]
    np.testing.assert_allclose(recorded, oscillator.coefficients.correlation, atol=1e-9)


def test_one_coefficient_has_no_correlation(conductivity: Solution) -> None:
    assert conductivity.metrics["coefficient_correlation"] is None


def test_a_coefficient_that_varies_keeps_its_bound(conductivity: Solution) -> None:
    (varying,) = conductivity.problem.coefficient_fields
    assert varying.lower == 0
    at = {"x": np.linspace(0, 1, 11), "t": 0.0}
    name, value = varying.name, conductivity(**at)[varying.name]
    lower, upper = conductivity.interval(level=0.999, **at)[name]
    assert (lower > 0).all()
    np.testing.assert_allclose(np.log(upper / value), np.log(value / lower), rtol=1e-6)
    draws = conductivity.sample(10_000, **at).fields[name]
    assert (draws > 0).all()
    std = conductivity.std(**at)[name]
    np.testing.assert_allclose(np.log(draws).std(0), std / value, rtol=0.05)
    points = np.column_stack([np.linspace(0, 1, 11), np.zeros(11)])
    posterior = conductivity.session.stepper.posterior()
    expected = deviations(conductivity.session, posterior, points)[f"{name}_std"]
    np.testing.assert_array_equal(std, expected)
    assert isinstance(conductivity.plot(name), Figure)


def test_a_run_without_memory_for_its_uncertainty_says_so() -> None:
    options = QUICK | {"iterations": 2, "max_memory": 1_000_000}
    solution = pinngate.solve(shipped("heat-noisy-ic"), network=SMALL, **options)
    assert solution(x=0.5, t=0)["u"].shape == ()
    for ask in (solution.std, solution.interval):
        with pytest.raises(InputError, match="no uncertainty"):
            ask(x=0.5, t=0)
    with pytest.raises(InputError, match="no uncertainty"):
        solution.sample(3, x=0.5, t=0)


def test_it_is_the_same_from_disk(heat: Solution, oscillator: Solution, tmp_path: Path) -> None:
    for name, solution in (("heat", heat), ("oscillator", oscillator)):
        folder = solution.save(tmp_path / name)
        again = pinngate.load_solution(folder)
        assert again.folder == folder
        assert again.metrics == solution.metrics
        assert repr(again) == repr(solution)
        points = np.random.default_rng(0).random((40, len(solution.problem.axes)))
        for field in solution.problem.outputs:
            np.testing.assert_array_equal(again(points)[field], solution(points)[field])
            np.testing.assert_array_equal(again.std(points)[field], solution.std(points)[field])
            np.testing.assert_array_equal(
                again.sample(3, points).fields[field], solution.sample(3, points).fields[field]
            )
        np.testing.assert_array_equal(
            again.coefficients.covariance, solution.coefficients.covariance
        )
        assert again.verdict == solution.verdict
        third = pinngate.load_solution(again.save(tmp_path / f"{name}-again"))
        assert third.metrics == solution.metrics
        for file in ("observations.csv", "history.csv", "metrics.json", "problem.yaml"):
            first, second = ((tmp_path / n / file).read_text() for n in (name, f"{name}-again"))
            assert first == second
        with pytest.raises(InputError, match="already holds a run"):
            solution.save(folder)


def test_folders_of_runs_are_loaded(tmp_path: Path) -> None:
    stated = [f"solve.{k}={v}" for k, v in QUICK.items()]
    problem = shipped("heat-noisy-ic", *stated, "solve.network={width: 12, depth: 2}")
    ran = pinngate.run(problem, tmp_path / "run")
    loaded = pinngate.load_solution(str(tmp_path / "run"))
    np.testing.assert_array_equal(loaded(x=0.3, t=[0, 1])["u"], ran(x=0.3, t=[0, 1])["u"])
    saved = ran.save(tmp_path / "saved")
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert {p.name for p in saved.iterdir()} == names
    for file in ("problem.yaml", "observations.csv", "history.csv", "metrics.json"):
        assert (saved / file).read_text() == (tmp_path / "run" / file).read_text()
    (saved / "metrics.json").unlink()
    with pytest.raises(InputError, match="not a finished run"):
        pinngate.load_solution(saved)


def test_a_problem_without_data_is_saved_too(tmp_path: Path) -> None:
    text = """pinngate: 1
name: decay
domain: {t: [0, 1]}
unknowns: [u]
equations: [u_t = -u]
conditions: [{where: t = 0, equation: u = 1}]
solve: {optimizer: adam, iterations: 5}
"""
    solution = pinngate.solve(config.loads(text))
    again = pinngate.load_solution(solution.save(tmp_path / "run"))
    np.testing.assert_array_equal(again(t=0.5)["u"], solution(t=0.5)["u"])
    assert again._repr_html_() == solution._repr_html_()
    with pytest.raises(InputError, match="no uncertainty"):
        again.std(t=0.5)


def test_held_out_values_stay_apart_on_disk(tmp_path: Path) -> None:
    problem = shipped("heat-noisy-ic", "observations.0.holdout=0.2")
    solution = pinngate.solve(problem, network=SMALL, **QUICK)
    assert len(archive_of(solution).held_out["value"]) == 40
    assert len(archive_of(solution).observations["value"]) == 160
    again = pinngate.load_solution(solution.save(tmp_path / "run"))
    for part in ("observations", "held_out"):
        before, after = (getattr(archive_of(s), part) for s in (solution, again))
        assert list(before) == list(after)
        np.testing.assert_array_equal(before["value"], after["value"])


def test_what_is_the_callers_own_reaches_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    from pinngate.solution import solving

    class ReachedError(Exception):
        pass

    seen = {}

    def begin(problem, **own):
        seen.update(own)
        raise ReachedError

    monkeypatch.setattr(solving, "begin", begin)
    network, optimizer = torch.nn.Linear(2, 1), torch.optim.SGD
    with pytest.raises(ReachedError):
        pinngate.solve(shipped("heat-noisy-ic"), network=network, optimizer=optimizer)
    assert seen == {"network": network, "optimizer": optimizer}


def test_the_card_of_a_notebook_is_self_contained(heat: Solution, oscillator: Solution) -> None:
    card = heat._repr_html_()
    assert "solved" in card
    assert "stopped falling" in card
    (encoded,) = re.findall(r'src=.data:image/png;base64,([^"\']+).', card)
    image = matplotlib.image.imread(io.BytesIO(base64.b64decode(encoded)), format="png")
    assert image.std() > 0.05  # something is drawn
    for outside in ("http", "<script", "<link", "<style"):
        assert outside not in card
    other = oscillator._repr_html_()
    assert "failed" in other
    assert "stiffness" in other


def test_without_xarray_the_extra_is_named(heat: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="labelled arrays need xarray") as refused:
        heat.to_xarray()
    assert "pinngate[netcdf]" in str(refused.value)


def test_options_are_keywords_and_unknown_ones_are_refused() -> None:
    options = pinngate.solve(shipped("heat-noisy-ic"), network=SMALL, **QUICK).problem.solve
    assert (options.iterations, options.optimizer) == (40, "population-risk-adam")
    with pytest.raises(InputError, match="unknown key 'iteration'") as refused:
        pinngate.solve(shipped("heat-noisy-ic"), iteration=3)
    assert "did you mean 'iterations'" in str(refused.value)


def test_reversed_and_frozen_arrays_are_points_too(heat: Solution) -> None:
    points = np.array([[0.1, 0.5], [0.9, 0.25]])[:, ::-1]
    points.flags.writeable = False
    expected = heat([[0.5, 0.1], [0.25, 0.9]])["u"]
    np.testing.assert_array_equal(heat(points)["u"], expected)
