"""No gradient is written down for every example: the largest tensor of a backward pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pinngate.torch import PerExample

NUM_EXAMPLES = 256


class LargestTensor(TorchDispatchMode):
    """Notes the most numbers that any result of an operation has storage for."""

    def __init__(self) -> None:
        super().__init__()
        self.num_numbers = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        results = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(results):
            if isinstance(leaf, Tensor):
                size = leaf.untyped_storage().nbytes() // leaf.element_size()
                self.num_numbers = max(self.num_numbers, size)
        return results


LAYERS = {
    "linear": (nn.Linear(96, 96), (8, 96)),
    "linear, one token": (nn.Linear(96, 96), (96,)),
    "conv2d": (nn.Conv2d(32, 32, 3), (32, 4, 4)),
    "attention": (nn.TransformerEncoderLayer(64, 4, 64, batch_first=True), (6, 64)),
}


@pytest.mark.parametrize("mode", ["grouped", "pairs"])
@pytest.mark.parametrize("name", LAYERS)
def test_no_tensor_has_a_gradient_for_every_example(name: str, mode: str) -> None:
    model, shape = LAYERS[name]
    x = torch.randn(NUM_EXAMPLES, *shape)
    num_weights = max(p.numel() for p in model.parameters())
    with PerExample(model, mode=mode) as examples, LargestTensor() as largest:
        model(x).square().mean().backward()
        assert examples.take().num_examples == NUM_EXAMPLES
    assert largest.num_numbers <= NUM_EXAMPLES * num_weights / 8


def test_an_embedding_forms_the_rows_that_are_looked_up() -> None:
    model, words = nn.Embedding(50_000, 4), torch.randint(0, 50_000, (NUM_EXAMPLES, 3))
    with PerExample(model, num_groups=32) as examples, LargestTensor() as largest:
        model(words).square().mean().backward()
        examples.take()
    assert largest.num_numbers == model.weight.numel()
