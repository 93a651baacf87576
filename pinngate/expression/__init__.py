"""Text to expression tree, and from the tree to numbers, derivatives and LaTeX.

Expressions state equations, conditions, data and truth. The text is parsed by Python's own `ast`
into the few node kinds of `tree` and nothing else: no attribute, no subscript, no call but the
listed functions and those that the caller gives. A tree is evaluated with any array namespace
(numpy or torch), differentiated exactly with respect to any of its names, and printed.
"""

from pinngate.expression.calculus import along, coefficients_of, differentiate
from pinngate.expression.evaluation import constant_value, evaluate, undefined_part
from pinngate.expression.own_function import OwnFunction
from pinngate.expression.paired import PAIRED, Paired
from pinngate.expression.parser import parse, parse_equation
from pinngate.expression.piecewise import Piecewise
from pinngate.expression.program import Program
from pinngate.expression.table_function import Tabulated
from pinngate.expression.tree import (
    CONSTANTS,
    FUNCTIONS,
    ONE,
    RESERVED,
    ZERO,
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    add,
    applied_functions,
    divide,
    multiply,
    names,
    negate,
    operands,
    parts,
    power,
    rebuild,
    substitute,
    subtract,
    summands,
    tables_in,
    transformed,
    with_tables,
)
from pinngate.expression.unknown_spline import Knots, UnknownSpline

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "ONE",
    "PAIRED",
    "RESERVED",
    "ZERO",
    "Applied",
    "Binary",
    "Call",
    "Expression",
    "Knots",
    "Name",
    "Number",
    "OwnFunction",
    "Paired",
    "Piecewise",
    "Program",
    "Tabulated",
    "UnknownSpline",
    "add",
    "along",
    "applied_functions",
    "coefficients_of",
    "constant_value",
    "differentiate",
    "divide",
    "evaluate",
    "multiply",
    "names",
    "negate",
    "operands",
    "parse",
    "parse_equation",
    "parts",
    "power",
    "rebuild",
    "substitute",
    "subtract",
    "summands",
    "tables_in",
    "transformed",
    "undefined_part",
    "with_tables",
]
