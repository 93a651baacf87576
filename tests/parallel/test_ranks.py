"""Sums over shares: one order for every number of processes, and what they send."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from threading import Thread

import pytest
import torch
from torch import Tensor

from pinngate.parallel.launch import MOST_LEAVES
from pinngate.parallel.ranks import Ranks


def together(size: int, work: Callable[[Ranks], object]) -> list[tuple[Ranks, object]]:
    """Return what every one of `size` threads makes of the work, which they share."""
    boxes = {(a, b): Queue() for a in range(size) for b in range(size)}

    def swap_of(index: int) -> Callable[[Tensor, int], Tensor]:
        def swap(given: Tensor, partner: int) -> Tensor:
            boxes[index, partner].put(given.clone())
            return boxes[partner, index].get(timeout=20)

        return swap

    among = [Ranks(k, size, swap_of(k)) for k in range(size)]
    found: list[object] = [None] * size

    def run(k: int) -> None:
        found[k] = work(among[k])

    threads = [Thread(target=run, args=(k,)) for k in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(zip(among, found, strict=True))


def tiles(count: int) -> list[Tensor]:
    # sizes over many decades: any other order of the sum has another last bit
    generator = torch.Generator().manual_seed(count)
    shape = (count, 37)
    sizes = 10 ** (8 * torch.rand(shape, generator=generator, dtype=torch.float64))
    return list(sizes * torch.randn(shape, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("count", [1, 3, 4, 7, 8, 9, 64, 200])
def test_a_sum_is_the_same_to_the_last_bit(size: int, count: int) -> None:
    items = tiles(count)

    def work(among: Ranks) -> list[Tensor]:
        return among.summed(items, lambda item: [item[:30].clone(), item[30:].view(7, 1).clone()])

    alone = work(Ranks())
    torch.testing.assert_close(torch.cat([alone[0], alone[1][:, 0]]), torch.stack(items).sum(0))
    for _, found in together(size, work):
        assert torch.equal(found[0], alone[0])
        assert torch.equal(found[1], alone[1])


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 4, 11, 130])
def test_every_item_is_taken_once(size: int, count: int) -> None:
    shares = [own for _, own in together(size, lambda among: among.own(range(count)))]
    if count < size:
        assert all(list(own) == list(range(count)) for own in shares)
    else:
        assert sorted(k for own in shares for k in own) == list(range(count))
        assert max(map(len, shares)) <= 2 * min(map(len, shares))


def test_rows_that_others_fill_are_there() -> None:
    def work(among: Ranks) -> Tensor:
        rows = torch.zeros(10, 2)

        def fill(k: int) -> None:
            rows[k] = k + 1.0

        among.filled(range(10), [rows], fill)
        return rows

    for _, rows in together(4, work):
        assert torch.equal(rows[:, 0], torch.arange(1.0, 11.0))


@pytest.mark.parametrize("size", [2, 4, 8])
def test_what_is_sent_is_what_the_formula_says(size: int) -> None:
    items = [torch.ones(64, dtype=torch.float64) for _ in range(MOST_LEAVES)]
    for among, _ in together(size, lambda a: a.summed(items, lambda item: [item.clone()])):
        assert among.num_bytes == 2 * (1 - 1 / size) * 64 * 8
        assert among.num_messages == 2 * (size.bit_length() - 1)


def test_few_items_are_not_shared() -> None:
    for among, found in together(4, lambda a: a.summed(tiles(3), lambda item: [item.clone()])):
        assert among.num_bytes == 0
        assert torch.equal(found[0], Ranks().summed(tiles(3), lambda item: [item.clone()])[0])


def test_the_largest_value_of_all_is_told() -> None:
    for among, found in together(4, lambda a: a.most([float(a.index), -1.0])):
        assert found == [3.0, -1.0]
        assert among.is_first == (among.index == 0)
    assert Ranks().most([2.0]) == [2.0]
