"""Which layers are understood, and what the examples contribute to their parameters.

A rule takes a layer, its input and the adjoints of its output, and yields each parameter with its
`Contribution`. `RULES` lists the layers; `refusal` says in words why some can have no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from pinngate.errors import InputError
from pinngate.torch.contributions import Contribution, Lookups, Products, Written
from pinngate.torch.windows import Convolution, Windows

Contributions = Iterator[tuple[Tensor, Contribution]]
Rule = Callable[..., Contributions]


def precise(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a factor in the type in which products are formed: the parameter's, or float32.

    Layers under autocast hand over half precision, in which squares of gradients are lost.
    """
    return tensor.to(torch.promote_types(parameter.dtype, torch.float32))


def by_example(tensor: Tensor, batch_axis: int, num_features: int = 1) -> Tensor:
    """Return (N, tokens, *features) of a tensor whose last axes are features."""
    first = tensor.movedim(batch_axis, 0)
    features = first.shape[first.ndim - num_features :]
    return first.reshape(first.shape[0], -1, *features)


def linear(
    weight: Tensor, bias: Tensor | None, inputs: Tensor, adjoints: Tensor, batch_axis: int = 0
) -> Contributions:
    """Yield the contributions to ``inputs @ weight.T + bias``."""
    d = by_example(precise(adjoints, weight), batch_axis)
    if weight.requires_grad:
        yield weight, Products(d, by_example(precise(inputs, weight), batch_axis))
    if bias is not None and bias.requires_grad:
        yield bias, Written(d)


def _linear(layer: nn.Linear, inputs: Tensor, adjoints: Tensor, batch_axis: int) -> Contributions:
    _require_batch(layer, inputs, 2)
    yield from linear(layer.weight, layer.bias, inputs, adjoints, batch_axis)


def _embedding(
    layer: nn.Embedding, inputs: Tensor, adjoints: Tensor, batch_axis: int
) -> Contributions:
    _require_batch(layer, inputs, 1)
    indices = by_example(inputs, batch_axis, 0)
    d = by_example(precise(adjoints, layer.weight), batch_axis)
    if layer.padding_idx is not None:
        d = d.masked_fill((indices == layer.padding_idx)[..., None], 0.0)
    yield layer.weight, Lookups(d, indices, layer.num_embeddings)


def _convolution(
    layer: Convolution, inputs: Tensor, adjoints: Tensor, batch_axis: int
) -> Contributions:
    _require_batch(layer, inputs, 2 + len(layer.kernel_size))
    d = precise(adjoints, layer.weight)
    if layer.weight.requires_grad:
        yield layer.weight, Windows.of(layer, precise(inputs, layer.weight), d)
    if layer.bias is not None and layer.bias.requires_grad:
        yield layer.bias, Written(_sum_places(d)[:, None])


def _normalised_features(
    layer: nn.LayerNorm | nn.RMSNorm, inputs: Tensor, adjoints: Tensor, batch_axis: int
) -> Contributions:
    """Layer and root-mean-square normalisation: scale and shift over the last axes."""
    num_features = len(layer.normalized_shape)
    _require_batch(layer, inputs, 1 + num_features)
    d = by_example(precise(adjoints, layer.weight), batch_axis, num_features)
    if layer.weight.requires_grad:
        normalise = (
            functional.layer_norm if isinstance(layer, nn.LayerNorm) else functional.rms_norm
        )
        eps = torch.finfo(inputs.dtype).eps if layer.eps is None else layer.eps
        normal = normalise(precise(inputs, layer.weight), list(layer.normalized_shape), eps=eps)
        yield layer.weight, Written(d * by_example(normal, batch_axis, num_features))
    bias = getattr(layer, "bias", None)
    if bias is not None and bias.requires_grad:
        yield bias, Written(d)


def _normalised_channels(
    layer: nn.GroupNorm, inputs: Tensor, adjoints: Tensor, batch_axis: int
) -> Contributions:
    """Group normalisation: scale and shift of channels, (N, channels, *places)."""
    d = precise(adjoints, layer.weight)
    if layer.weight.requires_grad:
        wide = precise(inputs, layer.weight)
        normal = functional.group_norm(wide, layer.num_groups, eps=layer.eps)
        yield layer.weight, Written(_sum_places(d * normal)[:, None])
    if layer.bias.requires_grad:
        yield layer.bias, Written(_sum_places(d)[:, None])


def _sum_places(values: Tensor) -> Tensor:
    return values.reshape(*values.shape[:2], -1).sum(2)


def _require_batch(layer: nn.Module, inputs: Tensor, num_axes: int) -> None:
    if inputs.ndim < num_axes:
        raise InputError(
            f"{type(layer).__name__}: got an input of shape {tuple(inputs.shape)}, "
            "in which no axis is one of examples",
            expected=f"expected at least {num_axes} axes",
            hint="give the layer a batch, if of a single example",
        )


# By class, the first that fits; subclasses must compute what their parent does.
RULES: Mapping[type[nn.Module], Rule] = MappingProxyType(
    {
        nn.Linear: _linear,
        nn.Embedding: _embedding,
        nn.Conv1d: _convolution,
        nn.Conv2d: _convolution,
        nn.Conv3d: _convolution,
        nn.LayerNorm: _normalised_features,
        nn.RMSNorm: _normalised_features,
        nn.GroupNorm: _normalised_channels,
    }
)
"""The layers that are understood: ``rule(layer, inputs, adjoints, batch_axis)``."""


def rule_of(layer: nn.Module) -> Rule | None:
    """Return the rule of a layer, None where there is none."""
    return next((rule for kind, rule in RULES.items() if isinstance(layer, kind)), None)


def refusal(layer: nn.Module) -> tuple[str, str] | None:
    """Return why a layer can have no rule at all and what to do, None where it may have one."""
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return (
            "normalises over the batch, so that no example has a gradient of its own",
            "use GroupNorm, LayerNorm or RMSNorm, which normalise within an example",
        )
    if isinstance(layer, nn.Embedding) and layer.scale_grad_by_freq:
        return (
            "scales gradients by how often the batch names a row, which mixes examples",
            "pass scale_grad_by_freq=False",
        )
    if isinstance(layer, nn.Embedding) and layer.sparse:
        return ("has sparse gradients, which have no gate", "pass sparse=False")
    return None
