"""Functions of the caller's own in formulas: how many arguments they take, values and derivatives.

Where no text can say a residual, a Python function of torch tensors can. It works on each element
by itself; its partial derivatives come from autograd, so that a tree that holds it is
differentiated as exactly as any other.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinngate.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class OwnFunction:
    """A named function f(a₁, …, a_n) of tensors of one shape that returns a tensor of that shape.

    Two are equal where name and Python function are the same.
    """

    name: str
    function: Callable[..., Any]

    def num_arguments(self) -> tuple[int, float]:
        """Return the least and the largest number of arguments, as its signature tells.

        One or more, where there is no signature, as of functions written in C.
        """
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):
            return 1, math.inf
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            most = math.inf
        else:
            most = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
        positional = (
            p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        )
        return max(1, sum(p.default is p.empty for p in positional)), most

    def evaluate(self, arguments: Sequence[Any], by: Sequence[int] = ()) -> Any:
        """Return the function, or its partial derivative by some of its arguments, elementwise.

        Args:
            arguments: numbers, numpy arrays or tensors; the function sees tensors of their common
                shape, of the type and device of the first tensor, else in double precision.
            by: indices of the arguments by which to differentiate, one after the other.

        Returns:
            A tensor where one of the arguments is one, else an array or a float.

        Raises:
            InputError: the function fails, or returns another shape.

        Cost: a call, and for each derivative about two more.
        """
        import numpy as np
        import torch

        like = next((a for a in arguments if isinstance(a, torch.Tensor)), None)
        first = torch.zeros((), dtype=torch.float64) if like is None else like
        given = [
            a if isinstance(a, torch.Tensor) else torch.from_numpy(np.array(a, float)).to(first)
            for a in arguments
        ]
        value = self._derivative(torch.broadcast_tensors(*given), by)
        if like is not None:
            return value
        is_number = all(np.ndim(a) == 0 for a in arguments)
        return float(value) if is_number else value.numpy()

    def _derivative(self, arguments: Sequence[Tensor], by: Sequence[int]) -> Tensor:
        """Return ∂f; the sum over the elements has the elements' derivatives as its gradient."""
        import torch

        is_recorded = any(a.requires_grad for a in arguments) and torch.is_grad_enabled()
        with torch.set_grad_enabled(is_recorded or bool(by)):
            # apart from each other, even where one tensor stands at two places
            seen = [a.clone() if is_recorded else a.detach().clone() for a in arguments]
            for index in by:
                seen[index].requires_grad_()
            value = self._call(seen)
            for index in by:
                value = self._slope(value, seen[index])
        return value if is_recorded else value.detach()

    def _slope(self, value: Tensor, argument: Tensor) -> Tensor:
        import torch

        if not value.requires_grad:
            return torch.zeros_like(value)
        try:
            (slope,) = torch.autograd.grad(
                value.sum(), argument, create_graph=True, materialize_grads=True
            )
        except RuntimeError as error:
            raise self._failed(error) from error
        return slope

    def _call(self, arguments: Sequence[Tensor]) -> Tensor:
        import torch

        try:
            value = self.function(*arguments)
        except InputError:
            raise
        except Exception as error:
            raise self._failed(error) from error
        shape = arguments[0].shape
        if isinstance(value, int | float):
            return arguments[0].new_full(shape, float(value))
        if not isinstance(value, torch.Tensor):
            raise InputError(
                f"the function '{self.name}' returns {type(value).__name__}",
                expected="a torch tensor of the shape of its arguments",
            )
        if value.shape != shape:
            raise InputError(
                f"the function '{self.name}' returns the shape {tuple(value.shape)} "
                f"for arguments of shape {tuple(shape)}",
                expected="a function that works on each element by itself",
            )
        return value.to(arguments[0].dtype)

    def _failed(self, error: Exception) -> InputError:
        told = str(error).splitlines()[0] if str(error) else ""
        return InputError(
            f"the function '{self.name}' fails: {type(error).__name__}: {told}",
            expected="a function of torch tensors that autograd differentiates",
        )
