"""Coordinates of θ during a search: those of a march from the start, or of joined windows.

Every iterate knows the frame that its θ is in. Problems that are not marched in windows have one
frame. Between `fitted_record`, with `joined_model` in it, and `staged_search`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.joined_model import JoinedModel, Windowing
from pinngate.optim.direct_fit.marched_states import MarchFailed
from pinngate.optim.direct_fit.unknowns import Guess

Array = NDArray[np.float64]


def joined(record: FittedRecord, theta: Array, guess: Guess | None = None) -> Array:
    """Return θ in windows that begin from guessed fields or its solution, see `JoinedModel`.

    Raises:
        CannotMarch: there is neither.
    """
    model = _windowed(record)
    if model is None:
        return theta
    states = model.states(record.solution(theta)) if guess is None else model.guessed(guess)
    record.forget()
    return model.joined(theta, states, record.resolution)


def moved(record: FittedRecord, theta: Array, share: float) -> Array:
    """Let the record end at a share of the time axis; return a solution's θ in windows there.

    Raises:
        CannotMarch: θ has no solution so far.
    """
    model = _windowed(record)
    if model is None:
        record.end_at(share)
        return theta
    start, end = model.problem.domain["t"]
    try:
        at = start + share * (end - start)
        states = model.extended(theta, record.solution(theta), record.resolution, at)
    except MarchFailed:
        record.end_at(share)
        return parted(record, theta)
    record.end_at(share)
    return model.joined(theta, states, record.resolution)


def parted(record: FittedRecord, theta: Array) -> Array:
    """March from the start again; return θ for that."""
    model = _windowed(record)
    if model is None:
        return theta
    record.forget()
    return model.parted(theta)


def take(record: FittedRecord, frame: Windowing | None) -> None:
    """Take the frame of an iterate again, None for a march from the start."""
    model = _windowed(record)
    if model is not None and model.windowing is not frame:
        model.windowing = frame
        record.forget()


def _windowed(record: FittedRecord) -> JoinedModel | None:
    """Return the model of ordinary equations, which windows can be made of."""
    model = record.model
    return model if isinstance(model, JoinedModel) and model.form.axis is None else None


__all__ = ["joined", "moved", "parted", "take"]
