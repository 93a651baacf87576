"""Collocation points: inside, even, fresh, reproducible."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import qmc

from pinngate.errors import InputError
from pinngate.points.sampling import BoundarySampler, SobolSampler
from pinngate.statement.problem import Plane

DOMAIN = {"x": (-1.0, 3.0), "t": (0.0, 0.5)}
CPU, DOUBLE = torch.device("cpu"), torch.float64


def test_points_are_inside_and_fresh() -> None:
    sampler = SobolSampler(DOMAIN, 100, 0, "collocation")
    first, second = sampler.draw(DOUBLE, CPU), sampler.draw(DOUBLE, CPU)
    assert first.shape == (128, 2)
    assert not torch.equal(first, second)
    for points in (first, second):
        assert ((points[:, 0] >= -1) & (points[:, 0] <= 3)).all()
        assert ((points[:, 1] >= 0) & (points[:, 1] <= 0.5)).all()


def test_every_batch_is_more_even_than_random_points() -> None:
    sampler = SobolSampler({"x": (0.0, 1.0), "t": (0.0, 1.0)}, 256, 0, "collocation")
    random = torch.rand(256, 2, generator=torch.Generator().manual_seed(0))
    for _ in range(4):
        batch = sampler.draw(DOUBLE, CPU).numpy()
        assert qmc.discrepancy(batch) < 0.1 * qmc.discrepancy(random.numpy())


def test_order_is_random_so_that_groups_are() -> None:
    points = SobolSampler({"x": (0.0, 1.0)}, 512, 0, "collocation").draw(DOUBLE, CPU)[:, 0]
    group_means = points.view(8, 64).mean(1)
    # consecutive Sobol points would have group means equal to 1e-3; random ones scatter by 0.036
    assert 0.01 < float(group_means.std()) < 0.1


def test_plane_fixes_its_axis() -> None:
    points = SobolSampler(DOMAIN, 16, 0, "c", Plane("x", 3.0)).draw(DOUBLE, CPU)
    assert (points[:, 0] == 3.0).all()
    assert len(points[:, 1].unique()) == 16
    single = SobolSampler({"t": (0.0, 1.0)}, 16, 0, "c", Plane("t", 0.0)).draw(DOUBLE, CPU)
    assert single.tolist() == [[0.0]]


@pytest.mark.parametrize("num_before", [0, 3])
def test_skipping_is_bitwise_drawing(num_before: int) -> None:
    drawn, skipped = (SobolSampler(DOMAIN, 64, 5, "collocation") for _ in range(2))
    for _ in range(num_before):
        drawn.draw(DOUBLE, CPU)
    skipped.skip(drawn.num_drawn)
    assert torch.equal(drawn.draw(DOUBLE, CPU), skipped.draw(DOUBLE, CPU))


def test_streams_are_independent() -> None:
    a = SobolSampler(DOMAIN, 64, 5, "collocation").draw(DOUBLE, CPU)
    b = SobolSampler(DOMAIN, 64, 5, "condition_1").draw(DOUBLE, CPU)
    c = SobolSampler(DOMAIN, 64, 6, "collocation").draw(DOUBLE, CPU)
    assert not torch.equal(a, b)
    assert not torch.equal(a, c)


def left(points: np.ndarray) -> np.ndarray:
    return np.asarray(points[:, 0] < 0)


def test_a_batch_of_a_part_is_full_inside_and_continued() -> None:
    drawn, skipped = (SobolSampler(DOMAIN, 64, 5, "c", inside=left) for _ in range(2))
    first = drawn.draw(DOUBLE, CPU)
    assert first.shape == (64, 2)
    assert (first[:, 0] < 0).all()
    assert drawn.num_drawn >= 4 * 64  # a quarter of the domain is left
    skipped.skip(drawn.num_drawn)
    assert torch.equal(drawn.draw(DOUBLE, CPU), skipped.draw(DOUBLE, CPU))


def test_what_keeps_everything_changes_nothing() -> None:
    everything = SobolSampler(DOMAIN, 64, 5, "c", inside=lambda p: np.ones(len(p), dtype=bool))
    assert torch.equal(
        everything.draw(DOUBLE, CPU), SobolSampler(DOMAIN, 64, 5, "c").draw(DOUBLE, CPU)
    )


def test_a_part_without_points_is_given_up() -> None:
    nothing = SobolSampler(DOMAIN, 16, 5, "c", inside=lambda p: np.zeros(len(p), dtype=bool))
    with pytest.raises(InputError, match="hardly any point of the domain is inside"):
        nothing.draw(DOUBLE, CPU)


def test_boundary_batches_spread_over_places_and_times_and_are_continued() -> None:
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    box = {"x": (-1.0, 1.0), "t": (0.0, 3.0), "y": (-1.0, 1.0)}
    drawn, skipped = (BoundarySampler(circle, circle, box, 64, 5, "c") for _ in range(2))
    points, normals = drawn.draw(DOUBLE, CPU)
    assert torch.equal(points[:, 0], normals["n_x"])
    assert torch.equal(points[:, 2], normals["n_y"])
    eighths = torch.atan2(points[:, 2], points[:, 0]) % (2 * np.pi) * 4 / np.pi
    # one place of 125 in each eighth lies on its border, where rounding decides
    assert np.histogram(eighths, 8, (0, 8))[0].tolist() == pytest.approx([8] * 8, abs=1)
    assert np.histogram(points[:, 1], 8, (0, 3))[0].tolist() == [8] * 8
    skipped.skip(drawn.num_drawn)
    assert torch.equal(drawn.draw(DOUBLE, CPU)[0], skipped.draw(DOUBLE, CPU)[0])
