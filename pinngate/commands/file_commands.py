"""Commands that look at problems and runs, or write what somebody starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pinngate.commands.answers import print_json, say
from pinngate.commands.stated_options import (
    PlainJsonOption,
    ProblemArgument,
    SetOption,
    load,
    path_of,
    pointing_to,
)
from pinngate.errors import InputError


def check(problem: ProblemArgument, set_: SetOption = None, json: PlainJsonOption = False) -> None:
    """Print a problem as it was understood and verify its truth; nothing is trained."""
    located = load(problem, set_)
    from pinngate.report import checking

    with pointing_to(located):
        if json:
            findings: list[Any] = []
            print_json(checking.summary(located.problem, findings))
            checking.refuse_wrong(findings)
            return
        for line in checking.check_lines(located.problem):
            say(line)


def list_(json: PlainJsonOption = False) -> None:
    """List the shipped problems."""
    from pinngate.config import catalog

    titles = catalog.describe()
    if json:
        print_json([{"name": name, "title": title} for name, title in titles.items()])
        return
    for name, title in titles.items():
        say(f"{name:<20} {title}")


def schema() -> None:
    """Print the JSON Schema of problem files, by which editors complete and check them."""
    from pinngate.config.json_schema import json_schema

    print_json(json_schema())


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", parser=path_of, help="the file to write")],
    from_: Annotated[str | None, typer.Option("--from", help="a shipped problem")] = None,
) -> None:
    """Write a commented problem file to start from."""
    from pinngate.config.new_file import page, write_new

    for written in write_new(file, from_):
        say(f"{written} written")
    explained = page()
    if explained is not None:
        print(f"every key is explained in {explained}")
    say(f"solve it with: pinngate run {file}")


def cite(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[OPTIMIZER|DIR]", help="name of an optimizer, or a run's folder"),
    ] = None,
) -> None:
    """Print BibTeX of what was used: by a run, by an optimizer, or by all."""
    from pinngate.citation import USED_BY, citation
    from pinngate.errors import nearest

    if what is None or what in USED_BY:
        print(citation(what))
        return
    if not (path_of(what) / "problem.yaml").is_file():
        raise InputError(
            f"'{what}' is neither an optimizer nor the folder of a run",
            expected=f"one of {', '.join(USED_BY)}, or a folder that run has written",
            hint=nearest(what, USED_BY),
        )
    from pinngate.runs.sources import sources_of

    say(sources_of(path_of(what)))
