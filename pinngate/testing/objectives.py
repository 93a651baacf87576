"""What the conformance suite has an optimizer minimise, and how it is fed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

OptimizerFactory = Callable[..., torch.optim.Optimizer]

NUM_DESCENT_STEPS = 400


def starting_point(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[torch.nn.Parameter]:
    """Return three parameters, a matrix, a vector and a scalar, from normal numbers."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.nn.Parameter(
            torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype=dtype)
        )
        for shape in ((3, 4), (5,), ())
    ]


def quadratic(params: Sequence[Tensor]) -> Tensor:
    """Return Σ_k c_k (w_k − 1)²/2 with curvatures c_k between 1/2 and 2; its minimum is 0."""
    flat = torch.cat([param.reshape(-1) for param in params])
    curvatures = torch.linspace(0.5, 2.0, flat.numel(), dtype=flat.dtype)
    return 0.5 * (curvatures * (flat - 1.0).square()).sum()


def rosenbrock(params: Sequence[Tensor]) -> Tensor:
    """Return the least squares of Rosenbrock's residuals (1 − x, 10(y − x²)); its minimum is 0."""
    x, y = params[0]
    return 0.5 * ((1.0 - x).square() + 100.0 * (y - x.square()).square())


def noisy_gradients(
    params: Sequence[Tensor], num_steps: int, seed: int = 1
) -> Iterator[list[Tensor]]:
    """Yield gradients of signal and noise, the same for the same seed and shapes."""
    generator = torch.Generator().manual_seed(seed)
    signal = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in params]
    for _ in range(num_steps):
        yield [
            (mean + torch.randn(mean.shape, generator=generator, dtype=torch.float64)).to(p.dtype)
            for mean, p in zip(signal, params, strict=True)
        ]


def feed(
    optimizer: torch.optim.Optimizer, params: Sequence[Tensor], gradients: Iterator[list[Tensor]]
) -> None:
    """Take a step with each of the gradients."""
    for grads in gradients:
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad.clone()
        optimizer.step()


def lowest(
    factory: OptimizerFactory,
    function: Callable[[Sequence[Tensor]], Tensor],
    start: Sequence[Tensor],
    lr: float,
    target: float,
) -> float:
    """Return the lowest value of the function on the way, which ends early below the target."""
    params = copy.deepcopy(start)
    optimizer = factory(params, lr=lr)
    lowest = math.inf
    for _ in range(NUM_DESCENT_STEPS):
        optimizer.zero_grad()
        loss = function(params)
        loss.backward()
        lowest = min(lowest, loss.item())
        if lowest < target:
            break
        optimizer.step()
    return lowest
