"""Time steps of the tangent equations by the two-stage Radau IIA method.

Takes a `Linearisation` and marches all tangents together. Third order; damps what is stiff;
boundary conditions enter as algebraic rows. Source: E. Hairer & G. Wanner, Solving Ordinary
Differential Equations II (1996), §IV.5.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from pinngate.errors import SolveError
from pinngate.limits.linearised_equation import Linearisation, Term

Array = NDArray[np.float64]

RADAU_NODES = np.array([1 / 3, 1.0])
RADAU = np.array([[5 / 12, -1 / 12], [3 / 4, 1 / 4]])


class _Assembled:
    """A sparse matrix whose entries are coefficients of time times fixed difference weights."""

    def __init__(self, system: Linearisation, terms: list[Term]) -> None:
        num_states = len(system.states)
        self.size = len(system.line.nodes) * num_states
        self.terms = terms
        self.weights: list[tuple[NDArray[np.intp], Array]] = []
        rows, columns = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
        for term in terms:
            block = system.derivative(term.order)[term.at].tocoo()
            self.weights.append((block.row, block.data))
            rows.append(term.nodes[block.row] * num_states + term.row_state)
            columns.append(block.col * num_states + term.column_state)
        self.index = np.concatenate(rows), np.concatenate(columns)

    def at(self, stage: int) -> scipy.sparse.csr_array:
        entries = [np.empty(0)]
        for term, (local, data) in zip(self.terms, self.weights, strict=True):
            entries.append(term.coefficient[stage][local] * data)
        return scipy.sparse.csr_array(
            (np.concatenate(entries), self.index), shape=(self.size, self.size)
        )


class RadauMarch:
    """M z' + A z = g with sparse, time-dependent M, A and one column of g for each tangent.

    Solves for the stage rates K_i: M_i K_i + A_i (z + h Σ_j a_ij K_j) = g_i. Unknown (node i,
    state s) has the number i·S + s, so that the matrices are banded.
    """

    def __init__(self, system: Linearisation, step: float, num_initial: int) -> None:
        self.system, self.step, self.num_initial = system, step, num_initial
        self.is_steady = all(np.ptp(t.coefficient, axis=0).max() == 0 for t in system.terms)
        self.mass = _Assembled(system, [t for t in system.terms if t.is_rate])
        self.stiffness = _Assembled(system, [t for t in system.terms if not t.is_rate])
        self._factored: tuple[scipy.sparse.linalg.SuperLU, list[scipy.sparse.csr_array]] | None
        self._factored = None

    def advance(self, current: Array, k: int) -> Array:
        """Return z, shape (unknowns, tangents), after step k."""
        if self._factored is None or not self.is_steady:
            self._factored = self._factor(k)
        solver, stiffness = self._factored
        right = np.concatenate(
            [self._forcing(2 * k + i, current.shape) - stiffness[i] @ current for i in range(2)]
        )
        rates = solver.solve(right).reshape(2, *current.shape)
        return np.asarray(current + self.step * np.tensordot(RADAU[1], rates, axes=1))

    def _factor(self, k: int) -> tuple[scipy.sparse.linalg.SuperLU, list[scipy.sparse.csr_array]]:
        stiffness = [self.stiffness.at(2 * k + i) for i in range(2)]
        blocks = [[self.step * RADAU[i, j] * stiffness[i] for j in range(2)] for i in range(2)]
        for i in range(2):
            blocks[i][i] = blocks[i][i] + self.mass.at(2 * k + i)
        try:
            return scipy.sparse.linalg.splu(
                scipy.sparse.block_array(blocks, format="csc")
            ), stiffness
        except RuntimeError as error:
            raise SolveError(f"the tangent equations are singular ({error})") from None

    def _forcing(self, stage: int, shape: tuple[int, ...]) -> Array:
        right = np.zeros(shape)
        num_states, estimated = len(self.system.states), list(self.system.coefficients)
        for forcing in self.system.forcing:
            rows = forcing.nodes * num_states + forcing.row_state
            column = self.num_initial + estimated.index(forcing.coefficient)
            right[rows, column] += forcing.values[stage]
        return right
