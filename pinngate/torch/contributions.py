"""What the examples of a batch contribute to the gradient of one parameter, never written down.

A layer's weight has the gradient Σ_n h_n over the examples n, and h_n is made of what the layer saw
and of what came back: for a linear layer over tokens t, h_n = Σ_t d_nt a_ntᵀ with inputs a and
adjoints d. A `Contribution` holds such factors, no larger than the activations, and answers what
all statistics need: Σ_n h_n, and Σ_k (Σ_{n ∈ k} h_n)² over groups k of consecutive examples. Groups
of one example give the exact second moment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Sums of groups that are held at once. On CPUs they are squared before they leave the cache of a
# core, twice as fast as through memory; on devices few launches count for more.
HELD_BYTES_CPU = 2**16
HELD_BYTES_DEVICE = 2**26

TOTAL_PARTS = 32  # in which a total is added up where nothing better is known

# Up to so many tokens all pairs of them are cheaper than one gradient for each example: t(t+1)/2
# products of matrices against t and about eight for the memory that the squares pass through.
PAIRED_TOKENS = 4

Rows = slice | Tensor


class Contribution(ABC):
    """Gradients h_n of N examples with respect to one parameter, implied by factors."""

    @property
    @abstractmethod
    def num_examples(self) -> int:
        """N."""

    @abstractmethod
    def part(self, rows: Rows) -> Contribution:
        """Return the contribution of some examples, in the order of a slice or of indices."""

    @abstractmethod
    def sums(self, length: int) -> Tensor:
        """Return the sums over groups of consecutive examples, (N/length, *parameter's shape).

        Cost: N/length times the parameter in memory. `length` divides N.
        """

    def total(self) -> Tensor:
        """Return Σ_n h_n, of the parameter's shape."""
        size = self.num_examples
        step = -(-size // TOTAL_PARTS)
        starts = range(0, size, step)
        parts = (self.part(slice(n, min(n + step, size))) for n in starts)
        sums = [part.sums(part.num_examples)[0] for part in parts]
        return torch.stack(sums).sum(0)

    def squares(self, length: int) -> Tensor:
        """Return the sum over groups of the squares of their sums, of the parameter's shape.

        `length` divides N. Groups are written down a few at a time, `num_held` of them.
        """
        num_groups = self.num_examples // length
        first = self.part(slice(0, length)).sums(length)[0]
        squares, step = first.square(), num_held(first)
        for start in range(1, num_groups, step):
            stop = min(start + step, num_groups)
            block = self.part(slice(start * length, stop * length)).sums(length)
            squares.add_(block.square().sum(0))
        return squares


def num_held(group: Tensor) -> int:
    """Return how many tensors like the sum of one group are held at once, at least one."""
    held = HELD_BYTES_CPU if group.is_cpu else HELD_BYTES_DEVICE
    return max(1, held // max(1, group.numel() * group.element_size()))


@dataclass(frozen=True)
class Products(Contribution):
    """h_n = Σ_t d_nt a_ntᵀ, the weight of a linear layer.

    Attributes:
        adjoints: d, derivatives of the loss by the layer's outputs, (N, tokens, outputs).
        inputs: a, (N, tokens, inputs).
    """

    adjoints: Tensor
    inputs: Tensor

    @property
    def num_examples(self) -> int:
        """N."""
        return self.adjoints.shape[0]

    def part(self, rows: Rows) -> Products:
        """Return the contribution of some examples."""
        return Products(self.adjoints[rows], self.inputs[rows])

    def sums(self, length: int) -> Tensor:
        """Return (N/length, outputs, inputs): one product of matrices for each group."""
        d, a = self._groups(length)
        return torch.bmm(d.transpose(1, 2), a)

    def total(self) -> Tensor:
        """Return Σ_n h_n, one product of matrices."""
        return self.adjoints.flatten(0, 1).T @ self.inputs.flatten(0, 1)

    def squares(self, length: int) -> Tensor:
        """Return the sum of squares; few tokens of single examples pair by pair."""
        num_tokens, num_outputs = self.adjoints.shape[1:]
        if length == 1 and num_tokens <= PAIRED_TOKENS:
            return self._paired_squares()
        buffer = self.adjoints.new_empty(num_outputs, self.inputs.shape[2])
        if num_held(buffer) > 1:
            return super().squares(length)
        squares = torch.zeros_like(buffer)
        for d, a in zip(*self._groups(length), strict=True):
            torch.mm(d.T, a, out=buffer)
            squares.addcmul_(buffer, buffer)
        return squares

    def _groups(self, length: int) -> tuple[Tensor, Tensor]:
        """Return d and a by groups, (N/length, length·tokens, outputs or inputs)."""
        num_groups = self.num_examples // length
        d, a = (
            x.reshape(num_groups, length * x.shape[1], x.shape[2])
            for x in (self.adjoints, self.inputs)
        )
        return d, a

    def _paired_squares(self) -> Tensor:
        """Return Σ_n (Σ_t d_nt a_ntᵀ)² = Σ_{t≤t'} (2−δ) Σ_n (d_nt∘d_nt')(a_nt∘a_nt')ᵀ.

        Products of matrices over the examples: nothing of the size N × P is formed.
        """
        d, a = self.adjoints.unbind(1), self.inputs.unbind(1)
        squares = d[0].new_zeros(d[0].shape[1], a[0].shape[1])
        for t in range(len(d)):
            for other in range(t, len(d)):
                factor = 1.0 if t == other else 2.0
                squares.addmm_((d[t] * d[other]).T, a[t] * a[other], alpha=factor)
        return squares.clamp_(min=0)


@dataclass(frozen=True)
class Lookups(Contribution):
    """h_n adds d_nt to row i_nt: the table of an embedding.

    Attributes:
        adjoints: d, (N, tokens, width); zero where nothing was looked up.
        indices: i, (N, tokens).
        num_rows: rows of the table.
    """

    adjoints: Tensor
    indices: Tensor
    num_rows: int

    @property
    def num_examples(self) -> int:
        """N."""
        return self.adjoints.shape[0]

    def part(self, rows: Rows) -> Lookups:
        """Return the contribution of some examples."""
        return Lookups(self.adjoints[rows], self.indices[rows], self.num_rows)

    def sums(self, length: int) -> Tensor:
        """Return (N/length, rows, width)."""
        num_groups, width = self.num_examples // length, self.adjoints.shape[2]
        flat = self.adjoints.new_zeros(num_groups * self.num_rows, width)
        flat.index_add_(0, self._places(length), self.adjoints.flatten(0, 1))
        return flat.view(num_groups, self.num_rows, width)

    def total(self) -> Tensor:
        """Return Σ_n h_n."""
        return self.sums(self.num_examples)[0]

    def squares(self, length: int) -> Tensor:
        """Return the sum of squares, from the rows that were looked up alone: N·tokens of them."""
        places, slots = torch.unique(self._places(length), return_inverse=True)
        width = self.adjoints.shape[2]
        sums = self.adjoints.new_zeros(places.numel(), width)
        sums.index_add_(0, slots, self.adjoints.flatten(0, 1))
        squares = self.adjoints.new_zeros(self.num_rows, width)
        return squares.index_add_(0, places % self.num_rows, sums.square_())

    def _places(self, length: int) -> Tensor:
        """Return group·rows + row of every token, (N·tokens)."""
        group = torch.arange(self.num_examples, device=self.indices.device) // length
        return (group[:, None] * self.num_rows + self.indices).flatten()


@dataclass(frozen=True)
class Written(Contribution):
    """h_n = Σ_t v_nt, (N, tokens, *parameter's shape): biases and scales, as small as activations.

    Attributes:
        values: v.
    """

    values: Tensor

    @property
    def num_examples(self) -> int:
        """N."""
        return self.values.shape[0]

    def part(self, rows: Rows) -> Written:
        """Return the contribution of some examples."""
        return Written(self.values[rows])

    def sums(self, length: int) -> Tensor:
        """Return (N/length, *parameter's shape)."""
        _, num_tokens, *shape = self.values.shape
        num_groups = self.num_examples // length
        return self.values.reshape(num_groups, length * num_tokens, *shape).sum(1)

    def total(self) -> Tensor:
        """Return Σ_n h_n."""
        return self.values.sum((0, 1))

    def squares(self, length: int) -> Tensor:
        """Return the sum of squares in one go."""
        return self.sums(length).square().sum(0)


@dataclass(frozen=True)
class Stacked(Contribution):
    """Contributions to consecutive rows of one parameter: the projections of attention.

    Attributes:
        blocks: one for each block of rows, from the top; together they are the whole parameter.
    """

    blocks: Sequence[Contribution]

    @property
    def num_examples(self) -> int:
        """N."""
        return self.blocks[0].num_examples

    def part(self, rows: Rows) -> Stacked:
        """Return the contribution of some examples."""
        return Stacked([block.part(rows) for block in self.blocks])

    def sums(self, length: int) -> Tensor:
        """Return (N/length, *parameter's shape)."""
        return torch.cat([block.sums(length) for block in self.blocks], dim=1)

    def total(self) -> Tensor:
        """Return Σ_n h_n."""
        return torch.cat([block.total() for block in self.blocks])

    def squares(self, length: int) -> Tensor:
        """Return the sum of squares, block by block."""
        return torch.cat([block.squares(length) for block in self.blocks])


@dataclass(frozen=True)
class Joined(Contribution):
    """The sum of several contributions to one parameter: tied weights, layers used repeatedly.

    What an example contributes in different places is added before it is squared.

    Attributes:
        uses: one for each use, of the same examples in the same order.
    """

    uses: Sequence[Contribution]

    @property
    def num_examples(self) -> int:
        """N."""
        return self.uses[0].num_examples

    def part(self, rows: Rows) -> Joined:
        """Return the contribution of some examples."""
        return Joined([use.part(rows) for use in self.uses])

    def sums(self, length: int) -> Tensor:
        """Return (N/length, *parameter's shape)."""
        total = self.uses[0].sums(length)
        for use in self.uses[1:]:
            total = total + use.sums(length)
        return total

    def total(self) -> Tensor:
        """Return Σ_n h_n."""
        return torch.stack([use.total() for use in self.uses]).sum(0)
