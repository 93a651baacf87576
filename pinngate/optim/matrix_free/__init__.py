"""Population-risk Gauss–Newton without forming the Jacobian, for tens of thousands of weights."""

from pinngate.optim.matrix_free.posterior import matrix_free_posterior
from pinngate.optim.matrix_free.rows import LinearisedRows
from pinngate.optim.matrix_free.solver import (
    MatrixFreeGaussNewton,
    MemoryEstimate,
    estimate_memory,
)
from pinngate.optim.matrix_free.spectrum import MatrixFreeOptions, MatrixFreeSpectrum

__all__ = [
    "LinearisedRows",
    "MatrixFreeGaussNewton",
    "MatrixFreeOptions",
    "MatrixFreeSpectrum",
    "MemoryEstimate",
    "estimate_memory",
    "matrix_free_posterior",
]
