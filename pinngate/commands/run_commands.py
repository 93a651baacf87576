"""Commands that solve, go on, draw anew and report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pinngate.commands.answers import say, show
from pinngate.commands.stated_options import (
    FolderArgument,
    JsonOption,
    MemoryOption,
    ProblemArgument,
    QuietOption,
    ReportOption,
    SetOption,
    byte_count,
    load,
    path_of,
    pointing_to,
    remembering,
    whole_number,
)


def run(
    problem: ProblemArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_of, metavar="DIR", help="folder to write [default: results/<name>/<stamp>]"
        ),
    ] = None,
    set_: SetOption = None,
    seed: Annotated[
        int | None,
        typer.Option(parser=whole_number, metavar="N", help="seed of all random streams"),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda")] = None,
    netcdf: Annotated[bool, typer.Option("--netcdf", help="write solution.nc too")] = False,
    report: ReportOption = True,
    max_memory: MemoryOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Solve a problem, judge the answer, draw it and write a report."""
    began = time.perf_counter()
    stated = {"seed": seed, "device": device, "max_memory": byte_count(max_memory)}
    located = load(problem, set_, stated)
    from pinngate import solution as runs
    from pinngate.runs.progress import ProgressDisplay

    folder = out or runs.default_folder(located.problem)
    with remembering(folder), pointing_to(located), ProgressDisplay(quiet) as display:
        solution = runs.run(
            located.problem,
            folder,
            on_progress=display.show,
            use_netcdf=netcdf,
            has_report=report,
        )
    show(solution, json, began)


def resume(
    folder: FolderArgument,
    max_memory: MemoryOption = None,
    report: ReportOption = True,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Continue an interrupted run; the result is that of an uninterrupted one, bit for bit."""
    began = time.perf_counter()
    allowed = byte_count(max_memory)
    from pinngate import solution as runs
    from pinngate.runs.progress import ProgressDisplay

    with remembering(folder), ProgressDisplay(quiet) as display:
        solution = runs.resume(
            folder, max_memory=allowed, on_progress=display.show, has_report=report
        )
    show(solution, json, began)


def report(folder: FolderArgument) -> None:
    """Draw figures and report of a run anew, from its files; nothing is solved."""
    from pinngate.solution.folders import draw_report

    with remembering(folder):
        page = draw_report(folder)
    say(f"report: {page}")


def report_bug(folder: FolderArgument) -> None:
    """Print what a report of a fault of pinngate needs: versions, problem, traceback, no data."""
    from pinngate.runs.bug import lines

    for line in lines(folder):
        say(line)
