"""What examples contribute to the weight of a convolution in one, two or three dimensions.

At output place t a convolution multiplies its weight with the window a_nt of the padded input, so
h_n = Σ_t d_nt a_ntᵀ within each group of channels. Windows overlap: they are cut out of the input
only for the examples at hand, never for the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from pinngate.torch.contributions import Contribution, Rows

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


@dataclass(frozen=True)
class Windows(Contribution):
    """The weight of a convolution.

    Attributes:
        adjoints: derivatives of the loss by the outputs, (N, outputs, *places).
        inputs: padded inputs, (N, inputs, *size).
        kernel: size of the weight along each axis.
        stride: step of the window along each axis.
        dilation: spacing within the window along each axis.
        num_groups: groups of channels that do not see each other.
    """

    adjoints: Tensor
    inputs: Tensor
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    num_groups: int

    @classmethod
    def of(cls, layer: Convolution, inputs: Tensor, adjoints: Tensor) -> Windows:
        """Return the contribution of a layer that has seen inputs (N, channels, *size)."""
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        widths = list(chain.from_iterable(reversed(list(_paddings(layer)))))
        padded = functional.pad(inputs, widths, mode=mode) if any(widths) else inputs
        return cls(
            adjoints,
            padded,
            tuple(layer.kernel_size),
            tuple(layer.stride),
            tuple(layer.dilation),
            layer.groups,
        )

    @property
    def num_examples(self) -> int:
        """N."""
        return self.adjoints.shape[0]

    def part(self, rows: Rows) -> Windows:
        """Return the contribution of some examples."""
        return replace(self, adjoints=self.adjoints[rows], inputs=self.inputs[rows])

    def sums(self, length: int) -> Tensor:
        """Return (N/length, outputs, inputs/num_groups, *kernel)."""
        windows = self.inputs
        for axis, size in enumerate(self.kernel, start=2):
            reach = self.dilation[axis - 2] * (size - 1) + 1
            windows = windows.unfold(axis, reach, self.stride[axis - 2])
            windows = windows[..., :: self.dilation[axis - 2]]
        num_outputs, num_inputs = self.adjoints.shape[1], self.inputs.shape[1] // self.num_groups
        split = (self.num_examples // length, length, self.num_groups)
        num_places, size = self.adjoints[0, 0].numel(), math.prod(self.kernel)
        d = self.adjoints.reshape(*split, num_outputs // self.num_groups, num_places)
        a = windows.reshape(*split, num_inputs, num_places, size)
        sums = torch.einsum("kngot,kngitw->kgoiw", d, a)
        return sums.reshape(split[0], num_outputs, num_inputs, *self.kernel)


def _paddings(layer: Convolution) -> Iterator[tuple[int, int]]:
    """Yield what a layer adds before and after its input along each axis."""
    for axis, size in enumerate(layer.kernel_size):
        if layer.padding == "same":
            total = layer.dilation[axis] * (size - 1)
            yield total // 2, total - total // 2
        elif isinstance(layer.padding, str):
            yield 0, 0
        else:
            yield layer.padding[axis], layer.padding[axis]
