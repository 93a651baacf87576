"""The strengths of octaves on orthogonal functions, where Stein's shrinkage is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pinngate.inference.octaves import octave_strengths, octaves


@pytest.mark.parametrize(("start", "count"), [(0, 1), (3, 2), (0, 13), (5, 16)])
def test_octaves_are_a_partition_that_doubles(start: int, count: int) -> None:
    found = octaves(slice(start, start + count))
    assert found[0].start == start
    assert found[-1].stop == start + count
    assert all(one.stop == other.start for one, other in itertools.pairwise(found))
    sizes = [own.stop - own.start for own in found]
    assert sizes[:-1] == [1, 1, 2, 4, 8][: len(sizes) - 1]


def test_orthogonal_octaves_shrink_as_steins_rule_does() -> None:
    """With JᵀJ = 1 an octave of m weights and energy S is stationary where w = (1 − m/S) z."""
    z = np.array([6.0, 0.2, 0.1, -0.2, 3.0, 1.0, -2.0, 2.0])
    own = octaves(slice(0, 8))
    ridge = np.full(8, 0.5)
    found = octave_strengths(np.eye(8), -z, ridge, own)
    weights = z / (1 + found * ridge)
    for part in own:
        m, energy = part.stop - part.start, float(z[part] @ z[part])
        expected = max(0.0, 1 - m / energy) * z[part]
        assert weights[part] == pytest.approx(expected, abs=0.03 * np.abs(z[part]).max())


def test_without_octaves_nothing_is_tempered() -> None:
    rows = np.random.default_rng(0).standard_normal((9, 3))
    assert np.all(octave_strengths(rows, rows[:, 0], np.ones(3), ()) == 1)


def test_functions_that_nothing_sees_leave_with_their_octave() -> None:
    rows = np.zeros((6, 4))
    rows[0, 0] = 5.0
    found = octave_strengths(rows, -10 * rows[:, 0], np.ones(4), octaves(slice(0, 4)))
    assert np.all(np.isfinite(found))
    assert found[0] < 1 < found[1:].min()
