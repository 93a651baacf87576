"""Population-risk Gauss–Newton without forming the Jacobian, for tens of thousands of weights."""

from pinngate.linear.matrix_free import MatrixFreeOptions, MatrixFreeSpectrum
from pinngate.linear.memory_plan import (
    MemoryPlan,
    Size,
    choose_form,
    dense_memory,
    dense_posterior_memory,
    matrix_free_memory,
)
from pinngate.linear.rows import LinearisedRows
from pinngate.optim.matrix_free.posterior import (
    matrix_free_fit,
    matrix_free_kernel,
    matrix_free_posterior,
)
from pinngate.optim.matrix_free.solver import MatrixFreeGaussNewton

__all__ = [
    "LinearisedRows",
    "MatrixFreeGaussNewton",
    "MatrixFreeOptions",
    "MatrixFreeSpectrum",
    "MemoryPlan",
    "Size",
    "choose_form",
    "dense_memory",
    "dense_posterior_memory",
    "matrix_free_fit",
    "matrix_free_kernel",
    "matrix_free_memory",
    "matrix_free_posterior",
]
