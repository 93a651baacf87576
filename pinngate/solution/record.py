"""The record of a run in memory: what its folder would hold, as figures and pages take it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pinngate.report.archive import RunArchive
from pinngate.runs.files import history_columns
from pinngate.runs.judgement import Judged
from pinngate.runs.training import Session


def record_of(session: Session, judged: Judged, folder: Path | None = None) -> RunArchive:
    """Return the record of a judged session; `folder` where its files lie, if they do."""
    table = judged.observations
    is_held_out = table.get("held_out", np.zeros(len(table["residual"]))) == 1
    fitted = {name: values[~is_held_out] for name, values in table.items()}
    return RunArchive(
        folder=folder or Path(),
        problem=session.problem,
        metrics=judged.metrics,
        history=history_columns(session.history),
        solution=judged.solution,
        observations=fitted,
        held_out={n: v[is_held_out] for n, v in table.items()} if is_held_out.any() else {},
    )


def observation_columns(record: RunArchive) -> dict[str, np.ndarray]:
    """Return the columns of ``observations.csv``: values that were fitted, then those held out."""
    if not record.held_out:
        return record.observations
    both = (record.observations, record.held_out)
    return {name: np.concatenate([part[name] for part in both]) for name in record.held_out}
