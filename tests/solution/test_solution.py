"""The answer in Python: places, uncertainty, draws, coefficients, saving, showing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import pinngate
from pinngate import InputError, config
from pinngate.runs.training import STOPPED, Progress
from pinngate.solution import Solution

ROD = """
pinngate: 1
name: rod
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
estimate: {kappa: {initial: 0.1, positive: true, truth: 0.05}}
equations: ["u_t = kappa*u_xx"]
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
observations:
  - {of: u, count: 80, noise: {std: 0.1}}
truth: {u: exp(-0.05*pi**2*t)*sin(pi*x)}
solve: {network: {width: 16, depth: 1, activation: sin, features: 2}, iterations: 25}
"""


@pytest.fixture(scope="module")
def solution() -> Solution:
    return pinngate.solve(config.loads(ROD))


def test_places_come_as_points_or_as_axes_that_broadcast(solution: Solution) -> None:
    points = [[0.2, 0.1], [0.5, 0.9]]
    at_points = solution(points)["u"]
    assert at_points.shape == (2,)
    np.testing.assert_array_equal(solution(x=[0.2, 0.5], t=[0.1, 0.9])["u"], at_points)
    grid = solution(x=np.linspace(0, 1, 5)[:, None], t=np.array([0.1, 0.9]))["u"]
    assert grid.shape == (5, 2)
    assert solution(x=0.2, t=0.1)["u"].shape == ()
    # one row and two are multiplied by different routines of the linear algebra
    assert float(solution(x=0.2, t=0.1)["u"]) == pytest.approx(at_points[0], rel=1e-14)
    assert abs(float(solution(x=0.5, t=0.1)["u"]) - np.exp(-0.005 * np.pi**2)) < 0.2


@pytest.mark.parametrize(
    ("arguments", "axes", "message"),
    [
        ([], {}, "no places"),
        ([[[0.1, 0.2]]], {"x": 1}, "both at once"),
        ([[0.1, 0.2]], {}, r"points of shape \(2,\)"),
        ([[[0.1, 0.2, 0.3]]], {}, r"points of shape \(1, 3\)"),
        ([[["a", "b"]]], {}, "no numbers"),
        ([], {"x": 0.1}, "the axis t is missing"),
        ([], {"x": 0.1, "T": 0.1}, "'T' is no axis"),
        ([], {"x": [0.1, 0.2], "t": [0.1, 0.2, 0.3]}, "do not fit together"),
        ([], {"x": np.nan, "t": 0.1}, "point 0 is not finite: x = nan"),
        ([], {"x": [0.1, 1.5], "t": 0.1}, "point 1 is outside the domain: x = 1.5, t = 0.1"),
    ],
)
def test_what_is_no_place_is_refused_in_words(
    solution: Solution, arguments: list, axes: dict, message: str
) -> None:
    for ask in (solution, solution.std, solution.interval):
        with pytest.raises(InputError, match=message):
            ask(*arguments, **axes)


def test_beyond_the_domain_only_where_that_is_asked_for(solution: Solution) -> None:
    assert np.isfinite(solution(x=1.5, t=0.1, extrapolate=True)["u"])
    assert solution.std(x=1.5, t=0.1, extrapolate=True)["u"] > solution.std(x=0.5, t=0.1)["u"]


def test_intervals_are_of_the_stated_level(solution: Solution) -> None:
    x, t = np.linspace(0, 1, 40), 0.3
    value, std = solution(x=x, t=t)["u"], solution.std(x=x, t=t)["u"]
    low, high = solution.interval(x=x, t=t)["u"]
    np.testing.assert_allclose((low + high) / 2, value, atol=1e-12)
    np.testing.assert_allclose((high - low) / 2 / std, 1.96, atol=0.001)
    inner = solution.interval(x=x, t=t, level=0.5)["u"]
    np.testing.assert_allclose(
        (inner[1] - inner[0]) / 2 / std, 0.667, atol=0.003
    )  # of t, 75 degrees
    with pytest.raises(InputError, match="a level of 95"):
        solution.interval(x=x, t=t, level=95)


def test_draws_have_the_stated_deviations_and_go_together(solution: Solution) -> None:
    places = {"x": np.array([0.3, 0.31, 0.8]), "t": np.array([0.2, 0.2, 1.0])}
    draws = solution.sample(6000, **places, seed=3)
    u, kappa = draws.fields["u"], draws.coefficients["kappa"]
    assert u.shape == (6000, 3)
    # 6,000 draws know a standard deviation to one percent
    np.testing.assert_allclose(u.std(0), solution.std(**places)["u"], rtol=0.05)
    mean = solution(**places)["u"]
    np.testing.assert_allclose(u.mean(0), mean, atol=4 * u.std(0).max() / 6000**0.5)
    assert np.corrcoef(u[:, 0], u[:, 1])[0, 1] > 0.98
    stated = solution.coefficients["kappa"]
    assert np.log(kappa).std() == pytest.approx(stated.std / stated.estimate, rel=0.05)
    # what diffuses faster is lower at the end
    assert np.corrcoef(u[:, 2], kappa)[0, 1] < -0.2
    again = solution.sample(10, **places, seed=3)
    other = solution.sample(10, **places, seed=4)
    np.testing.assert_array_equal(
        again.fields["u"], solution.sample(10, **places, seed=3).fields["u"]
    )
    assert not np.array_equal(again.fields["u"], other.fields["u"])
    with pytest.raises(InputError, match="0 draws"):
        solution.sample(0, **places)


def test_coefficients_carry_their_joint_uncertainty(solution: Solution) -> None:
    found = solution.coefficients
    entry = solution.metrics["coefficients"]["kappa"]
    assert list(found) == ["kappa"]
    assert float(found["kappa"]) == entry["estimate"]
    assert found["kappa"].truth == 0.05
    assert list(found["kappa"].interval) == entry["interval_95"]
    assert found.covariance.shape == (1, 1)
    assert found.covariance[0, 0] ** 0.5 == pytest.approx(entry["std"], rel=1e-6)
    np.testing.assert_allclose(found.correlation, [[1.0]])
    assert "kappa = " in repr(found)


def test_a_mean_of_networks_is_drawn_from_its_members() -> None:
    problem = config.load(config.resolve("heat-noisy-ic"), overrides=["observations.0.count=60"])
    solution = pinngate.solve(problem)
    members = [entry for entry in solution.metrics["race"] if entry["share"] > 0]
    assert len(members) > 1
    draws = solution.sample(4000, x=[0.2, 0.6], t=[0.0, 0.1])
    expected = solution.std(x=[0.2, 0.6], t=[0.0, 0.1])["u"]
    np.testing.assert_allclose(draws.fields["u"].std(0), expected, rtol=0.07)
    assert solution.coefficients.covariance is None
    assert len(solution.coefficients) == 0


def test_a_solution_that_was_saved_comes_back_the_same(solution: Solution, tmp_path: Path) -> None:
    folder = solution.save(tmp_path / "run")
    assert (folder / "report.html").exists()
    again = pinngate.load_solution(folder)
    assert again.metrics == solution.metrics
    places = {"x": np.linspace(0, 1, 7), "t": 0.4}
    np.testing.assert_array_equal(again(**places)["u"], solution(**places)["u"])
    np.testing.assert_array_equal(again.std(**places)["u"], solution.std(**places)["u"])
    assert repr(again) == repr(solution)
    with pytest.raises(InputError, match="already holds a run"):
        solution.save(folder)


def test_a_solution_shows_itself_in_a_few_lines(solution: Solution) -> None:
    lines = repr(solution).splitlines()
    assert len(lines) <= 6
    assert "rod" in lines[0]
    assert any("kappa" in line for line in lines)
    page = solution._repr_html_()
    assert "kappa" in page
    assert "data:image/png;base64," in page
    assert solution.verdict.word in page


def test_figures_are_of_the_fields_there_are(solution: Solution) -> None:
    assert solution.plot().axes
    with pytest.raises(InputError, match="no field 'v'"):
        solution.plot("v")


def test_fields_go_to_xarray_with_their_axes(solution: Solution) -> None:
    pytest.importorskip("xarray")
    dataset = solution.to_xarray()
    assert set(dataset.dims) == {"x", "t"}
    assert {"u", "u_std", "u_truth"} <= set(dataset.data_vars)
    at = dataset["u"].sel(x=0.5, t=0.5, method="nearest")
    expected = solution(x=float(at["x"]), t=float(at["t"]))["u"]
    assert float(at) == pytest.approx(float(expected), rel=1e-9)


def test_a_callback_sees_every_iteration_and_can_stop() -> None:
    seen: list[Progress] = []

    def stop_after_six(progress: Progress) -> bool:
        seen.append(progress)
        return progress.iteration == 6

    solution = pinngate.solve(config.loads(ROD), callback=stop_after_six)
    assert [progress.iteration for progress in seen] == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(progress.row["loss"]) for progress in seen)
    assert seen[-1].seconds >= seen[0].seconds
    assert solution.metrics["status"] == "not converged"
    assert solution.metrics["reason"] == STOPPED
    assert solution.verdict.reasons[0] == STOPPED
    assert np.isfinite(solution(x=0.5, t=0.5)["u"])


def test_a_callback_that_only_looks_changes_nothing(solution: Solution) -> None:
    seen = []
    looked_at = pinngate.solve(config.loads(ROD), callback=lambda p: seen.append(p.iteration))
    assert len(seen) == looked_at.metrics["iterations"]
    np.testing.assert_array_equal(
        looked_at(x=0.3, t=[0.1, 0.8])["u"], solution(x=0.3, t=[0.1, 0.8])["u"]
    )


def test_seed_optimizer_and_network_are_arguments() -> None:
    problem = config.loads(ROD)
    solved = pinngate.solve(
        problem,
        seed=5,
        optimizer="adam",
        network={"width": 8, "depth": 2, "activation": "tanh", "features": None},
        progress=False,
    )
    assert solved.metrics["seed"] == 5
    assert solved.metrics["optimizer"] == "adam"
    assert solved.metrics["network"]["width"] == 8
    with pytest.raises(InputError, match="unknown key 'breadth'"):
        pinngate.solve(problem, network={"breadth": 8})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "big"}, "solve\\(network\\).*cannot be the text 'big'"),
        ({"network": 5}, "cannot be the number 5"),
        ({"network": {"activation": "relu"}}, "one of tanh, sin"),
        ({"network": {"widht": 8}}, "did you mean 'width'"),
        ({"network": torch.nn.Linear}, "network is the class Linear"),
        ({"iterations": -5}, "a whole number, 1 or more"),
        ({"iterations": "5"}, "cannot be the text '5'"),
        ({"weights": {"equations": -3}}, "a positive number"),
        ({"seed": "a"}, "a whole number, 0 or more"),
        ({"optimizer": "admm"}, "did you mean 'adam'"),
        ({"learning_rate": 1}, "does not read 'learning_rate'"),
        ({"iteration": 3}, "unknown key 'iteration'"),
    ],
    ids=str,
)
def test_options_pass_the_checks_of_a_file(options: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        pinngate.solve(config.loads(ROD), **options)
    assert re.search(message, str(caught.value))


def test_what_is_no_problem_is_refused() -> None:
    with pytest.raises(InputError, match=r"pinngate.load\('heat-noisy-ic'\)"):
        pinngate.solve("heat-noisy-ic")


def test_folders_may_be_text_and_frames_go_by_name(solution: Solution, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    folder = str(solution.save(tmp_path / "run"))
    frame = pandas.DataFrame({"t": [0.1], "x": [0.3]})
    expected = solution(x=0.3, t=0.1)["u"]
    assert pinngate.predict(folder, frame)["u"] == expected
    assert solution({"t": 0.1, "x": 0.3})["u"] == expected
    with pytest.raises(InputError, match="outside the domain"):
        pinngate.predict(folder, [[30, 0.1]])
    with pytest.raises(InputError, match="the package's own"):
        pinngate.load_solution(folder, network=torch.nn.Linear(2, 1))


@dataclass(frozen=True)
class Mean(pinngate.NoiseModel):
    def log_density(self, residuals: torch.Tensor) -> torch.Tensor:
        return -residuals.square().mean()


def test_noise_models_are_tried_before_a_run() -> None:
    def rod(noise: object) -> pinngate.Problem:
        return pinngate.Problem(
            domain={"t": (0, 1)},
            unknowns=["u"],
            equations=["u_t = -u"],
            observations=[pinngate.Observations("u", [0.1, 0.9], [0.9, 0.4], noise=noise)],
        )

    with pytest.raises(InputError, match="noise is the class Mean"):
        rod(Mean)
    with pytest.raises(InputError, match="the scale of Mean is -1"):
        pinngate.solve(rod(Mean(-1.0)))
    with pytest.raises(InputError, match="one finite number for each residual"):
        pinngate.solve(rod(Mean(1.0)))
    with pytest.raises(InputError, match="adam does not read a noise model"):
        pinngate.solve(rod(Mean(1.0)), optimizer="adam")
