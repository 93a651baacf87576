"""Other first-order optimizers on our network, points and loss: only the update rule differs.

AdaBelief and SOAP come from the package `pytorch-optimizer`. The PDE-aware rule and evidence-based
stopping need statistics over the points of a batch, which our trainer computes; they are small
steppers here. The control answers whether a gate does more than shorten the step: Adam at the rate
of a gated run times the mean gate of that run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pinngate.bench.methods.contract import Method, Outcome, Task
from pinngate.bench.methods.own import prepare, solve_keys, watched
from pinngate.model.moments import LossMoments, TermMoments
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.optim.registry import BETAS, ROTATED_BETAS
from pinngate.runs.training import Session, begin, train
from pinngate.statement.options import PopulationRiskAdamOptions
from pinngate.statement.problem import changed

logger = logging.getLogger(__name__)

Parameters = Iterable[nn.Parameter]
Factory = Callable[[Parameters, float], torch.optim.Optimizer]

EVIDENCE_DECAY = 0.99  # of the averaged criterion: single batches are too noisy to stop on
EVIDENCE_START = 200  # iterations before the criterion may stop: twice the warm-up of the rate


class ResidualVarianceAdam(torch.optim.Optimizer):
    r"""Adam whose second moment is the variance of per-point gradients.

    m ← β1 m + (1−β1) g,  v ← β2 v + (1−β2) Var_n(∇ r_n²),  w ← w − lr · m̂/(√v̂ + eps)

    Source: arXiv 2507.08118, as we read it: the abstract says what is adapted to, there is no code.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})
        self.spread: list[Tensor] = []

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step with the variances in `spread`, one tensor for each parameter."""
        for group in self.param_groups:
            (beta1, beta2), eps = group["betas"], group["eps"]
            for parameter, spread in zip(group["params"], self.spread, strict=True):
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    state["mean"] = torch.zeros_like(parameter)
                    state["variance"] = torch.zeros_like(parameter)
                state["step"] += 1
                state["mean"].lerp_(parameter.grad, 1 - beta1)
                state["variance"].lerp_(spread, 1 - beta2)
                mean = state["mean"] / (1 - beta1 ** state["step"])
                variance = state["variance"] / (1 - beta2 ** state["step"])
                parameter.addcdiv_(mean, variance.sqrt() + eps, value=-group["lr"])


class PdeAware(FirstOrder):
    """Hands the variance of the per-point gradients of all terms to `ResidualVarianceAdam`.

    Of all terms, not of the equations alone: the last bias is in no derivative, so its variance
    over the equations is zero and the step would be without bound.
    """

    def observe(self, moments: Mapping[str, TermMoments], total: LossMoments) -> None:
        """Sum w² σ² over the terms."""
        weights = self.weights()
        spread: list[Tensor] = [torch.zeros_like(p) for p in self.parameters]
        for term in self.model.terms:
            variance = moments[term.name].variance
            if variance is not None:
                factor = weights[term.name] ** 2
                spread = [a + factor * b for a, b in zip(spread, variance, strict=False)]
        if isinstance(self.optimizer, ResidualVarianceAdam):
            self.optimizer.spread = [s.clamp(min=0) for s in spread]


class EvidenceStop(FirstOrder):
    """Adam that ends where the gradient is no larger than its own sampling noise would make it.

    Stops when 1 − (1/D) Σ_k g_k²/Var(g_k) > 0, g the gradient of the whole loss, Var(g) the
    variance of that mean over the points, D the number of weights; averaged over about a hundred
    iterations. Source: Mahsereci et al., arXiv 1703.09580, equation 7.
    """

    evidence = -1.0

    def observe(self, moments: Mapping[str, TermMoments], total: LossMoments) -> None:
        """Average the criterion."""
        ratios = [
            (g.square() / v.clamp(min=torch.finfo(v.dtype).tiny))[v > 0]
            for g, v in zip(total.mean, total.variance_of_mean or [], strict=False)
        ]
        now = 1.0 - float(torch.cat([r.reshape(-1) for r in ratios]).mean())
        self.evidence += (1 - EVIDENCE_DECAY) * (now - self.evidence)

    def verdict(self) -> str | None:
        """Return why to stop, or None."""
        if self.iteration < EVIDENCE_START or self.evidence <= 0:
            return None
        return f"the gradient was within its sampling noise after {self.iteration} iterations"


def _first_order(session: Session) -> FirstOrder:
    if not isinstance(session.stepper, FirstOrder):
        raise TypeError("a first-order method on a session of another kind")
    return session.stepper


def _rebuilt(session: Session, kind: type[FirstOrder], factory: Factory, **changed: Any) -> None:
    old = _first_order(session)
    options = replace(old.options, **changed)
    session.stepper = kind(old.model, old.network, old.coefficients, old.batches, options, factory)


def _with_optimizer(
    task: Task, make: Callable[[Parameters, float, Mapping[str, Any]], torch.optim.Optimizer]
) -> Outcome:
    return watched(
        task,
        lambda session: _rebuilt(
            session, FirstOrder, lambda parameters, rate: make(parameters, rate, task.options)
        ),
    )


def _adabelief(parameters: Parameters, rate: float, options: Mapping[str, Any]) -> Any:
    from pytorch_optimizer import AdaBelief

    return AdaBelief(parameters, lr=rate, betas=(0.9, 0.999), eps=options["eps"], rectify=False)


def _soap(parameters: Parameters, rate: float, options: Mapping[str, Any]) -> Any:
    from pytorch_optimizer import SOAP

    return SOAP(
        parameters,
        lr=rate,
        betas=(0.95, 0.95),
        weight_decay=options["weight_decay"],
        precondition_frequency=options["precondition_frequency"],
    )


def _gate_variant(task: Task) -> Outcome:
    solve, options = PopulationRiskAdamOptions.of(task.problem.solve), task.options

    def make(parameters: Parameters, rate: float) -> torch.optim.Optimizer:
        return PopulationRiskAdam(
            parameters,
            lr=rate,
            betas=ROTATED_BETAS if solve.basis == "layers" else BETAS,
            gate=solve.gate,
            variance="per-point",
            threshold=options["threshold"],
            strength=options["strength"],
            granularity=options["granularity"],
            foreach=True,
        )

    return watched(task, lambda session: _rebuilt(session, type(_first_order(session)), make))


def _pde_aware(task: Task) -> Outcome:
    return watched(
        task,
        lambda session: _rebuilt(
            session,
            PdeAware,
            lambda parameters, rate: ResidualVarianceAdam(parameters, rate),
            statistics="grouped",
        ),
    )


def _evidence_stop(task: Task) -> Outcome:
    def verdict(session: Session) -> str | None:
        return session.stepper.verdict() if isinstance(session.stepper, EvidenceStop) else None

    return watched(
        task,
        lambda session: _rebuilt(
            session,
            EvidenceStop,
            lambda parameters, rate: torch.optim.Adam(parameters, lr=rate),
            statistics="grouped",
        ),
        verdict,
    )


def _ungated_control(task: Task) -> Outcome:
    gated = begin(task.problem)
    train(gated)
    opened = [row["open_fraction"] for row in gated.history if "open_fraction" in row]
    mean_gate = sum(opened) / len(opened)
    solve = task.problem.solve
    rate = PopulationRiskAdamOptions.of(solve).learning_rate * mean_gate
    logger.info("mean gate %.3g, so the control's rate is %.3g", mean_gate, rate)
    plain = replace(solve, learning_rate=rate, gate="none", statistics="streaming")
    outcome = watched(replace(task, problem=changed(task.problem, solve=plain)))
    return replace(outcome, details={"gate_mean": mean_gate, "learning_rate": rate})


PLAIN = partial(prepare, optimizer="adam")
PLAIN_KEYS = solve_keys("adam")
GATED = partial(prepare, optimizer="population-risk-adam")
GATED_KEYS = solve_keys("population-risk-adam")

FIRST_ORDER = [
    Method(
        "adabelief",
        "optimizer",
        "AdaBelief: Adam with the variance of the gradient about its mean as second moment",
        lambda task: _with_optimizer(task, _adabelief),
        {**PLAIN_KEYS, "eps": 1e-16},
        PLAIN,
        "pytorch_optimizer",
        source="arXiv 2010.07468",
    ),
    Method(
        "soap",
        "optimizer",
        "SOAP: Adam in the eigenbasis of Shampoo's preconditioner",
        lambda task: _with_optimizer(task, _soap),
        {**PLAIN_KEYS, "weight_decay": 0.0, "precondition_frequency": 10},
        PLAIN,
        "pytorch_optimizer",
        source="arXiv 2409.11321",
    ),
    Method(
        "pde-aware",
        "optimizer",
        "Adam divided by the spread of the per-point gradients",
        _pde_aware,
        PLAIN_KEYS,
        PLAIN,
        source="arXiv 2507.08118",
    ),
    Method(
        "evidence-stop",
        "optimizer",
        "Adam, stopped when the gradient is within its sampling noise",
        _evidence_stop,
        PLAIN_KEYS,
        PLAIN,
        source="arXiv 1703.09580",
    ),
    Method(
        "gate-variant",
        "ours",
        "PopulationRiskAdam with the paper's own constants, or with one gate for each tensor",
        _gate_variant,
        {**GATED_KEYS, "threshold": 1.0, "strength": None, "granularity": "parameter"},
        GATED,
    ),
    Method(
        "ungated-control",
        "optimizer",
        "the same without a gate, at the rate of a gated run times that run's mean gate",
        _ungated_control,
        GATED_KEYS,
        GATED,
    ),
]
