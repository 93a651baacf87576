"""Runs generated inputs and says which broke a promise.

Promised is a result or an error in words: no other exception, no processor time beyond `SECONDS`,
no file outside of the folder of the case, no escape on the terminal.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from pinngate import config
from pinngate.cli import main
from pinngate.data.observations import collect
from pinngate.errors import ExpressionError, InputError, PinngateError
from pinngate.expression import differentiate, evaluate, parse
from pinngate.expression.printing import to_text
from pinngate.report.checking import check_lines
from pinngate.runs import checkpoint
from tests.reliability import grammar

SECONDS = 5.0  # of processor time for one case
GIGABYTES = 2.0
HANG = 120  # seconds after which a case is ended

TABLE_PROBLEM = """\
pinngate: 1
name: table
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  - u_t = 0.05*u_xx
conditions:
  - {where: x = 0, equation: u = 0}
observations:
  - {of: u, file: FILE}
"""


class Broken(AssertionError):  # noqa: N818 - what it is
    """A promise that did not hold."""


@dataclass
class Tally:
    """What came of the cases of one kind.

    Attributes:
        cases: tried.
        refused: told in words that they are wrong.
        failures: number of the case and what happened.
        slowest: seconds of processor time.
    """

    cases: int = 0
    refused: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0


@dataclass(frozen=True)
class Bench:
    """What cases are made from.

    Attributes:
        folder: where each case gets a folder of its own.
        run: of a finished run.
    """

    folder: Path
    run: Path


def expression(rng: Random, _: Bench) -> None:
    """A formula is read, told, evaluated and differentiated, or refused."""
    names = ["x", "t", "u", "u_x", "u_xx", "kappa"]
    text = grammar.formula(rng, names, rng.choice([2, 4, 6, 9]))
    read = parse(text)
    shown = to_text(read)
    again = parse(shown)
    if again != read and to_text(again) != shown:
        raise Broken(f"{text!r} is shown as {shown!r}, which reads as another formula")
    values = {name: np.linspace(0.1, 1, 3) for name in names}
    for tree in (read, differentiate(read, "u")):
        try:
            evaluate(tree, values, np)
        except (ArithmeticError, KeyError, TypeError, ValueError):
            return  # of brackets, which need a problem, and of constants without a value


def problem_file(rng: Random, bench: Bench) -> None:
    """A problem file is a problem that says the same when written, or refused."""
    text = grammar.problem(rng)
    problem = config.loads(text, folder=bench.folder)
    written = config.dumps(problem)
    if config.dumps(config.loads(written, folder=bench.folder)) != written:
        raise Broken("written and read again it says something else")
    if rng.random() < 0.3:
        for line in check_lines(problem):
            _no_escapes(line)


def table(rng: Random, bench: Bench) -> None:
    """A table gives numbers, or is refused."""
    name, content = grammar.table(rng)
    (bench.folder / name).write_bytes(content)
    problem = config.loads(TABLE_PROBLEM.replace("FILE", name), folder=bench.folder)
    for made in collect(problem, None, 0):
        if not np.isfinite(made.values).all():
            raise Broken("a value that is not finite got through")


def saved_state(rng: Random, bench: Bench) -> None:
    """A damaged checkpoint is refused."""
    content = grammar.checkpoint(rng, (bench.run / "checkpoint.pt").read_bytes())
    path = bench.folder / "checkpoint.pt"
    path.write_bytes(content)
    state = checkpoint.load(path)
    whole = checkpoint.load(bench.run / "checkpoint.pt")
    if checkpoint.checksum(state) != checkpoint.checksum(whole):
        raise Broken("a damaged checkpoint was accepted with another content")


def command_line(rng: Random, bench: Bench) -> None:
    """A command line ends with a status of its own and words."""
    (bench.folder / "broken.yaml").write_text("a: [", encoding="utf-8")
    (bench.folder / "points.csv").write_text("x,t\n0.5,0.5\n", encoding="utf-8")
    arguments = grammar.command(rng, str(bench.run), str(bench.run / "problem.yaml"))
    status, told = called(arguments)
    if status not in (0, 1, 2, 3):
        raise Broken(f"{arguments}: status {status}")
    for word in ("Traceback", "internal error"):
        if word in told:
            raise Broken(f"{arguments}: {told[-600:]}")
    _no_escapes(told)
    if status:
        raise InputError(told[:200])


def called(arguments: list[str]) -> tuple[int, str]:
    """Run a command in this process; return its status and all that it said."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    before = sys.argv
    sys.argv = ["pinngate", *arguments]
    status: object = 0
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            main()
    except SystemExit as error:
        status = error.code or 0
    finally:
        sys.argv = before
    said = []
    for stream in streams:
        stream.flush()
        said.append(stream.buffer.getvalue().decode("utf-8", errors="replace"))  # type: ignore[attr-defined]
    return (status if isinstance(status, int) else 1), "".join(said)


def _no_escapes(text: str) -> None:
    if any(ord(letter) < 32 and letter not in "\n\t\r" for letter in text):
        raise Broken(f"control characters: {text!r}")


KINDS: dict[str, tuple[Callable[[Random, Bench], None], float]] = {
    "formulas": (expression, 0.4),
    "problem files": (problem_file, 0.25),
    "tables": (table, 0.2),
    "checkpoints": (saved_state, 0.08),
    "command lines": (command_line, 0.07),
}


def tried(kind: str, number: int, bench: Bench, tally: Tally) -> None:
    """Try one case and note what came of it."""
    rng = Random(f"{kind} {number}")
    began, before = time.process_time(), _peak()
    outside = _listing(bench.folder.parent)
    tally.cases += 1
    try:
        with _in(bench.folder), _ended_after(HANG), warnings.catch_warnings():
            warnings.simplefilter("error")
            KINDS[kind][0](rng, bench)
    except (PinngateError, ExpressionError) as error:
        tally.refused += 1
        try:
            _no_escapes(str(error))
        except Broken as broken:
            tally.failures.append((number, str(broken)))
    except Broken as error:
        tally.failures.append((number, str(error)))
    except Exception:
        tally.failures.append((number, traceback.format_exc(limit=-3)))
    seconds = time.process_time() - began
    tally.slowest = max(tally.slowest, seconds)
    if seconds > SECONDS:
        tally.failures.append((number, f"{seconds:.1f} s"))
    if _listing(bench.folder.parent) != outside:
        tally.failures.append((number, "a file outside of its folder"))
    peak = _peak()
    if peak > max(GIGABYTES, before):
        tally.failures.append((number, f"the process has held {peak:.1f} GB"))


def _peak() -> float:
    """Return the most gigabytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _listing(folder: Path) -> set[str]:
    return set(os.listdir(folder))


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _ended_after(seconds: int) -> Iterator[None]:
    def end(*_: object) -> None:
        raise Broken(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def numbers(kind: str, count: int, seed: int = 0) -> range:
    """Return the numbers of the cases of one kind, where there are `count` in all."""
    share = round(KINDS[kind][1] * count)
    return range(seed * share, (seed + 1) * share)
