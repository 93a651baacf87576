"""The command line: thin, lazy, every answer on standard output, everything else on standard error.

Exit status: 0 solved; 1 the run failed or did not converge; 2 the input is wrong; 3 doubtful: all
is written, and reasons are told not to trust it; 130 or 143 interrupted.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinngate import __version__
from pinngate.errors import DataError, InputError, Interrupted, PinngateError, TruthError, printable
from pinngate.reading import whole
from pinngate.runs.signals import noted
from pinngate.studies.study_command import study

if TYPE_CHECKING:
    from rich.text import Text

    from pinngate.config import Located
    from pinngate.solution import Solution

# New objects between two searches for circles among them, in place of Python's 700: importing torch
# and drawing make half a million that stay, and searching them takes a tenth of a short run.
EXIT_STATUS = {"solved": 0, "failed": 1, "doubtful": 3}
COLLECTED = 50_000
# Where numpy and scipy have OpenBLAS to themselves and torch has a library of its own: what they
# multiply is small, and threads would wait for each other longer than they work.
ONE_THREADED = ("x86_64", "AMD64")

app = typer.Typer(
    name="pinngate",
    help="Partial differential equations from noisy observations.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # brackets in the texts below are brackets
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _path(text: str | Path) -> Path:
    """Read the name of a file or folder; an empty one would be the present folder."""
    if not str(text).strip() or text == "" or "\0" in str(text):
        raise InputError("an empty name", expected="the name of a file or a folder")
    return Path(text)


def _whole_number(text: str | int) -> int:
    """Read a whole number in ASCII digits."""
    try:
        return text if isinstance(text, int) else whole(text)
    except ValueError:
        raise InputError(f"'{text}' is no whole number", expected="digits, as in 12") from None


def _count(text: str | int) -> int:
    """Read a whole number of one or more."""
    if (number := _whole_number(text)) < 1:
        raise InputError(f"{number} is too few", expected="1 or more")
    return number


ProblemArgument = Annotated[
    str, typer.Argument(metavar="PROBLEM", help="a problem file, or the name of a shipped problem")
]
FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", parser=_path, help="the folder of a run")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="override a key, as in solve.iterations=2000")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="no progress")]
JsonOption = Annotated[bool, typer.Option("--json", help="print metrics.json in place of a table")]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="memory that the solver may use, such as 2GB [default: half of what is free]",
    ),
]


def _version(is_asked: bool) -> None:
    if is_asked:
        print(f"pinngate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False,
) -> None:
    """Partial differential equations from noisy observations."""


@app.command()
def run(
    problem: ProblemArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=_path, metavar="DIR", help="folder to write [default: results/<name>/<stamp>]"
        ),
    ] = None,
    set_: SetOption = None,
    seed: Annotated[
        int | None,
        typer.Option(parser=_whole_number, metavar="N", help="seed of all random streams"),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda")] = None,
    netcdf: Annotated[bool, typer.Option("--netcdf", help="write solution.nc too")] = False,
    max_memory: MemoryOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Solve a problem, judge the answer, draw it and write a report."""
    stated = {"seed": seed, "device": device, "max_memory": _bytes(max_memory)}
    located = _load(problem, set_, stated)
    from pinngate import solution as runs
    from pinngate.runs.progress import ProgressDisplay

    folder = out or runs.default_folder(located.problem)
    with _remembering(folder), _pointing_to(located), ProgressDisplay(quiet) as display:
        solution = runs.run(located.problem, folder, on_progress=display.show, use_netcdf=netcdf)
    _show(solution, json)


@app.command()
def resume(
    folder: FolderArgument,
    max_memory: MemoryOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Continue an interrupted run; the result is that of an uninterrupted one, bit for bit."""
    allowed = _bytes(max_memory)
    from pinngate import solution as runs
    from pinngate.runs.progress import ProgressDisplay

    with _remembering(folder), ProgressDisplay(quiet) as display:
        solution = runs.resume(folder, max_memory=allowed, on_progress=display.show)
    _show(solution, json)


@app.command()
def report(folder: FolderArgument) -> None:
    """Draw figures and report of a run anew, from its files; nothing is solved."""
    from pinngate.solution.folders import draw_report

    with _remembering(folder):
        page = draw_report(folder)
    _say(f"report: {page}")


@app.command("report-bug")
def report_bug(folder: FolderArgument) -> None:
    """Print what a report of a fault of pinngate needs: versions, problem, traceback, no data."""
    from pinngate.runs.bug import lines

    for line in lines(folder):
        _say(line)


@app.command()
def check(problem: ProblemArgument, set_: SetOption = None) -> None:
    """Print a problem as it was understood and verify its truth; nothing is trained."""
    located = _load(problem, set_)
    from pinngate.report.checking import check_lines

    with _pointing_to(located):
        for line in check_lines(located.problem):
            _say(line)


@app.command()
def predict(
    folder: FolderArgument,
    at: Annotated[
        Path | None,
        typer.Option(parser=_path, metavar="FILE", help="CSV or NPZ with a column for each axis"),
    ] = None,
    grid: Annotated[
        str | None, typer.Option(metavar="GRID", help="a grid, as in x=0:1:200,t=0:1:100")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=_path,
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
    _say(f"{count} points written to {out}")


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", parser=_path, help="folders of runs")
    ],
    out: Annotated[
        Path | None,
        typer.Option(parser=_path, metavar="DIR", help="folder of compare.png [default: this one]"),
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
        _print_json([comparison.summary(a) for a in runs])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in ("", *comparison.names_of(runs)):
        table.add_column(_plain(name))
    for quantity, values in comparison.rows(runs):
        table.add_row(_plain(quantity), *map(_plain, values))
    width = None if sys.stdout.isatty() else 40 + 32 * len(runs)
    Console(width=width).print(table)
    for preference in model_comparison.preferences(runs, comparison.names_of(runs)):
        _say(str(preference))
    _say(f"figure: {target}")


@app.command()
def spectrum(
    folder: FolderArgument,
    json: Annotated[bool, typer.Option("--json", help="print JSON in place of a table")] = False,
) -> None:
    """Show the kernel spectrum of a run: signal channel, reservoir and their evolution."""
    from pinngate.report.spectrum import FIGURE, analyse, write

    found = analyse(folder)
    write(found, folder)
    if json:
        _print_json(found.summary())
        return
    for line in found.lines():
        _say(line)
    _say(f"figure: {folder / FIGURE}")


@app.command()
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
        _print_json(found.summary())
        return
    for line in found.lines:
        print(line)
    print(f"tables and figures: {found.folder}")


app.command()(study)


@app.command()
def bench(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="a name or a YAML file")] = "quick",
    seeds: Annotated[
        int | None, typer.Option(parser=_count, metavar="N", help="seeds of every cell")
    ] = None,
    workers: Annotated[
        int, typer.Option(parser=_count, metavar="N", help="processes, of one thread each")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(parser=_path, metavar="DIR", help="folder [default: results/bench/SUITE]"),
    ] = None,
    set_: SetOption = None,
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
    """
    from pinngate.bench import load_suite, run_matrix, write_page, write_tables
    from pinngate.bench.suite import cut
    from pinngate.bench.suite_file import suite_names

    if list_:
        from pinngate.bench.methods import METHODS

        print("suites: " + ", ".join(suite_names()))
        for name, entry in METHODS.items():
            print(f"{name:<28} {entry.summary}")
        return
    stated = cut(
        load_suite(suite), num_seeds=seeds, methods=method, problems=problem, overrides=set_ or ()
    )
    folder = out or Path("results/bench") / stated.name

    def show(row: dict[str, Any], done: int, total: int) -> None:
        error = row.get("fields.u.relative_l2")
        text = row.get("reason") if error is None else f"relative L2 {error:.4f}"
        cell = f"{row['problem']} {row['setting']} {row['method']} seed {row['seed']}"
        _tell(f"{done}/{total}  {cell}: {text}")

    rows = run_matrix(stated, folder, num_workers=workers, on_row=show)
    command = " ".join(["pinngate", *sys.argv[1:]])
    print(write_tables(stated, rows, folder, command).read_text(encoding="utf-8"))
    _say(f"report: {write_page(stated, rows, folder, command)}")


@app.command("list")
def list_() -> None:
    """List the shipped problems."""
    from pinngate.config import catalog

    for name, title in catalog.describe().items():
        _say(f"{name:<20} {title}")


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", parser=_path, help="the file to write")],
    from_: Annotated[str | None, typer.Option("--from", help="a shipped problem")] = None,
) -> None:
    """Write a commented problem file to start from."""
    from pinngate.config.new_file import page, write_new

    for written in write_new(file, from_):
        _say(f"{written} written")
    explained = page()
    if explained is not None:
        print(f"every key is explained in {explained}")
    _say(f"solve it with: pinngate run {file}")


@app.command()
def cite(
    optimizer: Annotated[str | None, typer.Argument(help="name of an optimizer")] = None,
) -> None:
    """Print BibTeX of what was used."""
    from pinngate.citation import USED_BY, citation
    from pinngate.errors import nearest

    if optimizer is not None and optimizer not in USED_BY:
        raise InputError(f"unknown optimizer '{optimizer}'", hint=nearest(optimizer, USED_BY))
    print(citation(optimizer))


def _load(
    problem: str, overrides: list[str] | None, stated: dict[str, int | str | None] | None = None
) -> Located:
    """Load a problem; `stated` are keys of `solve` that have options of their own."""
    from pinngate import config

    given = {key: value for key, value in (stated or {}).items() if value is not None}
    every = [*(overrides or []), *(f"solve.{key}={value}" for key, value in given.items())]
    return config.load_located(config.resolve(problem), overrides=every)


def _bytes(size: str | None) -> int | None:
    """Return the bytes of an amount of memory; None stays None."""
    from pinngate.memory import parse_size

    try:
        return None if size is None else parse_size(size)
    except ValueError:
        raise InputError(
            f"--max-memory {size} is no amount of memory",
            expected="an amount such as 2GB, 500MB or 1.5GiB",
        ) from None


@contextmanager
def _pointing_to(located: Located) -> Iterator[None]:
    """Let faults of data files and of the truth point to where the problem states them."""
    try:
        yield
    except DataError as error:
        if error.file in located.files:
            raise error.at(located.files[error.file]) from None
        raise
    except TruthError as error:
        raise (error if located.truth is None else error.at(located.truth)) from None


@contextmanager
def _remembering(folder: Path) -> Iterator[None]:
    """Keep the traceback of a fault of the package in the folder of a run."""
    try:
        yield
    except (PinngateError, typer.Exit):
        raise
    except Exception as error:
        from pinngate.runs.bug import keep

        keep(folder, error)
        raise


def _say(text: str) -> None:
    print(printable(text))


def _tell(text: str) -> None:
    with suppress(OSError):  # a terminal that is gone, as after SIGHUP
        print(printable(text), file=sys.stderr)


def _plain(text: Any) -> Text:
    """Return a cell in which brackets are brackets."""
    from rich.text import Text

    return Text(printable(str(text)))


def _print_json(content: Any) -> None:
    import json

    print(json.dumps(content, indent=2, allow_nan=False))


def _show(solution: Solution, is_json: bool) -> None:
    from pinngate.report.terminal import verdict_lines

    metrics = solution.metrics
    if is_json:
        _print_json(metrics)
    else:
        for line in verdict_lines(metrics):
            _say(line)
        if solution.folder is not None:
            _say(f"report: {solution.folder / 'report.html'}")
    if status := EXIT_STATUS[metrics["verdict"]]:
        raise typer.Exit(status)


def main() -> None:
    """Run the command line and exit."""
    gc.set_threshold(COLLECTED)
    if platform.machine() in ONE_THREADED:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    is_debugging = "--debug" in sys.argv
    if not is_debugging:
        warnings.simplefilter("ignore")  # of numpy and torch: what matters is told in words
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # letters that a font lacks
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may know ASCII alone
    arguments = ["--debug", *(a for a in sys.argv[1:] if a != "--debug")]
    try:
        with noted(is_waiting=False):
            app(args=arguments if is_debugging else sys.argv[1:], standalone_mode=True)
    except Exception as error:
        if is_debugging:
            raise
        sys.exit(_told(error))
    except KeyboardInterrupt:
        _tell("interrupted")
        sys.exit(130)


def _told(error: Exception) -> int:
    """Say what stopped a command, and return the exit status."""
    if isinstance(error, PinngateError):
        _tell(str(error))
        if isinstance(error, Interrupted):
            return error.status
        return 2 if isinstance(error, InputError) else 1
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, MemoryError):
        told = str(error).splitlines()
        _tell(f"out of memory: {told[0] if told else 'nothing is left'}")
        _tell("  a smaller --max-memory, fewer points or a smaller network need less")
        return 1
    from pinngate.runs.bug import command_for

    _tell(f"internal error: {type(error).__name__}: {error}")
    _tell(f"  this is a fault of pinngate; please report what this prints: {command_for(error)}")
    _tell("  run again with --debug for the traceback")
    return 1
