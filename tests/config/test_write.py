from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pinngate.config import catalog, dumps, load, loads
from pinngate.expression import FUNCTIONS, Binary, Call, Expression, Name, Number, parse
from pinngate.expression.printing import number_text, to_text
from pinngate.optim.registry import resolve
from pinngate.statement.options import DECLARATIONS, SolveOptions, declared
from pinngate.statement.problem import Coefficient, Noise, Plane, SyntheticObservations, changed
from tests.statement.test_building import RICH

finite = st.floats(allow_nan=False, allow_infinity=False)
trees = st.recursive(
    st.builds(Number, finite | st.integers(-9, 9).map(float)) | st.sampled_from("xtpu").map(Name),
    lambda inner: (
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "**"]), inner, inner)
        | st.builds(Call, st.sampled_from(FUNCTIONS), inner)
    ),
    max_leaves=12,
)


@given(trees)
@settings(derandomize=True, max_examples=400, deadline=None)
def test_the_text_of_a_tree_parses_to_the_tree(tree: Expression) -> None:
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize(
    "text",
    [
        "-sin(pi*x)",
        "exp(-kappa*pi**2*t)*sin(pi*x) + 0.5*cos(3*x)",
        "a - (b - c)",
        "(a + b)*c",
        "a/(b*c)",
        "(-2)**x",
        "-x**2",
        "x**-2",
        "(a**b)**c",
        "a**b**c",
        "1e-05*x",
    ],
)
def test_brackets_stand_only_where_they_are_needed(text: str) -> None:
    assert to_text(parse(text)) == text


@given(finite)
@settings(derandomize=True, max_examples=200, deadline=None)
def test_numbers_are_written_exactly(value: float) -> None:
    assert float(number_text(value)) == value


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the shipped problems with a data file of two readings."""
    folder = tmp_path / "problems"
    shutil.copytree(catalog.folder(), folder)
    (folder / "heat-sensors.csv").write_text("x,t,u\n0.5,0,1\n0.5,1,0.6\n")
    return folder


@pytest.mark.parametrize("name", catalog.names())
def test_every_shipped_problem_survives_a_round_trip(name: str, shipped: Path) -> None:
    problem = load(shipped / f"{name}.yaml")
    text = dumps(problem)
    assert loads(text) == problem
    assert dumps(loads(text)) == text


def test_every_option_survives_a_round_trip_and_is_written() -> None:
    problem = loads(RICH)
    assert loads(dumps(problem)) == problem
    for key in loads(RICH).solve.__dataclass_fields__:
        is_stated = key not in ("own_network", "strictness", "basis", "polish", "max_memory")
        assert (f"\n  {key}: " in dumps(loads(RICH))) == is_stated


@pytest.mark.parametrize("name", DECLARATIONS)
def test_a_resolved_problem_states_all_that_its_optimizer_reads_and_no_more(name: str) -> None:
    plain = loads(RICH[: RICH.index("solve:")], overrides=[f"solve.optimizer={name}"])
    resolved = resolve(plain)
    assert loads(dumps(resolved)) == resolved == resolve(resolved)
    written = yaml.safe_load(dumps(resolved))["solve"]
    # the default of max_memory depends on the machine, a network of one's own comes from Python
    absent = {"max_memory", "own_network"}
    assert written.keys() == {"optimizer", *declared(name).names()} - absent
    assert written["weights"].keys() == set(declared(name).weight_names())


prose = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)
words = prose | st.sampled_from(["yes", "1e-3", "null", "~", "0x1F", "a: b", "# c", "- d", "*e"])


@given(
    words,
    st.lists(words, max_size=3).map("\n".join),
    finite.filter(lambda v: 1e-300 < v < 1e300),
    st.integers(0, 2**63 - 1),
)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_any_prose_and_numbers_survive_a_round_trip(
    title: str, description: str, value: float, seed: int
) -> None:
    problem = changed(
        loads(RICH),
        title=" ".join(title.split()),
        description=description.strip(),
        constants={"length": 0.1, "rate": value, "double": -value},
        solve=SolveOptions("adam", seed=seed, learning_rate=value, weights={"equations": value}),
        coefficients=(
            *loads(RICH).coefficients[1:],
            Coefficient("nu", value / 2, 0.0, value, value),
        ),
        observations=(SyntheticObservations("u", 3, Noise(std=value), Plane("x", 0.1)),),
    )
    assert loads(dumps(problem)) == problem


def test_data_files_take_the_names_they_are_given(shipped: Path, tmp_path: Path) -> None:
    problem = load(shipped / "heat-sensors.yaml")
    data = (shipped / "heat-sensors.csv").resolve()
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(data, run / "readings.csv")
    (run / "problem.yaml").write_text(dumps(problem, files={data: "readings.csv"}))
    again = load(run / "problem.yaml")
    assert again.observations[0].file == (run / "readings.csv").resolve()
    assert changed(again, observations=()) == changed(problem, observations=())
