"""The command that says where the next measurement tells most."""

from __future__ import annotations

from typing import Annotated

import typer

from pinngate.commands.answers import print_json, say
from pinngate.commands.stated_options import (
    FolderArgument,
    PlainJsonOption,
    ProblemArgument,
    SetOption,
    load,
)


def design(
    problem: ProblemArgument,
    folder: FolderArgument,
    quantity: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="a coefficient or a derived quantity, a number"),
    ] = None,
    points: Annotated[int, typer.Option(metavar="N", help="measurements", min=1)] = 20,
    noise: Annotated[
        float | None,
        typer.Option(metavar="STD", help="of a measurement [default: what the run found]"),
    ] = None,
    set_: SetOption = None,
    json: PlainJsonOption = False,
) -> None:
    """Show where the next measurements tell most about a quantity: a map, a table, and words."""
    stated = load(problem, set_).problem
    from pinngate.report.design_figure import lines
    from pinngate.solution.designing import design_folder

    found = design_folder(stated, folder, quantity, points=points, noise=noise)
    if json:
        print_json(
            {
                "quantity": found.quantity,
                "estimate": found.estimate,
                "half_widths": found.half_widths.tolist(),
                "noise": found.noise,
                **{name: column.tolist() for name, column in found.table().items()},
            }
        )
        return
    for line in lines(found):
        say(line)
    say(f"table and map: {folder / 'design.csv'}, {folder / 'design.png'}")
