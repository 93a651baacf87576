"""Models and losses of single examples for the tests of `pinngate.torch`, in float64.

Each case is a model, a batch of inputs and a loss for each example; `gradients` is the truth they
are judged by: one backward pass for every example alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NUM_EXAMPLES = 11  # odd, so that groups have a rest
NUM_WORDS = 7
WIDTH = 6


class Tied(nn.Module):
    """Words in, words out, with one table for both, and a mixing layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(NUM_WORDS, WIDTH, padding_idx=0)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, NUM_WORDS, bias=False)
        self.head.weight = self.table.weight

    def forward(self, words: Tensor) -> Tensor:
        x = self.table(words)
        x = x + self.mix(torch.tanh(self.mix(x)))
        return self.head(x)


class Attention(nn.Module):
    """A layer of attention of any kind between other tensors than its own."""

    def __init__(self, is_self: bool = True, is_causal: bool = False, **options: object) -> None:
        super().__init__()
        self.is_self, self.is_causal = is_self, is_causal
        self.attention = nn.MultiheadAttention(WIDTH, 2, **options)
        self.batch_first = self.attention.batch_first
        self.key_width, self.value_width = self.attention.kdim, self.attention.vdim

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.batch_first else x.transpose(0, 1)
        length = x.shape[1 if self.batch_first else 0]
        mask = None
        if self.is_causal:
            mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        key, value = x, x
        if not self.is_self:
            repeats = -(-max(self.key_width, self.value_width) // WIDTH)
            wide = torch.cat([x.sin()] * repeats, dim=-1)
            key, value = wide[..., : self.key_width], wide.cos()[..., : self.value_width]
        y, _ = self.attention(x, key, value, attn_mask=mask, need_weights=not self.is_causal)
        return y if self.batch_first else y.transpose(0, 1)


class SmallTransformer(nn.Module):
    """Words with positions through torch's own encoder layers to the last word's scores."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.words = nn.Embedding(NUM_WORDS, WIDTH)
        self.positions = nn.Embedding(5, WIDTH)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 2, 2 * WIDTH, dropout, batch_first=True)
            for _ in range(2)
        )
        self.head = nn.Linear(WIDTH, NUM_WORDS)

    def forward(self, words: Tensor) -> Tensor:
        places = torch.arange(words.shape[1]).expand(words.shape)
        x = self.words(words) + self.positions(places)
        for block in self.blocks:
            x = block(x)
        return self.head(x[:, -1])


@dataclass(frozen=True)
class Case:
    """A model with a batch."""

    model: nn.Module
    inputs: Tensor

    def losses(self, inputs: Tensor) -> Tensor:
        """The loss of every example, (N,): smooth, and different in every output."""
        outputs = self.model(inputs)
        size, device = outputs[0].numel(), outputs.device
        weights = torch.linspace(0.5, 1.5, size, dtype=outputs.dtype, device=device)
        return (weights * outputs.flatten(1).sin()).sum(1)


def _values(*shape: int) -> Tensor:
    return torch.randn(NUM_EXAMPLES, *shape, dtype=torch.float64)


def _words(*shape: int) -> Tensor:
    return torch.randint(0, NUM_WORDS, (NUM_EXAMPLES, *shape))


def _network(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


def _trained_scales(model: nn.Module) -> nn.Module:
    """Move all parameters off their starting values, which hide errors in scales and shifts."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


CASES: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "linear": lambda: (
        _network(nn.Linear(4, 5), nn.ReLU(inplace=True), nn.Linear(5, 3, bias=False)),
        _values(4),
    ),
    "linear, 3 tokens": lambda: (_network(nn.Linear(4, 5), nn.Tanh()), _values(3, 4)),
    "linear, 2 x 4 tokens": lambda: (_network(nn.Linear(4, 5), nn.Tanh()), _values(2, 4, 4)),
    "conv1d": lambda: (
        _network(nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), nn.Tanh()),
        _values(4, 10),
    ),
    "conv1d, same": lambda: (nn.Conv1d(3, 4, 4, padding="same"), _values(3, 9)),
    "conv1d, valid": lambda: (nn.Conv1d(3, 4, 4, padding="valid", bias=False), _values(3, 9)),
    "conv2d": lambda: (
        _network(
            nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
            nn.Tanh(),
            nn.Conv2d(4, 4, 3, groups=4, padding=1, padding_mode="circular"),
        ),
        _values(3, 7, 6),
    ),
    "conv3d": lambda: (
        nn.Conv3d(2, 3, (2, 3, 2), padding=(0, 1, 2), stride=(1, 2, 1), padding_mode="replicate"),
        _values(2, 3, 5, 4),
    ),
    "embedding": lambda: (nn.Embedding(NUM_WORDS, 3, padding_idx=2), _words(4)),
    "embedding, one word": lambda: (nn.Embedding(NUM_WORDS, 3), _words()),
    "layer norm": lambda: (nn.LayerNorm(5), _values(3, 5)),
    "layer norm, two axes": lambda: (nn.LayerNorm((3, 5), bias=False), _values(3, 5)),
    "group norm": lambda: (nn.GroupNorm(2, 4), _values(4, 3, 2)),
    "group norm, no places": lambda: (nn.GroupNorm(2, 4), _values(4)),
    "rms norm": lambda: (nn.RMSNorm(5), _values(3, 5)),
    "attention": lambda: (Attention(batch_first=True), _values(4, WIDTH)),
    "attention, batch second": lambda: (Attention(is_causal=True), _values(4, WIDTH)),
    "attention, other keys": lambda: (
        Attention(is_self=False, batch_first=True, add_bias_kv=True, add_zero_attn=True),
        _values(4, WIDTH),
    ),
    "attention, other widths": lambda: (
        Attention(is_self=False, batch_first=True, kdim=4, vdim=8, bias=False),
        _values(4, WIDTH),
    ),
    "tied": lambda: (Tied(), _words(5)),
    "transformer": lambda: (SmallTransformer(), _words(5)),
}


def case(name: str, seed: int = 0) -> Case:
    """Return a case with random weights and inputs."""
    torch.manual_seed(seed)
    model, inputs = CASES[name]()
    return Case(_trained_scales(model.double()), inputs)


def gradients(of: Case, inputs: Tensor | None = None) -> dict[str, Tensor]:
    """Return every example's gradient, (N, *shape) by parameter: one backward pass for each."""
    rows: dict[str, list[Tensor]] = {name: [] for name, _ in of.model.named_parameters()}
    names = list(rows)
    parameters = [parameter for _, parameter in of.model.named_parameters()]
    for row in (of.inputs if inputs is None else inputs).split(1):
        loss = of.losses(row).sum()
        for name, gradient in zip(names, torch.autograd.grad(loss, parameters), strict=True):
            rows[name].append(gradient)
    return {name: torch.stack(row) for name, row in rows.items()}
