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
from pinngate.errors import InputError
from pinngate.expression import CONSTANTS, FUNCTIONS
from pinngate.statement.checks.schema import (
    BallSection,
    ConditionSection,
    EllipseSection,
    EstimateSection,
    GeometrySection,
    MeanSection,
    NetworkSection,
    NoiseSection,
    ObservationSection,
    PartSection,
    ProblemFile,
    Section,
    ShapeSection,
    SolveSection,
    TruthSection,
    WeightsSection,
    describe,
)
from pinngate.statement.derivatives import MAX_ORDER
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
    ("`geometry`", GeometrySection),
    ("`shapes`, in `geometry`: one mapping for each", ShapeSection),
    ("`disk` and `sphere`", BallSection),
    ("`ellipse`", EllipseSection),
    ("`boundaries`, in `geometry`: one mapping for each", PartSection),
    ("`estimate`: one mapping for each coefficient", EstimateSection),
    ("`conditions`: a list", ConditionSection),
    ("`observations`: a list", ObservationSection),
    ("`mean`, in `observations`", MeanSection),
    ("`noise`", NoiseSection),
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
# A part of that box, made of disks, rectangles, polygons ...; then {on: hole, equation: u = 0}
# geometry:
#   shapes: {plate: {rectangle: {x: [0, 1], y: [0, 1]}}, hole: {disk: {center: [0, 0], radius: 1}}}
#   inside: plate - hole
unknowns: [u]

# Known numbers, or formulas in constants stated before.
constants: {kappa: 0.05}

# Coefficients to infer from the observations together with the fields (then not in constants):
# estimate:
#   kappa: {initial: 0.1, positive: true}
#   kappa: {over: x, initial: 0.1, positive: true}     # a field; then u_t = (kappa*u_x)_x

# left = right, or one expression with `= 0` understood. Derivatives, up to order 4: u_t, u_xx, u_xt
equations:
  - u_t = kappa*u_xx

# What holds exactly. Also: u_x = 0, u + 2*u_x = 1, {where: t = 0, equation: u_t = 0}, {periodic: x}
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}

# What is known with noise. Measured values stand in a file with the columns x, t, u, and u_std
# where the standard deviation of each value is known. An empty cell is a value that was not
# measured; several files are several instruments, each with a noise of its own:
#   - {of: u, file: measured.csv, columns: {x: position_m}, missing: [nan, -999], holdout: 0.2}
#   - {of: -kappa*u_x, file: flux.csv, column: flux}       # what a sensor sees of the field
#   - {of: u, file: means.csv, mean: {over: x}}            # or its mean over an axis
# Synthetic values are made from the truth:
observations:
  - {of: u, where: t = 0, count: 200, layout: random, noise: {std: 0.3}}

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
    parts = [_INTRODUCTION, "## Keys\n", _table(ProblemFile)]
    for title, section in SECTIONS:
        summary = " ".join((section.__doc__ or "").split())
        parts += [f"## {title}\n", summary + "\n", _table(section)]
        parts += [_AFTER[section]] if section in _AFTER else []
    parts.append(_FORMULAS)
    parts.append("## Examples\n")
    for title, name in _EXAMPLES:
        text = catalog.path(name).read_text(encoding="utf-8").strip()
        parts.append(f"### {title}\n\n```yaml\n{text}\n```\n")
    parts.append(_ERRORS.replace("{message}", _sample_message()))
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


_INTRODUCTION = """\
# The problem file, format 1

<!-- Made from the schema by `python -m pinngate.config.documentation docs/problem-file.md`. -->

One YAML file states one problem: the equations, where they hold, what is known exactly, what was
measured with noise, what is unknown, and, where it is known, the truth to judge the answer by.
`pinngate new FILE` writes one to start from, `pinngate check FILE` shows how it is understood.

The file is read strictly, as YAML 1.2: `1e-3` is a number, `yes` and `on` are text, a duplicate or
unknown key is an error. Text that holds `: ` or ` #`, or starts with one of ``*&!|>@%`{}[],"'``,
goes in quotes. Nothing in the file is ever executed.
"""

_GEOMETRY = """\
The domain is then a box around the geometry, and everything holds inside it: equations,
observations, the judgement by the truth, and of a plane in a condition what is inside.
`on: boundary` is the whole boundary, `on: hole` what the shape `hole` gives to it. Fields in
`solution.npz` are NaN outside.

```yaml
domain: {x: [-1, 1], y: [-1, 1]}
geometry:
  shapes:
    plate: {rectangle: {x: [-1, 1], y: [-1, 1]}}
    hole: {disk: {center: [0.2, 0], radius: 0.3}}
  inside: plate - hole
  boundaries:
    inlet: {of: plate, where: x = -1}
conditions:
  - {on: hole, equation: u = 0}
  - {on: inlet, equation: n_x*u_x + n_y*u_y = 1}
```
"""

_OBSERVATIONS = """\
Every entry is one instrument: its noise is estimated from its own residuals, or taken from `noise`
or its `_std` column where one of them states it. Places that were measured several times tell the
noise whatever the model (`replicates` in `metrics.json`).

A row whose cell of a value is empty lacks that value; other values of the row are kept. Text that
stands for a missing value (`nan`, `NA`) is an error unless `missing` states it, and so is anything
that is no finite number in a column of an axis or of a standard deviation. The count is told by
`pinngate check` and in the report. Censored values have no notation: leave them out.

Files of any length are read in blocks, and every value is fitted; time grows with their number,
memory hardly does. Where `max_rows` is stated and values are more, a subset is fitted: the domain
is cut into cells, which in turn give one of their values each, drawn at random from the seed.

Held-out values take no part in the fit. The mean of their squared residuals stands beside the
leave-one-out risk, which promises just that, in the report, on the command line and in
`metrics.json` (`risk.held_out`); in `observations.csv` their column `held_out` is 1.
"""

_TRUTH = """\
The formulas of `truth` may use the axes, the constants, and those coefficients whose true values
are stated. With `solver` the domain needs the axis `t`, and the formulas in `clean` hold at its
start. `finite-difference` takes one or two space axes, `spectral` one, periodic or with fields (or
slopes) zero at the ends, `cole-hopf` Burgers' equation, `runge-kutta` problems in `t` alone.
"""

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
    PartSection: _GEOMETRY,
    ObservationSection: _OBSERVATIONS,
    TruthSection: _TRUTH,
    SolveSection: _SOLVE,
}

_FORMULAS = f"""\
## Formulas

Numbers, names, brackets and the operators `+ - * / **` (a power is `x**2`, not `x^2`), the constant
{" ".join(f"`{name}`" for name in CONSTANTS)}, and the functions of one argument
{" ".join(f"`{name}`" for name in FUNCTIONS)}.
`heaviside(0)` is 1/2.

Names are ASCII letters, digits and `_`, and each has one meaning: an axis, a constant, an unknown
or an estimated coefficient. A derivative is an unknown, `_` and one axis for each differentiation,
in any order and up to {MAX_ORDER} in all: `u_t`, `u_xx`, `u_xt`, `v_xxyy`.
So are derivatives of coefficients that are fields, along their own axes. An underscore and axes
after a bracket differentiate it, `(a*u_x)_x`; the chain rule is applied when the file is read.

A step, `heaviside` or `sign`, may stand in a bracket that is differentiated across it, and so may
`abs` in one that is differentiated twice: `((1 + 9*heaviside(x - 0.5))*u_x)_x = -1` are two layers.
The chain rule would lose the step, so the inside becomes a further field, the flux, which is solved
for and not shown: `q_x = -1` and `q = (1 + 9*heaviside(x - 0.5))*u_x`. `pinngate check` prints
them, and where the kinks are; where a step depends on several axes, the flux is smoothed over it.
With nothing in the bracket that is solved for, the derivative is a pulse of no width and an error:
write a narrow pulse, `exp(-((x - a)/w)**2/2)/(w*sqrt(2*pi))`, or, where the pulse makes a flux
jump, the step into its bracket, `(u_x + heaviside(x - a))_x`. In `observations.of` no flux is made:
declare one more unknown and state its equation.

| where | what a formula may name |
|---|---|
| `constants` | constants stated before it |
| bounds, shapes, `where`, `noise`, `estimate`, `truth.constants` | constants |
| `equations`, `conditions` | unknowns, derivatives, axes, constants, coefficients |
| `conditions` with `on` | also the outward unit normal: `n_x`, `n_y`, `n_z` |
| `boundaries.<name>.where` | space axes and constants |
| `truth` of a coefficient field | its own axes, constants, coefficients with a true value |
| `observations.of` | what an equation may name: what the sensor sees |
| `truth.<unknown>` | axes, constants, coefficients with a true value |
| `truth.clean` | the same without `t` |

Wherever a table says *a number or a formula*, `0.01/pi` is as good as `0.003183`.
"""

_EXAMPLES = [
    ("Synthetic observations, exact solution", "heat-noisy-ic"),
    ("Unknown coefficients, numerical truth", "burgers-inverse"),
    ("An unknown coefficient that varies in space", "heat-conductivity"),
    ("Measured values", "heat-sensors"),
    ("A periodic domain", "advection-noisy-ic"),
    ("A domain that is no box", "heat-hole"),
]

_ERRORS = """\
## What comes out

Exit status 0: solved. 3: doubtful, everything is written and the reasons are told. 1: the run
failed or did not come to rest. 130: interrupted. `metrics.json` says the same under `verdict` and
`reasons`.

## What bad input gets

Exit status 2, nothing written, and one message on standard error: file, line and column, what was
found, the line with a caret, what was expected and, where a name is nearly right, the right one.

```
{message}
```

A problem without observations needs enough conditions: along each axis as many as the order of the
equations there, counted over both ends; `{periodic: x}` counts as all of them along `x`. Every
unknown stands in an equation, every estimated coefficient in an equation or a condition.

Single values can be set from the command line: `--set solve.seed=3`,
`--set observations.0.noise.std=0.1` (items of a list by number, from 0). They are checked like the
file.
"""


def write_reference(file: Path) -> None:
    """Write the reference to a file."""
    file.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
