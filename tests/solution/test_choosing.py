"""Which equation data prefer and where to measure next, on problems of known answers."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import pinngate
from pinngate.report.model_comparison import Candidate, lead_in_words, ranked
from pinngate.solution.term_selection import left_out

TIMES = np.linspace(0, 4, 60)
CANDIDATES = {
    "square": {"equations": ["u_t = -k*u**2"]},
    "more": {"equations": ["u_t = -k*u - a*u**3"], "estimate": {"a": 0.01}},
    "linear": {"equations": ["u_t = -k*u"]},
}


def decay(**more: object) -> pinngate.Problem:
    values = 2 * np.exp(-0.8 * TIMES) + 0.05 * np.random.default_rng(0).standard_normal(60)
    return pinngate.Problem(
        domain={"t": (0, 4)},
        unknowns=["u"],
        observations=[pinngate.Observations("u", TIMES, values)],
        **more,
    )


def of_candidates() -> pinngate.Problem:
    estimate = {"k": pinngate.Unknown(0.5, positive=True)}
    return decay(estimate=estimate, candidates=CANDIDATES)


def test_the_smaller_of_two_right_ones_is_chosen() -> None:
    choice = pinngate.choose(of_candidates(), progress=False)
    assert choice.name == "linear"
    ratios = {one.other: one.ratio for one in choice.order}
    assert ratios["square"] > 2 > ratios["more"]
    assert any("the data prefer linear" in words for words in choice.words())
    assert any("cannot be told apart" in words for words in choice.words())


def test_solve_gives_the_answer_of_the_chosen_one() -> None:
    solution = pinngate.solve(of_candidates(), progress=False)
    assert solution.metrics["candidates"]["chosen"] == "linear"
    low, high = solution.coefficients["k"].interval
    assert low < 0.8 < high


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("choosing") / "run"
    pinngate.run(of_candidates(), made)
    return made


def test_a_folder_holds_the_chosen_run_and_one_of_each(folder: Path) -> None:
    assert {p.name for p in (folder / "candidates").iterdir()} == set(CANDIDATES)
    solution = pinngate.load_solution(folder)
    assert next(iter(solution.problem.candidates)) == "linear"
    assert list(solution.coefficients) == ["k"]
    assert "the data prefer linear" in (folder / "report.html").read_text(encoding="utf-8")


def test_an_interrupted_choice_goes_on(folder: Path) -> None:
    before = pinngate.load_solution(folder)
    (folder / "metrics.json").unlink()
    (folder / "candidates" / "square" / "metrics.json").unlink()
    after = pinngate.resume(folder)
    assert after.metrics["candidates"]["chosen"] == "linear"
    assert float(after.coefficients["k"]) == float(before.coefficients["k"])


def test_terms_that_the_data_do_not_ask_for_are_left_out() -> None:
    problem = decay(candidates={"found": {"left": "u_t", "terms": ["1", "u", "u**2", "u**3"]}})
    choice = pinngate.choose(problem, progress=False)
    assert [e.text for e in choice.solution.problem.equations] == ["u_t = c_u*u"]
    assert set(choice.dropped["found"]) == {"c_1", "c_u_2", "c_u_3"}


def test_terms_left_out_are_those_of_least_squares_over_all_sets() -> None:
    random = np.random.default_rng(3)
    rows = random.standard_normal((40, 5))
    rows[:, 1] = rows[:, 0] + 0.1 * rows[:, 1]  # stands in for the first
    seen = rows @ np.array([1.0, 0.0, 0.5, 0.0, 0.0]) + random.standard_normal(40)

    def cost(kept: tuple[int, ...]) -> float:
        own = rows[:, list(kept)]
        return float(np.sum((seen - own @ np.linalg.pinv(own) @ seen) ** 2)) + 2.5**2 * len(kept)

    sets = [kept for count in range(6) for kept in combinations(range(5), count)]
    best = min(sets, key=cost)
    names = [f"c{k}" for k in range(5)]
    covariance = np.linalg.inv(rows.T @ rows)
    found = left_out(names, covariance @ rows.T @ seen, covariance, names, 2.5)
    assert set(found) == {names[k] for k in range(5) if k not in best}
    assert 0 < len(found) < 5


def test_ranking_takes_the_densest_where_it_is_told_apart() -> None:
    random = np.random.default_rng(0)
    plain = random.standard_normal(200)
    models = [
        Candidate("small", 1, plain),
        Candidate("large", 2, plain + 0.01 * random.standard_normal(200)),
        Candidate("worse", 0, plain - 1 + random.standard_normal(200)),
    ]
    order = ranked(models)
    assert order[0].other == "small"
    assert {one.other: one.ratio > 2 for one in order} == {
        "small": False,
        "large": False,
        "worse": True,
    }
    better = Candidate("better", 5, plain + 1 + 0.5 * random.standard_normal(200))
    assert ranked([*models, better])[0].one == "better"
    words = lead_in_words(ranked([*models, better])[1], {"better": 5, "small": 1, "large": 2})
    assert words.startswith("the data prefer better: ")


@pytest.fixture(scope="module")
def known() -> pinngate.Solution:
    stated = {"equations": ["u_t = -u + c"], "estimate": {"c": 0.1}}
    return pinngate.solve(decay(**stated, derived={"end": "u at t = 4"}), progress=False)


def test_a_linear_design_tells_what_was_foreseen(known: pinngate.Solution) -> None:
    found = pinngate.design(known, "c", points=10, noise=0.05)
    random = np.random.default_rng(5)
    values = 2 * np.exp(-0.8 * found.points[:, 0]) + 0.05 * random.standard_normal(10)
    stated = {"equations": ["u_t = -u + c"], "estimate": {"c": 0.1}}
    before = decay(**stated)
    more = pinngate.Observations("u", found.points, values)
    first = pinngate.Observations("u", TIMES, np.asarray(known.judged.observations["value"]))
    after = pinngate.solve(
        pinngate.Problem(
            domain={"t": (0, 4)}, unknowns=["u"], observations=[first, more], **stated
        ),
        progress=False,
    )
    std = after.coefficients["c"].std / known.coefficients["c"].std
    assert before.unknowns == after.problem.unknowns
    assert std * found.ratio == pytest.approx(1, rel=0.25)


def test_a_design_says_which_quantities_there_are(known: pinngate.Solution) -> None:
    with pytest.raises(pinngate.InputError, match="which quantity") as caught:
        pinngate.design(known)
    assert "c, end" in str(caught.value)
    with pytest.raises(pinngate.InputError, match="no quantity 'ende'"):
        pinngate.design(known, "ende")
    with pytest.raises(pinngate.InputError, match="noise of -1"):
        pinngate.design(known, "c", noise=-1)


def test_the_value_itself_is_best_measured_where_it_is(known: pinngate.Solution) -> None:
    found = pinngate.design(known, "end", points=3)
    assert found.points[0, 0] > 2
    assert np.all(np.diff(found.half_widths) < 0)
