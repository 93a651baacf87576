"""First-order training of a network on all terms: PopulationRiskAdam and any `torch.optim` class.

One iteration: draw a batch, compute every term's gradient (with its per-point variance where the
optimizer's gate uses it) through the channels' own backward, join the terms, step. The learning
rate warms up over the first iterations and then follows a cosine to zero. What comes after the last
step is in `last_iterate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pinngate.errors import SolveError
from pinngate.inference.kernel import KernelSpectrum
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.jacobian import flatten
from pinngate.linear.memory_plan import MemoryPlan
from pinngate.model.coefficients import Coefficients
from pinngate.model.moments import LossMoments, Mode, TermMoments, gradient_moments, stratified
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.scales import common_size
from pinngate.model.terms import Batch, Term
from pinngate.optim.last_iterate import LastIterate
from pinngate.points.batches import BatchSource

OptimizerFactory = Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer]

KINDS = ("equation", "condition", "observation")


@dataclass(frozen=True)
class FirstOrderOptions:
    """How a first-order run goes.

    `learning_rate` is what the factory of the optimizer is given; `weights` maps a kind of term
    (equations, conditions, observations) to its weight in the loss; `statistics` is how per-point
    variances are computed, None for none; `is_gating_data_alone` compares the data terms' mean
    gradient with the data terms' variance in place of the sum's; `max_memory`, in bytes, bounds the
    posterior.
    """

    iterations: int
    learning_rate: float
    weights: Mapping[str, float] = field(default_factory=dict)
    statistics: Mode | None = None
    is_gating_data_alone: bool = False
    warmup: int = 100
    max_memory: int | None = None

    def schedule(self, rate: float, iteration: int) -> float:
        """Return the learning rate of an iteration: warm-up to `rate`, then a cosine to zero."""
        done = iteration / self.iterations
        warm = min(1.0, (iteration + 1) / self.warmup)
        return rate * warm * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class TermWeights:
    """Weights of the loss's terms: those of their kinds, times `unit`.

    `unit` is 1 over the data's unit squared, in which an optimizer's epsilon would count otherwise.
    """

    terms: Sequence[Term]
    of_kind: Mapping[str, float]
    unit: float

    def __call__(self, kinds: Container[str] = KINDS) -> dict[str, float]:
        """Return the weights of the terms of these kinds."""
        return {
            term.name: self.unit * self.of_kind.get(f"{term.kind}s", 1.0)
            for term in self.terms
            if term.kind in kinds
        }


def takes_statistics(optimizer: Any) -> bool:
    """Whether an optimizer has `attach_statistics`, and does not say that it wants none."""
    return callable(getattr(optimizer, "attach_statistics", None)) and bool(
        getattr(optimizer, "wants_statistics", True)
    )


def open_fraction(optimizer: Any) -> float | None:
    """Return how open an optimizer's gate was at the last step, None where it has no gate."""
    measure = getattr(optimizer, "gate_statistics", None)
    if not callable(measure) or not getattr(optimizer, "is_gated", True):
        return None
    return float(measure()["mean"])


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
        self.parameters = list(network.weights)
        if coefficients.names:
            self.parameters.append(coefficients.raw)
        self.optimizer = factory(self.parameters, options.learning_rate)
        self.rates = [group.get("lr") for group in self.optimizer.param_groups]
        unit = common_size(batches.scales) ** -2
        self.weights = TermWeights(model.terms, options.weights, unit)
        self.iteration = 0
        self.row: dict[str, Tensor | float] = {}

    def step(self) -> None:
        """Do one iteration."""
        rates = [
            None if rate is None else self.options.schedule(rate, self.iteration)
            for rate in self.rates
        ]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=False):
            if rate is not None:
                group["lr"] = rate
        moments = self.moments(self.batches.draw())
        total = stratified(moments, self.weights())
        for parameter, gradient in zip(self.parameters, total.mean, strict=False):
            parameter.grad = gradient
        self.observe(moments, total)
        self.optimizer.step()
        self.iteration += 1
        self.row = {"loss": total.loss / self.weights.unit}
        self.row |= {f"loss_{name}": m.loss for name, m in moments.items()}
        if rates and rates[0] is not None:
            self.row["learning_rate"] = rates[0]

    def moments(self, batches: Mapping[str, Batch]) -> dict[str, TermMoments]:
        """Return each term's gradient over a batch, with variances where the gate uses them."""
        return gradient_moments(
            self.model, self.network, self.coefficients, batches, self.options.statistics
        )

    def observe(self, moments: Mapping[str, TermMoments], total: LossMoments) -> None:
        """Hand the statistics of a batch to the gate, before the step."""
        optimizer: Any = self.optimizer
        if total.variance_of_mean is None or not takes_statistics(optimizer):
            return
        num = len(self.parameters)
        if not self.options.is_gating_data_alone:
            optimizer.attach_statistics(variances=total.variance_of_mean[:num])
            return
        alone = stratified(moments, self.weights(("observation",)))
        if alone.variance_of_mean is None:  # nothing was observed, nothing is to be kept out
            nothing = [torch.zeros_like(mean) for mean in total.mean[:num]]
            optimizer.attach_statistics(means=total.mean[:num], variances=nothing)
            return
        spreads = alone.variance_of_mean[:num]
        # what no datum touches, such as a coefficient field, has no noise to be kept from
        means = [
            torch.where(spread > 0, own, whole)
            for spread, own, whole in zip(spreads, alone.mean, total.mean, strict=False)
        ]
        optimizer.attach_statistics(means=means, variances=spreads)

    def log_row(self) -> dict[str, float]:
        """Return the last iteration's figures.

        Raises:
            SolveError: the loss is no longer finite.
        """
        row = {name: float(value) for name, value in self.row.items()}
        if not math.isfinite(row["loss"]):
            terms = [k.removeprefix("loss_") for k in row if not math.isfinite(row[k])]
            raise SolveError(
                f"the loss of {', '.join(terms[1:])} is not finite at iteration {self.iteration}: "
                "a smaller solve.learning_rate may help"
            )
        opened = open_fraction(self.optimizer)
        if opened is not None:
            row["open_fraction"] = opened
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
        return last_iterate(self).posterior()

    def kernel(self) -> KernelSpectrum | None:
        """Return the kernel spectrum at the last iterate.

        Raises:
            InputError: it does not fit into memory.
        """
        return last_iterate(self).kernel()

    def memory(self) -> MemoryPlan:
        """Return what the posterior needs; the steps need far less."""
        return last_iterate(self).memory()

    def describe(self) -> dict[str, Any]:
        """Return the network."""
        return {"network": self.network.describe()}

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


def last_iterate(stepper: FirstOrder) -> LastIterate:
    """Return what the optimizer has left so far."""
    return LastIterate(
        stepper.model,
        stepper.network,
        stepper.coefficients,
        stepper.batches,
        stepper.anchor,
        stepper.options.weights,
        stepper.options.max_memory,
    )
