"""Coefficients together: regions hold what they claim, priors stand where they were stated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from pinngate.report import RunArchive
from pinngate.report.alternatives import alternative
from pinngate.report.figures import figures_of
from pinngate.report.joint_figures import joint, priors
from pinngate.report.joint_intervals import Marginal, correlations, free_of, marginals, value_of
from pinngate.statement.problem import Coefficient, changed
from pinngate.statement.unknown_quantities import Prior

Make = Callable[[str], RunArchive]
CORRELATION = -0.6


def several(archive: RunArchive, **more: tuple[float, float]) -> RunArchive:
    """The archive with the coefficient k and further ones, positive, of (estimate, std)."""
    entry = archive.section("coefficients", "k")
    entries = {"k": entry | {"estimate": 0.72, "std": 0.2, "interval_95": [0.4, 1.3]}}
    stated = list(archive.problem.coefficients)
    for name, (estimate, std) in more.items():
        entries[name] = {"estimate": estimate, "std": std, "interval_95": None, "truth": None}
        stated.append(Coefficient(name, 1.0, lower=0.0))
    count = len(stated)
    matrix = np.full((count, count), CORRELATION) + (1 - CORRELATION) * np.eye(count)
    metrics = {"coefficients": entries, "coefficient_correlation": matrix.tolist()}
    problem = changed(archive.problem, coefficients=tuple(stated), units={"D": "m²/s"})
    return replace(archive, problem=problem, metrics=archive.metrics | metrics)


@pytest.mark.parametrize(("lower", "upper"), [(None, None), (0.0, None), (None, 4.0), (1.0, 4.0)])
def test_free_numbers_go_there_and_back(lower: float | None, upper: float | None) -> None:
    coefficient = Coefficient("k", 2.0, lower, upper)
    values = np.linspace(1.2, 3.8, 9)
    free = np.array([free_of(coefficient, float(v)) for v in values])
    np.testing.assert_allclose(value_of(coefficient, free), values, rtol=1e-12)


def test_regions_hold_their_share(make_archive: Make) -> None:
    archive = several(make_archive("decay"), D=(8.5e-5, 1.2e-5))
    figure = joint(archive)
    assert figure is not None
    plot = figure.axes[2]  # the second row, first column
    assert plot.get_ylabel() == "$D$ (10⁻⁵ m²/s)"
    k, d = marginals(archive)
    mean, std = [k.centre, d.centre], [k.std, d.std]
    covariance = np.array([[1, CORRELATION], [CORRELATION, 1]]) * np.outer(std, std)
    draws = np.random.default_rng(0).multivariate_normal(mean, covariance, 20_000)
    places = np.exp(draws) * [1, 1e5]
    for region, level in zip(plot.patches, (0.95, 0.68), strict=True):
        held = Outline(region.get_xy()).contains_points(places).mean()
        assert held == pytest.approx(level, abs=0.012)


def test_the_uncertainty_of_a_positive_one_is_that_of_its_logarithm(make_archive: Make) -> None:
    k, d = marginals(several(make_archive("decay"), D=(8.5e-5, 1.2e-5)))
    assert k.std == pytest.approx(0.2 / 0.72)
    assert isinstance(d, Marginal)
    assert (d.power, d.unit) == (-5, "m²/s")
    assert d.centre == pytest.approx(math.log(8.5e-5))


def test_what_the_data_do_not_tell_is_left_out(make_archive: Make) -> None:
    archive = several(make_archive("decay"), vague=(1.0, 5.0), still=(1.0, 0.0))
    assert [m.coefficient.name for m in marginals(archive)] == ["k"]
    assert joint(archive) is None


@pytest.mark.parametrize(("count", "is_drawn"), [(1, False), (2, True), (8, True), (9, False)])
def test_from_two_to_eight_are_drawn(make_archive: Make, count: int, is_drawn: bool) -> None:
    more = {f"c{n}": (1.0, 0.1) for n in range(1, count)}
    figure = joint(several(make_archive("decay"), **more))
    assert (figure is not None) == is_drawn
    if figure is not None:
        figure.draw_without_rendering()
        assert sum(plot.get_visible() for plot in figure.axes) == count * (count + 1) // 2


def test_older_runs_know_no_correlation(make_archive: Make) -> None:
    archive = several(make_archive("decay"), D=(1.0, 0.1))
    del archive.metrics["coefficient_correlation"]
    assert joint(archive) is None
    assert correlations(archive) == []


def test_correlations_are_told_the_strongest_first(make_archive: Make) -> None:
    archive = several(make_archive("decay"), D=(1.0, 0.1), E=(1.0, 0.1))
    archive.metrics["coefficient_correlation"] = [[1, 0.2, -0.9], [0.2, 1, 0.5], [-0.9, 0.5, 1]]
    assert correlations(archive) == [("k", "E", -0.9), ("D", "E", 0.5), ("k", "D", 0.2)]
    assert "k and E by −0.9, D and E by 0.5" in alternative(archive, "joint", "Together")


def test_a_prior_is_drawn_where_it_was_stated(make_archive: Make) -> None:
    archive = several(make_archive("decay"), D=(1.0, 0.1))
    assert priors(archive) is None
    known = Prior(math.log(0.5), math.log(1.5), is_of_logarithm=True)
    stated = [
        replace(c, prior=known if c.name == "k" else None) for c in archive.problem.coefficients
    ]
    archive = replace(archive, problem=changed(archive.problem, coefficients=tuple(stated)))
    figures = figures_of(archive)
    (plot,) = [a for a in figures["priors"].axes if a.get_visible()]
    before, after = plot.lines[0], plot.lines[1]
    peak = before.get_xdata()[np.argmax(before.get_ydata())]
    assert peak == pytest.approx(0.5, rel=0.02)
    assert after.get_xdata()[np.argmax(after.get_ydata())] == pytest.approx(0.72, rel=0.02)
    assert "k was stated as 0.5, within a factor of 1.5" in alternative(archive, "priors", "Before")
