"""Means that are known: readings of them at places of the other axes."""

from __future__ import annotations

import numpy as np

from pinngate import Observations, Problem
from pinngate.data.priors import conserved_sets


def test_a_known_mean_is_read_at_places_of_the_other_axes() -> None:
    problem = Problem(
        domain={"x": (0, 2), "t": (0, 4)},
        unknowns=["u"],
        equations=["u_t = u_xx"],
        conditions=[{"mean": {"of": "u", "over": "x", "equals": "3*exp(-t)"}}],  # type: ignore[list-item]
        observations=[Observations("u", [[1.0, 0.5]], [1.0], std=0.1)],
    )
    (made,) = conserved_sets(problem, [])
    assert made.is_prior
    assert made.mean is not None
    assert made.mean.axes == ("x",)
    assert set(made.points[:, 0]) == {1.0}
    assert len(np.unique(made.points[:, 1])) == len(made.points)
    assert np.all((made.points[:, 1] > 0) & (made.points[:, 1] < 4))
    assert made.std is not None
    assert np.allclose(made.std, 0.03 * np.exp(-made.points[0, 1]))
