"""The `candidates` of a problem: each read as the problem that it is with what all have in common.

Above `experiment_sections`: a candidate may be of several experiments. A library, a left side and
terms, is written out here as an equation in which every term has a coefficient that may be zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinngate.errors import InputError, Span, nearest
from pinngate.expression.parser import NONE, Functions
from pinngate.statement.checks.experiment_sections import build_whole
from pinngate.statement.checks.schema import (
    CandidateSection,
    ConditionSection,
    ProblemFile,
)
from pinngate.statement.checks.schema_estimate import EstimateSection
from pinngate.statement.checks.source import Place, Source
from pinngate.statement.components import Statement

NAME = re.compile(r"[^\W\d]\w*")
FIRST = "c_"  # how the coefficient of a term of a library begins
MERGED = ("constants", "derived")  # own entries beside the common ones


def build_candidates(
    source: Source, file: ProblemFile, folder: Path, functions: Functions = NONE
) -> tuple[Statement, dict[Path, Span]]:
    """Make the statement of a problem, of each of its candidates where it states some.

    Args and errors: as `building.build`; also a candidate is wrong, or the truth would be another
    one for each.
    """
    if not file.candidates:
        return build_whole(source, file, folder, functions)
    _refuse_solver(source, file)
    written = {name: _written_out(source, name, c) for name, c in file.candidates.items()}
    shared = _named_by_any(file, written)
    statements: dict[str, Statement] = {}
    files: dict[Path, Span] = {}
    for name, section in written.items():
        own_file = _file_of(file, section, shared)
        own = build_whole(_source_of(source, file, name), own_file, folder, functions)
        statements[name] = _with_optional(source, name, section, own[0])
        files |= own[1]
    first = next(iter(statements.values()))
    return replace(first, candidates=statements), files


def _refuse_solver(source: Source, file: ProblemFile) -> None:
    if file.truth is not None and file.truth.solver is not None:
        raise InputError(
            "the truth would be another one for each candidate",
            span=source.key(("truth", "solver")),
            expected="with 'candidates', a truth as a formula or as a file",
        )


def _written_out(source: Source, name: str, section: CandidateSection) -> CandidateSection:
    """Return a candidate with the equation and the coefficients of its library."""
    place = ("candidates", name)
    if not NAME.fullmatch(name):
        raise InputError(
            f"a candidate cannot be called '{name}'",
            span=source.key(place),
            expected="a name of letters, digits and _",
        )
    if bool(section.terms) != bool(section.left) or (section.terms and section.equations):
        raise InputError(
            f"the candidate '{name}' is neither equations nor a library of terms",
            span=source.key(place),
            expected="either 'equations', or both 'left' and 'terms'",
        )
    if not section.terms:
        return section
    terms = [str(term) for term in section.terms]
    known = dict(zip(_coefficient_names(terms), terms, strict=True))
    right = " + ".join(f"{coefficient}*{_factor(term)}" for coefficient, term in known.items())
    zero = dict.fromkeys(known, EstimateSection.model_validate({"initial": 0}))
    return section.model_copy(
        update={
            "equations": [f"{section.left} = {right}"],
            "estimate": {**zero, **section.estimate},
            "optional": [*section.optional, *known],
        }
    )


def _factor(term: str) -> str:
    return f"({term})" if re.search("[-+]", term) else term.strip()


def _coefficient_names(terms: list[str]) -> list[str]:
    """Return a name for the coefficient of each term, ``c_u_u_x`` for ``u*u_x``."""
    found: list[str] = []
    for term in terms:
        plain = FIRST + re.sub(r"\W+", "_", term.strip()).strip("_")
        count = sum(re.fullmatch(rf"{plain}(_\d+)?", other) is not None for other in found)
        found.append(f"{plain}_{count + 1}" if plain in found else plain)
    return found


def _texts(equations: list[str], conditions: list[ConditionSection]) -> set[str]:
    """Return the names in equations and conditions, and what stands before an underscore."""
    texts = [*equations, *(c.equation or "" for c in conditions)]
    found = {name for text in texts for name in NAME.findall(text)}
    return found | {name.rpartition("_")[0] for name in found}


def _named_in(file: ProblemFile, section: CandidateSection) -> set[str]:
    equations = section.equations or file.equations
    return _texts(equations, [*file.conditions, *section.conditions])


def _named_by_any(file: ProblemFile, sections: Mapping[str, CandidateSection]) -> set[str]:
    """Return the common coefficients that one candidate names at least."""
    named = {name for section in sections.values() for name in _named_in(file, section)}
    return named & set(file.estimate)


def _file_of(file: ProblemFile, section: CandidateSection, shared: set[str]) -> ProblemFile:
    """Return the file of one candidate: what is common and what is its own."""
    absent = shared - _named_in(file, section)
    common = {name: given for name, given in file.estimate.items() if name not in absent}
    changes: dict[str, Any] = {
        key: {**getattr(file, key), **getattr(section, key)} for key in MERGED
    }
    changes["estimate"] = {**common, **section.estimate}
    changes["conditions"] = [*file.conditions, *section.conditions]
    changes["equations"] = section.equations or file.equations
    changes["candidates"] = {}
    if section.unknowns:
        changes["unknowns"] = _unknowns(file.unknowns, section.unknowns)
    return file.model_copy(update=changes)


def _unknowns(common: Any, own: list[str]) -> Any:
    return [*common, *own] if isinstance(common, list) else {**common, **{n: {} for n in own}}


def _source_of(source: Source, file: ProblemFile, candidate: str) -> Source:
    """Return the source as one candidate reads it: its own parts stand where common ones would."""
    before = {"conditions": len(file.conditions), "unknowns": len(file.unknowns)}

    def moved(place: Place) -> Place | None:
        if place[:2] != ("candidates", candidate) or len(place) < 3:
            return None
        key, *rest = place[2:]
        if key == "terms":
            return ("equations", 0)
        if key in before and rest:
            rest[0] = before[str(key)] + int(rest[0])
        return (key, *rest)

    found = Source(source.tree, dict(source.keys), dict(source.values), dict(source.scalars))
    found.scalars = {p: text for p, text in found.scalars.items() if p[:1] != ("equations",)}
    found.keys |= {new: span for old, span in source.keys.items() if (new := moved(old))}
    found.values |= {new: span for old, span in source.values.items() if (new := moved(old))}
    found.scalars |= {
        new: text
        for old, text in source.scalars.items()
        if "terms" not in old and (new := moved(old))
    }
    return found


def _with_optional(
    source: Source, name: str, section: CandidateSection, statement: Statement
) -> Statement:
    """Return a candidate with the coefficients that may be zero."""
    known = [c.name for c in statement.shown_coefficients if c.lower is None and c.upper is None]
    for k, optional in enumerate(section.optional):
        if optional not in known:
            raise InputError(
                f"'{optional}' is no coefficient that may be zero",
                span=source.span(("candidates", name, "optional", k)),
                expected=f"one of {', '.join(known)}" if known else "a coefficient without bounds",
                hint=nearest(optional, known),
            )
    return replace(statement, optional=tuple(section.optional))


__all__ = ["build_candidates"]
