"""Benchmarks: a matrix of runs that resumes where it stopped, and the tables made from it."""

from pinngate.bench.matrix import Suite, load_suite, run_matrix
from pinngate.bench.tables import summarise, write_tables

__all__ = ["Suite", "load_suite", "run_matrix", "summarise", "write_tables"]
