"""Commands that evaluate, compare and study finished runs, and the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pinngate.commands.answers import plain, print_json, say, tell
from pinngate.commands.stated_options import (
    FolderArgument,
    JsonOption,
    QuietOption,
    SetOption,
    count_of,
    path_of,
    seconds_of,
)
from pinngate.errors import InputError


def predict(
    folder: FolderArgument,
    at: Annotated[
        Path | None,
        typer.Option(parser=path_of, metavar="FILE", help="CSV or NPZ with a column for each axis"),
    ] = None,
    grid: Annotated[
        str | None, typer.Option(metavar="GRID", help="a grid, as in x=0:1:200,t=0:1:100")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_of,
            metavar="FILE",
            help=".csv, .npz or .nc to write [default: predictions.csv]",
        ),
    ] = None,
    netcdf: Annotated[bool, typer.Option("--netcdf", help="write predictions.nc")] = False,
) -> None:
    """Evaluate a finished run anywhere: each unknown and its standard deviation."""
    from pinngate import solution as runs

    if (at is None) == (grid is None):
        raise InputError(
            "predict needs places" if at is None else "predict takes --at or --grid, not both",
            expected="--at points.csv, or --grid x=0:1:200,t=0:1:100",
        )
    out = out or Path("predictions.nc" if netcdf else "predictions.csv")
    if netcdf:
        out = out.with_suffix(".nc")
    if at is not None:
        count = runs.predict_file(folder, at, out)
    else:
        count = runs.predict_grid(folder, grid or "", out)
    say(f"{count} points written to {out}")


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", parser=path_of, help="folders of runs")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_of, metavar="DIR", help="folder of compare.png [default: this one]"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON in place of a table")] = False,
) -> None:
    """Show finished runs side by side, as a table and a figure."""
    from pinngate.report import comparison, model_comparison
    from pinngate.report.style import png
    from pinngate.writing import write_bytes

    runs = comparison.read_runs(folders)
    target = (out or Path()) / "compare.png"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, png(comparison.figure(runs)))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from None
    if json:
        print_json([comparison.summary(a) for a in runs])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in ("", *comparison.names_of(runs)):
        table.add_column(plain(name))
    for quantity, values in comparison.rows(runs):
        table.add_row(plain(quantity), *map(plain, values))
    width = None if sys.stdout.isatty() else 40 + 32 * len(runs)
    Console(width=width).print(table)
    for preference in model_comparison.preferences(runs, comparison.names_of(runs)):
        say(str(preference))
    say(f"figure: {target}")


def spectrum(
    folder: FolderArgument,
    json: Annotated[bool, typer.Option("--json", help="print JSON in place of a table")] = False,
) -> None:
    """Show the kernel spectrum of a run: signal channel, reservoir and their evolution."""
    from pinngate.report.spectrum import FIGURE, analyse, write

    found = analyse(folder)
    write(found, folder)
    if json:
        print_json(found.summary())
        return
    for line in found.lines():
        say(line)
    say(f"figure: {folder / FIGURE}")


def theory(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="folders of runs")],
    draws: Annotated[int, typer.Option(help="noise draws, the first the run's own", min=1)] = 3,
    out: Annotated[
        Path | None, typer.Option(help="folder of tables and figures [default: DIR/theory]")
    ] = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Repeat a run and show where its signal and its noise went: channel, reservoir, drift, risk.

    Draws that are there already are not run again. Several runs are shown side by side.
    """
    from pinngate.theory.studied_runs import study_runs

    def show(words: str) -> None:
        if not quiet:
            print(words, file=sys.stderr)

    command = " ".join(["pinngate", *sys.argv[1:]])
    found = study_runs(folders, num_draws=draws, out=out, command=command, on_draw=show)
    if json:
        print_json(found.summary())
        return
    for line in found.lines:
        print(line)
    print(f"tables and figures: {found.folder}")


def bench(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="a name or a YAML file")] = "quick",
    seeds: Annotated[
        int | None, typer.Option(parser=count_of, metavar="N", help="seeds of every cell")
    ] = None,
    workers: Annotated[
        int, typer.Option(parser=count_of, metavar="N", help="processes, of one thread each")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_of, metavar="DIR", help="folder [default: results/bench/SUITE]"),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            parser=seconds_of, metavar="SECONDS", help="of one run; beyond, it is a failed row"
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="run as jobs: slurm, or local to try it here")
    ] = None,
    job: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="option of submitit, as slurm_partition=gpu; may be repeated"
        ),
    ] = None,
    set_: SetOption = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda: of our optimizers, and of the steps of 'speed'")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="only methods of this label; may be repeated")
    ] = None,
    problem: Annotated[
        list[str] | None, typer.Option(help="only this problem; may be repeated")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="list suites and methods, run none")
    ] = False,
) -> None:
    """Run problems x settings x methods x seeds: ours and every rival on the same data.

    Resumes where it stopped, and ends in tables (CSV and Markdown), statistics paired by seed,
    figures and one page, report.html. Rivals need extras: pip install 'pinngate[bench,deepxde]'.
    With --cluster every run is a job (extra: pip install 'pinngate[cluster]'), --workers of them at
    a time. The suite 'speed' times single steps of ours and of DeepXDE in turn.
    """
    if suite == "speed" and not list_:
        from pinngate.bench import speed

        speed.run(device or "cpu", out or Path("results/bench/speed"))
        return
    from pinngate.bench import load_suite, run_matrix, write_page, write_tables
    from pinngate.bench.cluster import cluster_of
    from pinngate.bench.suite import cut
    from pinngate.bench.suite_file import suite_names

    if list_:
        from pinngate.bench.methods import METHODS

        print("suites: " + ", ".join([*suite_names(), "speed"]))
        for name, entry in METHODS.items():
            print(f"{name:<28} {entry.summary}")
        return
    overrides = [*(set_ or ()), *([] if device is None else [f"solve.device={device}"])]
    stated = cut(
        load_suite(suite), num_seeds=seeds, methods=method, problems=problem, overrides=overrides
    )
    folder = out or Path("results/bench") / stated.name

    def show(row: dict[str, Any], done: int, total: int) -> None:
        error = row.get("fields.u.relative_l2")
        text = row.get("reason") if error is None else f"relative L2 {error:.4f}"
        cell = f"{row['problem']} {row['setting']} {row['method']} seed {row['seed']}"
        tell(f"{done}/{total}  {cell}: {text}")

    rows = run_matrix(
        stated,
        folder,
        num_workers=workers,
        time_limit=time_limit,
        cluster=cluster_of(cluster, job or ()),
        on_row=show,
    )
    command = " ".join(["pinngate", *sys.argv[1:]])
    print(write_tables(stated, rows, folder, command).read_text(encoding="utf-8"))
    say(f"report: {write_page(stated, rows, folder, command)}")
