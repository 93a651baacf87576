"""The `experiments` of a problem: each read as the problem that it is with what all have in common.

Above `building`, which reads one problem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pinngate.errors import InputError, Span
from pinngate.expression.parser import NONE, Functions
from pinngate.statement.checks.building import build
from pinngate.statement.checks.schema import ExperimentSection, ProblemFile
from pinngate.statement.checks.schema_estimate import EachSection
from pinngate.statement.checks.source import Place, Source
from pinngate.statement.components import Statement
from pinngate.statement.experiments import combined

LISTS = ("conditions", "events", "observations")  # an experiment's own come after the common ones


def build_whole(
    source: Source, file: ProblemFile, folder: Path, functions: Functions = NONE
) -> tuple[Statement, dict[Path, Span]]:
    """Make the statement of a problem, of all its experiments where it states some.

    Args and errors: as `building.build`.
    """
    if not file.experiments:
        _refuse_each(source, file)
        return build(source, file, folder, functions)
    statements: dict[str, Statement] = {}
    files: dict[Path, Span] = {}
    for k, section in enumerate(file.experiments):
        if section.name in statements:
            raise InputError(
                f"two experiments are called '{section.name}'",
                span=source.span(("experiments", k, "name")),
                expected="a name of its own for each",
            )
        own = build(_source_of(source, file, k), _file_of(file, section), folder, functions)
        statements[section.name] = own[0]
        files |= own[1]
    return combined(statements, _each(source, file)), files


def _each(source: Source, file: ProblemFile) -> dict[str, bool]:
    """Return the coefficients of which every experiment has its own, and whether they spread."""
    found = {}
    for name, section in file.estimate.items():
        spreads = isinstance(section.each, EachSection) and section.each.spread
        if section.each and section.over is not None:
            raise InputError(
                f"'{name}' varies with an axis and with the experiment",
                span=source.key(("estimate", name, "each")),
                expected="a number of each experiment, or one function of all",
            )
        if section.each:
            found[name] = spreads
    return found


def _refuse_each(source: Source, file: ProblemFile) -> None:
    for name, section in file.estimate.items():
        if section.each:
            raise InputError(
                f"'{name}' is of each experiment, and there are none",
                span=source.key(("estimate", name, "each")),
                expected="a key 'experiments', a list of several runs of the equations",
            )


def _file_of(file: ProblemFile, section: ExperimentSection) -> ProblemFile:
    """Return the file of one experiment: what is common and what is its own."""
    changes: dict[str, Any] = {key: [*getattr(file, key), *getattr(section, key)] for key in LISTS}
    changes["constants"] = {**file.constants, **section.constants}
    changes["inputs"] = {**file.inputs, **section.inputs}
    changes["domain"] = {**file.domain, **section.domain}
    if file.truth is not None:
        known = {**file.truth.constants, **section.truth}
        changes["truth"] = file.truth.model_copy(update={"constants": known})
    changes["experiments"] = []
    return file.model_copy(update=changes)


def _source_of(source: Source, file: ProblemFile, k: int) -> Source:
    """Return the source as one experiment reads it: its own parts stand where common ones would."""
    before = {key: len(getattr(file, key)) for key in LISTS}

    def moved(place: Place) -> Place | None:
        if place[:2] != ("experiments", k) or len(place) < 3:
            return None
        key, *rest = place[2:]
        if key in before and rest:
            rest[0] = before[str(key)] + int(rest[0])
        return (key, *rest)

    found = Source(source.tree, dict(source.keys), dict(source.values), dict(source.scalars))
    found.keys |= {new: span for old, span in source.keys.items() if (new := moved(old))}
    found.values |= {new: span for old, span in source.values.items() if (new := moved(old))}
    found.scalars |= {new: text for old, text in source.scalars.items() if (new := moved(old))}
    return found


__all__ = ["build_whole"]
