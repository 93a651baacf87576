from __future__ import annotations

from pathlib import Path

import pytest

from pinngate.config import catalog, load, loads
from pinngate.config.documentation import SECTIONS, reference, template, write_reference
from pinngate.errors import InputError
from pinngate.expression import FUNCTIONS
from pinngate.statement.checks.schema import ProblemFile

COMMITTED = Path(__file__).parents[2] / "docs" / "problem-file.md"


def test_the_committed_reference_is_the_generated_one(tmp_path: Path) -> None:
    write_reference(tmp_path / "made.md")
    assert COMMITTED.read_text(encoding="utf-8") == (tmp_path / "made.md").read_text("utf-8"), (
        "run: python -m pinngate.config.documentation docs/problem-file.md"
    )


def test_the_reference_names_every_key_and_function() -> None:
    text = reference()
    for section in [ProblemFile, *(section for _, section in SECTIONS)]:
        for key, info in section.model_fields.items():
            assert f"| `{key}` |" in text
            assert info.description
    assert all(f"`{name}`" in text for name in FUNCTIONS)


def test_the_template_loads_and_explains_every_section() -> None:
    problem = loads(template())
    assert problem.name == "my-problem"
    for key in set(ProblemFile.model_fields) - {"title"}:
        lines = template().splitlines()
        assert any(line.removeprefix("# ").startswith(f"{key}:") for line in lines), key


def test_what_is_commented_out_in_the_template_loads_too() -> None:
    text = template().replace("# solve:\n#   optimizer: auto\n#   seed: 0", "solve:\n  seed: 3")
    text = text.replace("# estimate:\n#   kappa", "estimate:\n  kappa")
    text = text.replace("constants: {kappa: 0.05}\n", "")
    text = text.replace("\ntruth:", "\ntruth:\n  constants: {kappa: 0.05}")
    problem = loads(text)
    assert problem.solve.seed == 3
    assert problem.coefficients[0].is_positive


@pytest.mark.parametrize(
    "name", sorted(set(catalog.names()) - {"drawdown-well", "heat-sensors", "soil-temperature"})
)
def test_a_shipped_problem_is_a_template(name: str, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(template(name), encoding="utf-8")
    assert load(file) == load(catalog.path(name))


def test_a_template_of_nothing_known_is_refused() -> None:
    with pytest.raises(InputError, match="no shipped problem 'heta'"):
        template("heta")
