"""The statistical limit: what no unbiased method can beat on average over the noise.

Stands after the reference solutions and before the metrics, which divide an error by it. Source:
the Cramér–Rao inequality with the model's own tangent equations; a problem's unknowns are the
amplitudes of the modes of its initial condition and its coefficients.
"""

from pinngate.limits.bound import Limit, limit

__all__ = ["Limit", "limit"]
