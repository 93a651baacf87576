"""Candidates: each the problem that it is with what all have; their text and their faults."""

from __future__ import annotations

import pytest

import pinngate

TEXT = """\
pinngate: 1
name: several
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
estimate: {D: 0.1, r: 1}
conditions: [u = 0 at x = 0]
candidates:
  heat: {equations: [u_t = D*u_xx]}
  fisher: {equations: [u_t = D*u_xx + r*u*(1-u)], conditions: [u = 0 at x = 1]}
  found: {left: u_t, terms: [u, u**2, u*u_x, u_xx + u], constants: {a: 1}}
observations: [{of: u, count: 50, noise: {std: 0.1}}]
truth: {u: exp(-t)*sin(pi*x)}
"""


def test_each_has_what_is_common_and_its_own() -> None:
    problem = pinngate.loads(TEXT)
    heat, fisher, found = problem.candidates.values()
    assert [c.name for c in heat.coefficients] == ["D"]
    assert [c.name for c in fisher.coefficients] == ["D", "r"]
    assert [len(one.conditions) for one in (heat, fisher, found)] == [1, 2, 1]
    assert found.constants == {"a": 1}
    assert problem.equations == heat.equations


def test_a_library_is_an_equation_with_optional_terms() -> None:
    found = pinngate.loads(TEXT).candidates["found"]
    text = "u_t = c_u*u + c_u_2*u**2 + c_u_u_x*u*u_x + c_u_xx_u*(u_xx + u)"
    assert found.equations[0].text == text
    assert found.optional == ("c_u", "c_u_2", "c_u_u_x", "c_u_xx_u")


def test_the_text_of_candidates_reads_back() -> None:
    problem = pinngate.loads(TEXT)
    assert pinngate.loads(pinngate.dumps(problem)) == problem


def test_python_states_the_same() -> None:
    problem = pinngate.Problem(
        name="several",
        domain={"x": (0, 1), "t": (0, 1)},
        unknowns=["u"],
        estimate={"D": 0.1, "r": 1},
        conditions=["u = 0 at x = 0"],
        candidates={
            "heat": {"equations": ["u_t = D*u_xx"]},
            "fisher": {
                "equations": ["u_t = D*u_xx + r*u*(1-u)"],
                "conditions": ["u = 0 at x = 1"],
            },
            "found": {
                "left": "u_t",
                "terms": ["u", "u**2", "u*u_x", "u_xx + u"],
                "constants": {"a": 1},
            },
        },
        observations=[{"of": "u", "count": 50, "noise": {"std": 0.1}}],
        truth={"u": "exp(-t)*sin(pi*x)"},
    )
    assert problem == pinngate.loads(TEXT)


@pytest.mark.parametrize(
    ("old", "new", "what", "line"),
    [
        ("{equations: [u_t = D*u_xx]}", "{constants: {b: 1}}", "'heat' has no equations", 8),
        ("left: u_t, ", "", "neither equations nor a library", 10),
        ("u_t = D*u_xx]", "u_t = E*u_xx]", "unknown name 'E'", 8),
        ("u*u_x, u_xx", "u*u_z, u_xx", "unknown name 'u_z'", 10),
        ("  heat:", "  no heat:", "cannot be called 'no heat'", 8),
        (
            "truth: {u: exp(-t)*sin(pi*x)}",
            "truth: {solver: spectral, clean: {u: x}}",
            "another",
            12,
        ),
        ("r*u*(1-u)]", "r*u*(1-u)], optional: [s]", "'s' is no coefficient", 9),
    ],
)
def test_what_is_wrong_has_its_place(old: str, new: str, what: str, line: int) -> None:
    assert old in TEXT
    with pytest.raises(pinngate.InputError, match=what) as caught:
        pinngate.loads(TEXT.replace(old, new))
    assert caught.value.span is not None
    assert caught.value.span.line == line
