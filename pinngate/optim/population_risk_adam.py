"""PopulationRiskAdam: AdamW whose step is gated, coordinate by coordinate, by signal against noise.

The first-order optimizer of the package, for any training loop: it needs torch and nothing else.
The rule is that of Litman & Guo (arXiv 2605.01172): a coordinate moves as far as its mean gradient
stands out of the sampling noise of that mean (`pinngate.optim.gates`). The noise is estimated from
successive gradients (the paper's streaming form) or given by the training loop from the per-point
gradients of the batch (`PopulationRiskAdam.attach_statistics`); `pinngate.torch` finds those of any
model.

As in torch.optim there is a class, a functional form `population_risk_adam`, and under it a
single-tensor and a foreach version of the same arithmetic (`pinngate.optim.gated_update`).
"""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, overload

import torch
from torch import Tensor

from pinngate.optim.gated_update import NoiseEstimate, population_risk_adam
from pinngate.optim.gates import GATES

if TYPE_CHECKING:
    from torch.optim.optimizer import ParamsT

_GRANULARITIES = ("parameter", "tensor")
_VARIANCES = ("streaming", "per-point")


class GateStatistics(TypedDict):
    """How open the gate was at the last step; all four numbers lie in [0, 1]."""

    mean: float
    """Mean of q over all coordinates: the factor on the learning rate of an ungated control."""
    fraction_above_half: float
    """Share of coordinates with q > 1/2."""
    tensor_min: float
    """Smallest of the means of q over each parameter tensor."""
    tensor_median: float
    """Median of the means of q over each parameter tensor."""


class PopulationRiskAdam(torch.optim.Optimizer):
    r"""AdamW with a gate q on every coordinate, open where the step helps beyond the sample.

    One step, with g the gradient and hats for bias-corrected averages::

        s ← ρ s + (1−ρ)(g − m)²      m is still the last step's first moment, uncorrected
        m ← β1 m + (1−β1) g
        v ← β2 v + (1−β2) g²
        q = gate(m̂, ŝ; α, λ)
        w ← w − lr · q ∘ m̂/(√v̂ + eps) − lr · weight_decay · w

        hard  q = 1[m̂² > α ŝ]
        soft  q = d/(d + λ ŝ),  d = max(m̂² − α ŝ, 0)
        snr   q = m̂²/(m̂² + λ ŝ)

    ŝ estimates the variance of the *batch mean*, σ²/(b−1); it must not be divided by b−1 again.

    With ``variance="per-point"`` the second argument of the average s is what `attach_statistics`
    was given before the step. A fixed full batch has no noise from step to step, so there the
    per-point variance is the only meaningful one. With no per-point statistics attached the
    optimizer is the paper's streaming form. With ``gate=None`` it is `torch.optim.AdamW`, bitwise.

    Calibration. m̂ averages many gradients, ŝ is the variance of one: for white noise of variance
    σ², Var m̂ → (1−β1)/(1+β1) σ² = 0.053 σ² while ŝ → 1.05 σ². That factor is the default
    `strength`, as in M-SVAG (arXiv 1705.07774); pass λ itself for the paper's. At the default
    threshold α = 1 the hard and soft gates are a test at about 4.5 standard deviations and close
    nearly everything; ``threshold=averaging_factor(0.9)`` is the test at one.

    At the first streaming step m̂² = ŝ exactly: nothing is known about noise, and the hard and
    soft gates at α ≥ 1 are closed.

    Every coordinate, closed or not, is subject to weight decay: hence its default 0. With
    ``eps=0`` the whole step is free of the loss's scale, and under a gate a coordinate whose
    second moment is 0 stays put instead of becoming NaN.

    Cost over AdamW: one more state the size of the parameters (two when means are attached) and
    about a dozen passes. The foreach version joins the averages into one long vector for the gate:
    few kernels, but temporary memory of several times the parameters; pass ``foreach=False`` where
    that matters. State has the parameter's type, so that it survives `load_state_dict`; in
    bfloat16 s is good to a few per cent, and float16 has no room for squared gradients, here as in
    AdamW.

    Args:
        params: parameters, or dictionaries of parameter groups; any argument below may be a
            group's own. Real and dense.
        lr: learning rate, at least 0; a one-element tensor is accepted without `foreach`.
        betas: β1 and β2 in [0, 1), decay of the first and second moment.
        eps: added to the denominator, at least 0.
        weight_decay: decoupled weight decay, at least 0.
        gate: "hard", "soft", "snr", or None for plain AdamW.
        rho: ρ in [0, 1), decay of the variance.
        threshold: α, finite and at least 0: 1 for fresh batches of b examples, b/(n−b) for batches
            from a finite set of n (`pinngate.optim.gates.finite_sample_threshold`). Read by
            "hard" and "soft".
        strength: λ, finite and at least 0, or None for (1−β1)/(1+β1). Read by "soft" and "snr".
        granularity: "parameter", a q for each coordinate; "tensor", one for each tensor, from the
            means of m̂² and ŝ over it.
        variance: "streaming" or "per-point", where the variance comes from.
        maximize: ascend instead.
        foreach: True or False for the foreach or single-tensor version; None takes foreach when
            all parameters are on CUDA devices. In float32 and float64 on CPUs the
            two agree bitwise, elsewhere to rounding.

    Raises:
        ValueError: an argument is out of its range, or a parameter is complex.

    Source: arXiv 2605.01172; AdamW, arXiv 1711.05101.
    """

    _attached: dict[Tensor, tuple[Tensor, Tensor | None]]
    _opened: list[tuple[list[int], Tensor | None]]

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        gate: str | None = "snr",
        rho: float = 0.99,
        threshold: float = 1.0,
        strength: float | None = None,
        granularity: str = "parameter",
        variance: str = "streaming",
        maximize: bool = False,
        foreach: bool | None = None,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "gate": gate,
            "rho": rho,
            "threshold": threshold,
            "strength": strength,
            "granularity": granularity,
            "variance": variance,
            "maximize": maximize,
            "foreach": foreach,
        }
        _check_options(defaults)
        self._attached = {}
        self._opened = []
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from a pickle, a copy or `load_state_dict`; absent options are the defaults."""
        super().__setstate__(state)
        self.__dict__.setdefault("_attached", {})
        self.__dict__.setdefault("_opened", [])
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, with any of the constructor's options as its own.

        Raises:
            ValueError: an option is out of its range, or a parameter is complex.
        """
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        if any(param.is_complex() for param in self.param_groups[-1]["params"]):
            self.param_groups.pop()
            raise ValueError(
                "params: got a complex parameter, expected real ones; "
                "pass torch.view_as_real(parameter) instead"
            )

    @property
    def is_gated(self) -> bool:
        """Whether parameters have a gate by default."""
        return self.defaults["gate"] is not None

    @property
    def wants_statistics(self) -> bool:
        """Whether every gate compares with statistics per point, and there is one."""
        gated = [group for group in self.param_groups if group["gate"] is not None]
        return bool(gated) and all(group["variance"] == "per-point" for group in gated)

    def attach_variance(
        self, variances: Sequence[Tensor | None] | Mapping[Tensor, Tensor | None]
    ) -> None:
        """Give the variance of the mean gradient for the next step: see `attach_statistics`."""
        self.attach_statistics(variances=variances)

    def attach_statistics(
        self,
        *,
        variances: Sequence[Tensor | None] | Mapping[Tensor, Tensor | None],
        means: Sequence[Tensor | None] | Mapping[Tensor, Tensor | None] | None = None,
    ) -> None:
        """Give per-point statistics of the gradient for the next step, which then drops them.

        s averages `variances` in place of (g − m)². With `means` the gate compares with ŝ the
        moving average (decay β1, bias-corrected) of those means, in place of m̂: for a gate on the
        data term alone of a loss with several. May be called inside the closure. A parameter for
        which nothing is attached uses the streaming estimate; one in a group without a gate, or
        without a gradient at the step, ignores what is attached. A second call before the step
        replaces the first. The tensors are read at the step, not copied.

        Args:
            variances: variance of the mean gradient, Σ_t w_t² σ_t²/(n_t−1) over the terms t of
                the loss, of each parameter's shape. A sequence follows the parameters through the
                groups in order, a mapping goes from parameter to tensor; None leaves one out.
                Rounding below 0 is read as 0.
            means: mean gradients that go with these variances, in either form; None for m̂.

        Raises:
            ValueError: a length or shape is wrong, a key is no parameter of this optimizer, its
                group has ``variance="streaming"``, or a mean comes without its variance.
        """
        group_of = {param: group for group in self.param_groups for param in group["params"]}
        variance_of = _by_parameter("variances", variances, group_of)
        mean_of = {} if means is None else _by_parameter("means", means, group_of)
        for param in variance_of:
            group = group_of[param]
            if group["gate"] is not None and group["variance"] != "per-point":
                raise ValueError(
                    "variances: got one for a parameter whose group has "
                    f"variance={group['variance']!r}, expected variance='per-point'"
                )
        if not mean_of.keys() <= variance_of.keys():
            raise ValueError("means: got one for a parameter without a variance; give both")
        self._attached = {
            param: (variance, mean_of.get(param)) for param, variance in variance_of.items()
        }

    def gate_statistics(self) -> GateStatistics:
        """Return how open the gate was at the last step; parameters without a gate count as q = 1.

        Nothing waits for the device until this is called; then once per group.

        Raises:
            RuntimeError: no step was taken yet, or no parameter had a gradient at the last one.
        """
        counts: list[int] = []
        means: list[float] = []
        above_half: list[float] = []
        for sizes, summary in self._opened:
            counts += sizes
            rows = [[1.0] * len(sizes)] * 2 if summary is None else summary.tolist()
            means += rows[0]
            above_half += rows[1]
        total = sum(counts)
        if total == 0:
            raise RuntimeError("gate_statistics: no gate to report yet; take a step first")
        return {
            "mean": sum(map(operator.mul, counts, means)) / total,
            "fraction_above_half": sum(map(operator.mul, counts, above_half)) / total,
            "tensor_min": min(means),
            "tensor_median": statistics.median(means),
        }

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step.

        Args:
            closure: evaluates the loss and its gradients again, and returns the loss.

        Returns:
            The closure's loss, None without one.

        Raises:
            RuntimeError: a gradient is sparse.
        """
        loss: float | None = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()

        opened: list[tuple[list[int], Tensor | None]] = []
        try:
            for group in self.param_groups:
                opened += self._step_group(group)
        finally:
            self._attached = {}
        self._opened = opened
        return loss

    def _step_group(self, group: dict[str, Any]) -> list[tuple[list[int], Tensor | None]]:
        # An empty tensor has nothing to update, and no mean to gate it by.
        params = [p for p in group["params"] if p.grad is not None and p.numel() > 0]
        if any(param.grad.is_sparse for param in params):
            raise RuntimeError("PopulationRiskAdam does not support sparse gradients")
        if not params:
            return []
        states = [self._moments(param) for param in params]
        noise = []
        if group["gate"] is not None:
            noise = [self._noise_estimate(p, s) for p, s in zip(params, states, strict=True)]
        return _summaries(params, _gates_of_step(group, params, states, noise))

    def _moments(self, param: Tensor) -> dict[str, Any]:
        """Return the parameter's state, with Adam's moments at zero before the first step."""
        state = self.state[param]
        if "step" not in state:
            # On the CPU, as in torch.optim: the bias corrections then need no device.
            state["step"] = torch.tensor(0.0, dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)
        return state

    def _noise_estimate(self, param: Tensor, state: dict[str, Any]) -> NoiseEstimate:
        """Return the parameter's noise state, its counters advanced by this step.

        The counters are Python integers: `load_state_dict` would cast a tensor to the parameter's
        type, and bfloat16 counts to 256 only.
        """
        batch_variance, batch_mean = self._attached.get(param, (None, None))
        if "variance" not in state:
            state["variance"] = torch.zeros_like(param)
            state["num_variances"] = 0
        state["num_variances"] += 1
        if batch_mean is not None:
            if "gate_mean" not in state:
                state["gate_mean"] = torch.zeros_like(param)
                state["num_gate_means"] = 0
            state["num_gate_means"] += 1
        return NoiseEstimate(
            variance=state["variance"],
            num_variances=state["num_variances"],
            batch_variance=None if batch_variance is None else batch_variance.to(param),
            mean=state.get("gate_mean"),
            num_means=state.get("num_gate_means", 0),
            batch_mean=None if batch_mean is None else batch_mean.to(param),
        )


def _gates_of_step(
    group: Mapping[str, Any],
    params: list[Tensor],
    states: list[dict[str, Any]],
    noise: list[NoiseEstimate],
) -> list[Tensor]:
    """Step the parameters of a group in place, and return the gate of each."""
    return population_risk_adam(
        params,
        [param.grad for param in params if param.grad is not None],
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [state["step"] for state in states],
        noise,
        foreach=group["foreach"],
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        eps=group["eps"],
        weight_decay=group["weight_decay"],
        gate=group["gate"],
        rho=group["rho"],
        threshold=group["threshold"],
        strength=group["strength"],
        granularity=group["granularity"],
        maximize=group["maximize"],
    )


def _summaries(params: list[Tensor], gates: list[Tensor]) -> list[tuple[list[int], Tensor | None]]:
    """Return, for the tensors of each device, their sizes and (2, tensors): mean q, share q > ½."""
    if not gates:
        return [([param.numel() for param in params], None)]
    by_device: dict[torch.device, list[int]] = {}
    for i, q in enumerate(gates):
        by_device.setdefault(q.device, []).append(i)
    summaries: list[tuple[list[int], Tensor | None]] = []
    for indices in by_device.values():
        means = [gates[i].mean(dtype=torch.float32) for i in indices]
        above = [(gates[i] > 0.5).mean(dtype=torch.float32) for i in indices]
        sizes = [params[i].numel() for i in indices]
        summaries.append((sizes, torch.stack([torch.stack(means), torch.stack(above)])))
    return summaries


def _by_parameter(
    name: str,
    tensors: Sequence[Tensor | None] | Mapping[Tensor, Tensor | None],
    group_of: Mapping[Tensor, dict[str, Any]],
) -> dict[Tensor, Tensor]:
    """Return the attached tensors by parameter, checked and cut from any autograd graph."""
    if isinstance(tensors, Mapping):
        pairs = list(tensors.items())
    else:
        if len(tensors) != len(group_of):
            raise ValueError(
                f"{name}: got {len(tensors)} tensors, expected {len(group_of)}, one for each "
                "parameter in the order of the groups; give a mapping to leave some out"
            )
        pairs = list(zip(group_of, tensors, strict=True))
    checked: dict[Tensor, Tensor] = {}
    for param, tensor in pairs:
        if param not in group_of:
            raise ValueError(
                f"{name}: got a key of shape {tuple(param.shape)} that is no parameter here"
            )
        if tensor is None:
            continue
        if tensor.shape != param.shape:
            raise ValueError(
                f"{name}: got shape {tuple(tensor.shape)}, expected the parameter's, "
                f"{tuple(param.shape)}"
            )
        checked[param] = tensor.detach()
    return checked


def _check_options(options: Mapping[str, Any]) -> None:
    """Raise ValueError for the first option out of its range; NaN is out of every range."""

    def require(is_met: bool, name: str, expected: str) -> None:
        if not is_met:
            raise ValueError(f"{name}: got {options[name]!r}, expected {expected}")

    lr = options["lr"]
    if isinstance(lr, Tensor):
        require(lr.numel() == 1, "lr", "a one-element tensor or a number")
        require(not options["foreach"], "lr", "a number when foreach=True")
    require(bool(lr >= 0), "lr", "a number of at least 0")
    require(len(options["betas"]) == 2, "betas", "two numbers")
    require(all(0 <= beta < 1 for beta in options["betas"]), "betas", "two numbers in [0, 1)")
    require(0 <= options["rho"] < 1, "rho", "a number in [0, 1)")
    require(options["eps"] >= 0, "eps", "a number of at least 0")
    require(options["weight_decay"] >= 0, "weight_decay", "a number of at least 0")
    require(
        0 <= options["threshold"] < math.inf,
        "threshold",
        "a finite number of at least 0; b/(n-b) is infinite for a full batch, where "
        "variance='per-point' with threshold=1 is the test",
    )
    if options["strength"] is not None:
        require(
            0 <= options["strength"] < math.inf, "strength", "None or a finite number of at least 0"
        )
    for name, choices in (
        ("gate", (None, *GATES)),
        ("granularity", _GRANULARITIES),
        ("variance", _VARIANCES),
    ):
        require(options[name] in choices, name, f"one of {', '.join(map(repr, choices))}")


__all__ = ["GateStatistics", "NoiseEstimate", "PopulationRiskAdam", "population_risk_adam"]
