from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from pinngate.points.sobol import BITS, MAX_AXES, ScrambledSobol


@pytest.mark.parametrize("num_axes", range(1, MAX_AXES + 1))
def test_points_are_those_of_scipy_bit_for_bit(num_axes: int) -> None:
    engine = qmc.Sobol(num_axes, rng=np.random.default_rng(num_axes), bits=BITS)
    expected = np.concatenate([engine.random(256), engine.random(512)])
    sequence = ScrambledSobol(num_axes, np.random.default_rng(num_axes))
    assert np.array_equal(sequence.points(0, 768), expected)


def test_a_stretch_needs_no_points_before_it() -> None:
    engine = qmc.Sobol(3, rng=np.random.default_rng(5), bits=BITS)
    engine.fast_forward(1_000_003)
    sequence = ScrambledSobol(3, np.random.default_rng(5))
    assert np.array_equal(sequence.points(1_000_003, 100), engine.random(100))


def test_the_last_points_of_the_sequence_exist_and_no_more() -> None:
    sequence = ScrambledSobol(2, np.random.default_rng(0))
    assert sequence.points((1 << BITS) - 4, 4).shape == (4, 2)
    with pytest.raises(ValueError, match="points"):
        sequence.points((1 << BITS) - 3, 4)


@pytest.mark.parametrize("num_axes", [0, MAX_AXES + 1])
def test_axes_without_direction_numbers_are_refused(num_axes: int) -> None:
    with pytest.raises(ValueError, match="axes"):
        ScrambledSobol(num_axes, np.random.default_rng(0))
