"""The command ``pinngate study NAME``; torch is loaded only when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pinngate.errors import printable

SHORT = {"image": "noisy-image"}


def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="grokking, dpo, noisy-image (or image) or double-descent"
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="a small version, under a minute: it shows no result")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder [default: results/studies/NAME]")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="processes, of one thread each")
    ] = 1,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="override a setting, as in seeds=[0,1]")
    ] = None,
) -> None:
    """Run one of the paper's other experiments; finished parts are kept and not run again.

    Settings are those of the study's YAML file. Ends in tables, figures and a page. The quick
    version goes into a folder of its own.
    """
    from pinngate.studies.study import run_study

    name = SHORT.get(name, name)
    folder = out or Path("results/studies") / (f"{name}-quick" if quick else name)
    outcome = run_study(
        name,
        folder,
        is_quick=quick,
        device=device,
        num_workers=workers,
        overrides=set_ or (),
        command=" ".join(["pinngate", *sys.argv[1:]]),
        tell=lambda words: print(printable(words), file=sys.stderr),
    )
    print(printable("\n".join(outcome.lines)))
    print(printable(f"tables and figures: {folder}"))
