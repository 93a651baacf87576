"""How much memory each form of the solver needs, and which form fits into a budget.

Asked by `pinngate.optim` before anything is allocated or written. The formulas count
the arrays that are alive together, in a step and in the posterior at the end; peaks measured in a
process of its own stay below them (``tests/optim/test_memory.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pinngate.errors import InputError
from pinngate.linear.effort import MAX_WRITTEN, TILE, MatrixFreeOptions
from pinngate.memory import rounded_text
from pinngate.model.terms import TILE as DENSE_TILE
from pinngate.parallel.launch import MOST_LEAVES

NUMBER = 8  # bytes of a double
LIBRARY = 50_000_000  # bytes that the libraries take at their first products and decompositions
LARGE = 1 << 28  # bytes of J; a smaller one is held, for making its rows anew takes longer
TALL = 4  # rows a weight from which P² is small beside J
MOST_WEIGHTS = 4096  # of normal equations, N P² operations a step and P³ a choice of the ridge
PER_ROW = 48  # numbers: points in two orders, residuals, target, weights, leverages, transients
LEAST_RANK = 64  # a smaller basis leaves conjugate gradients with hundreds of passes


@dataclass(frozen=True)
class Size:
    """What the memory depends on.

    Attributes:
        num_rows: N, all residuals of a step.
        num_posterior_rows: all residuals of the posterior, which has more collocation points.
        num_observations: n.
        num_parameters: P, weights and coefficients.
        width: of the layers.
        depth: hidden layers.
        num_channels: C, derivatives that the equation carries.
    """

    num_rows: int
    num_posterior_rows: int
    num_observations: int
    num_parameters: int
    width: int
    depth: int = 3
    num_channels: int = 3

    @property
    def per_point(self) -> int:
        """Numbers in the factors of one point's gradient: d and a of every layer and channel."""
        return 2 * self.width * (self.depth + 1) * self.num_channels

    def tile(self, num_points: int) -> int:
        """Return the numbers of one propagation and, of one layer, its written gradients."""
        return num_points * (3 * self.per_point + 2 * self.width**2)


@dataclass(frozen=True)
class MemoryPlan:
    """The form that was chosen, and the bytes it needs beside the program itself.

    `work` belongs to `matrix-free`; where `is_first_order`, what is planned is the posterior alone.
    """

    form: Literal["dense", "normal", "matrix-free"]
    num_bytes: int
    work: MatrixFreeOptions | None = None
    is_first_order: bool = False

    def describe(self) -> str:
        """Say what will run."""
        if self.is_first_order:
            return "for the uncertainty at the end; the steps need far less"
        if self.work is not None:
            return f"matrix-free: the Jacobian is not formed, rank at most {self.work.max_rank}"
        if self.form == "normal":
            return "normal equations: the Jacobian is made anew, some rows at a time"
        return "dense: the Jacobian is formed"


def dense_posterior_memory(size: Size) -> int:
    """Return the bytes of a posterior: J, the eigenvectors three times and the directions."""
    rows, columns = size.num_posterior_rows, size.num_parameters
    m = min(rows, columns)
    directions = m * columns if rows <= columns else m * m
    later = 3 * m**2 + 2 * size.num_observations * m + directions
    largest = max(4 * m**2, later, size.tile(min(rows, DENSE_TILE)))
    return LIBRARY + NUMBER * (rows * columns + largest)


def dense_memory(size: Size) -> int:
    """Return the bytes of the form that holds the Jacobian J.

    Beside J, one after the other: the propagation of one tile; the smaller Gram matrix four times
    during its decomposition; the eigenvectors, and twice the rows of the observations in them.
    """
    m = min(size.num_rows, size.num_parameters)
    decomposed = max(4 * m**2, m**2 + 2 * size.num_observations * m)
    largest = max(decomposed, size.tile(min(size.num_rows, DENSE_TILE)))
    step = LIBRARY + NUMBER * (size.num_rows * size.num_parameters + largest)
    return max(step, dense_posterior_memory(size))


def matrix_free_memory(size: Size, work: MatrixFreeOptions | None = None) -> int:
    """Return the bytes of the form that never holds J.

    The cache and the tape of one tile; then either the sampled rows twice and their Gram matrix
    four times, or basis, product and the preconditioner's vectors with transients (P × rank) and
    the images (N × rank).
    """
    work = work or MatrixFreeOptions()
    rows, columns = max(size.num_rows, size.num_posterior_rows), size.num_parameters
    sampled = min(work.num_sampled, rows)
    rank = min(work.max_rank, sampled)
    sampling = 2 * sampled * columns + 4 * sampled**2 + size.tile(min(sampled, DENSE_TILE))
    iterating = 5 * rank * columns + 4 * rank * rows + size.tile(min(rows, TILE))
    cache = min(int(work.cache_bytes), NUMBER * rows * size.per_point)
    return LIBRARY + cache + NUMBER * max(sampling, iterating)


def normal_memory(size: Size) -> int:
    """Return the bytes of the form that holds JᵀJ, and J never.

    Some numbers a row; then the Gram matrix four times during its decomposition, six arrays of its
    size where a posterior meets correlated residuals, or the sums of a tree of tiles, one for each
    of its levels; beside it the propagation of one tile,
    twice over for what the allocator keeps of the one before, and five times what is written out of
    its rows.
    """
    rows, columns = max(size.num_rows, size.num_posterior_rows), size.num_parameters
    tile = min(rows, DENSE_TILE)
    arrays = max(6, min(rows // DENSE_TILE, MOST_LEAVES).bit_length())
    tiles = 7 * tile * size.per_point + 5 * min(tile * columns, MAX_WRITTEN)
    return LIBRARY + NUMBER * (PER_ROW * rows + arrays * columns**2 + tiles)


def _is_tall(size: Size) -> bool:
    """Whether J is large and has many rows of not too many weights."""
    rows, columns = size.num_posterior_rows, size.num_parameters
    return columns <= MOST_WEIGHTS and rows >= TALL * columns and NUMBER * rows * columns > LARGE


def plan_posterior(size: Size) -> MemoryPlan:
    """Return the form of a posterior after first-order steps, whether it fits or not."""
    if _is_tall(size):
        return MemoryPlan("normal", normal_memory(size), is_first_order=True)
    return MemoryPlan("dense", dense_posterior_memory(size), is_first_order=True)


def choose_form(size: Size, budget: int) -> MemoryPlan:
    """Return the form to run.

    Dense where the Jacobian fits and is not both large and tall; else normal equations where
    weights are few enough for them; else matrix-free with what the budget allows. The matrix-free
    form gives up its cache first, which costs one propagation a pass, then rank, which costs
    passes.

    Raises:
        InputError: none fits.
    """
    dense, normal = dense_memory(size), normal_memory(size)
    is_normal = normal <= budget and size.num_parameters <= min(MOST_WEIGHTS, size.num_rows)
    if dense <= budget and not (is_normal and _is_tall(size)):
        return MemoryPlan("dense", dense)
    if is_normal:
        return MemoryPlan("normal", normal)
    work = MatrixFreeOptions()
    while True:
        least = matrix_free_memory(size, replace(work, cache_bytes=0.0))
        if least <= budget:
            work = replace(work, cache_bytes=min(work.cache_bytes, float(budget - least)))
            return MemoryPlan("matrix-free", matrix_free_memory(size, work), work)
        if work.max_rank <= LEAST_RANK:
            break
        work = replace(work, num_sampled=work.num_sampled // 2, max_rank=work.max_rank // 2)
    raise InputError(
        f"population-risk-gauss-newton needs {rounded_text(least)} of memory for this problem, "
        f"and {rounded_text(budget)} are allowed",
        expected=f"--max-memory, solve.max_memory or free memory for {size.num_posterior_rows} "
        f"residuals and {size.num_parameters} parameters",
        hint="use fewer collocation points, a smaller network, or the optimizer "
        "population-risk-adam",
    )
