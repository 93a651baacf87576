"""Several experiments: one problem of all, coefficients of each, and their spread."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate import config
from pinngate.errors import InputError

NOISE, REPLICATES, NUM = 0.3, 4, 8


def slopes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw u = c_i t at t = 1, REPLICATES times in each of NUM experiments: (NUM, REPLICATES)."""
    random = np.random.default_rng(seed)
    centres = 2 + 0.5 * random.standard_normal(NUM)
    return centres, centres[:, None] + NOISE * random.standard_normal((NUM, REPLICATES))


def lines(values: np.ndarray, each: object) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u"],
        equations=["u_t = c"],
        conditions=["u = 0 at t = 0"],
        estimate={"c": pinngate.Unknown(1.0, each=each)},
        experiments=[
            {
                "name": f"e{k}",
                "observations": [pinngate.Observations("u", np.ones(REPLICATES), own)],
            }
            for k, own in enumerate(values)
        ],
    )


def test_the_spread_is_that_of_a_balanced_analysis_of_variance() -> None:
    """REML of a balanced one-way layout is known: σ² = MSE, s² = (MSA − MSE)/n."""
    _, values = slopes(0)
    within = np.sum(np.var(values, axis=1)) * REPLICATES / (NUM * (REPLICATES - 1))
    between = REPLICATES * np.var(values.mean(axis=1), ddof=1)
    spread = np.sqrt((between - within) / REPLICATES)
    found = pinngate.solve(lines(values, {"spread": True})).metrics
    assert found["spreads"]["c"]["std"] == pytest.approx(spread, rel=0.02)
    common = found["coefficients"]["c"]
    assert common["estimate"] == pytest.approx(values.mean(), rel=1e-3)
    assert common["std"] == pytest.approx(np.sqrt(between / REPLICATES / NUM), rel=0.1)
    shrunk = spread**2 / (spread**2 + within / REPLICATES)
    own = found["coefficients"]["c__e3"]["estimate"]
    expected = values.mean() + shrunk * (values[3].mean() - values.mean())
    assert own == pytest.approx(expected, rel=5e-3)


def test_each_alone_is_fitted_alone() -> None:
    _, values = slopes(1)
    found = pinngate.solve(lines(values[:3], True)).metrics["coefficients"]
    for k in range(3):
        assert found[f"c__e{k}"]["estimate"] == pytest.approx(values[k].mean(), rel=1e-3)
    assert "c" not in found


TEXT = """
pinngate: 1
name: cooling
domain: {t: [0, 4]}
unknowns: [u]
constants: {room: 1}
estimate: {k: {initial: 0.3, positive: true}}
equations: [u_t = -k*(u - room)]
experiments:
  - {name: hot, constants: {start: 5}, conditions: [u = start at t = 0],
     observations: [{of: u, count: 15, noise: {std: 0.1}}]}
  - {name: cold, constants: {start: 0}, conditions: [u = start at t = 0], domain: {t: [0, 2]},
     observations: [{of: u, count: 15, noise: {std: 0.1}}]}
derived: {half: log(2)/k, end: u at t = 2}
truth: {u: room + (start - room)*exp(-0.7*t), constants: {k: 0.7}}
"""


def test_experiments_are_one_problem_with_a_field_of_each() -> None:
    problem = config.loads(TEXT)
    assert problem.unknowns == ("u__hot", "u__cold")
    assert problem.constants == {"room": 1.0, "start__hot": 5.0, "start__cold": 0.0}
    assert [d.name for d in problem.derived] == ["half", "end__hot", "end__cold"]
    found = pinngate.solve(problem)
    interval = found.metrics["coefficients"]["k"]["interval_95"]
    assert interval[0] < 0.7 < interval[1]
    told = found.metrics["derived"]
    assert told["half"]["estimate"] == pytest.approx(np.log(2) / 0.7, rel=0.1)
    assert told["end__cold"]["truth"] == pytest.approx(1 - np.exp(-1.4), rel=1e-6)


def test_they_are_written_as_they_were_stated() -> None:
    problem = config.loads(TEXT)
    again = config.loads(config.dumps(problem))
    assert again.equations == problem.equations
    assert again.observations == problem.observations
    assert again.constants == problem.constants


@pytest.mark.parametrize(
    ("old", "new", "said", "line"),
    [
        ("domain: {t: [0, 2]}", "domain: {t: [-1, 2]}", "different domains along t", None),
        ("name: cold", "name: hot", "two experiments are called 'hot'", 12),
        ("constants: {start: 0}", "constants: {star: 0}", "unknown name 'start'", 12),
        ("positive: true", "each: 3", "estimate.k.each", 7),
    ],
)
def test_what_is_wrong_in_one_is_told_there(old: str, new: str, said: str, line: int) -> None:
    with pytest.raises(InputError) as caught:
        config.loads(TEXT.replace(old, new))
    assert said in str(caught.value)
    assert line is None or f":{line}:" in str(caught.value)


def test_each_needs_experiments() -> None:
    with pytest.raises(InputError, match="is of each experiment, and there are none"):
        pinngate.Problem(
            domain={"t": [0, 1]},
            unknowns=["u"],
            equations=["u_t = -c*u"],
            conditions=["u = 1 at t = 0"],
            estimate={"c": pinngate.Unknown(1.0, each=True)},
        )
