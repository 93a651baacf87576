"""Collocation that follows the fields."""

from __future__ import annotations

import torch

from pinngate.model.networks import Network
from pinngate.points.adaptation import arc_length, equidistribute
from pinngate.statement.options import NetworkOptions


def test_arc_length_is_that_of_autograd():
    options = NetworkOptions(width=7, depth=2, activation="tanh", features=1.0)
    network = Network([(0.0, 4.0), (-1.0, 0.0)], 2, options, output_scale=[3.0, 0.5])
    points = torch.rand(50, 2, dtype=torch.float64) * torch.tensor([4.0, 1.0]).double()
    points[:, 1] -= 1
    points.requires_grad_(True)
    total = torch.ones(50, dtype=torch.float64)
    values = network(points) / network.output_scale
    for k in range(2):
        (slope,) = torch.autograd.grad(values[:, k].sum(), points, retain_graph=True)
        total = total + (slope * torch.tensor([2.0, 0.5]).double()).square().sum(1)
    assert torch.allclose(arc_length(network, points.detach()), total.sqrt(), rtol=1e-12)


def test_points_are_spread_in_proportion_to_the_density():
    density = torch.rand(5000, generator=torch.Generator().manual_seed(3)).double() + 0.1
    counts = torch.bincount(equidistribute(density, 700), minlength=5000)
    expected = 700 * density / density.sum()
    assert counts.sum() == 700
    # systematic sampling: never off by one or more
    assert bool(((counts - expected).abs() < 1).all())


def test_an_even_density_takes_every_kth_point():
    assert equidistribute(torch.ones(12), 3).tolist() == [1, 5, 9]
