"""Which parameters of a model belong to layers that are understood, and words for the others.

All faults of a model are found here, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from torch import Tensor, nn

from pinngate.errors import InputError, nearest
from pinngate.torch.layer_contributions import refusal, rule_of


def layers_of(model: nn.Module) -> Iterator[nn.Module]:
    """Yield all layers but the parts of attention, which are never called as modules."""
    inner = {
        part
        for layer in model.modules()
        if isinstance(layer, nn.MultiheadAttention)
        for part in layer.children()
    }
    yield from (layer for layer in model.modules() if layer not in inner)


def watched_parameters(model: nn.Module, without: Collection[str]) -> dict[Tensor, str]:
    """Return the parameters to watch with their names.

    Raises:
        InputError: a name is unknown, a layer mixes examples, or parameters belong to no layer
            that is understood.
    """
    names = {parameter: name for name, parameter in model.named_parameters()}
    for name in without:
        if name not in names.values():
            raise InputError(
                f"without: the model has no parameter {name!r}", hint=nearest(name, names.values())
            )
    for name, layer in model.named_modules():
        if reason := refusal(layer):
            raise InputError(
                f"{name or 'model'}: {type(layer).__name__} {reason[0]}", hint=reason[1]
            )
    known = {
        parameter
        for layer in layers_of(model)
        if (is_attention := isinstance(layer, nn.MultiheadAttention)) or rule_of(layer)
        for parameter in layer.parameters(recurse=is_attention)
    }
    watched: dict[Tensor, str] = {
        p: name for p, name in names.items() if p.requires_grad and name not in without
    }
    if unknown := [name for p, name in watched.items() if p not in known]:
        raise InputError(
            f"got parameters of no layer that is understood: {', '.join(unknown)}",
            expected="expected linear, convolution, embedding, normalising and attention layers",
            hint=f"leave them out, without={unknown!r}; their noise is then estimated from "
            "successive gradients",
        )
    return watched
