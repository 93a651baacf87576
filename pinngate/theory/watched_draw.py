"""One run of one noise draw, watched: channel and reservoir, risks and frequencies at each time.

The middle of the pipeline: `recording` gives snapshots, `gramian` and `partition` divide the rows,
`foreseen_risk` and `fitted_waves` read the rest off; out comes one plain dictionary, a line of
``draws.jsonl``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinngate.data.observations import ObservationSet
from pinngate.reference import Reference
from pinngate.runs.training import Session, begin
from pinngate.statement.problem import Problem
from pinngate.theory.fitted_waves import (
    Family,
    amplitudes,
    amplitudes_at,
    family_of,
    midpoints,
)
from pinngate.theory.foreseen_risk import leave_one_out_risk, self_influence
from pinngate.theory.gramian import FlowResponse, Response, ridge_response
from pinngate.theory.partition import Partition, partition
from pinngate.theory.recording import Recorder, Snapshot, noise_of, with_noise_of_draw

UNTOUCHED = 1e-8  # dissipated share below which a direction counts as in the null space
EVERY = slice(None)
Record = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """The places along which the initial condition is developed: the free axis of the data's plane.

    Attributes:
        field: what is observed there.
        points: (NUM_NODES, axes), at `midpoints` of the axis.
        places: of the observations, from 0 to 1, (n,).
        family: of the modes.
    """

    field: str
    points: np.ndarray
    places: np.ndarray
    family: Family


def line_of(problem: Problem, made: ObservationSet, reference: Reference) -> Line | None:
    """Return the line of one observation set, None where it is no field on a line of two axes."""
    if not made.is_of_field or made.where is None or len(problem.axes) != 2:
        return None
    (free,) = (k for k, axis in enumerate(problem.axes) if axis != made.where.axis)
    low, high = problem.domain[problem.axes[free]]
    fractions = np.concatenate([midpoints(), [0.0, 1.0]])
    points = np.full((len(fractions), 2), made.where.value, dtype=np.float64)
    points[:, free] = low + (high - low) * fractions
    clean = reference(points)[made.of]
    places = (made.points[:, free] - low) / (high - low)
    family = family_of(clean[-2:], float(np.abs(clean).max()))
    return Line(made.of, points[:-2], places, family)


def session_of(problem: Problem, reference: Reference, draw: int) -> Session:
    """Return the session of a problem with the noise of a draw; all else is that of its seed."""
    own = begin(problem, reference)
    if draw == 0:
        return own
    seed = own.problem.solve.seed
    observations = with_noise_of_draw(own.observations, problem.observations, seed, draw)
    return begin(problem, reference, observations)


class Watch:
    """Follows one session from its start.

    Args:
        session: before its first step; its truth and its noise are known.
    """

    def __init__(self, session: Session, reference: Reference) -> None:
        self.session, self.recorder = session, Recorder(session)
        recorder, observations = self.recorder, session.observations
        self.noise = noise_of(observations)
        self.clean = [made.clean for made in observations if made.clean is not None]
        self.observed = recorder.blocks["observations"]
        weights = recorder.weights()
        self.factor = weights.factors(torch.zeros(1, dtype=torch.float64))[self.observed]
        self.noise_rows = recorder.rows_of(self.noise)
        self.signal_rows = recorder.rows_of(self.clean)
        truth = reference(recorder.test_points)
        self.truth = torch.as_tensor(np.concatenate([truth[u] for u in session.problem.unknowns]))
        self.line = line_of(session.problem, observations[0], reference)
        self.flow: FlowResponse | None = None
        self.first: Snapshot | None = None
        self.self_influence = 0.0

    def plain(self, rows: Tensor) -> Tensor:
        """Return observation rows (N,) in the unit of the data, (n,)."""
        return rows[self.observed] / self.factor

    def response(self, before: Snapshot, now: Snapshot) -> Response:
        """Return the response up to a snapshot; advances the path of a first-order run."""
        if now.ridge is not None:
            return ridge_response(now.jacobian, now.test_jacobian, now.ridge)
        metric = self.recorder.metric
        if metric is None or self.flow is None:
            raise AssertionError("a first-order run has a metric and a path")
        rows = metric.scaled(0.5 * (before.jacobian + now.jacobian))
        tests = metric.scaled(0.5 * (before.test_jacobian + now.test_jacobian))
        metric.reset()
        kernel = self.flow.advance(rows, tests)
        rows_seen = self.observed
        own = kernel.diagonal()[rows_seen]
        influence = self_influence(own, before.residual[rows_seen], now.residual[rows_seen])
        self.self_influence += influence / float(self.factor.square().sum())
        return self.flow.response()

    def start(self, now: Snapshot) -> Tensor:
        """Return what E acts on: the first residual, or the target of the ridge fit, (N,)."""
        if now.offset is not None:
            return now.residual - now.jacobian @ now.offset
        if self.first is None:
            raise AssertionError("the first snapshot was taken")
        return self.first.residual

    def row(self, now: Snapshot, response: Response | None) -> dict[str, Any]:
        """Return the figures of one logged time."""
        residual, noise = self.plain(now.residual), self.plain(self.noise_rows)
        variance = float(noise.square().mean()) if self._std() is None else self._std()
        error = float((now.test_outputs - self.truth).norm() / self.truth.norm())
        found: dict[str, Any] = {
            "iteration": now.iteration,
            "relative_l2": error,
            "training_risk": float(residual.square().mean()),
            "true_risk": float((residual + noise).square().mean()) + float(variance or 0.0),
            "own_risk": now.figures.get("leave_one_out_risk"),
            "open_fraction": now.figures.get("open_fraction"),
            "amplitudes": self._amplitudes(),
        }
        if response is None:
            return found | dict.fromkeys(("path_risk", "promised_risk"), found["training_risk"])
        leverage = response.leverage(self.observed)
        data = partition(response, self.observed)
        found |= self._shares(data, "")
        found["effective_dimension"] = float(leverage.sum())
        found["path_risk"] = leave_one_out_risk(residual, leverage)
        if self.flow is not None:
            found["promised_risk"] = found["training_risk"] + self.self_influence
        return found

    def _std(self) -> float | None:
        """Return the variance of the noise as it is stated, None where it is not."""
        stated = [getattr(o, "noise", None) for o in self.session.problem.observations]
        known = [n.std for n in stated if n is not None and n.std is not None]
        return float(np.mean(np.square(known))) if len(known) == len(stated) else None

    def _amplitudes(self) -> list[float] | None:
        if self.line is None:
            return None
        network = self.recorder.network
        names = self.session.problem.outputs
        with torch.no_grad():
            values = network(torch.as_tensor(self.line.points).to(network.low)).double().cpu()
        return amplitudes(
            values[:, names.index(self.line.field)].numpy(), self.line.family
        ).tolist()

    def _shares(self, division: Partition, prefix: str) -> dict[str, float]:
        """Return in how many directions how much of signal and noise is dissipated."""
        rows = division.rows
        return {
            f"{prefix}channel": float(division.num_channel),
            f"{prefix}signal_in_channel": division.channel_share(self.signal_rows[rows]),
            f"{prefix}noise_in_reservoir": 1 - division.channel_share(self.noise_rows[rows]),
        }

    def final(self, now: Snapshot, response: Response) -> dict[str, Any]:
        """Return the figures of the end: shares, checks of the theorem, directions."""
        start, data = self.start(now), partition(response, self.observed)
        joint = partition(response, EVERY)
        learned = start + self.noise_rows
        found: dict[str, Any] = self._shares(data, "") | self._shares(joint, "joint_")
        found["start_in_channel"] = data.channel_share(learned[self.observed])
        found["joint_start_in_channel"] = joint.channel_share(learned)
        missed = response.residual @ start - now.residual
        found["path_error"] = float(missed.norm() / start.norm())
        if self.first is not None and now.ridge is None:
            moved = now.test_outputs - self.first.test_outputs
            told = -response.displacement @ start
            found["test_path_error"] = float((told - moved).norm() / moved.norm())
        found["num_untouched"] = int((joint.dissipated < UNTOUCHED).sum())
        found["num_rows"] = len(joint.dissipated)
        found["null_visibility"] = joint.null_visibility(UNTOUCHED)
        found["is_bound_met"] = joint.is_bound_met and data.is_bound_met
        found |= self._moved_by_noise(data, response)
        found["directions"] = self._directions(data)
        return found

    def _moved_by_noise(self, data: Partition, response: Response) -> dict[str, float]:
        """Return the root mean square by which each part of the noise moved the test outputs."""
        noise = self.noise_rows[self.observed]
        inside = data.in_channel(noise)
        root = len(self.truth) ** 0.5
        moved = response.displacement[:, self.observed]
        return {
            "moved_by_noise_in_channel": float((moved @ inside).norm()) / root,
            "moved_by_noise_in_reservoir": float((moved @ (noise - inside)).norm()) / root,
        }

    def _directions(self, data: Partition) -> dict[str, list[float]]:
        root = float(len(self.truth)) ** 0.5
        columns = {
            "dissipated": data.dissipated,
            "visibility": data.visibility / root,
            "bound": data.bound / root,
            "signal": data.shares(self.signal_rows[self.observed]),
            "noise": data.shares(self.noise_rows[self.observed]),
        }
        return {name: column.tolist() for name, column in columns.items()}

    def run(self) -> Record:
        """Run to the end and return the record of the draw."""
        rows: list[dict[str, Any]] = []
        before = response = None
        for now in self.recorder.follow():
            if before is None:
                self.first = now
                if self.recorder.metric is not None:
                    self.flow = FlowResponse(len(now.residual), len(now.test_outputs))
            else:
                response = self.response(before, now)
            rows.append(self.row(now, response))
            before = now
        if before is None or response is None:
            raise AssertionError("a run has at least one step")
        names = list(dict.fromkeys(name for row in rows for name in row))
        line, noise = self.line, self.noise[0]
        return {
            "course": {name: [row.get(name) for row in rows] for name in names},
            "final": self.final(before, response),
            "noise_amplitudes": _at(line, noise),
            "clean_amplitudes": _at(line, self.clean[0]),
        }


def _at(line: Line | None, values: np.ndarray) -> list[float] | None:
    if line is None:
        return None
    return amplitudes_at(line.places, values, line.family).tolist()


def watched_draw(problem: Problem, reference: Reference, draw: int) -> Record:
    """Run a problem with the noise of a draw and return its record.

    Cost: the run, and some 0.3 s for each logged time with 8,600 weights.
    """
    return Watch(session_of(problem, reference, draw), reference).run()
