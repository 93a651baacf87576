"""The tangent kernel of a run at a few times: spectra by block, and how the eigenvectors turn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pinngate.reference import Reference
from pinngate.statement.problem import Problem
from pinngate.theory.recording import Recorder, Snapshot
from pinngate.theory.tangent_kernel import (
    Eigenpairs,
    block_kernels,
    leading,
    operator_drift,
    principal_angles,
)
from pinngate.theory.watched_draw import session_of

NUM_TIMES = 6
NUM_VALUES = 60  # of each spectrum
NUM_TURNING = 8  # leading eigenvectors whose turning is told: those that carry the smooth fields


def watched_kernel(problem: Problem, reference: Reference) -> dict[str, list[dict[str, Any]]]:
    """Run a problem once and return spectra and their evolution, as rows of two tables.

    ``spectrum``: iteration, block, direction, eigenvalue. ``evolution``: iteration, block, largest
    principal angle to the last time's leading eigenvectors and of the mean (degrees), and the
    relative distance to the last kernel in the operator norm. Rows are weighted as in the loss.
    """
    recorder = Recorder(session_of(problem, reference, 0))
    blocks = recorder.blocks
    snapshots = [(s.iteration, _kernels(s, blocks)) for s in recorder.follow()]
    places = torch.linspace(0, len(snapshots) - 1, NUM_TIMES).round().long().unique()
    chosen = [snapshots[int(k)] for k in places]
    last = {name: (k, leading(k, NUM_TURNING)) for name, k in chosen[-1][1].items()}
    spectrum, evolution = [], []
    for iteration, kernels in chosen:
        for name, kernel in kernels.items():
            pairs = leading(kernel, NUM_VALUES)
            spectrum += [
                {"iteration": iteration, "block": name, "direction": j, "eigenvalue": value}
                for j, value in enumerate(pairs.values.clamp_min(0).tolist(), 1)
            ]
            evolution.append(
                {"iteration": iteration, "block": name} | _turned(kernel, pairs, last[name])
            )
    return {"spectrum": spectrum, "evolution": evolution}


def _kernels(snapshot: Snapshot, blocks: dict[str, slice]) -> dict[str, Tensor]:
    return block_kernels(snapshot.jacobian, blocks)


def _turned(kernel: Tensor, pairs: Eigenpairs, last: tuple[Tensor, Eigenpairs]) -> dict[str, float]:
    reference, turned = last
    count = turned.vectors.shape[1]
    angles = torch.rad2deg(principal_angles(turned.vectors, pairs.vectors[:, :count]))
    return {
        "mean_angle": float(angles.mean()),
        "largest_angle": float(angles.max()),
        "drift": operator_drift(kernel, reference),
    }
