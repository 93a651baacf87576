"""Conformance suites: what a part must do to work in this package, as checks anyone can run.

A third party's optimizer or problem is tested by the same suite as the package's own.
"""

from pinngate.testing.optimizer_conformance import FEATURES, check_optimizer, optimizer_checks
from pinngate.testing.problem_conformance import ProblemUnderTest, check_problem, problem_checks

__all__ = [
    "FEATURES",
    "ProblemUnderTest",
    "check_optimizer",
    "check_problem",
    "optimizer_checks",
    "problem_checks",
]
