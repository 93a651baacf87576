"""Many draws of one run: what is there already is kept, what is missing is run.

All that a study measured of one run lies in ``theory/study`` of the run's folder: ``draw-3.json``
(`watched_draw`), ``walk-3.json`` (`short_walk`) and ``kernel.json`` (`watched_kernel`). Each file
is written in one step, so that an interrupted study goes on where it stood.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pinngate import config
from pinngate.errors import InputError
from pinngate.reference import Reference, truth
from pinngate.runs import files
from pinngate.statement.options import DEFAULT_OPTIMIZER, optimizer_name
from pinngate.statement.problem import Problem
from pinngate.theory.short_walk import walk
from pinngate.theory.watched_draw import watched_draw
from pinngate.theory.watched_kernel import watched_kernel
from pinngate.writing import write_text

STUDY = "theory/study"
OnDraw = Callable[[str], None]
Array = np.ndarray


@dataclass(frozen=True)
class Study:
    """What was measured of one run.

    Attributes:
        folder: of the run.
        problem: that was run.
        label: of the optimizer, for tables and figures.
        draws: records, one for each noise draw.
        walks: by kind of noise, ``same`` or ``new``: (times, displacements (draws, times, n));
            empty where the optimizer has no small steps.
        kernel: tables of `watched_kernel`.
    """

    folder: Path
    problem: Problem
    label: str
    draws: list[dict[str, Any]]
    walks: dict[str, tuple[Array, Array]]
    kernel: dict[str, list[dict[str, Any]]]

    def course(self, name: str) -> list[Array]:
        """Return a logged figure of each draw over its own times, NaN where it was not logged."""
        return [np.array(d["course"][name], dtype=float) for d in self.draws]

    def final(self, name: str) -> Array:
        """Return a final figure of every draw, (draws,), NaN where there is none."""
        return np.array([d["final"].get(name, np.nan) for d in self.draws], dtype=float)


def label_of(problem: Problem) -> str:
    """Return the optimizer's name, with its gate where that is not the default."""
    name = optimizer_name(problem.solve.optimizer)
    gate = problem.solve.gate
    if name == "population-risk-adam":
        return f"{name}, no gate" if gate == "none" else name
    return name


def study(folder: Path, num_draws: int, on_draw: OnDraw | None = None) -> Study:
    """Return what was measured of a run, running what is missing.

    Args:
        folder: of a run.
        num_draws: of the noise; the first is the run's own.
        on_draw: told in words what comes next.

    Raises:
        InputError: the folder holds no run, its truth or its noise is not known, or its optimizer
            cannot be followed.

    Cost: each draw is a run with some twenty Jacobians, and for a first-order optimizer twice
    `short_walk.NUM_STEPS` steps more.
    """
    files.require_run(folder)
    problem = config.load(folder / "problem.yaml")
    reference = truth(problem)
    if reference is None:
        raise InputError(
            f"the truth of {problem.name} is not known",
            expected="a problem with a truth: signal and noise cannot be told apart without one",
        )
    stored, tell = folder / STUDY, on_draw or _ignore
    stored.mkdir(parents=True, exist_ok=True)
    is_walking = optimizer_name(problem.solve.optimizer) != DEFAULT_OPTIMIZER
    draws, walks = [], []
    for draw in range(num_draws):
        tell(f"{label_of(problem)}: draw {draw + 1} of {num_draws}")
        draws.append(_kept(stored / f"draw-{draw}.json", _drawn(problem, reference, draw)))
        if is_walking:
            walks.append(_kept(stored / f"walk-{draw}.json", _walked(problem, reference, draw)))
    kernel = _kept(stored / "kernel.json", lambda: watched_kernel(problem, reference))
    return Study(folder, problem, label_of(problem), draws, _stacked(walks), kernel)


def _ignore(_: str) -> None:
    pass


def _kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return what a file holds, made and written where there is none."""
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    made = make()
    write_text(path, json.dumps(made))
    return made


def _drawn(problem: Problem, reference: Reference, draw: int) -> Callable[[], Any]:
    return lambda: watched_draw(problem, reference, draw)


def _walked(problem: Problem, reference: Reference, draw: int) -> Callable[[], Any]:
    return lambda: {
        kind: walk(problem, reference, draw, is_fresh=kind == "new") for kind in ("same", "new")
    }


def _stacked(walks: list[dict[str, Any]]) -> dict[str, tuple[Array, Array]]:
    if not walks:
        return {}
    return {
        kind: (
            np.array(walks[0][kind]["times"], dtype=float),
            np.array([walked[kind]["moved"] for walked in walks]),
        )
        for kind in walks[0]
    }
