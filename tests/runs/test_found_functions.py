"""Unknown functions of fields, found from noisy values of a known solution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pinngate
from pinngate.errors import InputError
from pinngate.solution.solved import Solution

# S' = −0.5 S, so that f(S) = 0.5 S from 4 down to 4 exp(−2)
DECAY = pinngate.Problem(
    domain={"t": [0, 4]},
    unknowns=["S"],
    equations=["S_t = -f(S)"],
    estimate={"f": pinngate.Unknown(1, over="S", positive=True)},
    observations=[
        pinngate.Observations.synthetic("S", count=40, layout="grid", noise={"std": 0.03})
    ],
    truth={"S": "4*exp(-0.5*t)", "f": "0.5*S"},
    derived={"slowest": "f(S) at t = 4"},
)


@pytest.fixture(scope="module")
def solution() -> Solution:
    return pinngate.solve(DECAY, progress=False)


def test_the_law_is_found_over_the_range_that_was_visited(solution: Solution) -> None:
    entry = solution.metrics["coefficient_fields"]["f"]
    assert entry["relative_l2"] < 0.05
    assert entry["over"] == "S"
    assert entry["visited"] == pytest.approx([4 * np.exp(-2), 4], abs=0.1)


def test_its_band_is_that_of_the_weights(solution: Solution) -> None:
    found = solution.judged.solution
    entry = solution.metrics["coefficient_fields"]["f"]
    error = np.abs(found["f"] - 0.5 * found["f_at"])
    assert np.mean(error <= 2.1 * found["f_std"]) > 0.8
    assert entry["half_width"] == pytest.approx(2 * found["f_std"].mean(), rel=0.2)


def test_the_band_is_the_scatter_of_draws(solution: Solution) -> None:
    """Draw weights from their covariance and evaluate the law at the middle of its range."""
    session, at = solution.session, solution.judged.solution["f_at"][100]
    function = session.problem.field_functions[0]
    posterior = session.stepper.posterior()
    assert posterior is not None
    random = np.random.default_rng(0)
    middle = [session.estimates()[name] for name in function.weights]
    weights = random.multivariate_normal(middle, posterior.raw_covariance.numpy(), 4000)
    (rows,) = function.spline.rows([np.array([at])])
    grown = np.exp(10 * (weights @ rows))
    drawn = np.log1p(np.expm1(10) * grown) / 10
    assert solution.judged.solution["f_std"][100] == pytest.approx(drawn.std(), rel=0.1)


def test_weights_are_shown_nowhere(solution: Solution) -> None:
    assert not solution.coefficients
    assert solution.metrics["coefficients"] == {}
    assert "f(0)" not in str(solution)
    assert not solution.sample(2, t=[1.0]).coefficients


def test_a_quantity_may_call_it(solution: Solution) -> None:
    slowest = solution.metrics["derived"]["slowest"]
    assert slowest["estimate"] == pytest.approx(2 * np.exp(-2), abs=4 * slowest["std"])
    assert 0 < slowest["std"] < 0.1


def test_a_folder_keeps_it(solution: Solution, tmp_path: Path) -> None:
    folder = solution.save(tmp_path / "run")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<mi>f</mi>" in page
    assert "a function of S" in page
    assert "f(0)" not in page
    assert (folder / "figures" / "field_f.svg").is_file()
    again = pinngate.load_solution(folder)
    np.testing.assert_allclose(again(t=[1.0])["S"], solution(t=[1.0])["S"], rtol=1e-12)
    assert again.problem.field_functions == solution.problem.field_functions


def test_experiments_have_one_law() -> None:
    """Two decays from 4 and from 1 tell one law over the range of both."""
    times = np.linspace(0, 3, 20)
    random = np.random.default_rng(1)
    problem = pinngate.Problem(
        domain={"t": [0, 3]},
        unknowns=["S"],
        equations=["S_t = -f(S)"],
        estimate={"f": pinngate.Unknown(1, over="S", truth="0.5*S")},
        experiments=[
            {
                "name": name,
                "observations": [
                    pinngate.Observations(
                        "S",
                        {"t": times},
                        start * np.exp(-0.5 * times) + 0.02 * random.standard_normal(20),
                    )
                ],
            }
            for name, start in (("high", 4.0), ("low", 1.0))
        ],
    )
    entry = pinngate.solve(problem, progress=False).metrics["coefficient_fields"]["f"]
    assert entry["visited"] == pytest.approx([np.exp(-1.5), 4], abs=0.1)
    assert entry["relative_l2"] < 0.1


def test_python_asks_for_it_at_any_place(solution: Solution) -> None:
    found, at = solution.judged.solution, solution.judged.solution["f_at"]
    told = solution.function("f", S=at[[0, 100, 200]])
    np.testing.assert_allclose(told.value, found["f"][[0, 100, 200]])
    assert told.std is not None
    np.testing.assert_allclose(told.std, found["f_std"][[0, 100, 200]])
    assert np.isnan(solution.function("f", S=100.0).value)
    assert solution.function("f", S=100.0, extrapolate=True).value > 0
    assert solution.function("f", S=1.0).value.shape == ()


# S' = −f(S, t) with f = (0.4 + 0.15 t) S from two starts
AGEING = pinngate.Problem(
    domain={"t": [0, 3]},
    unknowns=["S"],
    equations=["S_t = -f(S, t)"],
    estimate={
        "f": pinngate.Unknown(1, over=["S", "t"], positive=True, knots=5, truth="(0.4 + 0.15*t)*S")
    },
    experiments=[
        {"name": "high", "constants": {"S0": 3}},
        {"name": "low", "constants": {"S0": 1.5}},
    ],
    observations=[
        pinngate.Observations.synthetic("S", count=30, layout="grid", noise={"std": 0.01})
    ],
    truth={"S": "S0*exp(-0.4*t - 0.075*t**2)"},
    derived={"last": "f(S, t) at t = 3"},
)


@pytest.fixture(scope="module")
def ageing() -> Solution:
    return pinngate.solve(AGEING, progress=False)


def test_a_law_of_a_field_and_an_axis_is_found_where_the_fit_was(ageing: Solution) -> None:
    entry = ageing.metrics["coefficient_fields"]["f"]
    assert entry["relative_l2"] < 0.05
    assert entry["coverage_95"] > 0.8
    assert entry["over"] == ["S", "t"]
    assert entry["visited"][1] == [0.0, 3.0]
    assert 0.1 < entry["visited_share"] < 0.9
    assert entry["range"][0] > 0
    assert ageing.metrics["derived"]["last__high"]["estimate"] == pytest.approx(
        0.85 * 3 * np.exp(-1.875), rel=0.15
    )


def test_its_map_is_empty_where_the_fit_never_was(ageing: Solution) -> None:
    found = ageing.judged.solution
    law, seen = found["f"], np.stack([found["f_seen_S"], found["f_seen_t"]], axis=1)
    assert law.shape == (len(found["f_at_S"]), len(found["f_at_t"]))
    assert np.isnan(law).any()
    assert (np.isnan(found["f_std"]) == np.isnan(law)).all()
    on_path = ageing.function("f", S=seen[:, 0], t=seen[:, 1])
    assert np.isfinite(on_path.value).all()
    assert on_path.lower is not None
    assert on_path.upper is not None
    truth = (0.4 + 0.15 * seen[:, 1]) * seen[:, 0]
    assert np.mean((on_path.lower <= truth) & (truth <= on_path.upper)) > 0.8
    beside = ageing.function("f", S=3.0, t=3.0)
    assert np.isnan(beside.value)
    told, either = (ageing.function("f", S=3.0, t=[1.5, 3.0], extrapolate=e) for e in (False, True))
    assert either.std is not None
    assert either.std[1] > either.std[0]
    assert np.isnan(told.value[1])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"name": "g", "S": 1.0, "t": 1.0}, "no function 'g'"),
        ({"name": "f", "S": 1.0}, "a place for each of S, t"),
        ({"name": "f", "S": [1.0, 2.0], "t": [0.0, 1.0, 2.0]}, "do not broadcast"),
        ({"name": "f", "S": np.nan, "t": 1.0}, "not finite"),
    ],
)
def test_bad_questions_are_refused(ageing: Solution, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ageing.function(**asked)


def test_a_folder_keeps_a_law_of_two(ageing: Solution, tmp_path: Path) -> None:
    folder = ageing.save(tmp_path / "run")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "a function of S and t" in page
    assert "f over S and t" in page
    again = pinngate.load_solution(folder)
    for name in ("f", "f_std", "f_at_S", "f_seen_t"):
        np.testing.assert_array_equal(again.judged.solution[name], ageing.judged.solution[name])
    asked = {"S": 2.4, "t": 0.5}
    assert again.function("f", **asked).value == pytest.approx(ageing.function("f", **asked).value)
    read = ageing.to_xarray()
    assert read["f"].dims == ("f_at_S", "f_at_t")
    assert read["f_seen_S"].dims == ("f_seen",)
    figure = ageing.plot("f")
    assert len(figure.axes) == 4
    dots = figure.axes[0].lines[0].get_xydata()
    assert len(dots) == len(ageing.judged.solution["f_seen_S"])
