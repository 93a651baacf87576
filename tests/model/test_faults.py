"""What a message says of a term that has no finite value."""

from __future__ import annotations

import pytest
import torch

from pinngate.expression import parse
from pinngate.model.coefficients import Coefficients
from pinngate.model.faults import fault
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch, Term
from pinngate.statement.options import NetworkOptions
from tests.noisy_heat import DOUBLE, heat


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("u_t - u_xx + exp(1e4*(u**2 + 1))", "exp(10000*(u**2 + 1))"),
        ("u_t - x/(t - t)", "x/(t - t)"),
        ("u_xx + log(-1 - u**2)*u", "log(-1 - u**2)"),
    ],
)
def test_the_innermost_part_without_a_value_is_named(text: str, part: str) -> None:
    stated = heat()
    model = ResidualModel(
        [
            Term("observation_1", "observation", parse("u")),
            Term("equation_1", "equation", parse(text)),
        ],
        stated,
    )
    options = NetworkOptions(width=4, depth=1, activation="sin", features=1.0)
    domain = list(stated.domain.values())
    network = Network(domain, 1, options, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([[0.25, 0.5], [0.5, 0.5]], dtype=DOUBLE)
    batches = {"equation_1": Batch(points), "observation_1": Batch(points)}
    said = fault(model, network, Coefficients((), DOUBLE), batches)
    assert said == f"in equation_1, {part} has no finite value at x = 0.25, t = 0.5"
