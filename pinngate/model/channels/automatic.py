"""Channels through a function of unknown inside and back, by automatic differentiation.

The general twin of `layered`, for the networks of callers (`pinngate.model.own_network`).
Derivatives along the axes are nested reverse mode (`torch.func.grad`), which knows more functions
than forward mode and, nested, is right for all that were tried (torch 2.13: nested forward mode
through `LayerNorm` is not). The way back writes every point's gradient over the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad, vmap

from pinngate.errors import InputError
from pinngate.model.channels.plan import Orders
from pinngate.model.channels.propagate import Channels, LayerFactors

MAX_GRADIENTS = 1 << 22  # numbers in the rows that are differentiated at once: 32 MiB

Weights = Mapping[str, Tensor]
Fields = Callable[[Weights, Tensor], Tensor]
"""From weights and points (N, axes) to fields (N, fields), every point by itself."""
_Tower = Callable[[Tensor], dict[Orders, Tensor]]


@dataclass(frozen=True)
class FunctionTape:
    """The outputs (C, N, fields) of a function and how to come back to its weights."""

    outputs: Tensor
    fields: Fields
    weights: Weights
    channels: Channels

    def backward(self, adjoints: Tensor) -> list[LayerFactors]:
        """Return every point's gradient over the P weights as one layer of P biases.

        Raises:
            InputError: autograd cannot differentiate the function that often.

        Cost: about three times that of the outputs, and N·P numbers.
        """
        wanted = _wanted(self.channels)
        of = {orders: torch.zeros_like(adjoints[0]) for orders in wanted}
        plain = self.channels.plan.derivatives
        for orders, adjoint in zip(plain, adjoints, strict=False):
            of[orders] = of[orders] + adjoint
        for terms, adjoint in zip(self.channels.operators, adjoints[len(plain) :], strict=True):
            for orders, c in terms:
                of[orders] = of[orders] + c * adjoint

        def total(weights: Weights, point: Tensor, adjoint: Tensor) -> Tensor:
            values = _values(self.fields, weights, point[None], wanted, adjoint.shape[1])
            return (torch.cat([values[orders] for orders in wanted]) * adjoint).sum()

        num_weights = sum(weight.numel() for weight in self.weights.values())
        rowwise = vmap(grad(total), (None, 0, 1), chunk_size=max(1, MAX_GRADIENTS // num_weights))
        with _explained():
            rows = rowwise(self.weights, self.channels.points, torch.stack([*of.values()]))
        written = torch.cat([rows[name].flatten(1) for name in self.weights], 1)
        return [LayerFactors(written[None], written.new_empty(1, len(written), 0))]


def propagate_function(
    fields: Fields, weights: Weights, channels: Channels, num_fields: int
) -> FunctionTape:
    """Evaluate every channel of the fields.

    Raises:
        InputError: autograd cannot differentiate the function that often.

    Cost: for a derivative of order k about 3^k evaluations, for each field.
    """
    with _explained():
        values = _values(fields, weights, channels.points, _wanted(channels), num_fields)
    out = [values[orders] for orders in channels.plan.derivatives]
    for terms in channels.operators:
        out.append(torch.stack([c * values[orders] for orders, c in terms]).sum(0))
    return FunctionTape(torch.stack(out), fields, weights, channels)


def _wanted(channels: Channels) -> list[Orders]:
    """Return the derivatives that plain and collapsed channels are made of."""
    collapsed = [orders for terms in channels.operators for orders, _ in terms]
    return list(dict.fromkeys([*channels.plan.derivatives, *collapsed]))


def _values(
    fields: Fields, weights: Weights, points: Tensor, wanted: Sequence[Orders], num_fields: int
) -> dict[Orders, Tensor]:
    """Return ∂^α of the fields at the points, (N, fields) each."""

    def field(k: int) -> Callable[[Tensor], Tensor]:
        return lambda at: fields(weights, at)[:, k]

    found = [derivatives(field(k), points, wanted) for k in range(num_fields)]
    return {orders: torch.stack([f[orders] for f in found], 1) for orders in wanted}


def derivatives(
    function: Callable[[Tensor], Tensor], points: Tensor, wanted: Sequence[Orders]
) -> dict[Orders, Tensor]:
    """Return ∂^α of a function from points (N, axes) to one number for each, (N,).

    Args:
        function: takes every point by itself.
        points: where.
        wanted: the α. One gradient gives the derivatives along all axes, so that the way to the
            highest of them often passes the others.
    """
    found: dict[Orders, Tensor] = {}
    for orders in sorted(wanted, key=sum, reverse=True):
        if orders not in found:
            path = [axis for axis, count in enumerate(orders) for _ in range(count)]
            found |= _tower(function, path, len(orders))(points)
    return found


def _tower(function: Callable[[Tensor], Tensor], path: Sequence[int], num_axes: int) -> _Tower:
    """Return the function of the points that gives the derivatives along a path of axes."""
    if not path:
        return lambda points: {(0,) * num_axes: function(points)}
    lower = _tower(function, path[:-1], num_axes)
    below = tuple(path[:-1].count(axis) for axis in range(num_axes))

    def total(points: Tensor) -> tuple[Tensor, dict[Orders, Tensor]]:
        values = lower(points)
        return values[below].sum(), values

    def upper(points: Tensor) -> dict[Orders, Tensor]:
        gradient, values = grad(total, has_aux=True)(points)
        above = {
            tuple(count + (a == axis) for a, count in enumerate(below)): gradient[:, axis]
            for axis in range(num_axes)
        }
        return values | above

    return upper


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what autograd says of a function it cannot differentiate into an `InputError`."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise InputError(
            f"the network cannot be differentiated: {str(error).splitlines()[0]}",
            expected="functions of torch that autograd differentiates as often as the equations "
            "ask for, and once more by the weights",
        ) from error
