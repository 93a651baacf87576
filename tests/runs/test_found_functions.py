"""Unknown functions of fields, found from noisy values of a known solution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pinngate
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
    rows = [function.spline.evaluate([*np.zeros(12), at], (k,)) for k in range(12)]
    grown = np.exp(10 * (weights @ np.array(rows)))
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
