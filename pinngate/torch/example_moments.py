"""Mean and variance of per-example gradients, from running sums over batches.

With h_n what example n contributes to the gradient that stands in `param.grad`, N examples in K
groups with sums s_k over N_k examples,

    Var(Σ_n h_n) = N (Σ_k s_k²/N_k − (Σ_n h_n)²/N)/(K − 1),

exact for groups of one example and unbiased for random groups. It needs no knowledge of how the
loss was reduced: a mean, a sum or a mean split over micro-batches all end as a sum of h_n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from torch import Tensor

from pinngate.torch.contributions import Contribution

Mode = Literal["loop", "grouped", "pairs"]
Reduction = Literal["mean", "sum"]


@dataclass(frozen=True)
class PassSums:
    """Sums over the examples of one backward pass, for one parameter.

    Attributes:
        first: Σ_n h_n, of the parameter's shape.
        second: Σ_k s_k²/N_k, of the parameter's shape.
        num_examples: N.
        num_groups: K.
    """

    first: Tensor
    second: Tensor
    num_examples: int
    num_groups: int

    def __add__(self, other: PassSums) -> PassSums:
        """Return the sums over the examples of both."""
        return PassSums(
            self.first + other.first,
            self.second + other.second,
            self.num_examples + other.num_examples,
            self.num_groups + other.num_groups,
        )

    def variance_of_sum(self) -> Tensor:
        """Return Var(Σ_n h_n), at least 0; N and K are at least 2."""
        n = self.num_examples
        spread = (self.second - self.first.square() / n).clamp_(min=0)
        return spread.mul_(n / (self.num_groups - 1))


@dataclass(frozen=True)
class ExampleMoments:
    """Statistics of the gradients g_n of single examples, by parameter.

    g_n is the gradient of example n's own loss: N h_n where the loss is a mean over N examples, and
    h_n where it is a sum. What is asked for is computed once, of the parameters' shapes, in their
    types or in float32 where that is wider.

    Attributes:
        sums: of every parameter; all over the same number N ≥ 2 of examples, in K ≥ 2 groups.
        reduction: how the loss is made of the losses of examples.
        scale: what the loss was multiplied with besides.
    """

    sums: Mapping[Tensor, PassSums]
    reduction: Reduction
    scale: float = 1.0

    @property
    def num_examples(self) -> int:
        """N."""
        return max(s.num_examples for s in self.sums.values())

    @cached_property
    def mean(self) -> Mapping[Tensor, Tensor]:
        """Mean of g_n."""
        factor = self._weight / self.num_examples
        return {p: s.first * (factor / self.scale) for p, s in self.sums.items()}

    @cached_property
    def variance(self) -> Mapping[Tensor, Tensor]:
        """The (biased) variance σ² of g_n over the examples, as in `pinngate.model.moments`."""
        n = self.num_examples
        factor = self._weight**2 * (n - 1) / n**2
        return {p: factor * v for p, v in self.variance_of_gradient.items()}

    @cached_property
    def variance_of_gradient(self) -> Mapping[Tensor, Tensor]:
        """Variance of what stands in `param.grad`, for `PopulationRiskAdam.attach_variance`.

        σ²/(N−1) for a mean, N²σ²/(N−1) for a sum.
        """
        return {p: s.variance_of_sum().div_(self.scale**2) for p, s in self.sums.items()}

    @property
    def _weight(self) -> int:
        """g_n in units of h_n."""
        return self.num_examples if self.reduction == "mean" else 1


def sums_of_pass(
    contribution: Contribution, total: Tensor, mode: Mode, num_groups: int
) -> PassSums:
    """Return the sums of one pass: consecutive examples in groups, of one each but for ``grouped``.

    Groups are of equal length; a rest is a shorter group. `total` is Σ_n h_n, which ``loop`` finds
    for itself.
    """
    size = contribution.num_examples
    if mode == "loop":
        return _one_by_one(contribution)
    length = -(-size // num_groups) if mode == "grouped" else 1
    rest = size % length
    second = contribution.part(slice(0, size - rest)).squares(length).div_(length)
    if rest:
        second += contribution.part(slice(size - rest, size)).squares(rest).div_(rest)
    return PassSums(total, second, size, size // length + (rest > 0))


def _one_by_one(contribution: Contribution) -> PassSums:
    """Write down the gradient of every example, one after the other."""
    size = contribution.num_examples
    first = contribution.part(slice(0, 1)).sums(1)[0]
    second = first.square()
    for n in range(1, size):
        gradient = contribution.part(slice(n, n + 1)).sums(1)[0]
        first = first + gradient
        second = second + gradient.square()
    return PassSums(first, second, size, size)
