"""The test of the fit errs as often as it says, sees what is wrong, and knows when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from pinngate.report import RunArchive
from pinngate.report.misfit_words import misfit
from pinngate.report.verdict import noise_rows, verdict
from pinngate.statement.problem import MeasuredObservations, Noise, changed

Make = Callable[[str], RunArchive]
STD = 0.3


def _line_fit(
    archive: RunArchive,
    generator: np.random.Generator,
    *,
    bend: float = 0.0,
    repeats: int = 1,
    stated: float | None = STD,
    noise: float = STD,
) -> RunArchive:
    """Least squares of a straight line through 60 values of 1 + 2t + bend·t², exactly judged."""
    t = np.repeat(np.linspace(0, 4, 60 // repeats), repeats)
    value = 1 + 2 * t + bend * t**2 + noise * generator.normal(size=t.size)
    design = np.column_stack([np.ones_like(t), t])
    hat = design @ np.linalg.pinv(design)
    residual = value - hat @ value
    columns = {
        "set": np.full(t.size, "decay.csv"),
        "of": np.full(t.size, "u"),
        "t": t,
        "value": value,
        "fitted": hat @ value,
        "residual": residual,
        "leave_one_out_residual": residual / (1 - np.diag(hat)),
        "std": np.full(t.size, np.nan if stated is None else stated),
    }
    return replace(archive, observations=columns)


@pytest.mark.parametrize(("repeats", "stated"), [(1, STD), (4, None)])
def test_where_the_model_is_right_p_values_are_uniform(
    make_archive: Make, repeats: int, stated: float | None
) -> None:
    archive, generator = make_archive("decay"), np.random.default_rng(0)
    found = [
        misfit(_line_fit(archive, generator, repeats=repeats, stated=stated)) for _ in range(400)
    ]
    values = [m.p_value for m in found if m is not None]
    assert len(values) == 400
    # Both tests are exact for a linear fit; a thousandth is the chance of a false alarm here.
    assert kstest(values, "uniform").pvalue > 1e-3
    ratios = np.array([m.ratio for m in found if m is not None])
    assert np.mean(ratios**2) == pytest.approx(1.0, abs=0.06)


def test_a_misfit_is_seen_by_either(make_archive: Make) -> None:
    archive, generator = make_archive("decay"), np.random.default_rng(1)
    by_stated = misfit(_line_fit(archive, generator, bend=0.5))
    by_repeats = misfit(_line_fit(archive, generator, bend=0.5, repeats=4, stated=None))
    assert by_stated is not None
    assert by_stated.is_clear
    assert "the stated noise, p < 0.001" in by_stated.words
    assert by_repeats is not None
    assert by_repeats.is_clear
    assert "the scatter of repeated measurements" in by_repeats.words
    # What a parabola 0.5 t² leaves of a line on [0, 4] has the mean square 0.25 · 4⁴/180.
    expected = np.sqrt(1 + 0.25 * 4**4 / 180 / STD**2)
    for found in (by_stated, by_repeats):
        assert found.ratio == pytest.approx(expected, rel=0.3)  # sampling of 15 or 60 values


def test_residuals_below_the_stated_noise_are_no_misfit(make_archive: Make) -> None:
    found = misfit(_line_fit(make_archive("decay"), np.random.default_rng(2), stated=3 * STD))
    assert found is not None
    assert not found.is_clear
    assert found.ratio == pytest.approx(1 / 3, rel=0.2)


def test_noise_known_from_nothing_else_is_not_judged(make_archive: Make) -> None:
    archive = make_archive("decay")
    assert misfit(_line_fit(archive, np.random.default_rng(3), stated=None, bend=1.0)) is None
    assert misfit(make_archive("heat")) is None
    assert misfit(make_archive("bare")) is None


def test_values_written_down_twice_are_no_replicates(make_archive: Make) -> None:
    archive = _line_fit(make_archive("decay"), np.random.default_rng(4), stated=None)
    twice = {name: np.concatenate([v, v]) for name, v in archive.observations.items()}
    assert misfit(replace(archive, observations=twice)) is None


def test_a_sum_of_squares_of_heavy_tails_is_not_judged(make_archive: Make) -> None:
    archive = _line_fit(make_archive("decay"), np.random.default_rng(5), bend=1.0)
    data = MeasuredObservations("u", Path("decay.csv"), Noise(std=STD, kind="student-t"))
    heavy = replace(archive, problem=changed(archive.problem, observations=(data,)))
    assert misfit(heavy) is None


def test_many_values_do_not_make_a_small_excess_clear(make_archive: Make) -> None:
    archive = _line_fit(make_archive("decay"), np.random.default_rng(6))
    scale = 1.03 * STD / np.sqrt(np.mean(archive.observations["residual"] ** 2))
    many = {name: np.tile(v, 1000) for name, v in archive.observations.items()}
    many["residual"] = scale * many["residual"]
    many["t"] = np.arange(many["t"].size, dtype=float)
    del many["leave_one_out_residual"]
    found = misfit(replace(archive, observations=many))
    assert found is not None
    assert found.p_value < 1e-6
    assert found.ratio == pytest.approx(1.03)
    assert not found.is_clear


def test_two_sets_are_two_chances_to_err(make_archive: Make) -> None:
    archive, generator = make_archive("decay"), np.random.default_rng(7)
    one, other = (_line_fit(archive, generator) for _ in range(2))
    least = min(m.p_value for m in (misfit(one), misfit(other)) if m is not None)
    both = {
        name: np.concatenate([v, other.observations[name]]) for name, v in one.observations.items()
    }
    both["set"] = np.repeat(["a", "b"], 60)
    found = misfit(replace(archive, observations=both))
    assert found is not None
    assert found.p_value == pytest.approx(min(1.0, 2 * least), rel=1e-12)


def _told(archive: RunArchive, entry: Any) -> RunArchive:
    return replace(archive, metrics=archive.metrics | {"misfit": entry})


def test_what_the_run_recorded_counts_first(make_archive: Make) -> None:
    archive = make_archive("heat")
    found = misfit(_told(archive, {"ratio": 1.8, "p_value": 1e-9}))
    assert found is not None
    assert found.words == "residuals 1.80 times the noise, p < 0.001"
    assert misfit(_told(archive, None)) is None


def test_the_verdict_says_it_first(make_archive: Make) -> None:
    archive = make_archive("heat")
    wrong = _told(archive, {"ratio": 1.8, "p_value": 1e-9})
    said = verdict(wrong)
    assert said.tone == "doubtful"
    assert said.sentence.startswith(
        "Converged, but the model does not fit the data "
        "(residuals 1.80 times the noise, p < 0.001): the field u is within"
    )
    assert noise_rows(wrong)[-1] == (
        "fit to the data",
        "residuals 1.80 times the noise, p < 0.001; the model does not fit the data",
    )
    right = _told(archive, {"ratio": 1.02, "p_value": 0.21})
    assert verdict(right) == verdict(archive)
    assert noise_rows(right)[-1][1] == "residuals 1.02 times the noise, p = 0.21"


def test_a_run_that_did_not_converge_says_it_too(make_archive: Make) -> None:
    said = verdict(_told(make_archive("membrane"), {"ratio": 3.0, "p_value": 0.0}))
    assert said.tone == "bad"
    assert "As it stands, the model does not fit the data (residuals 3.00 times" in said.sentence
