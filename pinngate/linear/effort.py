"""How much work and memory a Jacobian that is not formed may take; plain numbers without torch."""

from __future__ import annotations

from dataclasses import dataclass

TILE = 1024  # points linearised at once: bounds what lies outside the cache
MAX_WRITTEN = 1 << 21  # numbers in the rows of J written out at once: 16 MiB


@dataclass(frozen=True)
class MatrixFreeOptions:
    """How much work and memory; every default has its reason.

    Attributes:
        num_sampled: rows whose eigenvectors start the basis. Equations are smooth in the point, so
            two thousand rows know all directions that matter; twice 8·P·num_sampled bytes, for a
            moment.
        max_rank: most directions of the basis, five arrays of 8·P·max_rank bytes. Where more have
            an eigenvalue above the ridge, solves take tens of passes in place of one to three and
            the leverages rest on the probes.
        smallest: directions with an eigenvalue above this fraction of the ridge enter the basis;
            those left out have a filter below a twentieth.
        num_probes: random signs for the rest of the leverages; observations up to this number are
            probed one by one, which is exact.
        risk_tolerance: of the conjugate gradients for the risk; far below the probes' own error.
        step_tolerance: of those for the step: far below what the linearisation is worth.
        max_passes: most passes over A of one solve.
        cache_bytes: memory for the factors of the rows; what does not fit is computed in each pass.
        seed: of sampled rows and signs, the same in every iteration.
    """

    num_sampled: int = 2048
    max_rank: int = 512
    smallest: float = 0.05
    num_probes: int = 8
    risk_tolerance: float = 1e-4
    step_tolerance: float = 1e-7
    max_passes: int = 100
    cache_bytes: float = 2e9
    seed: int = 0
