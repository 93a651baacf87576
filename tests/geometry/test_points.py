"""Every place where points are put or read keeps to the geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pinngate import config
from pinngate import solution as runs
from pinngate.data.observations import collect, read_points
from pinngate.errors import DataError, InputError
from pinngate.geometry.region import Region
from pinngate.points.batches import BatchSource
from pinngate.points.grid import evaluation_grid
from pinngate.reference import truth
from pinngate.report import archive
from pinngate.report.truth_check import verify_truth
from pinngate.statement.problem import Noise, Plane, Problem, SyntheticObservations, changed
from tests.geometry.stated import needs_deepxde, problem

pytestmark = needs_deepxde

HEAT = config.load(config.resolve("heat-hole"))


def source(stated: Problem = HEAT) -> BatchSource:
    return BatchSource(
        changed(stated, observations=()),
        [],
        num_collocation=256,
        num_condition=16,
        seed=0,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )


def test_batches_lie_inside_and_on_the_parts() -> None:
    batches = source().draw()
    points = batches["equation_1"].points.numpy()
    assert points.shape == (256, 3)
    assert Region(HEAT).inside(points).all()
    rim = batches["condition_2"]
    x, y, t = rim.points.numpy().T
    np.testing.assert_allclose(np.hypot(x - 0.6, y - 0.5), 0.2)
    normals = np.stack([rim.columns["n_x"], rim.columns["n_y"]], axis=1)
    np.testing.assert_allclose(normals, (np.stack([x, y], axis=1) - [0.6, 0.5]) / -0.2, atol=1e-9)
    # 64 points of a net in (place, time): each eighth of the rim and of the time gets eight
    around = np.arctan2(y - 0.5, x - 0.6)
    # places are random, so the eighths by place are eighths of the angle up to their scatter
    assert np.histogram(t, 8, (0, 1))[0].tolist() == [8] * 8
    assert np.histogram(around, 8, (-np.pi, np.pi))[0].min() >= 5


def test_batches_continue_where_they_stood() -> None:
    first, second = source(), source()
    for _ in range(3):
        first.draw()
    second.load_state_dict(first.state_dict())
    other = second.draw()
    for name, batch in first.draw().items():
        assert torch.equal(batch.points, other[name].points)
        assert all(torch.equal(c, other[name].columns[k]) for k, c in batch.columns.items())


def test_a_plane_is_cut_to_what_is_inside() -> None:
    stated = problem(conditions="[{where: y = 0, equation: u = x**2}]")
    made = source(stated)
    x, y = made.draw()["condition_1"].points.numpy().T
    assert (y == 0).all()
    assert (np.abs(x - 0.2) > 0.3).all()


def test_a_plane_that_misses_the_geometry_is_refused() -> None:
    stated = problem("d: {disk: {center: [0, 0], radius: 0.5}}", "d",
                     conditions="[{where: x = 1, equation: u = 1}]")  # fmt: skip
    made = source(stated)
    with pytest.raises(InputError, match="hardly any point of x = 1 is inside"):
        made.draw()
    observed = SyntheticObservations("u", 10, Noise(std=0.1), Plane("x", 1.0))
    stated = changed(stated, observations=(observed,))
    with pytest.raises(DataError, match="no point of x = 1 is inside"):
        collect(stated, truth(stated), 0)


@pytest.mark.parametrize("layout", ["random", "grid"])
def test_synthetic_values_are_taken_inside(layout: str) -> None:
    stated = problem()
    observed = SyntheticObservations("u", 400, Noise(std=0.1), layout=layout)  # type: ignore[arg-type]
    (made,) = collect(changed(stated, observations=(observed,)), truth(stated), 0)
    assert Region(stated).inside(made.points).all()
    # a grid has about as many points as stated: one row of twenty more or less on each side
    assert len(made.points) == 400 if layout == "random" else abs(len(made.points) - 400) < 40


def test_a_measured_point_outside_is_named_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("x,y\n0.9,0.9\n0.5,0\n0.25,0.0\n")
    with pytest.raises(DataError, match=r"row 4: x = 0.25, y = 0 lies outside the geometry"):
        read_points(path, problem())
    path.write_text("x,y\n0.9,0.9\n0.5,0\n")
    assert len(read_points(path, problem())) == 2


def test_the_grid_of_the_verdict_is_nan_outside() -> None:
    grid = evaluation_grid(problem())
    assert grid.points.shape == (int(grid.inside.sum()), 2)
    values = grid.spread(grid.points[:, 0])
    assert np.isnan(values[60, 50])  # (0.2, 0), the centre of the hole
    assert values[0, 0] == -1
    # 4 - 0.09 pi of the area 4, within one cell along the edge
    assert grid.inside.mean() == pytest.approx(1 - 0.09 * np.pi / 4, abs=0.01)


def test_a_truth_is_verified_with_normals() -> None:
    stated = problem(
        "d: {disk: {center: [0, 0], radius: 0.5}}",
        "d",
        conditions="[{on: boundary, equation: n_x*u_x + n_y*u_y = 1}, "
        "{on: boundary, equation: n_x*u_x + n_y*u_y = 2}]",
    )
    equation, right, wrong = verify_truth(stated)  # of x^2 + y^2 the slope at r = 1/2 is 1
    assert equation.is_satisfied
    assert right.is_satisfied
    assert not wrong.is_satisfied


def test_a_run_from_file_to_report_and_prediction(tmp_path: Path) -> None:
    options = ["solve.optimizer=population-risk-adam", "solve.iterations=30",
               "solve.collocation=32", "solve.network={width: 12, depth: 2}"]  # fmt: skip
    folder = tmp_path / "run"
    runs.run(config.load(config.resolve("poisson-l-shape"), overrides=options), folder)
    read = archive.read(folder)
    for name in ("u", "u_truth"):
        corner = read.solution[name][51:, :50]
        assert np.isnan(corner).all()
        assert np.isfinite(read.solution[name][:51]).all()
        assert np.isfinite(read.solution[name][:, 50:]).all()
    assert read.number("fields", "u", "relative_l2") is not None
    assert (folder / "figures" / "solution.svg").exists()
    assert "inside plate" in (folder / "report.html").read_text()
    assert "the boundary part insulated" in (folder / "report.html").read_text()
    points = tmp_path / "points.csv"
    points.write_text("x,y\n-0.5,-0.5\n0.5,-0.5\n")
    with pytest.raises(DataError, match=r"row 3: x = 0\.5, y = -0.5 lies outside the geometry"):
        runs.predict_file(folder, points, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
