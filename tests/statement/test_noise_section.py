"""Censored and correlated noise as stated: what is read, written, shown and refused."""

from __future__ import annotations

import pytest

import pinngate
from pinngate.config import loads
from pinngate.errors import InputError
from pinngate.report.inspection import _observations
from pinngate.report.stated import _noise

TEXT = """\
pinngate: 1
name: decay
title: Decay
domain: {t: [0, 3]}
unknowns: [u]
equations: ["u_t = -a*u"]
estimate: {a: {initial: 0.5, positive: true}}
observations:
  - {of: u, count: 40, layout: grid, noise: NOISE}
truth: {u: exp(-0.9*t), constants: {a: 0.9}}
"""
STATED = {
    "{kind: censored, below: 0.1, above: 5, std: 0.05}": "censored below 0.1, censored above 5",
    "{kind: censored, above: 1/2, std: 0.05}": "censored above 0.5",
    "{std: 0.1, correlated: {over: t, length: 0.5}}": "correlated over t with length 0.5",
    "{relative: 0.1, correlated: {over: t, length: 1/2}}": "correlated over t with length 0.5",
}


@pytest.mark.parametrize("noise", STATED)
def test_it_goes_round_and_is_shown(noise: str) -> None:
    problem = loads(TEXT.replace("NOISE", noise))
    again = loads(pinngate.dumps(problem))
    assert again.observations == problem.observations
    assert STATED[noise] in next(iter(_observations(problem)))
    assert STATED[noise] in _noise(problem.observations[0].noise)


@pytest.mark.parametrize("noise", [n for n in STATED if "1/2" not in n])
def test_python_states_the_same(noise: str) -> None:
    import yaml

    stated = pinngate.Observations.synthetic(
        "u", count=40, layout="grid", noise=yaml.safe_load(noise)
    )
    problem = pinngate.Problem(
        domain={"t": [0, 3]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True, truth=0.9)},
        observations=[stated],
        truth={"u": "exp(-0.9*t)"},
    )
    assert problem.observations == loads(TEXT.replace("NOISE", noise)).observations


@pytest.mark.parametrize(
    ("noise", "said"),
    [
        ("{kind: censored, std: 0.05}", "censored noise has no bound"),
        ("{kind: censored, below: 2, above: 1, std: 1}", "'below' is 2 and 'above' is 1"),
        ("{kind: censored, below: 1, above: 1, std: 1}", "'below' is 1 and 'above' is 1"),
        ("{kind: censored, below: 0.1}", "noise has no 'std'"),
        ("{std: 0.1, below: 1}", "'below' goes with 'kind: censored' only"),
        ("{kind: poisson, correlated: {over: t, length: 1}}", "kind poisson is correlated"),
        ("{std: 0.1, correlated: {over: x, length: 1}}", "over 'x', which is no axis"),
        ("{std: 0.1, correlated: {over: t, length: 0}}", "'length' is 0"),
        ("{correlated: {over: t, length: 1}}", "neither 'std' nor 'relative'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(noise: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        loads(TEXT.replace("NOISE", noise))
    assert ":9:" in str(caught.value)
    assert caught.value.expected
