"""The error of the fields that physics unmet by a constrained basis stands for.

What is left over of an equation varies along some axis too fast for the basis. A field e that would
do away with it varies as fast, and an equation L makes much of such fields: with random ones from
the upper half of the frequencies of axis a

    mean e² ≈ Σ_a mean ((1 − Q_a) r)²/G_a,   G_a = mean (L e)²/mean e².

Beside `resolved`, whose Q_a this is; `working_space` adds it to the risk.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.linear.forms import Trial
from pinngate.linear.jacobian import Batches, jacobian
from pinngate.model.axis_functions import AxisFunctions
from pinngate.model.bases import TensorBasis
from pinngate.model.row_weights import RowWeights
from pinngate.model.trefftz_basis import TrefftzBasis
from pinngate.optim.collocation.resolved import Resolved

Array = NDArray[np.float64]

Gains = Mapping[str, Mapping[str, float]]
"""G of each axis, by term."""


def gains(
    trial: Trial, tensor: TensorBasis, axes: tuple[str, ...], batches: Batches, weights: RowWeights
) -> Gains:
    """Return Σ (L e)² of each term over mean e², for fields that vary fast along each axis.

    Args:
        trial: a linear problem.
        tensor: its basis.
        axes: names.
        batches: nodes of every term.
        weights: of the rows.
    """
    generator = torch.Generator().manual_seed(0)
    smoothing = torch.as_tensor(tensor.smoothing).repeat(tensor.num_outputs)
    by_axis = zip(tensor.functions, tensor.members.T, strict=True)
    shares = np.stack([_share(functions)[members] for functions, members in by_axis])
    is_fast = torch.as_tensor((shares <= 1).all(0) & (shares > 0.5)).T
    drawn = torch.randn(len(smoothing), len(axes), generator=generator, dtype=smoothing.dtype)
    drawn *= is_fast.repeat(tensor.num_outputs, 1)
    drawn *= (2 ** len(axes) / drawn.square().sum(0)).sqrt() / smoothing[:, None]
    fields = TrefftzBasis(tensor, torch.zeros_like(smoothing), drawn)
    rows = jacobian(trial.model, fields, trial.coefficients, batches, weights)[0].square()
    return {
        name: dict(zip(axes, rows[own].sum(0).tolist()[: len(axes)], strict=True))
        for name, own in weights.slices.items()
    }


def field_error(resolved: Resolved, residuals: Tensor, of: Gains) -> float:
    """Return the mean square error of the fields, in units of their size."""
    left = resolved.left_over_by_term(residuals)
    return sum(
        float(along.sum()) / max(of[name][axis], 1e-300)
        for name, own in left.items()
        for axis, along in own.items()
    )


def _share(functions: AxisFunctions) -> Array:
    """Return frequencies beside the highest that m functions resolve, π m/2."""
    return functions.frequencies / (np.pi * len(functions.frequencies) / 2)
