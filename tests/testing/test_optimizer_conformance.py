"""The conformance suite passes good optimizers, and each of its checks catches a broken one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.testing import FEATURES, check_optimizer, optimizer_checks

ALL = tuple(sorted(FEATURES))


@pytest.mark.parametrize(
    "factory",
    [
        torch.optim.AdamW,
        torch.optim.SGD,
        functools.partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    ],
    ids=["AdamW", "SGD", "Nesterov"],
)
def test_passes_optimizers_of_torch(factory: Callable[..., torch.optim.Optimizer]) -> None:
    check_optimizer(factory, supports=ALL)


@pytest.mark.parametrize("gate", [None, "hard", "soft", "snr"])
@pytest.mark.parametrize("granularity", ["parameter", "tensor"])
def test_passes_population_risk_adam(gate: str | None, granularity: str) -> None:
    factory = functools.partial(PopulationRiskAdam, gate=gate, granularity=granularity)
    check_optimizer(factory, supports=ALL)


@pytest.mark.parametrize("foreach", [False, True])
def test_passes_either_version_of_population_risk_adam(foreach: bool) -> None:
    factory = functools.partial(PopulationRiskAdam, variance="per-point", foreach=foreach)
    check_optimizer(factory, supports=("maximize", "bfloat16"))


class Descent(torch.optim.Optimizer):
    """Gradient descent with momentum, right in every respect; the broken ones derive from it."""

    def __init__(self, params: Any, lr: float = 1e-3, maximize: bool = False) -> None:
        if lr < 0:
            raise ValueError(f"lr: got {lr}, expected at least 0")
        super().__init__(params, {"lr": lr, "maximize": maximize})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self.update(param, -param.grad if group["maximize"] else param.grad, group)
        return loss

    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        momentum = state.setdefault("momentum", torch.zeros_like(param))
        momentum.mul_(0.9).add_(grad)
        param.sub_(group["lr"] * momentum)


class Ascends(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        super().update(param, -grad, group)


class Stands(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        pass


class IsRandom(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        super().update(param, grad * (1 + 1e-3 * torch.randn_like(grad)), group)


class HidesState(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        hidden = self.__dict__.setdefault("hidden", {})
        hidden[param] = 0.9 * hidden.get(param, torch.zeros_like(param)) + grad
        param.sub_(group["lr"] * hidden[param])


class KeepsWideState(Descent):
    """Keeps float32 state, which comes back from load_state_dict as bfloat16."""

    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        wide = torch.promote_types(param.dtype, torch.float32)
        momentum = state.setdefault("momentum", torch.zeros_like(param, dtype=wide)).to(wide)
        state["momentum"] = 0.9 * momentum + grad
        param.copy_(param - group["lr"] * state["momentum"])


class SharesState(Descent):
    """Is its own copy, and steps on the original's parameters."""

    def __deepcopy__(self, memo: dict[int, Any]) -> SharesState:
        return self


class CannotBePickled(Descent):
    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "callback": lambda: None}


class IgnoresGroups(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        super().update(param, grad, {**self.param_groups[0]})


class CouplesGroups(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        shrink = 1.0 / len(self.param_groups)
        super().update(param, grad, {**group, "lr": group["lr"] * shrink})


class FreezesRate(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        rate = self.state[param].setdefault("rate", group["lr"])
        super().update(param, grad, {**group, "lr": rate})


class LosesLoss(Descent):
    def step(self, closure: Any = None) -> Any:
        super().step(closure)


class ClosureWithoutGradient(Descent):
    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        super().step()
        return loss


class DecaysAll(Descent):
    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        with torch.no_grad():
            for group in self.param_groups:
                for param in group["params"]:
                    param.mul_(1 - 1e-3 * group["lr"])
        return loss


class ChangesGradients(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        super().update(param, grad.clamp_(-0.1, 0.1), group)


class KeepsGradients(Descent):
    def zero_grad(self, set_to_none: bool = True) -> None:
        if not set_to_none:
            return
        super().zero_grad(set_to_none=True)


class Widens(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        super().update(param, grad, group)
        param.data = param.data.double()


class Reallocates(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        super().update(param, grad, group)
        param.data = param.data.clone()


class AcceptsAnything(Descent):
    def __init__(self, params: Any, lr: float = 1e-3, maximize: bool = False) -> None:
        super().__init__(params, abs(lr), maximize)


class IgnoresMaximize(Descent):
    def __init__(self, params: Any, lr: float = 1e-3, maximize: bool = False) -> None:
        super().__init__(params, lr)


class ForeachDiffers(Descent):
    def __init__(self, params: Any, lr: float = 1e-3, foreach: bool = False) -> None:
        super().__init__(params, lr * (1.001 if foreach else 1.0))


class Stops(Descent):
    def update(self, param: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        raise TypeError("unfinished")


def test_passes_the_optimizer_that_the_broken_ones_derive_from() -> None:
    check_optimizer(Descent, supports=("maximize", "bfloat16"))


@pytest.mark.parametrize(
    ("broken", "check", "message"),
    [
        (Ascends, "minimizes", "expected below"),
        (Stands, "minimizes", "a quadratic fell to"),
        (IsRandom, "is deterministic", "differ"),
        (HidesState, "state_dict round trip", "does not continue"),
        (FreezesRate, "obeys schedulers", "is ignored"),
        (SharesState, "copies are independent", "deepcopy"),
        (CannotBePickled, "copies are independent", "broke off"),
        (IgnoresGroups, "parameter groups", "own lr"),
        (CouplesGroups, "parameter groups", "on its own"),
        (LosesLoss, "closure", "returned None"),
        (ClosureWithoutGradient, "closure", "broke off"),
        (DecaysAll, "leaves others alone", "without a"),
        (ChangesGradients, "leaves others alone", "changed a gradient"),
        (KeepsGradients, "leaves others alone", "zero_grad"),
        (Widens, "preserves types", "became torch.float64"),
        (Reallocates, "preserves types", "other memory"),
        (AcceptsAnything, "refuses bad options", "lr=-1"),
        (IgnoresMaximize, "maximize", "negated"),
        (ForeachDiffers, "foreach", "differently"),
        (KeepsWideState, "bfloat16", "does not continue"),
        (Stops, "minimizes", "TypeError: unfinished"),
    ],
)
def test_each_check_catches_its_fault(
    broken: type[Descent], check: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    supports = tuple(FEATURES & {check})
    only = {check: optimizer_checks(supports)[check]}
    monkeypatch.setattr(
        "pinngate.testing.optimizer_conformance.optimizer_checks", lambda supports: only
    )
    with pytest.raises(AssertionError, match=message) as caught:
        check_optimizer(broken, supports=supports)
    assert str(caught.value).startswith(f"check_optimizer, {check}: ")


@pytest.mark.parametrize("broken", [IsRandom, HidesState, LosesLoss])
def test_the_whole_suite_fails_on_a_broken_optimizer(broken: type[Descent]) -> None:
    with pytest.raises(AssertionError, match="check_optimizer, "):
        check_optimizer(broken)


def test_features_are_checked_only_where_they_are_claimed() -> None:
    check_optimizer(IgnoresMaximize)
    with pytest.raises(AssertionError, match="maximize"):
        check_optimizer(IgnoresMaximize, supports=("maximize",))


def test_refuses_a_feature_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="sparse"):
        check_optimizer(Descent, supports=("sparse",))
