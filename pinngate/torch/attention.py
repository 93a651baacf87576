"""`nn.MultiheadAttention` with its projections in the open.

The layer holds three projections in one parameter and computes them inside one function of torch,
where no hook reaches. While it is watched its forward is an `OpenAttention`: the same map from the
same arguments, with projections whose outputs can be watched. Nothing is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from pinngate.errors import InputError
from pinngate.torch.contributions import Contribution, Products, Stacked, Written
from pinngate.torch.layer_contributions import Contributions, linear, precise

Watch = Callable[[Tensor, Callable[[Tensor], Contributions]], None]
"""Asks that what follows from a tensor's adjoints be recorded once they are known."""


@dataclass(frozen=True)
class OpenAttention:
    """The forward of a layer of attention whose parts are watched.

    Attributes:
        layer: the layer, whose parameters and options are read at every call.
        watch: is told of every projection.
    """

    layer: nn.MultiheadAttention
    watch: Watch

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return what the layer returns; arguments and shapes are its own.

        Raises:
            InputError: there is no batch axis, or `is_causal` comes without a mask.
        """
        if query.ndim != 3 or (is_causal and attn_mask is None):
            raise InputError(
                "MultiheadAttention: got "
                + ("is_causal without attn_mask" if query.ndim == 3 else "no axis of examples"),
                expected="expected a batch, and a mask wherever is_causal is set",
            )
        layer = self.layer
        q, k, v = (self._heads(x) for x in self._projections(query, key, value))
        added = k.shape[2] - key.shape[1 if layer.batch_first else 0]
        # as in torch: kernels have a faster way for a mask that is said to be causal; it hides the
        # keys that the layer adds, too
        is_plain = is_causal and key_padding_mask is None and not need_weights
        mask = None if is_plain else _additive_mask(attn_mask, key_padding_mask, q, added)
        dropout = layer.dropout if layer.training else 0.0
        weights = None
        if need_weights:
            scores = q @ k.transpose(2, 3) / math.sqrt(layer.head_dim)
            weights = (scores if mask is None else scores + mask).softmax(-1)
            weights = functional.dropout(weights, dropout)
            context = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            context = functional.scaled_dot_product_attention(q, k, v, mask, dropout, is_plain)
        context = context.transpose(1, 2).flatten(2)
        weight, bias = layer.out_proj.weight, layer.out_proj.bias
        output = functional.linear(context, weight, bias)
        self.watch(output, partial(linear, weight, bias, context.detach()))
        return output if layer.batch_first else output.transpose(0, 1), weights

    def _projections(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Return queries, keys and values, (N, length, width), keys and values with those added."""
        layer = self.layer
        is_self = query is key and key is value and layer.in_proj_weight is not None
        sources = [x if layer.batch_first else x.transpose(0, 1) for x in (query, key, value)]
        if is_self:
            weight, bias = layer.in_proj_weight, layer.in_proj_bias
            joint = functional.linear(sources[0], weight, bias)
            self.watch(joint, partial(linear, weight, bias, sources[0].detach()))
            q, k, v = joint.chunk(3, dim=-1)
        else:
            biases = (None,) * 3 if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)
            projected = map(functional.linear, sources, _weights(layer), biases)
            # one tensor, so that its adjoints come all at once
            joint = torch.cat(list(projected), dim=1)
            self.watch(joint, partial(_apart, layer, [x.detach() for x in sources]))
            q, k, v = joint.split([x.shape[1] for x in sources], dim=1)
        if layer.bias_k is not None and layer.bias_v is not None:
            k, v = (
                torch.cat([x, self._added_row(row, x)], dim=1)
                for x, row in ((k, layer.bias_k), (v, layer.bias_v))
            )
        if layer.add_zero_attn:
            k, v = (functional.pad(x, (0, 0, 0, 1)) for x in (k, v))
        return [q, k, v]

    def _added_row(self, row: Tensor, beside: Tensor) -> Tensor:
        """Return a parameter (1, 1, width) as one more key or value of every example."""
        rows = row.expand(beside.shape[0], 1, -1)
        self.watch(rows, lambda d: iter([(row, Written(precise(d, row)[:, :, None, None]))]))
        return rows.to(beside.dtype)

    def _heads(self, x: Tensor) -> Tensor:
        """Return (N, heads, length, width of a head)."""
        return x.unflatten(2, (self.layer.num_heads, self.layer.head_dim)).transpose(1, 2)


def _weights(layer: nn.MultiheadAttention) -> Sequence[Tensor]:
    if layer.in_proj_weight is not None:
        return layer.in_proj_weight.chunk(3)
    return (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)


def _apart(
    layer: nn.MultiheadAttention, sources: Sequence[Tensor], adjoints: Tensor
) -> Contributions:
    """Yield the contributions to three projections of different tensors.

    `adjoints` are those of all three one after the other, (N, sum of the lengths, width).
    """
    wide = precise(adjoints, layer.out_proj.weight)
    parts = wide.split([x.shape[1] for x in sources], dim=1)
    products: list[Contribution] = [
        Products(d, precise(x, layer.out_proj.weight)) for d, x in zip(parts, sources, strict=True)
    ]
    if layer.in_proj_weight is None:
        yield from zip(_weights(layer), products, strict=True)
    else:
        yield layer.in_proj_weight, Stacked(products)
    if layer.in_proj_bias is not None:
        yield layer.in_proj_bias, Written(torch.cat([d.sum(1, keepdim=True) for d in parts], dim=2))


def _additive_mask(
    mask: Tensor | None, key_padding: Tensor | None, q: Tensor, added: int
) -> Tensor | None:
    """Return the sum of both masks, (N or 1, heads or 1, queries, keys), None for neither.

    Boolean masks hide where they are true. Keys that the layer adds are never hidden.
    """
    total: Tensor | None = None
    for given in (mask, key_padding):
        if given is None:
            continue
        term = given.to(q.dtype)
        if given.dtype == torch.bool:
            term = torch.zeros_like(term).masked_fill_(given, -math.inf)
        if given is key_padding:
            term = term[:, None, None, :]
        elif given.ndim == 3:
            term = term.unflatten(0, q.shape[:2])
        else:
            term = term[None, None]
        total = term if total is None else total + term
    return total if total is None else functional.pad(total, (0, added))
