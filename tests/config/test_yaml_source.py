from __future__ import annotations

import math

import pytest
import yaml

from pinngate.config.yaml_source import read
from pinngate.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        (".5e-2", 0.005),
        ("1.5E+3", 1500.0),
        ("-2.", -2.0),
        ("+3", 3),
        ("012", 12),
        ("9223372036854775807", 2**63 - 1),
        ("0x1F", 31),
        ("0o17", 15),
        ("123456789012345678901", 123456789012345678901.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("2026-01-01", "2026-01-01"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("'1e-3'", "1e-3"),
        ('"1"', "1"),
        ("x = 0", "x = 0"),
        ("=", "="),
        ("<<", "<<"),
        ("-sin(pi*x)", "-sin(pi*x)"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = read(f"a: {text}\n").tree["a"]
    assert found == value
    assert type(found) is type(value)


def test_infinity_and_nan_are_numbers() -> None:
    plus, minus, nan = read("[.inf, -.INF, .nan]").tree
    assert (plus, minus) == (math.inf, -math.inf)
    assert math.isnan(nan)


def test_an_unquoted_formula_in_a_flow_mapping_is_text() -> None:
    tree = read("- {of: u, where: x = 0, truth: sin(pi*x)/2}\n- u_t = kappa*u_xx\n").tree
    assert tree == [{"of": "u", "where": "x = 0", "truth": "sin(pi*x)/2"}, "u_t = kappa*u_xx"]


def test_structure_agrees_with_pyyaml_where_the_versions_of_yaml_do() -> None:
    text = (
        "a: [1, {b: c, d: [2.5, e]}]\nf:\n  - |\n    g\n    h\n  - >-\n    i\n    j\nk: {}\nl: []\n"
    )
    assert read(text).tree == yaml.safe_load(text)


def test_every_key_and_value_has_its_place() -> None:
    source = read("a: 1\nbc:\n  - {d: 'ef', g: [7]}\n", "f.yaml")
    key, value = source.keys["bc", 0, "d"], source.values["bc", 0, "d"]
    assert (key.line, key.column, key.length) == (3, 6, 1)
    assert (value.line, value.column, value.length) == (3, 9, 4)
    assert value.text == "  - {d: 'ef', g: [7]}"
    assert source.values["bc", 0, "g", 0].column == 19
    assert str(source.span(("bc", 0, "g", 5))) == "f.yaml:3:18"  # nearest that exists
    assert source.span(("nowhere",)).line == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\u2028"])
def test_line_numbers_do_not_depend_on_the_kind_of_line_break(newline: str) -> None:
    text = "a: 1" + newline + "b:" + newline + "  - kappa*u_xx" + newline
    span = read(text).within(("b", 0), 6, 4)
    assert (span.line, span.column, span.length) == (3, 11, 4)
    assert span.text == "  - kappa*u_xx"


@pytest.mark.parametrize(
    "written",
    [
        "u_t = k*@",
        '"u_t = k*@"',
        "'u_t = k*@'",
        "u_t =\n   k*@",
        ">\n  u_t =\n   k*@\n",
        "|\n  u_t = k*@",
    ],
)
def test_a_part_of_a_text_is_found_however_it_is_written(written: str) -> None:
    text = "a: " + written.replace("@", "u_xz") + "\nb: 1\n"
    source = read(text)
    span = source.within(("a",), source.tree["a"].index("u_xz"), 4)
    assert span.text[span.column - 1 :][: span.length] == "u_xz"
    assert span.line == text[: text.index("u_xz")].count("\n") + 1


def test_a_part_of_a_text_with_escapes_is_the_whole_of_it() -> None:
    span = read('a: "\\x75_t"').within(("a",), 0, 1)
    assert (span.column, span.length) == (4, 8)


def test_a_byte_order_mark_does_not_count() -> None:
    assert read("\ufeffa: 1").keys["a",].column == 1


def test_aliases_are_values_but_do_not_explode() -> None:
    assert read("a: &n {std: 0.3}\nb: *n\n").tree["b"] == {"std": 0.3}
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 12))
    with pytest.raises(InputError, match="aliases expand to too much"):
        read("l0: &l0 [x]\n" + levels)
    with pytest.raises(InputError, match="refers to itself"):
        read("a: &a [*a]")


@pytest.mark.parametrize("text", ["[" * 2000, "{a: " * 2000, "- " * 2000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        read(text)
