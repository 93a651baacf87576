"""What every optimizer is built from and what the training loop asks of it.

`Parts` makes networks and coefficients of one problem, all of the right size, type and device;
`Stepper` is the interface that `pinngate.runs.training` drives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import nn

from pinngate.inference.kernel import KernelSpectrum
from pinngate.inference.noise_model import NoiseModel, tried
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.memory_plan import MemoryPlan
from pinngate.model.coefficients import Coefficients
from pinngate.model.flux_network import joined
from pinngate.model.networks import Network
from pinngate.model.own_network import OwnNetwork
from pinngate.model.residuals import ResidualModel
from pinngate.model.scales import natural_size
from pinngate.optim.divisions import COEFFICIENT_NETWORKS
from pinngate.points.batches import BatchSource
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import CoefficientField, Problem
from pinngate.streams import torch_seed

OwnOptimizer = Callable[[Iterable[nn.Parameter]], Any]
"""Makes an object with `step` from the parameters, see `pinngate.optim.own_optimizer`."""


@dataclass(frozen=True)
class Parts:
    """A problem ready to be solved.

    Attributes:
        problem: with every default written out.
        model: its loss terms.
        batches: the source of points and data, and of the fields' sizes.
        own_network: a module of the caller's own in place of a network of `NetworkOptions`.
        own_optimizer: makes an optimizer of the caller's own from parameters.
    """

    problem: Problem
    model: ResidualModel
    batches: BatchSource
    own_network: nn.Module | None = None
    own_optimizer: OwnOptimizer | None = None

    def network(self, options: NetworkOptions | None, label: str = "") -> Network:
        """Return a network with random weights; `label` names its own random stream.

        Where the caller brought one, it is that, with the weights that it came with.
        """
        problem = self.problem
        parts: list[Network] = []
        if self.own_network is None:
            parts.append(self._field_network(problem.solved_fields, options, label))
        else:
            domain, surroundings = list(problem.domain.values()), self._around(problem.unknowns)
            parts.append(OwnNetwork(self.own_network, domain, problem.axes, **surroundings))
        has_fluxes = self.own_network is not None and bool(problem.hidden)
        if has_fluxes:
            narrow = COEFFICIENT_NETWORKS[len(problem.axes)]
            parts.append(self._field_network(problem.hidden, narrow, f"{label}/fluxes"))
        parts += [self._coefficient_network(f, label) for f in problem.coefficient_fields]
        return joined(parts, has_fluxes=has_fluxes).to(self.batches.device)

    def _field_network(
        self, fields: tuple[str, ...], options: NetworkOptions | None, label: str
    ) -> Network:
        """Return a network of some fields with random weights."""
        seed = torch_seed(self.problem.solve.seed, f"initialisation{label}")
        return Network(
            list(self.problem.domain.values()),
            len(fields),
            options or NetworkOptions(),
            generator=torch.Generator().manual_seed(seed),
            **self._around(fields),
        )

    def _around(self, fields: tuple[str, ...]) -> dict[str, Any]:
        """Return what is known around a network of some fields: periods, sizes and type."""
        scales = [self.batches.scales[name] for name in fields]
        return {
            "is_periodic": [a in self.problem.periodic for a in self.problem.axes],
            "output_scale": [scale.size for scale in scales],
            "output_shift": [scale.centre for scale in scales],
            "dtype": self.batches.dtype,
        }

    def _coefficient_network(self, field: CoefficientField, label: str) -> Network:
        """Return the network of a coefficient field; it starts at the initial value everywhere."""
        problem = self.problem
        seed = torch_seed(problem.solve.seed, f"initialisation{label}/{field.name}")
        network = Network(
            [problem.domain[a] for a in field.over],
            1,
            COEFFICIENT_NETWORKS[len(field.over)],
            columns=[problem.axes.index(a) for a in field.over],
            is_periodic=[a in problem.periodic for a in field.over],
            generator=torch.Generator().manual_seed(seed),
            dtype=self.batches.dtype,
        )
        nn.init.zeros_(network.linears[-1].weight)
        return network

    def own_noise(self) -> dict[str, NoiseModel]:
        """Return the noise models of the caller's own, by the name of their observation term."""
        stated = zip(self.batches.observations, self.problem.observations, strict=False)
        models = {name: observed.noise.model for name, observed in stated if observed.noise}
        return {name: tried(model) for name, model in models.items() if model is not None}

    def coefficients(self) -> Coefficients:
        """Return the unknown coefficients at their initial values."""
        stated = self.problem.coefficients
        made = Coefficients(stated, self.batches.dtype, self._coefficient_sizes)
        return made.to(self.batches.device)

    @cached_property
    def _coefficient_sizes(self) -> list[float]:
        """Sizes of the coefficients that start at zero, the weights of functions among them."""
        problem, scales = self.problem, self.batches.scales
        sizes = {
            c.name: natural_size(problem, [c.name], scales)
            for c in problem.shown_coefficients
            if not c.initial
        }
        for function in problem.field_functions:
            sizes |= dict.fromkeys(function.weights, function.weight)
        return [sizes.get(c.name, 1.0) for c in problem.coefficients]


class Stepper(Protocol):
    """What the training loop drives. Every optimizer of the registry builds one.

    Attributes:
        iteration: iterations done.
    """

    iteration: int

    @property
    def num_threads(self) -> int | None:
        """Most threads that are of use in the next step, None for no limit."""

    @property
    def network(self) -> Network:
        """The network at work, after `finish` the answer."""

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients at work, after `finish` the answer."""

    @property
    def expected_iterations(self) -> int:
        """How many iterations there will be, as far as is known now."""

    @property
    def reason(self) -> str | None:
        """Why to stop now, in words, or None."""

    @property
    def has_converged(self) -> bool:
        """Whether it stopped for a better reason than a limit of iterations."""

    def step(self) -> None:
        """Do one iteration."""

    def log_row(self) -> dict[str, float]:
        """Return the last iteration's figures for the history."""

    def finish(self) -> None:
        """Leave the answer in `network` and `coefficients`."""

    def posterior(self) -> Uncertainty | None:
        """Return the uncertainty at the answer, None where nothing was observed."""

    def kernel(self) -> KernelSpectrum | None:
        """Return the kernel spectrum at the answer, None where nothing was observed."""

    def memory(self) -> MemoryPlan:
        """Return the form that was chosen and the bytes it needs."""

    def describe(self) -> dict[str, Any]:
        """Return entries for metrics.json: the network, and how it was chosen."""

    def state_dict(self) -> dict[str, Any]:
        """Return plain containers and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
