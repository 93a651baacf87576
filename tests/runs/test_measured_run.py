"""Data as scientists bring it, end to end: instruments, sensors, held-out values, comparison."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pinngate import config
from pinngate import solution as runs
from pinngate.config import loads
from pinngate.errors import InputError
from pinngate.report import read
from pinngate.report.comparison import figure, names_of, read_runs, rows, summary
from pinngate.report.terminal import verdict_lines
from pinngate.report.verdict import noise_rows
from pinngate.streams import generator

SIZES = {"good.csv": 0.02, "poor.csv": 0.3, "slope.csv": 0.1}

TEXT = """
pinngate: 1
name: instruments
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
constants: {kappa: 0.1}
units: {x: m, u: K}
equations:
  - u_t = kappa*u_xx
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
observations:
  - {of: u, file: good.csv, columns: {x: position, u: kelvin}, holdout: 0.25}
  - {of: u, file: poor.csv, missing: nan}
  - {of: u_x, file: slope.csv}
  - {of: u, file: mean.csv, column: mean, noise: {std: 0.01}, mean: {over: x}}
solve: {network: {width: 16, depth: 1, activation: sin, features: 3}, collocation: 64}
"""


def field(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.exp(-0.1 * np.pi**2 * t) * np.sin(np.pi * x)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> runs.Solution:
    folder = tmp_path_factory.mktemp("instruments")
    random = generator(11, "instruments")
    x, t = random.uniform(size=(2, 120))
    tables = {
        "good.csv": ("position,t,kelvin", field(x, t)),
        "poor.csv": ("x,t,u", field(x, t)),
        "slope.csv": ("x,t,u_x", np.pi * np.cos(np.pi * x) * np.exp(-0.1 * np.pi**2 * t)),
    }
    for name, (header, clean) in tables.items():
        values = clean + SIZES[name] * random.standard_normal(120)
        table = np.column_stack([x, t, values])
        np.savetxt(folder / name, table, delimiter=",", header=header, comments="", fmt="%.9g")
    text = (folder / "poor.csv").read_text().splitlines()
    text[5] = text[5].rpartition(",")[0] + ","
    text[9] = text[9].rpartition(",")[0] + ",nan"
    (folder / "poor.csv").write_text("\n".join(text))
    times = np.linspace(0, 1, 30)
    means = 2 / np.pi * np.exp(-0.1 * np.pi**2 * times) + 0.01 * random.standard_normal(30)
    table = np.column_stack([times, means])
    np.savetxt(folder / "mean.csv", table, delimiter=",", header="t,mean", comments="")
    return runs.run(loads(TEXT, folder=folder), folder / "run")


def test_the_noise_of_every_instrument_is_found(finished: runs.Solution) -> None:
    found = finished.metrics["noise_std_by_set"]
    expected = [*SIZES.values(), 0.01]
    for k, (std, count) in enumerate(zip(expected, (90, 118, 120, 30), strict=True), 1):
        # four standard errors of a standard deviation
        assert found[f"observation_{k}"] == pytest.approx(std, rel=4 / np.sqrt(2 * count))
    points = np.random.default_rng(0).uniform(size=(200, 2))
    error = finished(points)["u"] - field(*points.T)
    # two numbers determine this field; ninety values of 0.02 alone know it to 0.005
    assert np.sqrt(np.mean(error**2)) < 0.01
    assert not finished.metrics["misfit"]["is_clear"]


def test_held_out_values_are_scored_and_never_fitted(finished: runs.Solution) -> None:
    metrics = finished.metrics
    assert metrics["points"]["observations"] == 90 + 118 + 120 + 30
    assert metrics["data"]["observation_1"]["held_out"] == 30
    risk = metrics["risk"]
    # both estimate the variance of the good instrument, from 30 and 90 values
    assert risk["held_out"] == pytest.approx(SIZES["good.csv"] ** 2, rel=1.0)
    assert abs(risk["held_out"] - risk["held_out_expected"]) < 4 * risk["held_out_std_error"]
    assert finished.folder is not None
    archive = read(finished.folder)
    assert archive.held_out["value"].size == 30
    assert archive.observations["value"].size == 358
    assert np.isnan(archive.held_out["leave_one_out_residual"]).all()
    mean_square = np.mean(archive.held_out["residual"] ** 2)
    assert risk["held_out"] == pytest.approx(mean_square, rel=1e-9)


def test_it_is_told_in_the_report_and_on_the_command_line(finished: runs.Solution) -> None:
    assert finished.folder is not None
    told = dict(noise_rows(read(finished.folder)))
    assert told["data of observation_2"] == "2 of 120 values missing"
    assert "slope.csv" in told["noise of observation_3, u_x"]
    assert any("held-out risk" in name for name in told)
    lines = "\n".join(verdict_lines(finished.metrics))
    assert "held-out risk" in lines
    assert "observation_2" in lines
    assert "mean of u over x" in (finished.folder / "report.html").read_text(encoding="utf-8")


def test_the_folder_runs_again_and_predicts_on_grids(finished: runs.Solution) -> None:
    folder = finished.folder
    assert folder is not None
    assert len(list((folder / "data").iterdir())) == 4
    again = config.load(folder / "problem.yaml")
    assert again.observations[0].holdout == finished.problem.observations[0].holdout
    assert runs.predict_grid(folder, "x=0:1:5,t=0:1:3", folder / "grid.npz") == 15
    with np.load(folder / "grid.npz") as arrays:
        assert arrays["u"].shape == arrays["u_std"].shape == (5, 3)
        mesh = np.meshgrid(arrays["x"], arrays["t"], indexing="ij")
        points = np.stack([m.ravel() for m in mesh], axis=1)
        np.testing.assert_allclose(arrays["u"].ravel(), finished(points)["u"], rtol=1e-12)


def test_runs_are_compared(finished: runs.Solution, tmp_path: Path) -> None:
    assert finished.folder is not None
    other = tmp_path / "other"
    quick = [
        "solve.optimizer=population-risk-adam",
        "solve.iterations=20",
        "solve.collocation=32",
        "solve.network={width: 8, depth: 2}",
    ]
    runs.run(
        config.load(config.resolve("burgers-inverse"), overrides=quick), other, has_report=False
    )
    both = read_runs([finished.folder, other])
    assert names_of(both) == ["run", "other"]
    table = dict(rows(both))
    assert table["optimizer"] == ["population-risk-gauss-newton", "population-risk-adam"]
    assert table["nu: 95 % interval"][0] == "–"
    assert table["held-out risk"][1] == "–"
    json.dumps([summary(a) for a in both], allow_nan=False)
    assert len(figure(both).axes) >= 3
    with pytest.raises(InputError, match="is not a finished run"):
        read_runs([finished.folder, tmp_path])
    with pytest.raises(InputError, match="stands twice"):
        read_runs([other, other])


REPEATED = """
pinngate: 1
name: repeated
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
estimate: {kappa: {initial: 0.2, positive: true}}
equations:
  - u_t = kappa*u_xx
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
  - {where: t = 0, equation: u = sin(pi*x)}
observations:
  - {of: u, file: repeated.csv}
solve: {network: {width: 16, depth: 1, activation: sin, features: 3}, collocation: 128}
"""


def repeated(folder: Path, source: float) -> runs.Solution:
    """Fit the heat equation to six readings at each of 36 places; a source is not modelled."""
    random = generator(5, "repeated")
    x, t = (m.ravel() for m in np.meshgrid(np.linspace(0.1, 0.9, 6), np.linspace(0.1, 1, 6)))
    x, t = np.tile(x, 6), np.tile(t, 6)
    values = field(x, t) + source * t * np.sin(3 * np.pi * x) + 0.02 * random.standard_normal(216)
    table = np.column_stack([x, t, values])
    np.savetxt(folder / "repeated.csv", table, delimiter=",", header="x,t,u", comments="")
    return runs.solve(loads(REPEATED, folder=folder))


def test_where_data_contradict_the_equation_intervals_widen_and_it_is_said(tmp_path: Path) -> None:
    right, wrong = (repeated(tmp_path, source).metrics for source in (0.0, 0.3))
    for metrics in (right, wrong):
        pure = metrics["replicates"]["observation_1"]
        assert pure["degrees_of_freedom"] == 180
        assert pure["num_places"] == 36
        # whatever the model: four standard errors of a standard deviation
        assert pure["noise_std"] == pytest.approx(0.02, rel=4 / np.sqrt(360))
    assert not right["misfit"]["is_clear"]
    assert wrong["misfit"]["is_clear"]
    assert "the scatter of repeated measurements" in wrong["misfit"]["words"]
    assert wrong["misfit"]["correlation"]["kind"] == "series"
    widths = [np.ptp(m["coefficients"]["kappa"]["interval_95"]) for m in (right, wrong)]
    low, high = right["coefficients"]["kappa"]["interval_95"]
    assert low < 0.1 < high
    ratio = wrong["noise_std"]["u"] / right["noise_std"]["u"]
    assert widths[1] > 1.5 * ratio * widths[0], "beyond what the larger residuals alone would give"
    assert any("the model does not fit the data" in line for line in verdict_lines(wrong))


def test_stated_noise_is_taken_at_its_word(tmp_path: Path) -> None:
    random = generator(7, "stated")
    for name, std in (("a.csv", 0.02), ("b.csv", 0.2)):
        x, t = random.uniform(size=(2, 60))
        table = np.column_stack([x, t, field(x, t) + std * random.standard_normal(60)])
        np.savetxt(tmp_path / name, table, delimiter=",", header="x,t,u", comments="")
    text = REPEATED.replace("kappa: {initial: 0.2, positive: true}", "kappa: {initial: 0.1}")
    precisions = []
    for noise in ("", ", noise: {std: 0.1}"):
        sets = f"{{of: u, file: a.csv{noise}}}\n  - {{of: u, file: b.csv{noise}}}"
        stated = loads(text.replace("{of: u, file: repeated.csv}", sets), folder=tmp_path)
        stepper = runs.solve(stated).session.stepper
        precisions.append(list(stepper.solvers["given"].noise.precision.values()))  # type: ignore[attr-defined]
    estimated, equal = precisions
    assert estimated[0] / estimated[1] == pytest.approx(10, rel=0.5)
    assert equal[0] / equal[1] == pytest.approx(1.0, rel=1e-12)
