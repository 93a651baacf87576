"""An optimizer of the caller's own, in place of those of the registry.

``pinngate.solve(problem, optimizer=factory)`` takes a callable that makes an optimizer from an
iterable of parameters. A class of `torch.optim` is one, and so is anything that makes an object
with `step()`; the protocols below say what else is used where it is there. The optimizer drives
`FirstOrder` on the network, points and loss of `OwnOptimizerOptions`. It enters by its attributes
alone: none of its classes is known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol, cast

from torch import Tensor, nn

from pinngate.errors import InputError
from pinngate.optim.first_order import FirstOrder, FirstOrderOptions, takes_statistics
from pinngate.optim.parts import OwnOptimizer, Parts
from pinngate.statement.options import OwnOptimizerOptions

HINT = "for example optimizer=lambda parameters: torch.optim.NAdam(parameters, lr=3e-3)"


class Optimizer(Protocol):
    """What an optimizer must have, and, below `step`, what is used where it has it."""

    def step(self) -> Any:
        """Move the parameters along their ``grad``, in place."""

    param_groups: list[dict[str, Any]]
    """Groups with the rate ``lr``: it is the peak of the schedule, warm-up and cosine to zero.
    Without them the rate is the optimizer's own affair."""

    def state_dict(self) -> dict[str, Any]:
        """Return plain containers and tensors; without it a resumed run has a fresh optimizer."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""


class StatisticsOptimizer(Optimizer, Protocol):
    """An optimizer that judges gradients by their spread over the points of a batch.

    One that sometimes wants none says so by ``wants_statistics``; without it, it always does.
    """

    def attach_statistics(
        self, *, variances: Sequence[Tensor], means: Sequence[Tensor] | None = None
    ) -> None:
        """Take the variance of the mean gradient for the next step, one tensor a parameter.

        `means` are the data's own mean gradients where the variances are the data's alone
        (``gated_terms: data``).
        """

    def gate_statistics(self) -> Mapping[str, float]:
        """Return how open the gate was at the last step; ``mean`` goes into the history.

        Not needed. One without a gate at times says so by ``is_gated``.
        """


def own_first_order(parts: Parts) -> FirstOrder:
    """Return the first-order stepper of the caller's own optimizer.

    Raises:
        InputError: there is no optimizer, or it cannot be used.
    """
    if parts.own_optimizer is None:
        raise InputError(
            "this problem is solved by an optimizer given in Python, and none is given",
            expected="solve, run or resume with optimizer=",
            hint=HINT,
        )
    make = parts.own_optimizer
    options = OwnOptimizerOptions.of(parts.problem.solve)
    stepper = OwnFirstOrder(
        parts.model,
        parts.network(options.network),
        parts.coefficients(),
        parts.batches,
        FirstOrderOptions(
            iterations=options.iterations,
            learning_rate=0.0,  # not read: the optimizer brings its own
            weights=asdict(options.weights),
            is_gating_data_alone=options.gated_terms == "data",
            max_memory=options.max_memory,
        ),
        lambda parameters, _: cast(Any, Adapted(make, parameters)),
    )
    if takes_statistics(stepper.optimizer) and options.statistics != "streaming":
        stepper.options = replace(stepper.options, statistics=options.statistics)
    return stepper


class OwnFirstOrder(FirstOrder):
    """`FirstOrder` with the caller's own optimizer, which gives the run its name."""

    def describe(self) -> dict[str, Any]:
        """Return the network, and the name of the optimizer's class."""
        return super().describe() | {"optimizer": cast(Adapted, self.optimizer).name}


class Adapted:
    """The caller's optimizer with everything that a stepper asks for; what it lacks is neutral.

    Raises:
        InputError: what `make` is or makes cannot be used.
    """

    def __init__(self, make: OwnOptimizer, parameters: Iterable[nn.Parameter]) -> None:
        if not callable(make):
            raise InputError(
                f"optimizer: got {type(make).__name__}, which cannot be called",
                expected="a callable that makes an optimizer from parameters",
                hint=HINT,
            )
        self.own = make(parameters)
        self.name = type(self.own).__name__
        step = getattr(self.own, "step", None)
        if not callable(step):
            raise InputError(
                f"optimizer: what it makes, {self.name}, has no step()",
                expected="an object with step(), such as an instance of torch.optim.Optimizer",
                hint=HINT,
            )
        if not _can_be_called_without_arguments(step):
            raise InputError(
                f"optimizer: {self.name}.step asks for arguments, such as a closure",
                expected="a step() along the gradients that the parameters hold",
                hint="population-risk-gauss-newton is the optimizer of second order",
            )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of the optimizer, none where it has none."""
        return getattr(self.own, "param_groups", [])

    def state_dict(self) -> dict[str, Any]:
        """Return that of the optimizer, or nothing."""
        return self.own.state_dict() if hasattr(self.own, "state_dict") else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`, where the optimizer can."""
        if hasattr(self.own, "load_state_dict"):
            self.own.load_state_dict(state)

    def __getattr__(self, name: str) -> Any:
        if name == "own":  # asked for while a copy is made, before there is one
            raise AttributeError(name)
        return getattr(self.own, name)


def _can_be_called_without_arguments(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:  # a built-in function that does not tell
        return True
    return True


class FinishedOptimizer:
    """In place of the optimizer of a finished run, whose answer is evaluated without it."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)

    def step(self) -> None:
        """Refuse: there is nothing to step with.

        Raises:
            InputError: always.
        """
        raise InputError(
            "this run was made with an optimizer given in Python",
            expected="resume(folder, optimizer=…) to go on with it",
        )
