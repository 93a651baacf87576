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

QUICK = {"optimizer": "population-risk-adam", "iterations": 40, "collocation": 32}
SMALL = {"width": 12, "depth": 2}


def shipped(name: str, *overrides: str) -> pinngate.Problem:
    return config.load(config.resolve(name), overrides=list(overrides))


@pytest.fixture(scope="module")
def heat() -> pinngate.Solution:
    """A linear problem, answered by the mean of several networks."""
    return pinngate.solve(shipped("heat-noisy-ic"), seed=0)


@pytest.fixture(scope="module")
def oscillator() -> pinngate.Solution:
    """Two coefficients, stopped early."""
    return pinngate.solve(shipped("oscillator"), callback=lambda p: p.iteration >= 30)


@pytest.fixture(scope="module")
def conductivity() -> pinngate.Solution:
    """A coefficient that varies and is positive."""
    return pinngate.solve(shipped("heat-conductivity"), network=SMALL, **QUICK)


def test_values_have_the_shape_of_the_places(heat: pinngate.Solution) -> None:
    x, t = np.linspace(0, 1, 5), np.linspace(0, 1, 3)
    grid = heat(x=x[:, None], t=t)["u"]
    assert grid.shape == (5, 3)
    assert heat(x=0.5, t=0.1)["u"].shape == ()
    assert heat(x=0.5, t=t.tolist())["u"].shape == (3,)
    mesh = np.stack(np.meshgrid(x, t, indexing="ij"), -1).reshape(-1, 2)
    flat = heat(mesh)["u"]
    np.testing.assert_array_equal(flat.reshape(5, 3), grid)
    np.testing.assert_array_equal(heat(mesh.tolist())["u"], flat)
    for values in (*heat.interval(x=x[:, None], t=t)["u"], heat.std(x=x[:, None], t=t)["u"]):
        assert values.shape == (5, 3)
    assert heat.sample(7, x=x[:, None], t=t)["u"].shape == (7, 5, 3)
    assert heat.sample(7, mesh)["u"].shape == (7, 15)
    assert heat([])["u"].shape == (0,)


def test_a_data_frame_is_read_by_its_columns(heat: pinngate.Solution) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"t": [0.1, 0.9], "note": ["a", "b"], "x": [0.5, 0.25]})
    expected = heat([[0.5, 0.1], [0.25, 0.9]])["u"]
    np.testing.assert_array_equal(heat(frame)["u"], expected)
    with pytest.raises(InputError, match="no t is given"):
        heat(frame[["x"]])


def test_values_are_those_of_the_judged_grid(heat: pinngate.Solution) -> None:
    record = heat.record.solution
    x, t = record["x"], record["t"]
    np.testing.assert_allclose(heat(x=x[:, None], t=t)["u"], record["u"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(heat.std(x=x[:, None], t=t)["u"], record["u_std"], rtol=1e-9)


@pytest.mark.parametrize(
    ("places", "what"),
    [
        ({"x": 0.5}, "no t is given"),
        ({"x": 0.5, "t": 0.1, "y": 0}, "unknown axis 'y'"),
        ({"x": [0.1, 0.2], "t": [0.1, 0.2, 0.3]}, r"x \(2,\), t \(3,\) do not fit"),
        ({"x": np.nan, "t": 0}, "x = nan, t = 0 is not finite"),
        ({"x": "left", "t": 0}, "x is str, 'left'"),
        ({"x": [0.5, 1.5, -1], "t": 0.25}, "x = 1.5, t = 0.25 is outside the domain"),
        ({}, "no points are given"),
    ],
)
def test_coordinates_that_are_no_places_are_refused(
    heat: pinngate.Solution, places: dict, what: str
) -> None:
    for ask in (heat, heat.std, heat.interval):
        with pytest.raises(InputError, match=what):
            ask(**places)
    if places:
        with pytest.raises(InputError, match=what):
            heat.sample(2, **places)


@pytest.mark.parametrize(
    ("points", "what"),
    [
        ([0.5, 0.1], r"the shape \(2,\)"),
        ([[0.5, 0.1, 0.2]], r"the shape \(1, 3\)"),
        ([[[0.5, 0.1]]], r"the shape \(1, 1, 2\)"),
        ([[0.5, 0.1], [0.5, 7.0]], "x = 0.5, t = 7 is outside"),
        ([[0.5, 0.1], [np.inf, 0.1]], "x = inf, t = 0.1 is not finite"),
        ([["a", "b"]], "points is list"),
    ],
)
def test_points_that_are_no_places_are_refused(
    heat: pinngate.Solution, points: list, what: str
) -> None:
    with pytest.raises(InputError, match=what):
        heat(points)
    with pytest.raises(InputError, match="given twice"):
        heat(points, x=0.5, t=0.1)


def test_the_first_point_outside_is_named_with_the_bounds(heat: pinngate.Solution) -> None:
    with pytest.raises(InputError) as refused:
        heat(x=[0.5, 1.5, 2.5], t=0)
    message = str(refused.value)
    assert "x = 1.5, t = 0 is outside the domain, the first of 2 such" in message
    assert "x from 0 to 1, t from 0 to 1" in message
    beyond = heat(x=1.5, t=0, extrapolate=True)["u"]
    expected = heat.session.evaluate(np.array([[1.5, 0.0]]))["u"][0]
    assert beyond == expected
    assert heat(x=1 + 1e-12, t=0)["u"].shape == ()  # rounding is not outside


def test_points_in_a_hole_are_outside_the_geometry() -> None:
    pytest.importorskip("deepxde")
    solution = pinngate.solve(shipped("heat-disk"), network=SMALL, **QUICK | {"iterations": 2})
    low = [ends[0] for ends in solution.problem.domain.values()]
    with pytest.raises(InputError, match="outside the geometry"):
        solution([low])  # a corner of the box around the disk
    assert np.isfinite(solution([low], extrapolate=True)["u"]).all()


def test_intervals_are_students_and_grow_with_the_level(heat: pinngate.Solution) -> None:
    at = {"x": [0.2, 0.5], "t": 0.3}
    value, std = heat(**at)["u"], heat.std(**at)["u"]
    lower, upper = heat.interval(**at)["u"]
    np.testing.assert_allclose(upper - value, value - lower)
    ratio = (upper - value) / std
    assert ((ratio > 1.96) & (ratio < 2.0)).all()  # 200 values less a few dimensions
    narrow = heat.interval(level=0.5, **at)["u"]
    np.testing.assert_allclose((narrow[1] - value) / std, 0.676, atol=0.004)
    with pytest.raises(InputError, match="the level is 95"):
        heat.interval(level=95, **at)


def test_draws_have_the_stated_deviations(heat: pinngate.Solution) -> None:
    at = {"x": np.linspace(0.1, 0.9, 9), "t": 0.2}
    draws = heat.sample(20_000, seed=1, **at)["u"]
    std = heat.std(**at)["u"]
    np.testing.assert_allclose(draws.std(0), std, rtol=0.03)
    assert (np.abs(draws.mean(0) - heat(**at)["u"]) < 0.04 * std).all()
    correlation = np.corrcoef(draws.T)
    assert correlation[0, 1] > 0.5  # neighbours move together
    np.testing.assert_array_equal(
        heat.sample(5, seed=1, **at)["u"], heat.sample(5, seed=1, **at)["u"]
    )
    assert not np.array_equal(heat.sample(5, seed=2, **at)["u"], heat.sample(5, seed=1, **at)["u"])
    for count, seed, what in ((0, 0, "0 draws"), (3, -1, "the seed is -1")):
        with pytest.raises(InputError, match=what):
            heat.sample(count, seed=seed, **at)


def test_coefficients_have_their_joint_covariance(oscillator: pinngate.Solution) -> None:
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
    assert "truth 0.4" in text[0]


def test_coefficients_are_drawn_with_the_fields(oscillator: pinngate.Solution) -> None:
    draws = oscillator.sample(20_000, t=[1.0, 2.0])
    assert list(draws) == [*oscillator.problem.outputs, "damping", "stiffness"]
    assert draws["damping"].shape == (20_000,)
    raw = np.log(np.stack([draws["damping"], draws["stiffness"]]))  # both are positive
    np.testing.assert_allclose(
        np.corrcoef(raw)[0, 1], oscillator.coefficients.correlation[0, 1], atol=0.03
    )
    for k, estimate in enumerate(oscillator.coefficients.values()):
        assert raw[k].std() == pytest.approx(estimate.std / estimate.estimate, rel=0.03)
    alone = oscillator.sample(3)
    assert list(alone) == ["damping", "stiffness"]


def test_a_coefficient_that_varies_keeps_its_bound(conductivity: pinngate.Solution) -> None:
    (varying,) = conductivity.problem.coefficient_fields
    assert varying.lower == 0
    at = {"x": np.linspace(0, 1, 11), "t": 0.0}
    name, value = varying.name, conductivity(**at)[varying.name]
    lower, upper = conductivity.interval(level=0.999, **at)[name]
    assert (lower > 0).all()
    np.testing.assert_allclose(np.log(upper / value), np.log(value / lower), rtol=1e-6)
    draws = conductivity.sample(10_000, **at)[name]
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
        solution.sample(3)


def test_it_is_the_same_from_disk(
    heat: pinngate.Solution, oscillator: pinngate.Solution, tmp_path: Path
) -> None:
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
                again.sample(3, points)[field], solution.sample(3, points)[field]
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
    assert len(solution.record.held_out["value"]) == 40
    assert len(solution.record.observations["value"]) == 160
    again = pinngate.load_solution(solution.save(tmp_path / "run"))
    for part in ("observations", "held_out"):
        before, after = getattr(solution.record, part), getattr(again.record, part)
        assert list(before) == list(after)
        np.testing.assert_array_equal(before["value"], after["value"])


def test_options_override_the_problem() -> None:
    problem = shipped("heat-noisy-ic")
    options = pinngate.solve(problem, seed=5, network=SMALL, **QUICK).problem.solve
    assert (options.seed, options.optimizer) == (5, "population-risk-adam")
    assert (options.iterations, options.network.width) == (40, 12)
    assert problem.solve.seed == 0
    for given, what in (
        ({"iteration": 3}, "unknown option of solve: 'iteration'"),
        ({"network": {"widht": 3}}, "unknown key of network: 'widht'"),
        ({"optimizer": "adm"}, "unknown optimizer 'adm'"),
    ):
        with pytest.raises(InputError, match=what) as refused:
            pinngate.solve(problem, **given)
        assert "did you mean" in str(refused.value)


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


def test_it_is_printed_in_a_few_lines(
    heat: pinngate.Solution, oscillator: pinngate.Solution
) -> None:
    for solution in (heat, oscillator):
        text = repr(solution)
        assert len(text) < 800
        assert 2 <= len(text.splitlines()) <= 8
        assert solution.problem.name in text
        assert solution.metrics["status"] in text
        assert len(repr(solution.session)) < 100
    assert "damping" in repr(oscillator)


def test_the_card_of_a_notebook_is_self_contained(
    heat: pinngate.Solution, oscillator: pinngate.Solution
) -> None:
    card = heat._repr_html_()
    assert "solved" in card
    assert "stopped falling" in card
    (encoded,) = re.findall(r'src="data:image/png;base64,([^"]+)"', card)
    image = matplotlib.image.imread(io.BytesIO(base64.b64decode(encoded)), format="png")
    assert image.std() > 0.05  # something is drawn
    for outside in ("http", "<script", "<link", "<style"):
        assert outside not in card
    other = oscillator._repr_html_()
    assert "not converged" in other
    assert "stiffness" in other


def test_the_verdict_has_a_word_and_reasons(
    heat: pinngate.Solution, oscillator: pinngate.Solution
) -> None:
    assert heat.verdict.word == "solved"
    assert heat.verdict.reasons == (heat.metrics["reason"],)
    assert heat.verdict.sentence.startswith("Solved: the field u is within")
    assert str(heat.verdict) == f"solved: {heat.metrics['reason']}"
    assert oscillator.verdict.word == "not converged"
    assert oscillator.verdict.reasons[0] == "stopped by the callback"


def test_figures_and_arrays(heat: pinngate.Solution) -> None:
    assert isinstance(heat.plot(), Figure)
    with pytest.raises(InputError, match="unknown field 'v'"):
        heat.plot("v")
    pytest.importorskip("xarray")
    data = heat.to_xarray()
    assert set(data) == {"u", "u_std", "u_truth"}
    assert data["u"].dims == ("x", "t")
    assert data["u_std"].attrs["long_name"] == "standard deviation of u"
    here = data["u"].sel(x=0.5, t=0.1, method="nearest")
    assert float(here) == pytest.approx(float(heat(x=here.x, t=here.t)["u"]), abs=1e-12)


def test_without_xarray_the_extra_is_named(
    heat: pinngate.Solution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="labelled arrays need xarray") as refused:
        heat.to_xarray()
    assert "pinngate[netcdf]" in str(refused.value)
