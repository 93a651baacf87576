"""Attention whose projections are in the open gives what the layer itself gives."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from pinngate.errors import InputError
from pinngate.torch import PerExample

NUM_EXAMPLES, LENGTH, WIDTH, NUM_HEADS = 3, 5, 8, 2

OPTIONS = [
    {},
    {"batch_first": True, "bias": False},
    {"add_bias_kv": True, "add_zero_attn": True},
    {"kdim": 4, "vdim": 6, "batch_first": True},
]


def masks() -> list[dict[str, object]]:
    hidden = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    ends = torch.zeros(NUM_EXAMPLES, LENGTH, dtype=torch.bool)
    ends[1, 3:] = True
    each = torch.randn(NUM_EXAMPLES * NUM_HEADS, LENGTH, LENGTH, dtype=torch.float64)
    return [
        {},
        {"attn_mask": hidden},
        {"attn_mask": hidden, "is_causal": True},
        {"key_padding_mask": ends},
        {
            "attn_mask": each,
            "key_padding_mask": torch.zeros(ends.shape).double().masked_fill_(ends, -9.0),
        },
        {"attn_mask": hidden, "key_padding_mask": ends, "average_attn_weights": False},
    ]


@pytest.mark.parametrize(
    ("options", "mask", "need_weights"), list(itertools.product(OPTIONS, range(6), [True, False]))
)
def test_outputs_and_weights_are_the_layers_own(
    options: dict[str, object], mask: int, need_weights: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(WIDTH, NUM_HEADS, dtype=torch.float64, **options)
    shape = (NUM_EXAMPLES, LENGTH) if layer.batch_first else (LENGTH, NUM_EXAMPLES)
    query, key, value = (
        torch.randn(*shape, width, dtype=torch.float64) for width in (WIDTH, layer.kdim, layer.vdim)
    )
    sources = (query, query, query) if layer.kdim == WIDTH and mask % 2 else (query, key, value)
    given = masks()[mask]
    expected = layer(*sources, need_weights=need_weights, **given)
    with PerExample(layer):
        found = layer(*sources, need_weights=need_weights, **given)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("need_weights", [True, False])
def test_dropout_drops_while_training_alone(need_weights: bool) -> None:
    layer = nn.MultiheadAttention(WIDTH, NUM_HEADS, dropout=0.5, batch_first=True)
    x = torch.randn(NUM_EXAMPLES, LENGTH, WIDTH)
    with PerExample(layer):
        first, second = (layer(x, x, x, need_weights=need_weights)[0] for _ in range(2))
        assert not torch.equal(first, second)
        layer.eval()
        first, second = (layer(x, x, x, need_weights=need_weights)[0] for _ in range(2))
        assert torch.equal(first, second)


def test_a_single_sequence_has_no_examples() -> None:
    layer = nn.MultiheadAttention(WIDTH, NUM_HEADS)
    x = torch.randn(LENGTH, WIDTH)
    with PerExample(layer), pytest.raises(InputError, match="no axis of examples"):
        layer(x, x, x)
    with PerExample(layer), pytest.raises(InputError, match="without attn_mask"):
        layer(x[None], x[None], x[None], is_causal=True)
