"""The first steps of a run at a small constant rate, its noise the same or new at each step.

Data that stay the same pull every step the same way, and the displacement that noise causes grows
as the signal's does. Noise that is new at each step pulls now here, now there: a random walk. All
walks start from the network of the run's own draw, whose scales come from its data, so that they
differ in the values that pull and in nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pinngate.data.observations import ObservationSet
from pinngate.errors import InputError
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.parts import OwnOptimizer
from pinngate.reference import Reference
from pinngate.runs.training import Session, begin, limited_threads
from pinngate.statement.problem import Problem
from pinngate.theory.recording import with_noise_of_draw

TIMES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)
SETTLED = 16  # steps after which momentum, whose memory is ten to twenty, no longer shows
SLOWER = 64  # times: at the run's own rate the signal is used up after eight steps
REFUSED = "the first steps of a first-order optimizer alone are small enough to have a rate"


def walk(
    problem: Problem,
    reference: Reference,
    draw: int,
    *,
    is_fresh: bool,
    optimizer: OwnOptimizer | None = None,
    slower: float = SLOWER,
) -> dict[str, Any]:
    """Return displacements of the fitted values at the data's places, (times, n), as lists.

    Args:
        problem: solved by a first-order optimizer.
        reference: its truth.
        draw: of the noise.
        is_fresh: whether the noise is drawn anew at each step.
        optimizer: makes another than the problem's from parameters, such as plain gradient descent.
        slower: by what its rate is divided.

    Raises:
        InputError: the optimizer is not a first-order one.

    Cost: as many steps as the last of `TIMES`.
    """
    session = begin(problem, reference, optimizer=optimizer)
    stepper = session.stepper
    if not isinstance(stepper, FirstOrder):
        raise InputError(f"{session.problem.solve.optimizer} does not walk", expected=REFUSED)
    # constant from the first step on: no warm-up, and the cosine far away
    stepper.options = replace(stepper.options, warmup=1, iterations=10**9)
    stepper.rates = [None if rate is None else rate / slower for rate in stepper.rates]
    start, moved = _fitted(session), []
    for step in range(1, TIMES[-1] + 1):
        if is_fresh or step == 1:
            _pull_towards(session, _draw_of(session, draw, step if is_fresh else 0))
        with limited_threads(stepper.num_threads):
            stepper.step()
        if step in TIMES:
            moved.append((_fitted(session) - start).tolist())
    return {"times": list(TIMES), "moved": moved}


def _fitted(session: Session) -> np.ndarray:
    return np.concatenate([session.observe(made) for made in session.observations])


def _draw_of(session: Session, draw: int, step: int) -> list[ObservationSet]:
    """Return the data of a step: of another draw for every draw and every step."""
    stated, seed = session.problem.observations, session.problem.solve.seed
    number = 1 + draw * (TIMES[-1] + 1) + step
    return with_noise_of_draw(session.observations, stated, seed, number)


def _pull_towards(session: Session, data: list[ObservationSet]) -> None:
    """Let the next steps see these values."""
    batches = session.batches.observations
    for (name, batch), made in zip(list(batches.items()), data, strict=True):
        values = torch.as_tensor(made.values).to(batch.columns["@value"])
        batches[name] = replace(batch, columns=batch.columns | {"@value": values})
