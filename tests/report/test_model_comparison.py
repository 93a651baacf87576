"""Which model the data prefer, by runs of a right and a wrong one on the same values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pinngate
from pinngate.report import read
from pinngate.report.model_comparison import preferences

TIMES = np.linspace(0.1, 4, 60)
NOISE = 0.05


def ran(folder: Path, equation: str, values: np.ndarray, **more: object) -> Path:
    problem = pinngate.Problem(
        domain={"t": [0, 4]},
        unknowns=["u"],
        equations=[equation],
        estimate={"k": pinngate.Unknown(0.5, positive=True), **more},
        observations=[pinngate.Observations("u", TIMES, values)],
    )
    pinngate.run(problem, folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    values = 2 * np.exp(-0.8 * TIMES) + NOISE * np.random.default_rng(0).standard_normal(60)
    root = tmp_path_factory.mktemp("models")
    models = {"linear": "u_t = -k*u", "square": "u_t = -k*u**2", "more": "u_t = -k*u - a*u**3"}
    more = {"more": {"a": pinngate.Unknown(0.01)}}
    return {
        name: read(ran(root / name, equation, values, **more.get(name, {})))
        for name, equation in models.items()
    } | {"other data": read(ran(root / "other", models["linear"], values + 1e-3))}


def test_the_wrong_equation_is_told_from_the_right_one(runs: dict) -> None:
    (found,) = preferences([runs["square"], runs["linear"]], ["square", "linear"])
    assert (found.one, found.other) == ("linear", "square")
    assert found.ratio > 2
    assert str(found).startswith("the data prefer linear to square")


def test_a_larger_model_that_holds_the_right_one_is_not_told_apart(runs: dict) -> None:
    (found,) = preferences([runs["linear"], runs["more"]], ["linear", "more"])
    assert found.ratio < 2
    assert "do not tell" in str(found)


def test_runs_on_other_data_are_left_out(runs: dict) -> None:
    assert preferences([runs["linear"], runs["other data"]], ["a", "b"]) == []
