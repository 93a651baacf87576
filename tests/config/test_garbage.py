"""Whatever the text, the answer is a problem or an `InputError`: never another exception."""

from __future__ import annotations

import contextlib
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pinngate.config import loads
from pinngate.config.yaml_source import read
from pinngate.errors import InputError
from pinngate.statement.checks.schema import ProblemFile
from pinngate.statement.problem import Problem
from tests.statement.test_building import RICH
from tests.statement.test_messages import HEAT

quick = settings(derandomize=True, max_examples=150, deadline=None)


def check_refused_or_built(text: str, overrides: tuple[str, ...] = ()) -> Problem | None:
    caught: InputError
    try:
        return loads(text, overrides=overrides)
    except InputError as error:
        caught = error
    assert caught.what
    assert caught.span is None or str(caught).startswith(f"{caught.span}: ")
    return None


@given(st.text(max_size=60))
@example('a: "\\UFFFFFFFF"')
@example('a: "\\U00110000"')
@example("%YAML 9.9\n---\na")
@example("%TAG ! tag:x\n--- !y")
@example("\ud800")
@example("? ")
@example("!<tag:\x85")
@quick
def test_any_text(text: str) -> None:
    check_refused_or_built(text)


@given(st.text("{}[]:,-?&*!|>'\"%@#= \t\nabu_1.", max_size=40))
@quick
def test_text_of_yaml_punctuation(text: str) -> None:
    check_refused_or_built(text)


@given(st.data())
@quick
def test_a_problem_file_with_a_stretch_replaced(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([HEAT, RICH]))
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 12))
    instead = data.draw(st.text("{}[]:,-*&!|>'\"# \n\tuxt_=+/()^.019e", max_size=8))
    check_refused_or_built(text[:start] + instead + text[start + length :])


formulas = st.text("uxt_pi()+-*/.,0129e =^<'[]:if \nπ", max_size=25) | st.sampled_from(
    [
        "9" * 400,
        "1e999",
        "9" * 5000,
        "(" * 300,
        "u" + "+u" * 3000,
        "-" * 3000 + "u",
        "u_" + "x" * 500,
        "2**9999**9999",
        "sin((-1)**0.5)",
        "abs((-1)**0.5)",
        "heaviside((-1)**.5)",
        "0**-1",
        "(-1)**0.5 > 0",
        "x\0y",
        "f'{u}'",
        "u if u else u",
        "[u for u in u]",
        "u := 1",
        "...",
        "None",
        "True",
        "1j",
        "0777",
        "'a' 'b'",
        "u; u",
        "\\",
        "*u",
        "1if u else 2",
    ]
)


@given(formulas, st.sampled_from(["equation", "condition", "plane", "constant", "bound", "truth"]))
@quick
def test_any_formula(formula: str, where: str) -> None:
    quoted = yaml.safe_dump(formula, default_style='"', width=10**6).strip()
    old, new = {
        "equation": ("- u_t = kappa*u_xx", f"- {quoted}"),
        "condition": ("equation: u = 0", f"equation: {quoted}"),
        "plane": ("where: t = 0", f"where: {quoted}"),
        "constant": ("kappa: 0.05", f"kappa: {quoted}"),
        "bound": ("x: [0, 1]", f"x: [{quoted}, 1]"),
        "truth": ("u: exp(-kappa*pi**2*t)*sin(pi*x)", f"u: {quoted}"),
    }[where]
    assert old in HEAT
    check_refused_or_built(HEAT.replace(old, new, 1))


values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.sampled_from(["u", "x = 0", "pi", "", "1/0"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ux_ofn", max_size=4), inner)
    ),
    max_leaves=5,
)


@given(st.data())
@settings(quick, max_examples=60)
def test_any_value_at_any_place(data: st.DataObject) -> None:
    source = read(RICH)
    place = data.draw(st.sampled_from(sorted(source.values, key=str)))
    if not place:
        return
    tree: Any = source.tree
    for step in place[:-1]:
        tree = tree[step]
    tree[place[-1]] = data.draw(values)
    check_refused_or_built(yaml.safe_dump(source.tree))


@given(
    st.text("solvenamu.01=-[]{}: ", max_size=20), st.sampled_from(list(ProblemFile.model_fields))
)
@quick
def test_any_override(text: str, key: str) -> None:
    check_refused_or_built(HEAT, (text,))
    check_refused_or_built(HEAT, (key + text,))


def test_what_is_valid_is_not_refused() -> None:
    assert check_refused_or_built(HEAT) is not None
    assert check_refused_or_built(RICH) is not None
    with contextlib.suppress(InputError):
        loads("")
