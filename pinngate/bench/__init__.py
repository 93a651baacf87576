"""Benchmarks: problems × settings × methods × seeds, statistics, tables, figures and one page."""

from pinngate.bench.matrix import run_matrix
from pinngate.bench.suite import Setting, Suite
from pinngate.bench.suite_file import load_suite
from pinngate.bench.suite_page import write_page
from pinngate.bench.suite_tables import write_tables
from pinngate.bench.summaries import make_tables

__all__ = [
    "Setting",
    "Suite",
    "load_suite",
    "make_tables",
    "run_matrix",
    "write_page",
    "write_tables",
]
