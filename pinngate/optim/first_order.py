"""First-order training of a network on all terms: PopulationRiskAdam and any `torch.optim` class.

One iteration: draw a batch, compute every term's gradient (with its per-point variance where the
optimizer's gate uses it) through the channels' own backward, join the terms, step. The learning
rate warms up over the first iterations and then follows a cosine to zero; the weight of the physics
may rise from a fraction of its final value, so that the data are met first.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from pinngate.errors import InputError, SolveError
from pinngate.inference.kernel import KernelSpectrum, kernel_spectrum
from pinngate.inference.linearised_fit import LinearisedFit, fit_at_weights
from pinngate.inference.posterior import posterior_of
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.forms import Trial
from pinngate.linear.jacobian import flatten
from pinngate.linear.memory_plan import MemoryPlan, Size, dense_posterior_memory
from pinngate.memory import budget, rounded_text
from pinngate.model.coefficients import Coefficients
from pinngate.model.moments import LossMoments, Mode, TermMoments, gradient_moments, stratified
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.scales import common_size
from pinngate.model.terms import Batch
from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.points.batches import BatchSource

logger = logging.getLogger(__name__)

OptimizerFactory = Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer]

KINDS = ("equation", "condition", "observation")
POSTERIOR_POINTS = 2  # times the collocation points of a step: less dependence on their draw


@dataclass(frozen=True)
class FirstOrderOptions:
    """How a first-order run goes.

    `weights` maps a kind of term (equations, conditions, observations) to its weight in the loss;
    `statistics` is how per-point variances are computed, None for none; `is_gating_data_alone`
    compares the data terms' mean gradient with the data terms' variance in place of the sum's;
    `max_memory`, in bytes, bounds the posterior.
    """

    iterations: int
    learning_rate: float
    weights: dict[str, float] = field(default_factory=dict)
    statistics: Mode | None = None
    is_gating_data_alone: bool = False
    warmup: int = 100
    max_memory: int | None = None


class FirstOrder:
    """Steps a `torch.optim` optimizer on the weighted sum of all terms.

    `num_threads` is one: a step is a hundred small operations, for which waking further threads
    costs more than they do, and on a busy machine ten times more.
    """

    num_threads: int | None = 1

    def __init__(
        self,
        model: ResidualModel,
        network: Network,
        coefficients: Coefficients,
        batches: BatchSource,
        options: FirstOrderOptions,
        factory: OptimizerFactory,
    ) -> None:
        self.model, self.network, self.coefficients = model, network, coefficients
        self.batches, self.options = batches, options
        self.anchor = flatten(network, coefficients)[: network.num_parameters].double()
        self.parameters = list(network.parameters())
        if coefficients.names:
            self.parameters.append(coefficients.raw)
        self.optimizer = factory(self.parameters, options.learning_rate)
        self.iteration = 0
        self.row: dict[str, Tensor | float] = {}

    def step(self) -> None:
        """Do one iteration."""
        rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        moments = self.moments(self.batches.draw())
        total = stratified(moments, self.weights())
        for parameter, gradient in zip(self.parameters, total.mean, strict=False):
            parameter.grad = gradient
        self.observe(moments, total)
        self.optimizer.step()
        self.iteration += 1
        self.row = {"loss": total.loss / self.unit}
        self.row |= {f"loss_{name}": m.loss for name, m in moments.items()}
        self.row["learning_rate"] = rate

    @property
    def unit(self) -> float:
        """1 over the data's unit squared, in which an optimizer's epsilon would count otherwise."""
        return common_size(self.batches.scales) ** -2

    def weights(self, kinds: Container[str] = KINDS) -> dict[str, float]:
        """Return the weights of the loss's terms of these kinds."""
        return {
            term.name: self.unit * self.options.weights.get(f"{term.kind}s", 1.0)
            for term in self.model.terms
            if term.kind in kinds
        }

    def moments(self, batches: Mapping[str, Batch]) -> dict[str, TermMoments]:
        """Return each term's gradient over a batch, with variances where the gate uses them."""
        return gradient_moments(
            self.model, self.network, self.coefficients, batches, self.options.statistics
        )

    def observe(self, moments: Mapping[str, TermMoments], total: LossMoments) -> None:
        """Hand the statistics of a batch to the gate, before the step."""
        optimizer = self.optimizer
        if not isinstance(optimizer, PopulationRiskAdam) or total.variance_of_mean is None:
            return
        num = len(self.parameters)
        if not self.options.is_gating_data_alone:
            optimizer.attach_statistics(variances=total.variance_of_mean[:num])
            return
        alone = stratified(moments, self.weights(("observation",)))
        spreads = cast(list[Tensor], alone.variance_of_mean)[:num]
        # what no datum touches, such as a coefficient field, has no noise to be kept from
        means = [
            torch.where(spread > 0, own, whole)
            for spread, own, whole in zip(spreads, alone.mean, total.mean, strict=False)
        ]
        optimizer.attach_statistics(means=means, variances=spreads)

    def _learning_rate(self) -> float:
        done = self.iteration / self.options.iterations
        warm = min(1.0, (self.iteration + 1) / self.options.warmup)
        return self.options.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done))

    def log_row(self) -> dict[str, float]:
        """Return the last iteration's figures.

        Raises:
            SolveError: the loss is no longer finite.
        """
        row = {name: float(value) for name, value in self.row.items()}
        if not math.isfinite(row["loss"]):
            raise SolveError(
                f"the loss is not finite at iteration {self.iteration}: "
                "a smaller solve.learning_rate may help"
            )
        optimizer = self.optimizer
        if isinstance(optimizer, PopulationRiskAdam) and optimizer.defaults["gate"] is not None:
            row["open_fraction"] = optimizer.gate_statistics()["mean"]
        for name, value in self.coefficients.values().items():
            row[f"coefficient_{name}"] = float(value)
        return row

    @property
    def reason(self) -> str | None:
        """Why to stop now, or None to go on."""
        if self.iteration >= self.options.iterations:
            return f"the learning rate has come to zero after {self.iteration} iterations"
        return None

    @property
    def expected_iterations(self) -> int:
        """As many as were asked for."""
        return self.options.iterations

    @property
    def has_converged(self) -> bool:
        """Whether the rate has come to zero, which is where a first-order run ends."""
        return self.reason is not None

    def finish(self) -> None:
        """Nothing is left to do: the last iterate is the answer."""

    def posterior(self) -> Uncertainty | None:
        """Return Laplace's posterior at the last iterate, None where it would not fit."""
        if not self.batches.observations:
            return None
        needed, allowed = self.memory().num_bytes, budget(self.options.max_memory)
        if needed > allowed:
            logger.warning(
                "no uncertainty: its Jacobian takes %s, and %s are allowed",
                rounded_text(needed),
                rounded_text(allowed),
            )
            return None
        return posterior_of(self._linearised(), self.batches.stated_std())

    def kernel(self) -> KernelSpectrum | None:
        """Return the kernel spectrum at the last iterate.

        Raises:
            InputError: it does not fit into memory.
        """
        if not self.batches.observations:
            return None
        needed, allowed = self.memory().num_bytes, budget(self.options.max_memory)
        if needed > allowed:
            raise InputError(
                f"the kernel takes {rounded_text(needed)} of memory, "
                f"and {rounded_text(allowed)} are allowed",
                expected="more free memory, or fewer points or parameters",
            )
        return kernel_spectrum(self._linearised())

    def memory(self) -> MemoryPlan:
        """Return what the posterior needs; the steps need far less."""
        size = Size(
            num_rows=self.batches.num_rows(),
            num_posterior_rows=self.batches.num_rows(POSTERIOR_POINTS),
            num_observations=self.batches.num_points()["observations"],
            num_parameters=self.network.num_parameters + len(self.coefficients.names),
            width=self.network.options.width,
            depth=self.network.options.depth,
            num_channels=self.model.num_channels,
        )
        return MemoryPlan("first-order", dense_posterior_memory(size))

    def _linearised(self) -> LinearisedFit:
        """Linearise at the last iterate.

        Rows are weighted so that their squares sum to n times the loss, n the observations.
        """
        batches = self.batches.twin("posterior", POSTERIOR_POINTS).draw_in_order()
        num_observations = self.batches.num_points()["observations"]
        roots = {}
        for term in self.model.terms:
            weight = self.options.weights.get(f"{term.kind}s", 1.0)
            is_data = term.kind == "observation"
            share = 1.0 if is_data else num_observations / len(batches[term.name])
            roots[term.name] = 1.0 if is_data else math.sqrt(weight * share)
        network = copy.deepcopy(self.network).double()
        coefficients = copy.deepcopy(self.coefficients).double()
        trial = Trial(self.model, network, coefficients)
        return fit_at_weights(trial, batches, roots, self.anchor)

    def describe(self) -> dict[str, Any]:
        """Return the network."""
        return {"network": asdict(self.network.options)}

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return {
            "iteration": self.iteration,
            "network": self.network.state_dict(),
            "coefficients": self.coefficients.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same."""
        self.iteration = state["iteration"]
        self.network.load_state_dict(state["network"])
        self.coefficients.load_state_dict(state["coefficients"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.load_state_dict(state["batches"])
