"""Benchmarks: problems × settings × methods × seeds, statistics, tables, figures and one page."""

from pinngate.bench.matrix import run_matrix
from pinngate.bench.suite import Suite, load_suite

__all__ = ["Suite", "load_suite", "run_matrix"]
