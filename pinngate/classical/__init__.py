"""What a numerical analyst would do instead: smooth the data by splines, then solve.

Stands beside the limits, after the reference solutions: every run is compared with this baseline.
Source: cubic and thin-plate smoothing splines with generalised cross-validation (Wahba 1990).
"""

from pinngate.classical.baseline import Classical, classical

__all__ = ["Classical", "classical"]
