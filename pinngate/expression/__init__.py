"""Text to expression tree, and from the tree to numbers, derivatives and LaTeX.

Expressions state equations, conditions, data and truth. The text is parsed by Python's own `ast`
into the few node kinds of `tree` and nothing else: no attribute, no subscript, no call but the
listed functions. A tree is evaluated with any array namespace (numpy or torch), differentiated
exactly with respect to any of its names, and printed.
"""

from pinngate.expression.calculus import coefficients_of, differentiate
from pinngate.expression.evaluation import constant_value, evaluate
from pinngate.expression.parser import parse, parse_equation
from pinngate.expression.tree import (
    CONSTANTS,
    FUNCTIONS,
    ONE,
    ZERO,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    add,
    divide,
    multiply,
    names,
    negate,
    power,
    rebuild,
    substitute,
    subtract,
)

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "ONE",
    "ZERO",
    "Binary",
    "Call",
    "Expression",
    "Name",
    "Number",
    "add",
    "coefficients_of",
    "constant_value",
    "differentiate",
    "divide",
    "evaluate",
    "multiply",
    "names",
    "negate",
    "parse",
    "parse_equation",
    "power",
    "rebuild",
    "substitute",
    "subtract",
]
