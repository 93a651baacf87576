"""Sums over shares of the work, the same to the last bit whatever the number of processes.

Work is a list of items, tiles of points, and a sum over them is a binary tree: neighbouring leaves
are added, then neighbouring sums. Each of p = 2^k processes holds a subtree; the upper k levels are
added by recursive halving, after which every process has a part of the sum, and the parts go back
by recursive doubling (R. Rabenseifner, ICCS 2004). With s bytes a process sends

    2 (1 − 1/p) s bytes in 2 log₂ p messages.

A tree of fewer leaves than processes is added by each of them alone, and nothing is sent. Above
`group`, which is how two processes exchange a tensor; `parallel` is below everything that computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from pinngate.parallel.launch import MOST_LEAVES

Item = TypeVar("Item")
Swap = Callable[[Tensor, int], Tensor]
"""Send a tensor to the process of that number and return the one of the same size that it sent."""


class Ranks:
    """This process among those that share a run.

    Args:
        index: of this process, from 0.
        size: how many there are, a power of two.
        swap: exchanges tensors with another one.

    Attributes:
        num_bytes: sent so far.
        num_messages: sent so far.
    """

    def __init__(self, index: int = 0, size: int = 1, swap: Swap | None = None) -> None:
        self.index, self.size = index, size
        self._swap = swap
        self.num_bytes = self.num_messages = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one process that writes, prints and holds the folder."""
        return self.index == 0

    def is_sharing(self, items: Sequence[Item]) -> bool:
        """Whether there are enough items for every process to have some."""
        return 1 < self.size <= _num_leaves(len(items))

    def own(self, items: Sequence[Item]) -> list[Item]:
        """Return the share of this process, all items where they are not shared."""
        return [item for leaf in self._own_leaves(items) for item in leaf]

    def summed(self, items: Sequence[Item], part: Callable[[Item], list[Tensor]]) -> list[Tensor]:
        """Return Σ part(item) over all items, tensor by tensor; every process has the result.

        Args:
            items: the same on every process, at least one.
            part: makes new tensors, of the same shapes for every item.

        Cost: `part` on the own share; log₂ of the number of leaves sums are held at once.
        """
        waiting: list[list[Tensor]] = []
        for k, leaf in enumerate(self._own_leaves(items), 1):
            total = part(leaf[0])
            for item in leaf[1:]:
                torch._foreach_add_(total, part(item))
            waiting.append(total)
            while k % 2 == 0:
                right = waiting.pop()
                torch._foreach_add_(waiting[-1], right)
                k //= 2
        (found,) = waiting
        return self._total(found) if self.is_sharing(items) else found

    def filled(
        self, items: Sequence[Item], arrays: Sequence[Tensor], fill: Callable[[Item], None]
    ) -> None:
        """Let every item fill rows of its own in the arrays; every process has all rows.

        Args:
            items: the same on every process.
            arrays: of zeros.
            fill: writes into them.
        """
        for item in self.own(items):
            fill(item)
        self.complete(items, arrays)

    def complete(self, items: Sequence[Item], arrays: Sequence[Tensor]) -> None:
        """Put the rows that the items of others have filled in the place of zeros."""
        if self.is_sharing(items):
            for array, total in zip(arrays, self._total(list(arrays)), strict=True):
                array.copy_(total)

    def most(self, values: Sequence[float]) -> list[float]:
        """Return the largest of all processes for each value. Cost: log₂ p messages."""
        found = torch.tensor(list(values), dtype=torch.float64)
        for partner in self._partners():
            found = torch.maximum(found, self._exchanged(found, partner))
        most: list[float] = found.tolist()
        return most

    def _partners(self) -> list[int]:
        return [self.index ^ (1 << k) for k in range(self.size.bit_length() - 1)]

    def _own_leaves(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Yield the items of each leaf that this process adds, in the order of the tree.

        Leaf j of 2^m has every 2^m-th item from the one whose number is that of j with its bits
        reversed, so that subtrees have items of all kinds.
        """
        count = _num_leaves(len(items))
        length = count // self.size if self.is_sharing(items) else count
        begin = self.index * length if self.is_sharing(items) else 0
        num_bits = count.bit_length() - 1
        for j in range(begin, begin + length):
            reverse = int(f"{j:0{num_bits}b}"[::-1], 2) if num_bits else 0
            yield items[reverse::count]

    def _total(self, parts: list[Tensor]) -> list[Tensor]:
        """Return the sums of tensors over all processes, nearest neighbours first."""
        sizes = [part.numel() for part in parts]
        flat = torch.cat([part.reshape(-1) for part in parts])
        padding = -len(flat) % self.size
        whole = torch.nn.functional.pad(flat, (0, padding))
        begin, length = 0, len(whole)
        for partner in self._partners():
            length //= 2
            is_upper = partner < self.index
            kept, given = begin + length * is_upper, begin + length * (not is_upper)
            whole[kept : kept + length] += self._exchanged(whole[given : given + length], partner)
            begin = kept
        for partner in reversed(self._partners()):
            received = self._exchanged(whole[begin : begin + length], partner)
            is_upper = partner < self.index
            other = begin - length if is_upper else begin + length
            whole[other : other + length] = received
            begin, length = min(begin, other), 2 * length
        found = whole[: len(flat)].split(sizes)
        return [own.view(part.shape) for own, part in zip(found, parts, strict=True)]

    def _exchanged(self, given: Tensor, partner: int) -> Tensor:
        assert self._swap is not None
        self.num_bytes += given.numel() * given.element_size()
        self.num_messages += 1
        return self._swap(given, partner)


def _num_leaves(num_items: int) -> int:
    """Return the largest power of two of leaves that all have an item."""
    return min(MOST_LEAVES, 1 << (num_items.bit_length() - 1)) if num_items else 0


_present = [Ranks()]


def ranks() -> Ranks:
    """Return the processes that share what is computed now; one alone by default."""
    return _present[-1]


@contextmanager
def sharing(among: Ranks) -> Iterator[None]:
    """Share what is computed inside the block."""
    _present.append(among)
    try:
        yield
    finally:
        _present.pop()
