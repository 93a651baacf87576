"""Looks at what is left of the data: what is drawn, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pinngate.report import RunArchive
from pinngate.report.cuts import held_at
from pinngate.report.images import Image
from pinngate.report.residual_figures import LEVELS, calibration, residuals, series

Make = Callable[[str], RunArchive]


def test_intervals_that_hold_what_they_claim_are_on_the_diagonal(make_archive: Make) -> None:
    archive, rng = make_archive("heat"), np.random.default_rng(0)
    u = archive.solution["u"]
    off = 0.1 * rng.standard_normal(u.shape)
    solution = archive.solution | {"u_truth": u + off, "u_std": np.full(u.shape, 0.1)}
    figure = calibration(replace(archive, solution=solution, observations={}))
    assert figure is not None
    line = figure.axes[0].lines[1]
    np.testing.assert_allclose(line.get_ydata(), LEVELS, atol=0.03)


def test_nothing_to_judge_by_draws_nothing(make_archive: Make) -> None:
    assert calibration(make_archive("volume")) is None


def test_few_residuals_draw_nothing(make_archive: Make) -> None:
    archive = make_archive("heat")
    (_, of, columns), *_ = archive.observation_sets()
    assert residuals(archive, of, columns) is not None
    few = {name: values[:5] for name, values in columns.items()}
    assert residuals(archive, of, few) is None


def test_each_sensor_has_its_series(make_archive: Make) -> None:
    archive = make_archive("heat")
    (_, of, columns), *_ = archive.observation_sets()
    assert series(archive, of, columns) is None  # two hundred places at one time
    read = {name: values[:60].copy() for name, values in columns.items()}
    read["x"], read["t"] = np.repeat([0.2, 0.5, 0.8], 20), np.tile(np.linspace(0, 1, 20), 3)
    figure = series(archive, of, read)
    assert figure is not None
    titles = [a.get_title(loc="left") for a in figure.axes]
    assert [t.partition("= ")[2] for t in titles] == ["0.2", "0.5", "0.8"]
    assert all(len(a.lines[1].get_xdata()) == 20 for a in figure.axes)


def test_slices_are_held_at_a_sensor_and_never_at_an_end(make_archive: Make) -> None:
    archive = make_archive("heat")
    x = archive.solution["x"]
    rows = {name: values[:2] for name, values in archive.observations.items()}
    seen = replace(archive, observations=rows | {"x": np.array([0.1, 0.4]), "t": np.zeros(2)})
    assert abs(x[held_at(seen, "u", "x")] - 0.4) < 0.02
    growing = np.broadcast_to(np.linspace(0, 1, x.size)[:, None] ** 40, archive.solution["u"].shape)
    edge = replace(archive, solution=archive.solution | {"u": growing}, observations={})
    assert 0 < held_at(edge, "u", "x") < x.size - 1


def test_colours_of_a_size_are_not_those_of_one_corner() -> None:
    plane = np.ones((50, 50))
    plane[0, 0] = 1e6
    assert Image("std", plane, is_size=True).colours([plane])[1].vmax == 1.0
