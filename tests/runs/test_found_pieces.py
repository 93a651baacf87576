"""Runs with coefficients on pieces: values, where the prior is the answer, files and the page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import pinngate
from pinngate.report.archive import read
from pinngate.report.page import write
from pinngate.report.terminal import verdict_lines
from pinngate.solution import Solution

Array = NDArray[np.float64]
RATES = (0.5, 2.0)


def decay(**changes: Any) -> pinngate.Problem:
    """Return u_t = −k u whose rate changes at t = 1; of t > 2 there are no data."""
    times = np.linspace(0.05, 1.95, 40)
    clean = np.exp(-RATES[0] * np.minimum(times, 1) - RATES[1] * np.maximum(times - 1, 0))
    values = clean + 0.01 * np.random.default_rng(0).standard_normal(len(times))
    own = {"initial": 1.0, "positive": True, "pieces": {"t": [1, 2]}}
    return pinngate.Problem(
        domain={"t": [0, 3]},
        unknowns=["u"],
        equations=["u_t = -k*u"],
        conditions=["u = 1 at t = 0"],
        estimate={"k": {**own, "prior": {"median": 1, "factor": 3}, **changes}},
        units={"k": "1/h"},
        observations=[pinngate.Observations("u", {"t": times}, values, std=0.01)],
    )


@pytest.fixture(scope="module")
def solution() -> Solution:
    return pinngate.solve(decay())


def test_rates_before_and_after_a_change(solution: Solution) -> None:
    for name, rate in zip(("k[1]", "k[2]"), RATES, strict=True):
        low, high = solution.coefficients[name].interval or (0, 0)
        assert low < rate < high
        assert high / low < 1.2


def test_where_there_are_no_data_the_prior_is_the_answer_and_is_said_to_be(
    solution: Solution,
) -> None:
    found = solution.coefficients["k[3]"]
    assert found.estimate == pytest.approx(1.0, rel=0.02)
    assert (found.std or 0) / found.estimate == pytest.approx(math.log(3), rel=0.1)
    entry = solution.metrics["coefficient_fields"]["k"]
    assert entry["from_prior"] == ["k[3]"]
    assert solution.metrics["coefficients"]["k[3]"]["prior_share"] > 0.9
    assert solution.metrics["determined"] is True
    assert solution.verdict.word == "solved"
    lines = verdict_lines(solution.metrics)
    assert any("of 1 of 3 pieces the prior tells more than the data" in line for line in lines)
    assert not any(line.startswith("k[") for line in lines)


def test_without_a_prior_it_is_said_that_no_data_tell_it() -> None:
    found = pinngate.solve(decay(prior=None))
    assert found.metrics["determined"] is False
    assert "k[3]" in found.metrics["determined_words"]
    assert "k[2]" not in found.metrics["determined_words"]
    assert found.coefficients["k[3]"].interval is None
    assert np.isfinite(found(t=2.5)["k"]).all()


def test_a_function_on_pieces_is_seen_anywhere(solution: Solution) -> None:
    estimates = [solution.coefficients[f"k[{n}]"] for n in (1, 2, 3)]
    at = {"t": [0.5, 1.5, 2.5]}
    np.testing.assert_allclose(solution(**at)["k"], [e.estimate for e in estimates])
    np.testing.assert_allclose(solution.std(**at)["k"], [e.std for e in estimates])
    low, high = solution.interval(**at)["k"]
    ends = np.array([e.interval for e in estimates])
    np.testing.assert_allclose(np.stack([low, high], 1), ends)
    narrow = solution.interval(**at, level=0.5)["k"]
    assert (narrow[1] - narrow[0] < high - low).all()
    drawn = solution.sample(50, **at)
    np.testing.assert_allclose(drawn.fields["k"][:, 0], drawn.coefficients["k[1]"])


def test_files_and_page(solution: Solution, tmp_path: Path) -> None:
    folder = solution.save(tmp_path / "run")
    write(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "The pieces of" in page
    assert "t 2 to 3" in page
    assert "1 of 3 rest on the prior more than on the data." in page
    assert (folder / "figures" / "field_k.png").exists()
    archive = read(folder)
    assert archive.problem.pieces == solution.problem.pieces
    assert archive.solution["k"].shape == archive.solution["t"].shape
    again = pinngate.load_solution(folder)
    np.testing.assert_allclose(again(t=1.5)["k"], solution(t=1.5)["k"], rtol=1e-9)
    assert solution.to_xarray()["k"].dims == ("t",)


@pytest.fixture(scope="module")
def plate() -> Solution:
    return pinngate.solve(pinngate.load("patchwork-plate"))


def test_a_plate_of_patches(plate: Solution) -> None:
    assert plate.verdict.word == "solved"
    judged = plate.metrics["coefficient_fields"]["k"]
    assert judged["coverage_95"] >= 7 / 9
    assert plate.metrics["fields"]["u"]["relative_l2"] < 0.02
    assert plate.to_xarray()["k"].dims == ("x", "y")
    assert "elements" in plate.metrics["network"]["solver"]
    drawn = plate.sample(20, x=0.5, y=0.5)
    spread = np.log(drawn.coefficients["k[1][1]"]).std()
    told = plate.coefficients["k[1][1]"]
    assert spread == pytest.approx((told.std or 0) / told.estimate, rel=0.6)


def rod(seed: int) -> Solution:
    return pinngate.solve(
        pinngate.Problem(
            domain={"x": [0, 1]},
            unknowns=["u"],
            equations=["(k*u_x)_x = -1"],
            conditions=["u = 0 at x = 0", "u = 0 at x = 1"],
            estimate={
                "k": pinngate.Unknown(
                    1, positive=True, pieces={"x": 2}, prior={"median": 1, "factor": 3}
                )
            },
            observations=[
                pinngate.Observations("u", {"x": [0.2, 0.5, 0.7]}, [0.09, 0.11, 0.07], std=0.02)
            ],
            solve={"seed": seed},
        )
    )


def test_the_same_seed_gives_the_same_draws() -> None:
    one, same, other = (rod(seed).coefficients["k[1]"].interval for seed in (0, 0, 1))
    assert one == same
    assert one != other
    assert other == pytest.approx(one, rel=0.2)


def test_layers_with_time_go_through_the_solver() -> None:
    random = np.random.default_rng(3)
    points = random.random((150, 2)) * [1, 2]
    u = _layered(points) + 0.005 * random.standard_normal(150)
    found = pinngate.solve(
        pinngate.Problem(
            domain={"x": [0, 1], "t": [0, 2]},
            unknowns=["u"],
            equations=["u_t = (k*u_x)_x"],
            conditions=["u = 0 at x = 0", "u = 1 at x = 1", "u = 0 at t = 0"],
            estimate={"k": pinngate.Unknown(0.2, positive=True, pieces={"x": [0.3, 0.7]})},
            observations=[pinngate.Observations("u", points, u)],
        )
    )
    assert "Radau" in found.metrics["network"]["solver"]
    for name, value in zip(("k[1]", "k[2]", "k[3]"), (0.1, 0.5, 0.05), strict=True):
        low, high = found.coefficients[name].interval or (0, 0)
        assert low < value < high


def _layered(points: Array) -> Array:
    """Return u of the layers above by finite volumes, first order in time."""
    from scipy.interpolate import RegularGridInterpolator
    from scipy.linalg import solve_banded

    n, steps = 400, 2000
    x, dt = (np.arange(n) + 0.5) / n, 2 / steps
    k = np.where(x < 0.3, 0.1, np.where(x < 0.7, 0.5, 0.05))
    faces = np.concatenate([[2 * k[0]], 2 * k[1:] * k[:-1] / (k[1:] + k[:-1]), [2 * k[-1]]]) * n**2
    band = np.zeros((3, n))
    band[0, 1:] = band[2, :-1] = -dt * faces[1:-1]
    band[1] = 1 + dt * (faces[1:] + faces[:-1])
    u = np.zeros((steps + 1, n))
    for step in range(steps):
        right = u[step].copy()
        right[-1] += dt * faces[-1]
        u[step + 1] = solve_banded((1, 1), band, right)
    places, times = np.concatenate([[0.0], x, [1.0]]), np.linspace(0, 2, steps + 1)
    whole = np.pad(u, ((0, 0), (1, 1)))
    whole[:, -1] = 1
    return np.asarray(RegularGridInterpolator((times, places), whole)(points[:, ::-1]))
