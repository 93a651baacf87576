"""Coordinates that are no straight lines: names, Laplacians, what holds at a centre, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate import Observations, Problem, dumps, loads
from pinngate.errors import InputError
from pinngate.expression import evaluate, names, substitute
from pinngate.statement.derivatives import differentiated, spelled
from pinngate.statement.problem import Plane

RADIAL = {"domain": {"r": (0, 2), "theta": (0, 1), "t": (0, 1)}, "coordinates": "radial"}


def heat(coordinates: object, equation: str = "u_t = laplacian(u)", **more: object) -> Problem:
    known: dict[str, object] = {
        "domain": {"r": (0.5, 2), "t": (0, 1)},
        "conditions": ["u = 0 at r = 2"],
        "observations": [Observations("u", [[1.0, 0.5]], [1.0], std=0.1)],
    }
    return Problem(
        unknowns=["u"],
        equations=[equation],
        coordinates=coordinates,  # type: ignore[arg-type]
        **(known | more),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("coordinates", "domain", "harmonic"),
    [
        ("radial", ("r",), "log(r)"),
        ("spherical", ("r",), "1/r"),
        ("radial", ("r", "theta"), "r**3*cos(3*theta)"),
        ("radial", ("r", "theta", "z"), "r*sin(theta)*z"),
        ("spherical", ("r", "theta"), "r**2*(3*cos(theta)**2 - 1)"),
        ("spherical", ("r", "theta", "phi"), "r*sin(theta)*cos(phi)"),
        ({"s": "radius", "z": "length"}, ("s", "z"), "s**2 - 2*z**2"),
    ],
)
def test_harmonic_functions_have_no_laplacian(
    coordinates: object, domain: tuple[str, ...], harmonic: str
) -> None:
    from pinngate.expression import parse

    problem = heat(
        coordinates,
        "laplacian(u) = 0",
        domain=dict.fromkeys(domain, (0.3, 1.2)),
        conditions=[],
        observations=[Observations("u", [[0.5] * len(domain)], [1.0], std=0.1)],
    )
    residual = problem.equations[0].residual
    truth = parse(harmonic)
    found = {
        name: differentiated(truth, problem.axes, d.orders)
        for name, d in problem.derivatives(residual).items()
    }
    places = np.random.default_rng(0).uniform(0.3, 1.2, (len(domain), 9))
    known = dict(zip(domain, places, strict=True))
    left = evaluate(substitute(residual, found), known, np)
    sizes = [np.abs(evaluate(e, known, np)).max() for e in found.values()]
    assert np.abs(left).max() < 1e-12 * max(sizes)


def test_names_of_several_letters_spell_derivatives() -> None:
    assert spelled("rtheta", ("r", "theta", "t")) == ["r", "theta"]
    assert spelled("thetat", ("r", "theta", "t")) == ["theta", "t"]
    assert spelled("thet", ("r", "theta", "t")) == []


@pytest.mark.parametrize("kind", ["radial", "spherical"])
def test_a_smooth_centre_is_implied_once(kind: str) -> None:
    problem = heat(kind, domain={"r": (0, 2), "t": (0, 1)})
    assert [(c.where, c.text) for c in problem.conditions][1:] == [(Plane("r", 0.0), "u_r = 0")]
    data = {o.file: "a.csv" for o in problem.observations}  # type: ignore[union-attr]
    assert "where: r = 0, equation: u_r = 0" in dumps(problem, files=data)
    stated = heat(kind, domain={"r": (0, 2), "t": (0, 1)}, conditions=["u = 1 at r = 0"])
    assert [c.text for c in stated.conditions] == ["u = 1"]
    assert len(heat(kind).conditions) == 1  # no centre in the domain


def test_what_is_known_survives_a_round_trip(tmp_path: object) -> None:
    text = """
pinngate: 1
name: p
coordinates: {s: radius}
domain: {s: {bounds: [0.1, 100], log: true}, t: [0, 1]}
unknowns: {u: {positive: true}}
equations: [u_t = laplacian(u)]
conditions:
  - {mean: {of: u, over: s, equals: exp(-t)}}
  - {where: s = 100, equation: u = 0}
  - {where: s = 0.1, equation: u_s = 0}
observations: [{of: u, count: 9, noise: {std: 0.1}}]
truth: {u: exp(-s*t)}
"""
    problem = loads(text)
    again = loads(dumps(problem))
    assert again == problem
    assert dumps(again) == dumps(problem)
    assert again.positive == ("u",)
    assert str(again.conserved[0]) == "mean of u over s = exp(-t)"
    assert type(again.domain["s"]) is type(problem.domain["s"]) is not tuple
    assert set(names(again.conserved[0].residual)) == {"u", "t"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coordinates": "polar"}, "unknown coordinates 'polar'"),
        ({"coordinates": {"r": "round"}}, "'round' is no kind of axis"),
        ({"coordinates": {"q": "radius"}}, "the domain has no axis 'q'"),
        ({"coordinates": None}, "unknown axis 'r'"),
        ({"domain": {"r": (-1, 2), "t": (0, 1)}}, "r goes from -1 to 2 and is a radius"),
        ({"domain": {"r": {"bounds": (0, 2), "log": True}, "t": (0, 1)}}, "has no logarithm"),
        ({"domain": {"r": (1, 2), "t": {"bounds": (1, 2), "log": True}}}, "time is not searched"),
        ({"coordinates": {"r": "other"}}, "no part in a Laplacian"),
        ({"equations": ["u_t = -u(t - 0.1) + u_r"]}, "delays are for problems whose only axis"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], words: str) -> None:
    equation = change.pop("equations", ["u_t = laplacian(u)"])
    coordinates = change.pop("coordinates", "radial")
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        heat(coordinates, equation[0], conditions=[], **change)  # type: ignore[index]
