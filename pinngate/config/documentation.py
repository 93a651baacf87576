"""The reference of the problem file, made from the schema, and the template of a new problem.

``python -m pinngate.config.documentation docs/problem-file.md`` writes the reference; a test keeps
it equal to the schema.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from pinngate.config import catalog
from pinngate.config.loading import loads
from pinngate.config.reference_texts import (
    COORDINATES,
    ERRORS,
    FORMULAS,
    GEOMETRY,
    INPUTS,
    INTRODUCTION,
    OBSERVATIONS,
    TRUTH,
)
from pinngate.errors import InputError
from pinngate.statement.checks.schema import (
    AxisSection,
    BallSection,
    CandidateSection,
    ConditionSection,
    ConservedSection,
    EllipseSection,
    EventSection,
    ExperimentSection,
    FieldSection,
    GeometrySection,
    InputSection,
    MeanSection,
    NetworkSection,
    NoiseSection,
    ObservationSection,
    PartSection,
    ProblemFile,
    Section,
    ShapeSection,
    SolveSection,
    TimeSection,
    TruthSection,
    WeightsSection,
    describe,
)
from pinngate.statement.checks.schema_estimate import EachSection, EstimateSection, PriorSection
from pinngate.statement.options import (
    DECLARATIONS,
    DEFAULT_OPTIMIZER,
    MEANINGS,
    OWN_OPTIMIZER,
    LossWeights,
    NetworkOptions,
    OptimizerOptions,
)

SECTIONS: list[tuple[str, type[Section]]] = [
    ("An axis in `domain`, as a mapping", AxisSection),
    ("`geometry`", GeometrySection),
    ("`shapes`, in `geometry`: one mapping for each", ShapeSection),
    ("`disk` and `sphere`", BallSection),
    ("`ellipse`", EllipseSection),
    ("`boundaries`, in `geometry`: one mapping for each", PartSection),
    ("`unknowns`, as a mapping: one mapping for each field", FieldSection),
    ("`time`", TimeSection),
    ("`inputs`: one mapping for each function", InputSection),
    ("`estimate`: one mapping for each coefficient", EstimateSection),
    ("`prior`, in `estimate`", PriorSection),
    ("`each`, in `estimate`", EachSection),
    ("`conditions`: a list", ConditionSection),
    ("`mean`, in `conditions`", ConservedSection),
    ("`events`: a list", EventSection),
    ("`observations`: a list", ObservationSection),
    ("`mean`, in `observations`", MeanSection),
    ("`noise`", NoiseSection),
    ("`experiments`: a list", ExperimentSection),
    ("`candidates`: a mapping of names", CandidateSection),
    ("`truth`", TruthSection),
    ("`solve`", SolveSection),
    ("`network`, in `solve`", NetworkSection),
    ("`weights`, in `solve`", WeightsSection),
]

TEMPLATE = """\
# A problem for pinngate: what holds exactly, what was measured, what is not known.
# `pinngate check FILE` shows how it is understood.
pinngate: 1                     # version of this format
name: my-problem                # letters, digits, - and _
title: Heat on a rod whose initial temperature was measured with noise
# description: more prose
# source: the paper or the data set it comes from

# Axes and their bounds: one to three of x, y, z; t is time. Bounds may be formulas: [0, 2*pi]
domain: {x: [0, 1], t: [0, 1]}
# Other axes, by what they are; on a logarithm: domain: {r: {bounds: [0.1, 1000], log: true}}
# coordinates: radial           # r and theta; spherical: r, theta, phi; or {r: radius}
# A part of that box, made of disks, rectangles, polygons ...; then {on: hole, equation: u = 0}
# geometry:
#   shapes: {plate: {rectangle: {x: [0, 1], y: [0, 1]}}, hole: {disk: {center: [0, 0], radius: 1}}}
#   inside: plate - hole
unknowns: [u]                   # or {u: {positive: true}}

# Known numbers, or formulas in constants stated before.
constants: {kappa: 0.05}

# Known functions given as tables; then u_t = kappa*u_xx + heating:
# inputs:
#   heating: {file: log.csv, column: Q_kW, columns: {t: hours}, interpolation: step}
# Where files write dates, t counts from here on:
# time: {origin: 2024-01-01, unit: h}

# Coefficients to infer from the observations together with the fields (then not in constants):
# estimate:
#   kappa: {initial: 0.1, positive: true}
#   kappa: {over: x, initial: 0.1, positive: true}     # a field; then u_t = (kappa*u_x)_x
#   D: {over: u, initial: 0.1, positive: true}         # a function of u; then u_t = (D(u)*u_x)_x
#   kappa: {initial: 0.1, positive: true, prior: {median: 0.1, factor: 2}}  # known beforehand

# left = right, or one expression with `= 0` understood. Derivatives, up to order 4: u_t, u_xx, u_xt
equations:
  - u_t = kappa*u_xx

# What holds exactly. Also: u_x = 0, u + 2*u_x = 1, {where: t = 0, equation: u_t = 0}, {periodic: x}
# and on a part of a side: {where: x = 0 and t > 0.5, equation: u_x = 0}
# and of what is conserved: {mean: {of: u, over: x, equals: 1}}
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}

# What happens at an instant (time and at most one space axis):
# events:
#   - {at: {t: [0.2, 0.4]}, add: {u: 1}}
#   - {at: {t: 0.8}, set: {u: 0}}

# What is known with noise. Measured values stand in a file with the columns x, t, u, and u_std
# where the standard deviation of each value is known. An empty cell is a value that was not
# measured; several files are several instruments, each with a noise of its own:
#   - {of: u, file: measured.csv, columns: {x: position_m}, missing: [nan, -999], holdout: 0.2}
#   - {of: -kappa*u_x, file: flux.csv, column: flux}       # what a sensor sees of the field
#   - {of: u, file: means.csv, mean: {over: x}}            # or its mean over an axis
# Synthetic values are made from the truth:
observations:
  - {of: u, where: t = 0, count: 200, layout: random, noise: {std: 0.3}}

# Other noise: {kind: log-normal}, {kind: proportional, relative: 0.1}, {kind: poisson} of counts,
# {kind: censored, below: 0.1} of a detector, {std: 0.1, correlated: {over: t, length: 0.5}}.

# Several runs of the same equations, each with what is its own; coefficients are common, but for
# those with `each: true`, or `each: {spread: true}` about a common value:
# experiments:
#   - {name: first, constants: {start: 1}, conditions: [u = start at t = 0]}
#   - {name: second, constants: {start: 2}, conditions: [u = start at t = 0]}

# Several equations for the same data, of which the data are asked to choose; or a library of terms.
# candidates:
#   heat: {equations: [u_t = kappa*u_xx]}
#   fisher: {equations: [u_t = kappa*u_xx + r*u*(1 - u)], estimate: {r: 1}}
#   found: {left: u_t, terms: [u, u**2, u*u_x, u_xx]}

# Quantities of interest, told with intervals:
# derived: {decay: 2*kappa, peak: max(u, t) at x = 0.5, flux: -kappa*u_x at x = 0}

# Units of axes and fields, for figures and NetCDF files; nothing is converted:
# units: {x: m, t: s, u: K}

# The answer to judge by, never used in training. Leave it out for real data.
truth:
  u: exp(-kappa*pi**2*t)*sin(pi*x) + 0.5*exp(-9*kappa*pi**2*t)*sin(3*pi*x)

# How to solve. Every key has a default that works.
# solve:
#   optimizer: auto
#   seed: 0
"""


def template(name: str | None = None) -> str:
    """Return the text of a problem file to start from, which itself loads.

    Args:
        name: a shipped problem; without one, a problem with a comment at each key. Data files of a
            shipped problem are named as they are there, relative to the file.

    Raises:
        InputError: there is no such problem.
    """
    if name is None:
        return TEMPLATE
    text = catalog.path(name).read_text(encoding="utf-8")
    return f"# From the shipped problem {name}.\n{text}"


def reference() -> str:
    """Return ``docs/problem-file.md``."""
    parts = [INTRODUCTION, "## Keys\n", _table(ProblemFile)]
    for title, section in SECTIONS:
        summary = " ".join((section.__doc__ or "").split())
        parts += [f"## {title}\n", summary + "\n", _table(section)]
        parts += [_AFTER[section]] if section in _AFTER else []
    parts.append(FORMULAS)
    parts.append("## Examples\n")
    for title, name in _EXAMPLES:
        text = catalog.path(name).read_text(encoding="utf-8").strip()
        parts.append(f"### {title}\n\n```yaml\n{text}\n```\n")
    parts.append(ERRORS.replace("{message}", _sample_message()))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts))


def _sample_message() -> str:
    text = catalog.path("heat-noisy-ic").read_text(encoding="utf-8")
    try:
        loads(text.replace("u_xx", "u_xz"), file="heat.yaml")
    except InputError as error:
        return str(error)
    raise AssertionError(text)


def _table(section: type[Section]) -> str:
    rows = ["| key | what it takes | default | meaning |", "|---|---|---|---|"]
    for key, info in section.model_fields.items():
        what = describe(info.annotation, tuple(info.metadata))
        none = "the optimizer's" if section is SolveSection else "–"
        cells = [f"`{key}`", what, _default(info, none), info.description or ""]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if section is TruthSection:
        rows.insert(2, "| `<unknown>` | a formula | – | the field, in the axes and constants |")
    return "\n".join(rows) + "\n"


def _readers_table() -> str:
    """Return which optimizer reads which option of `solve`, each cell its default there."""
    columns: dict[type[OptimizerOptions], list[str]] = {}
    for name, reads in DECLARATIONS.items():
        columns.setdefault(reads, []).append(name)
    heads = [", ".join(f"`{name}`" for name in names) for names in columns.values()]
    rows = ["| key | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for key in MEANINGS:
        if key == "weights":
            for part in fields(LossWeights):
                cells = [_weight_default(reads, part.name) for reads in columns]
                rows.append(f"| `weights.{part.name}` | " + " | ".join(cells) + " |")
        elif key != "optimizer":
            cells = [_option_default(reads, key) for reads in columns]
            rows.append(f"| `{key}` | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _option_default(reads: type[OptimizerOptions], key: str) -> str:
    if key not in reads.names():
        return "–"
    value = reads.default(key)
    if key == "collocation" and reads.inverse_collocation != value:
        return (
            f"`{value}`; `{reads.nonlinear_collocation}` where an equation is nonlinear, "
            f"`{reads.inverse_collocation}` where coefficients are estimated"
        )
    if isinstance(value, NetworkOptions):
        parts = (f"{name}: {part}" for name, part in asdict(value).items())
        return "`{" + ", ".join(parts) + "}`"
    return "half of what is free" if key == "max_memory" else f"`{value}`"


def _weight_default(reads: type[OptimizerOptions], kind: str) -> str:
    weights = asdict(reads.default("weights"))
    return f"`{weights[kind]:g}`" if kind in weights else "–"


def _default(info: FieldInfo, none: str) -> str:
    extra: Any = info.json_schema_extra
    if info.is_required():
        return "required"
    if isinstance(extra, dict) and "default" in extra:
        return str(extra["default"])
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ("", {}, []):
        return none
    return f"`{json.dumps(value)}`".replace('"', "")


_SOLVE = f"""\
Each optimizer reads some of these options, with defaults of its own; `auto` is
`{DEFAULT_OPTIMIZER}`. An option that the optimizer does not read (–) is an
error, unless it states a fact, such as `gate: none` beside `adam` or `weights: {{observations: 1}}`
beside Gauss–Newton. The defaults of `collocation` hold for two axes: a quarter of it on one, twice
and four times on three and four. `strictness`, `statistics` and `gated_terms` count where there is
a gate. `race` lets several networks compete, and the data choose. `{OWN_OPTIMIZER}` is an optimizer
given in Python (`docs/extending.md`).

{_readers_table()}"""

_AFTER: dict[type[Section], str] = {
    AxisSection: COORDINATES,
    PartSection: GEOMETRY,
    InputSection: INPUTS,
    ObservationSection: OBSERVATIONS,
    TruthSection: TRUTH,
    SolveSection: _SOLVE,
}

_EXAMPLES = [
    ("Synthetic observations, exact solution", "heat-noisy-ic"),
    ("Unknown coefficients, numerical truth", "burgers-inverse"),
    ("An unknown coefficient that varies in space", "heat-conductivity"),
    ("Measured values", "heat-sensors"),
    ("A logged boundary value", "soil-temperature"),
    ("A periodic domain", "advection-noisy-ic"),
    ("A domain that is no box", "heat-hole"),
]


def write_reference(file: Path) -> None:
    """Write the reference to a file."""
    file.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
