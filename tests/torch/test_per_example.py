"""Per-example statistics by hooks against one backward pass for every example."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pinngate.torch import ExampleMoments, PerExample
from tests.torch.models import CASES, NUM_EXAMPLES, Case, case, gradients

EXACT = ("loop", "pairs")


def taken(of: Case, *, reduction: str = "mean", **options: object) -> ExampleMoments:
    """Statistics of one backward pass over the whole batch."""
    of.model.zero_grad()
    with PerExample(of.model, reduction=reduction, **options) as examples:
        losses = of.losses(of.inputs)
        (losses.mean() if reduction == "mean" else losses.sum()).backward()
        return examples.take()


def assert_equal(found: Tensor, expected: Tensor) -> None:
    """To 1e-10 of the largest entry."""
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * scale + 1e-300)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("mode", EXACT)
@pytest.mark.parametrize("name", CASES)
def test_exact_modes_equal_one_backward_pass_for_each_example(
    name: str, mode: str, reduction: str
) -> None:
    of = case(name)
    truth = gradients(of)
    found = taken(of, mode=mode, reduction=reduction)
    weight = 1 if reduction == "mean" else NUM_EXAMPLES
    assert found.num_examples == NUM_EXAMPLES
    for key, parameter in of.model.named_parameters():
        variance = truth[key].var(0, correction=0)
        assert_equal(found.mean[parameter], truth[key].mean(0))
        assert_equal(found.mean[parameter] * weight, parameter.grad)
        assert_equal(found.variance[parameter], variance)
        expected = weight**2 * variance / (NUM_EXAMPLES - 1)
        assert_equal(found.variance_of_gradient[parameter], expected)
