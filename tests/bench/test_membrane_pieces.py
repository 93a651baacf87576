"""The benchmark of 64 pieces: its own model, and what was committed of its posterior."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pinngate.bench.membrane_pieces import PIECES, Membrane, chain, membrane_problem, most_likely
from pinngate.statement.kinks import kink_places

COMMITTED = Path(__file__).parents[2] / "results" / "notation"
POINTS = np.stack([m.ravel() for m in np.meshgrid(*[np.arange(1, 14) / 14] * 2, indexing="ij")], 1)
DATA = np.column_stack([POINTS, 0.6 * np.prod(np.sin(np.pi * POINTS), axis=1)])


def test_one_material_is_the_known_membrane() -> None:
    membrane = Membrane(DATA)
    _, u = membrane._solved(np.zeros(PIECES**2))
    middle = (membrane.seen @ u)[np.flatnonzero((POINTS == 0.5).all(1))[0]]
    assert middle == pytest.approx(10 * 0.0736713, rel=2e-3)  # of −Δu = 10


def test_gradients_are_those_of_differences() -> None:
    membrane, random = Membrane(DATA), np.random.default_rng(0)
    at, along = random.standard_normal((2, PIECES**2))
    _, slope = membrane.energy(at)
    above, below = (membrane.energy(at + s * along)[0] for s in (1e-5, -1e-5))
    assert slope @ along == pytest.approx((above - below) / 2e-5, rel=1e-6)


def test_a_chain_follows_from_its_seed() -> None:
    membrane = Membrane(DATA)
    start = most_likely(membrane)
    assert np.abs(membrane.energy(start)[1]).max() < 1e-6
    root = np.linalg.cholesky(np.linalg.inv(membrane.curvature(start)))
    one, same = (chain(membrane, start, root, 10, 1) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert len(np.unique(one, axis=0)) > 1


def test_the_problem_is_that_of_the_benchmark() -> None:
    problem = membrane_problem(DATA, 0)
    assert len(problem.coefficients) == PIECES**2
    assert kink_places(problem)["x"] == pytest.approx(np.arange(1, PIECES) / PIECES)


def test_committed_figures() -> None:
    known = _rows("membrane-reference.csv")
    assert len(known) == PIECES**2
    assert all(float(r["error_of_mean"]) < 0.05 * float(r["std_log"]) for r in known)
    found = _rows("membrane-pieces.csv")
    assert np.median([float(r["median |difference| / deviation"]) for r in found]) < 0.15


def _rows(name: str) -> list[dict[str, str]]:
    with (COMMITTED / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
