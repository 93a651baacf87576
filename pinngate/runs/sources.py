"""What a finished run rests on: the BibTeX of every method and library that it has used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pinngate import config
from pinngate.citation import USED_BY, entries
from pinngate.errors import InputError
from pinngate.statement.problem import Problem

_BY_WORD = {  # of the methods that a run has been judged by
    "spline": ("splines",),
    "spectral": ("etdrk4",),
    "finite": ("stencils",),
    "cole": ("cole", "hopf"),
    "runge": ("dop853",),
}
LIBRARIES = ("torch", "numpy", "scipy", "matplotlib")


def sources_of(folder: Path) -> str:
    """Return the BibTeX of what a run used, after a comment on where its problem comes from.

    Raises:
        InputError: the folder holds no finished run.
    """
    problem = config.load(folder / "problem.yaml")
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{folder} holds no finished run", hint=f"pinngate resume {folder} finishes it"
        ) from None
    found = entries(["pinngate", *_methods(problem, metrics), *LIBRARIES])
    said = " ".join(problem.source.split())
    return f"% the problem: {said}\n\n{found}" if said else found


def _methods(problem: Problem, metrics: Mapping[str, Any]) -> Iterator[str]:
    yield from USED_BY.get(str(metrics.get("optimizer")), ())
    raced = [entry.get("options") or {} for entry in metrics.get("race") or []]
    networks = [*raced, metrics.get("network") or {}]
    if any(network.get("features") for network in networks):
        yield "features"
    if any("solver" in network for network in networks):
        yield from ("radau", "levenberg-marquardt")
    if problem.solve.basis == "layers":
        yield "soap"
    rivals = [
        entry.get("method", "") for entry in (metrics.get("classical") or {}).values() if entry
    ]
    truth = getattr(problem.truth, "solver", None) or ""
    words = " ".join([*rivals, str(truth)]).lower()
    for word, keys in _BY_WORD.items():
        if word in words:
            yield from keys
    if any((metrics.get("limit") or {}).values()):
        yield "radau"
