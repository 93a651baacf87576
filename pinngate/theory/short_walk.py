"""The first steps of a run at a constant rate, its noise the same or new at each step.

Data that stay the same pull every step the same way, and the displacement that noise causes grows as
the signal's does. Noise that is new at each step pulls now here, now there: a random walk.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pinngate.data.observations import standard_errors
from pinngate.errors import InputError
from pinngate.model.terms import Batch
from pinngate.optim.first_order import FirstOrder
from pinngate.reference import Reference
from pinngate.runs.training import limited_threads
from pinngate.statement.problem import Problem, SyntheticObservations
from pinngate.streams import generator
from pinngate.theory.recording import noise_of
from pinngate.theory.watched_draw import session_of

NUM_STEPS = 64
TIMES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
REFUSED = "the first steps of a first-order optimizer alone are small enough to have a rate"


def walk(problem: Problem, reference: Reference, draw: int, *, is_fresh: bool) -> dict[str, Any]:
    """Return displacements of the fitted values at the data's places, (times, n), as lists.

    Args:
        problem: solved by a first-order optimizer.
        reference: its truth.
        draw: of the noise.
        is_fresh: whether the noise is drawn anew at each step.

    Raises:
        InputError: the optimizer is not a first-order one.
    """
    session = session_of(problem, reference, draw)
    stepper = session.stepper
    if not isinstance(stepper, FirstOrder):
        raise InputError(f"{session.problem.solve.optimizer} does not walk", expected=REFUSED)
    # constant from the first step on: no warm-up, and the cosine far away
    stepper.options = replace(stepper.options, warmup=1, iterations=10**9)
    noise_of(session.observations)
    source = session.batches
    stream = generator(session.problem.solve.seed, f"walk/draw {draw}")

    def fitted() -> np.ndarray:
        return np.concatenate([session.observe(o) for o in session.observations])

    start, moved = fitted(), []
    for step in range(1, NUM_STEPS + 1):
        if is_fresh:
            source.observations = {
                name: _renewed(batch, made.clean, asked, stream)
                for (name, batch), made, asked in zip(
                    source.observations.items(),
                    session.observations,
                    session.problem.observations,
                    strict=True,
                )
            }
        with limited_threads(stepper.num_threads):
            stepper.step()
        if step in TIMES:
            moved.append((fitted() - start).tolist())
    return {"times": list(TIMES), "moved": moved}


def _renewed(batch: Batch, clean: Any, asked: Any, stream: np.random.Generator) -> Batch:
    if not isinstance(asked, SyntheticObservations):
        raise AssertionError("measured observations were refused")
    std = asked.noise.std
    if std is None:
        std = (asked.noise.relative or 0.0) * float(np.std(clean))
    if not math.isfinite(std):
        raise AssertionError("a stated deviation is finite")
    values = clean + std * standard_errors(asked.noise, len(clean), stream)
    value = torch.as_tensor(values).to(batch.columns["@value"])
    return replace(batch, columns=batch.columns | {"@value": value})
