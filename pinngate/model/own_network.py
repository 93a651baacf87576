"""A network of the caller's own: any `torch.nn.Module` from points to fields.

Stands beside `Network`, whose channels go through known layers by hand. Here the inside is unknown:
derivatives along the axes and the gradient of every point over the weights come from automatic
differentiation (`channels.automatic`). To everything downstream such a network is one layer of P
biases without inputs, so that moments, Jacobian, products and posterior need not know of it. It
costs more than layers do: a derivative of order k about 3^k evaluations of the module, and rows of
P numbers a point.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pinngate.errors import InputError
from pinngate.model.channels.automatic import FunctionTape, propagate_function
from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import Channels, Tape
from pinngate.model.networks import Network

NUM_TRIED = 5  # points at which a module is tried
STEP = 1e-5  # of the weights, along which the gradient is checked
CLOSE = 1e-3  # relative difference of the finite difference, of order 1e-6 where all is well
EXPECTED = "a torch.nn.Module that maps points (N, inputs) to fields (N, outputs)"


class OwnNetwork(Network):
    """A module between scaled axes and fields of the data's size.

    The module is copied, switched to evaluation and brought to `dtype`. It sees every axis scaled
    to [−1, 1]; a periodic axis x̃ as the two inputs cos πx̃ and sin πx̃, which makes the fields
    exactly periodic. Its outputs are multiplied by `output_scale`, and `output_shift` is added.
    Trained are the parameters that require a gradient.

    Args:
        module: treats every point by itself, and is smooth: as often differentiable by autograd as
            the equations ask for, and once more by its weights.
        domain: (low, high) of each axis, in the order of the points' columns.
        axes: their names, for messages.
        is_periodic: for each axis, whether the fields repeat after high − low.
        output_scale: size of each field.
        output_shift: centre of each field.

    Raises:
        InputError: it is no module, takes another number of inputs or returns another shape than
            (N, outputs), mixes points, has nothing to train or cannot be differentiated.
    """

    def __init__(
        self,
        module: nn.Module,
        domain: Sequence[tuple[float, float]],
        axes: Sequence[str],
        *,
        is_periodic: Sequence[bool],
        output_scale: Sequence[float],
        output_shift: Sequence[float],
        dtype: torch.dtype,
    ) -> None:
        nn.Module.__init__(self)
        if not isinstance(module, nn.Module):
            raise InputError(f"the network is a {type(module).__name__}", expected=EXPECTED)
        self.module = copy.deepcopy(module).to("cpu", torch.float64).eval()
        self.columns = None
        self.is_periodic = tuple(is_periodic)
        self.input_names = [
            name
            for axis, turns in zip(axes, is_periodic, strict=True)
            for name in ((f"cos({axis})", f"sin({axis})") if turns else (axis,))
        ]
        self._hold_axes(domain, torch.float64)
        for name, values in (
            ("output_scale", output_scale),
            ("output_shift", output_shift),
        ):
            self.register_buffer(name, torch.tensor(list(values), dtype=torch.float64))
        self._try_values()
        self._try_derivatives()
        self.to(dtype)

    @property
    def _points(self) -> Tensor:
        """Return the points at which the module is tried, (NUM_TRIED, axes)."""
        shares = torch.linspace(0.1, 0.8, NUM_TRIED, dtype=self.low.dtype)[:, None]
        return self.low + (self.high - self.low) * shares

    def _try_values(self) -> None:
        """Refuse a module of which the values are wrong, before anything is computed."""
        kind, points = type(self.module).__name__, self._points
        if not self.weights:
            raise InputError(
                f"the network {kind} has nothing to train",
                expected="at least one parameter that requires a gradient",
            )
        with torch.no_grad():
            try:
                values = self.module(self.inputs(points))
                alone = self.module(self.inputs(points[:1]))
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                raise self._wrong_inputs(error) from None
        expected = (NUM_TRIED, self.num_outputs)
        if not isinstance(values, Tensor) or tuple(values.shape) != expected:
            found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise InputError(
                f"the network {kind} returns {found} at {NUM_TRIED} points, "
                f"and the problem has {self.num_outputs} unknown(s)",
                expected=f"a tensor of shape {expected}",
            )
        if not torch.allclose(values[:1], alone, equal_nan=True):
            raise InputError(
                f"the network {kind} gives a point another value among others than alone",
                expected="a network that treats every point by itself",
            )

    def _try_derivatives(self) -> None:
        """Compare autograd with a finite difference over the weights, up to second derivatives.

        Third derivatives of some functions are silently wrong in torch (2.13: `LayerNorm`).
        """
        num_axes = self.low.numel()
        twice = [tuple(2 * (a == axis) for a in range(num_axes)) for axis in range(num_axes)]
        plan = Plan((), ((0,) * num_axes, *twice), (), (), {})
        channels = Channels(plan, self._points, [])
        named = {name: weight.detach() for name, weight in self.named_weights.items()}
        waves = {n: torch.cos(torch.arange(w.numel()).to(w)).view_as(w) for n, w in named.items()}

        def moved(step: float) -> FunctionTape:
            weights = {name: weight + step * waves[name] for name, weight in named.items()}
            return propagate_function(self.fields, weights, channels, self.num_outputs)

        tape = moved(0.0)
        ((rows, _),) = tape.backward(torch.ones_like(tape.outputs))
        found = rows[0] @ torch.cat([wave.reshape(-1) for wave in waves.values()])
        ends = [moved(step).outputs.sum((0, 2)) for step in (STEP, -STEP)]
        expected = (ends[0] - ends[1]) / (2 * STEP)
        if not torch.allclose(found, expected, rtol=CLOSE, atol=CLOSE * float(found.abs().max())):
            raise InputError(
                f"autograd's derivatives of the network {type(self.module).__name__} are not those "
                "of its values",
                expected="smooth functions of torch; its LayerNorm is differentiated wrongly "
                "beyond second derivatives, and formulas in its place are not",
            )

    def _wrong_inputs(self, error: Exception) -> InputError:
        """Name both numbers of inputs, as far as a first linear layer tells its own."""
        kind, wanted = type(self.module).__name__, len(self.input_names)
        listed = ", ".join(self.input_names)
        first = next((m for m in self.module.modules() if isinstance(m, nn.Linear)), None)
        if first is not None and first.in_features != wanted:
            what = f"the network {kind} takes {first.in_features} input(s), and the problem has "
            return InputError(what + f"{wanted}: {listed}", expected=f"{wanted} input(s)")
        return InputError(
            f"the network {kind} cannot be evaluated at points of {wanted} input(s), {listed}: "
            f"{str(error).splitlines()[0]}",
            expected=EXPECTED,
        )

    @property
    def weights(self) -> list[nn.Parameter]:
        """The parameters that require a gradient."""
        return list(self.named_weights.values())

    @property
    def named_weights(self) -> dict[str, nn.Parameter]:
        """The same by their names in the module."""
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}

    @property
    def linears(self) -> list[nn.Linear]:
        """None that could be relied on."""
        return []

    @property
    def layer_shapes(self) -> list[tuple[int, int]]:
        """One layer of P biases without inputs."""
        return [(self.num_parameters, 0)]

    @property
    def is_shallow(self) -> bool:
        """Nothing is known of its smoothness, and a mean of two modules is none."""
        return False

    @property
    def width_and_depth(self) -> tuple[int, int]:
        """Of layers whose gradients take as much memory: 2·width² numbers a point are 2 P."""
        return math.isqrt(self.num_parameters) + 1, 1

    def describe(self) -> dict[str, Any]:
        """Return the module's class and the number of its weights."""
        return {"own": type(self.module).__name__, "parameters": self.num_parameters}

    def hold_periodic(self, gradient: Tensor, layer: int = 0) -> Tensor:
        """Return the gradient: nothing is held, the inputs are periodic themselves."""
        return gradient

    def as_weights(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Cut the gradient of the P biases into those of the weights."""
        sizes = [weight.numel() for weight in self.weights]
        parts = torch.split(gradients[1], sizes)
        return [part.view_as(weight) for part, weight in zip(parts, self.weights, strict=True)]

    def inputs(self, points: Tensor) -> Tensor:
        """Return what the module sees of points (N, axes)."""
        scaled = (2 * points - self.low - self.high) / (self.high - self.low)
        if not any(self.is_periodic):
            return scaled
        columns = []
        for k, turns in enumerate(self.is_periodic):
            angle = math.pi * scaled[:, k : k + 1]
            columns += [torch.cos(angle), torch.sin(angle)] if turns else [scaled[:, k : k + 1]]
        return torch.cat(columns, 1)

    def fields(self, weights: Mapping[str, Tensor], points: Tensor) -> Tensor:
        """Return the fields of given weights: (N, axes) → (N, fields)."""
        output: Tensor = functional_call(self.module, dict(weights), (self.inputs(points),))
        return output * self.output_scale + self.output_shift

    def forward(self, points: Tensor) -> Tensor:
        """Return the fields at the points: (N, axes) → (N, fields)."""
        output: Tensor = self.module(self.inputs(self.searched(points)))
        return output * self.output_scale + self.output_shift

    def propagate(self, channels: Channels) -> Tape:
        """Carry derivative channels to the fields by automatic differentiation."""
        weights = {name: weight.detach() for name, weight in self.named_weights.items()}
        placed = replace(channels, points=self.searched(channels.points))
        return propagate_function(self.fields, weights, placed, self.num_outputs)
