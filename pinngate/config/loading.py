"""A problem file, or its text, to a `Problem`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pinngate.config.catalog import resolve
from pinngate.config.overrides import apply_overrides
from pinngate.config.yaml_source import read
from pinngate.errors import InputError, Span
from pinngate.expression.parser import NONE, Functions
from pinngate.reading import read_bounded
from pinngate.statement.checks.candidate_sections import build_candidates
from pinngate.statement.checks.validation import validate
from pinngate.statement.problem import Problem

MAX_BYTES = 4_000_000  # more is a data file in the wrong place


@dataclass(frozen=True)
class Located:
    """A problem, and where it states its truth and names each data file."""

    problem: Problem
    files: dict[Path, Span] = field(default_factory=dict)
    truth: Span | None = None


def load(
    path: Path | str, *, overrides: Sequence[str] = (), functions: Functions = NONE
) -> Problem:
    """Read a problem file.

    Args:
        path: the file; text may also be the name of a shipped problem.
        overrides: values set before the file is checked, ``solve.optimizer=adam``.
        functions: of one's own that formulas call by these names: elementwise functions of torch
            tensors that autograd differentiates.

    Raises:
        InputError: the file cannot be read or is wrong; the message says where and why.
    """
    return load_located(path, overrides=overrides, functions=functions).problem


def load_located(
    path: Path | str, *, overrides: Sequence[str] = (), functions: Functions = NONE
) -> Located:
    """Read a problem file as `load` does; keep the places at which it names data files."""
    path = resolve(path) if isinstance(path, str) else path
    try:
        text = read_bounded(path, MAX_BYTES, "a problem file").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text in UTF-8 (byte {error.start})", expected="a problem file in YAML"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path} cannot be read: {reason}") from None
    return loads_located(
        text, file=str(path), folder=path.parent, overrides=overrides, functions=functions
    )


def loads(
    text: str,
    *,
    file: str = "<text>",
    folder: Path = Path(),
    overrides: Sequence[str] = (),
    functions: Functions = NONE,
) -> Problem:
    """Read the text of a problem file.

    Args:
        text: the YAML text.
        file: what messages call it.
        folder: where relative paths of data files start.
        overrides: as in `load`.
        functions: as in `load`.

    Raises:
        InputError: the text is wrong; the message says where and why.
    """
    return loads_located(
        text, file=file, folder=folder, overrides=overrides, functions=functions
    ).problem


def loads_located(
    text: str,
    *,
    file: str,
    folder: Path,
    overrides: Sequence[str] = (),
    functions: Functions = NONE,
) -> Located:
    """Read the text of a problem file as `loads` does; keep the places of data files."""
    source = read(text, file)
    apply_overrides(source, overrides)
    statement, files = build_candidates(source, validate(source), folder, functions)
    truth = source.key(("truth",)) if isinstance(source.tree, dict) else None
    return Located(Problem.of(statement), files, truth)
