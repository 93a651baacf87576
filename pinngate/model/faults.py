"""Which term of a problem has no finite value, which part of its formula, and where.

Asked once a computation has broken down, so that the message names what a person wrote. Beside
`residuals`, whose tiles it walks once more.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pinngate.expression import Expression, parts
from pinngate.expression.evaluation import evaluated_parts
from pinngate.expression.printing import to_text
from pinngate.model.channels.propagate import forward
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch
from pinngate.model.tiles import Known, named_values

Values = Mapping[str, float | Tensor]


def fault(
    model: ResidualModel,
    network: Network,
    coefficients: Coefficients,
    batches: Mapping[str, Batch],
) -> str:
    """Return in words the first term with a value that is not finite, the part at fault and where.

    Args:
        model: the terms.
        network: the network.
        coefficients: the unknown coefficients (may be empty).
        batches: term name → its points.

    Cost: one forward propagation, and an evaluation of every part of the terms up to that one.
    """
    known = Known(model.constants, coefficients, model.axes)
    for block, segments, points in model.pieces(batches):
        propagation = forward(network, block.plan, points, known.values)
        for segment in segments:
            values, _ = named_values(segment, block.plan, propagation, points, known)
            found = _innermost(segment.residual, values)
            if found is not None:
                part, row = found
                place = points[segment.span][row].tolist()
                where = ", ".join(f"{a} = {x:.4g}" for a, x in zip(model.axes, place, strict=True))
                return f"in {segment.term.name}, {to_text(part)} has no finite value at {where}"
    return "of which term is not known"


def _innermost(expression: Expression, values: Values) -> tuple[Expression, int] | None:
    """Return a part that is not finite where all that it is made of is, and the first such row."""
    ordered, done = parts(expression), 0
    try:
        for part, value in evaluated_parts(expression, values, torch):
            broken = ~torch.isfinite(torch.as_tensor(value).reshape(-1))
            if bool(broken.any()):
                return part, int(broken.nonzero()[0])
            done += 1
    except (ArithmeticError, ValueError, TypeError):  # of numbers alone, such as sqrt(-1)
        return ordered[done], 0
    return None
