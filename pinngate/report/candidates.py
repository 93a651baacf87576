"""The candidates of a race: the rows of ``history.csv`` that belong to each, and their table.

Part of the report. Where several networks race, the log holds their iterations in turns; figures
want the course of each by its own iterations, the winner's above all. A run without a race is one
candidate that wins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive, finite_number
from pinngate.report.notation import ABSENT, percent, significant

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """What was logged of one candidate.

    Attributes:
        name: of the network in the race; empty without one.
        is_winner: whether it gave the answer.
        columns: those of the log, its rows only; ``iteration`` counts the candidate's own.
    """

    name: str
    is_winner: bool
    columns: dict[str, Array]

    @property
    def num_rows(self) -> int:
        """How many of its iterations were logged."""
        return max((values.size for values in self.columns.values()), default=0)

    def starting(self, prefix: str) -> list[str]:
        """Return the columns whose name starts so."""
        return [name for name in self.columns if name.startswith(prefix)]

    def series(self, names: Iterable[str], is_log: bool = False) -> dict[str, tuple[Array, Array]]:
        """Return (iterations, values) of the named columns that hold a number, gaps left out.

        Args:
            names: of columns; those that are absent are skipped.
            is_log: whether values must be above zero too.
        """
        found = {}
        for name in names:
            values = self.columns.get(name)
            if values is None:
                continue
            is_shown = np.isfinite(values) & ((values > 0) | (not is_log))
            if is_shown.any():
                found[name] = (self.columns["iteration"][is_shown], values[is_shown])
        return found


def courses(archive: RunArchive) -> list[Course]:
    """Return the course of each candidate that was logged, the winner last.

    The log has a row every few steps, so the turn of a candidate is known to that many: its own
    iterations are counted from the last row of the candidate before it.
    """
    history = archive.history
    num_rows = max((v.size for v in history.values()), default=0)
    steps = history.get("iteration", np.arange(num_rows, dtype=np.float64))
    at_work = history.get("candidate", np.full(num_rows, np.nan))
    numbers = sorted({int(i) for i in at_work[np.isfinite(at_work)]})
    if not numbers:
        return [Course("", True, history | {"iteration": steps})]
    race = _entries(archive)
    winner = next((i for i, e in enumerate(race) if e.get("is_winner")), int(at_work[-1]))
    found = []
    for number in sorted(numbers, key=lambda i: i == winner):
        rows = at_work == number
        own = np.cumsum(np.where(rows, np.diff(steps, prepend=0.0), 0.0))
        columns = {key: v[rows] for key, v in history.items()} | {"iteration": own[rows]}
        found.append(Course(_name(race, number), number == winner, columns))
    return found


def _name(race: list[dict[str, Any]], number: int) -> str:
    """Return the name of a candidate, its number from one where it has none."""
    return str(race[number].get("network") or number + 1) if number < len(race) else ""


def winner_of(archive: RunArchive) -> Course:
    """Return the course of the candidate that gave the answer."""
    return courses(archive)[-1]


def race_rows(archive: RunArchive) -> list[dict[str, Any]]:
    """Return the table of the race, best first; empty where there was none."""
    race = _entries(archive)
    if len(race) < 2:
        return []
    risks = [finite_number(entry.get("risk")) for entry in race]
    best = min((r for r in risks if r is not None), default=None)
    rows = [
        _race_row(entry, risk, best, archive.metrics.get("network"))
        for entry, risk in zip(race, risks, strict=True)
    ]
    return sorted(rows, key=lambda row: row["rank"])


def race_table(archive: RunArchive) -> dict[str, Any]:
    """Return the same for the page: ``heads``, and ``rows`` of ``head`` and ``cells``."""
    is_mean = num_members(archive) > 1
    heads = {
        "words": "hidden layers", "risk": "risk", "above": "above the least",
        "iterations": "iterations",
    } | ({"share": "share of the answer"} if is_mean else {})  # fmt: skip
    chosen = "least risk" if is_mean else "chosen"
    rows = [
        {
            "head": escape(f"{row['name']} – {chosen}" if row["is_winner"] else row["name"]),
            "cells": [row[key] for key in heads],
            "is_chosen": row["is_winner"],
        }
        for row in race_rows(archive)
    ]
    return {"heads": list(heads.values()), "rows": rows}


def _race_row(
    entry: Mapping[str, Any], risk: float | None, best: float | None, winning: Any
) -> dict[str, Any]:
    """Return the cells of one candidate; `winning` are the options of the winner's network."""
    is_winner = bool(entry.get("is_winner"))
    iterations, share = (finite_number(entry.get(key)) for key in ("iterations", "share"))
    return {
        "name": str(entry.get("network") or ABSENT),
        "words": _started(entry.get("options") or (winning if is_winner else None), entry),
        "risk": _aligned(risk, best),
        "above": _above(risk, best),
        "iterations": ABSENT if iterations is None else f"{iterations:,.0f}",
        "share": percent(share) if share else ABSENT,
        "is_winner": is_winner,
        "rank": (not is_winner, math.inf if risk is None else risk),
    }


def _started(options: Mapping[str, Any] | None, entry: Mapping[str, Any]) -> str:
    """Return the network in words, and how it was started."""
    return network_words(options)


def _above(risk: float | None, best: float | None) -> str:
    return f"+{percent(risk / best - 1)}" if risk and best and risk > best else ABSENT


def num_members(archive: RunArchive) -> int:
    """Return how many networks the answer is the mean of."""
    return sum(bool(finite_number(entry.get("share"))) for entry in _entries(archive)) or 1


def network_words(options: Mapping[str, Any] | None) -> str:
    """Return the hidden layers in words, ``48 sines of bandwidth 1, then 48 tanh``.

    Args:
        options: width, depth, activation and features, as in ``metrics.json``; None: a dash. Of a
            network of the caller's own: its class and number of weights.
    """
    if options and options.get("own"):
        return f"{options['own']}, the caller's own"
    if not options or not isinstance(options.get("depth"), int):
        return ABSENT
    depth, width = options["depth"], options.get("width")
    units = "sines" if options.get("activation") == "sin" else options.get("activation")
    bandwidth = finite_number(options.get("features"))
    if bandwidth is None:
        return f"{width} {units}" if depth == 1 else f"{depth} layers of {width} {units}"
    first = f"{width} sines of bandwidth {significant(bandwidth)}"
    if depth == 1:
        return first
    return f"{first}, then {f'{depth - 1} layers of ' if depth > 2 else ''}{width} {units}"


def _entries(archive: RunArchive) -> list[dict[str, Any]]:
    race = archive.metrics.get("race")
    return [e for e in race if isinstance(e, dict)] if isinstance(race, list) else []


def _aligned(risk: float | None, best: float | None) -> str:
    """Return a risk with as many decimals as show four digits of the best."""
    if risk is None or not best or best <= 0:
        return significant(risk)
    decimals = max(0, 3 - math.floor(math.log10(best)))
    return f"{risk:.{decimals}f}"
