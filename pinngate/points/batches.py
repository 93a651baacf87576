"""What each iteration is evaluated on: fresh collocation and condition points, and all the data.

`BatchSource` stands between the problem with its observation sets and the optimizers. Observations
come whole every time, in fresh random order (the grouped statistics need random groups). Where the
data state standard deviations s_i, residuals are weighted by s̄/s_i with 1/s̄² the mean of 1/s_i², so
that they stay in data units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinngate.data.observations import ObservationSet
from pinngate.data.quantities import mean_nodes
from pinngate.geometry.region import Region
from pinngate.model.row_weights import ROW, in_common_unit
from pinngate.model.scales import field_scales
from pinngate.model.terms import Batch, Term, problem_terms
from pinngate.points.sampling import NUM_SIDES, BoundarySampler, SobolSampler
from pinngate.statement.problem import BoundaryPart, Condition, Problem, Window
from pinngate.streams import torch_seed


class BatchSource:
    """Draws one batch for every term of a problem.

    Args:
        problem: the problem.
        observations: its data.
        num_collocation: points for the equations; rounded up to a power of two.
        num_condition: points for each condition on a plane; rounded up likewise.
        seed: the run's seed; streams ``collocation``, ``condition_k`` and ``order`` are its own.
        dtype: of all batches.
        device: of all batches.
    """

    def __init__(
        self,
        problem: Problem,
        observations: Sequence[ObservationSet],
        *,
        num_collocation: int,
        num_condition: int,
        seed: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.dtype, self.device, self.seed = dtype, device, seed
        self.problem, self.sets = problem, tuple(observations)
        self.scales = field_scales(problem, observations)
        observed = [o.expression for o in observations]
        self.terms: list[Term] = problem_terms(problem, observed, self.scales)
        self.equation_names = [t.name for t in self.terms if t.kind == "equation"]
        self.region = Region(problem)
        self.num_condition = num_condition
        self.collocation = SobolSampler(
            problem.domain, num_collocation, seed, "collocation", inside=self.region.inside
        )
        self.conditions = {
            f"condition_{k}": self._sampler(condition, f"condition_{k}")
            for k, condition in enumerate(problem.conditions, 1)
        }
        self.observations = {
            f"observation_{k}": _batch_of(o, problem, dtype, device)
            for k, o in enumerate(observations, 1)
        }
        self._order = torch.Generator().manual_seed(torch_seed(seed, "order"))

    def _sampler(self, condition: Condition, stream: str) -> SobolSampler | BoundarySampler:
        domain, where = self.problem.domain, condition.where
        if isinstance(where, BoundaryPart):
            edge = self.region.boundary(where.name)
            count = NUM_SIDES * self.num_condition
            return BoundarySampler(*edge, domain, count, self.seed, stream)
        if isinstance(where, Window):
            domain, where = where.domain(domain), where.plane
        return SobolSampler(
            domain, self.num_condition, self.seed, stream, where, self.region.inside
        )

    def draw(self) -> dict[str, Batch]:
        """Return fresh points for every term and the data in a new order."""
        collocation = Batch(self.collocation.draw(self.dtype, self.device))
        batches = dict.fromkeys(self.equation_names, collocation)
        for name, sampler in self.conditions.items():
            drawn = sampler.draw(self.dtype, self.device)
            batches[name] = Batch(*drawn) if isinstance(drawn, tuple) else Batch(drawn)
        for name, data in self.observations.items():
            order = torch.randperm(len(data), generator=self._order).to(self.device)
            batches[name] = data.take(order)
        return batches

    def in_order(self) -> dict[str, Batch]:
        """Return the data as they were given, one batch for each observation set."""
        return dict(self.observations)

    def draw_in_order(self) -> dict[str, Batch]:
        """Return fresh points as `draw` does, with the data in the order they were given."""
        return self.draw() | self.in_order()

    def twin(self, label: str, factor: int, dtype: torch.dtype = torch.float64) -> BatchSource:
        """Return a source on the same data with `factor` times the points, from other streams."""
        return BatchSource(
            self.problem,
            self.sets,
            num_collocation=factor * self.collocation.num_points,
            num_condition=self.num_condition,
            seed=torch_seed(self.seed, label),
            dtype=dtype,
            device=self.device,
        )

    def stated_std(self) -> float | None:
        """Return s̄ of the data whose deviations are stated (1/s̄² the mean of 1/s²), or None.

        Like the residuals it is in the unit that all fields share (`problem_terms`).
        """
        stated = self.stated_stds()
        if len(stated) < len(self.sets) or not stated:
            return None
        sizes = {name: len(batch) for name, batch in self.observations.items()}
        precision = sum(sizes[name] / std**2 for name, std in stated.items())
        return float((precision / sum(sizes.values())) ** -0.5)

    def stated_stds(self) -> dict[str, float]:
        """Return s̄ of each observation term whose deviations are stated, as `stated_std`."""
        scales = {t.name: t.scale for t in self.terms}
        return {
            name: in_common_unit(float(np.mean(o.std**-2.0) ** -0.5), scales[name])
            for name, o in zip(self.observations, self.sets, strict=True)
            if o.std is not None
        }

    def num_points(self) -> dict[str, int]:
        """Return how many points of each kind a batch holds."""
        return {
            "collocation": self.collocation.num_points,
            "conditions": sum(s.num_points for s in self.conditions.values()),
            "observations": sum(len(b) for b in self.observations.values()),
        }

    def num_rows(self, factor: int = 1) -> int:
        """Return how many residuals a batch has, with `factor` times the collocation points."""
        points = self.num_points()
        equations = factor * points["collocation"] * len(self.equation_names)
        return equations + points["conditions"] + points["observations"]

    def state_dict(self) -> dict[str, Any]:
        """Return the places of all random streams."""
        return {
            "collocation": self.collocation.num_drawn,
            "conditions": {name: s.num_drawn for name, s in self.conditions.items()},
            "order": self._order.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken; the next batches are bitwise the same."""
        self.collocation.skip(state["collocation"])
        for name, num_drawn in state["conditions"].items():
            self.conditions[name].skip(num_drawn)
        self._order.set_state(state["order"])


def _batch_of(
    observations: ObservationSet,
    problem: Problem,
    dtype: torch.dtype,
    device: torch.device,
) -> Batch:
    """Return the data of a set in the order they were given."""

    def tensor(array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=dtype, device=device)

    weight = relative_weights(observations)
    columns = {"@value": tensor(observations.values), ROW: tensor(weight)}
    if observations.memory is not None:
        return _whitened(observations, problem, dtype, device)
    if observations.mean is None:
        return Batch(tensor(observations.points), columns)
    nodes, weights = mean_nodes(
        observations.points, observations.mean, problem.domain, problem.coordinates
    )
    return Batch(tensor(nodes), columns, tensor(weights))


def _whitened(
    observations: ObservationSet,
    problem: Problem,
    dtype: torch.dtype,
    device: torch.device,
) -> Batch:
    """Return rows of which each sees a value and the one before it, (n, 2q) nodes."""
    assert observations.memory is not None
    points, values = observations.points, observations.values
    found = observations.memory.predecessors(points, observations.std)
    nodes, weights = points[:, None, :], np.ones(1)
    if observations.mean is not None:
        nodes, weights = mean_nodes(points, observations.mean, problem.domain, problem.coordinates)
    at, gain, share = found.previous, found.gain[:, None], found.share[:, None]
    own = np.repeat(values[:, None], nodes.shape[1], axis=1)
    arrays = {
        "nodes": np.concatenate([nodes, nodes[at]], axis=1),
        "values": np.concatenate([own, own[at]], axis=1),
        "weights": np.concatenate(
            [gain * weights, -share * np.broadcast_to(weights, own.shape)[at]], axis=1
        ),
        "rows": relative_weights(observations),
    }
    made = {n: torch.as_tensor(a, dtype=dtype, device=device) for n, a in arrays.items()}
    return Batch(made["nodes"], {"@value": made["values"], ROW: made["rows"]}, made["weights"])


def relative_weights(observations: ObservationSet) -> np.ndarray:
    """Return s̄/s_i, (n,): ones where no standard deviations are stated."""
    if observations.std is None:
        return np.ones(len(observations.values))
    precision = 1 / observations.std**2
    weights: np.ndarray = np.sqrt(precision / precision.mean())
    return weights
