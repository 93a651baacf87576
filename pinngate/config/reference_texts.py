"""What the reference of the problem file says beside its tables; see `documentation`."""

from __future__ import annotations

from pinngate.expression import CONSTANTS, FUNCTIONS
from pinngate.statement.derivatives import MAX_ORDER

INTRODUCTION = """\
# The problem file, format 1

<!-- Made from the schema by `python -m pinngate.config.documentation docs/problem-file.md`. -->

One YAML file states one problem: the equations, where they hold, what is known exactly, what was
measured with noise, what is unknown, and, where it is known, the truth to judge the answer by.
`pinngate new FILE` writes one to start from, `pinngate check FILE` shows how it is understood.

The file is read strictly, as YAML 1.2: `1e-3` is a number, `yes` and `on` are text, a duplicate or
unknown key is an error. Text that holds `: ` or ` #`, or starts with one of ``*&!|>@%`{}[],"'``,
goes in quotes. Nothing in the file is ever executed.
"""

GEOMETRY = """\
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

COORDINATES = """\
The kinds of axes, and what each means for means, integrals and errors over it:

| kind | measure | `laplacian(u)` has |
|---|---|---|
| `radius` | r dr | `u_rr + u_r/r` |
| `spherical-radius` | r² dr | `u_rr + 2*u_r/r` |
| `polar-angle` | sin θ dθ | `(u_thetatheta + cos(theta)/sin(theta)*u_theta)/r**2` |
| `azimuth` | dφ | `u_phiphi/(r*sin(theta))**2` |
| `angle` | dθ | `u_thetatheta/r**2` |
| `length` | dx | `u_xx` |
| `other` | dx | nothing: it is refused |

`radial` is short for `{r: radius, theta: angle}`, `spherical` for `{r: spherical-radius, theta:
polar-angle, phi: azimuth}`; only the axes of the domain count. An integral over a radius alone is
one per radian, or per steradian. Where a radius begins at zero and no axis is an angle, a field of
second order along it of which no condition says anything there has `u_r = 0 at r = 0`; so has one
at the poles of a polar angle. `log: true` on an axis lets bases, networks and the solver's nodes be
even in its logarithm; data, equations and results stay in the axis, figures are drawn on a
logarithmic scale, and errors against a truth are judged evenly on it.

```yaml
coordinates: radial
domain: {r: {bounds: [0.3, 3000], log: true}, t: [0, 0.6]}
unknowns: {s: {positive: true}}
equations: ["S*s_t = T*laplacian(s)"]
conditions:
  - s = 0 at t = 0
  - 2*pi*T*r*s_r = -Q at r = 0.3
  - s = 0 at r = 3000
```

A mean that is known, such as what is conserved, is a condition, too; it is held at 16 places of
the other axes, each to a hundredth of its size:

```yaml
conditions:
  - u_x = 0 at x = 0
  - u_x = 0 at x = 1
  - {mean: {of: u, over: x, equals: 1}}
```
"""

INPUTS = """\
Of several axes the rows are a tensor grid, in any order; of one axis they increase along it. The
rows reach over the whole domain; the last step alone is held to its end. A smooth table has a
value where it is differentiated, a linear one a slope with jumps, and one of steps counts as a
`heaviside` in brackets, see below. Where a linear or a step table changes by more than a
thousandth of its range, the solution may have a kink: a march in time ends a step there, a basis
has a knot at those that matter most, a network smooths over it. What is measured with noise is no
input: declare it as an unknown with observations.

```yaml
inputs:
  outdoor: {file: log.csv, column: To_C, columns: {t: hours}}
  heating: {file: log.csv, column: Q_kW, columns: {t: hours}, interpolation: step}
equations:
  - C*T_t = (outdoor - T)/R + heating
```
"""

OBSERVATIONS = """\
Every entry is one instrument: its noise is estimated from its own residuals, or taken from `noise`
or its `_std` column where one of them states it. Sets of several experiments that see the same and
state nothing share their noise, unless their residuals clearly differ and no coefficient spreads
between them. Places that were measured several times tell the noise whatever the model
(`replicates` in `metrics.json`).

Text files are read as programs write them: cells separated by `,`, `;` or a tab, decimal commas
where commas do not separate, lines with `#` and empty lines before the header (or the header itself
behind the last `#`, as numpy writes it), units in the header, `u [m]` or `u (m)`, which are left
out of the names. `.parquet` needs pyarrow (extra `parquet`), `.nc` xarray (extra `netcdf`); of a
NetCDF file the coordinates are columns. Dates of `t` need `time`.

```yaml
time: {origin: 2024-01-01, unit: h}        # then also domain: {t: [2024-01-01, 2024-01-08]}
observations:
  - {of: u, file: well.csv, at: {x: 3}}                     # columns t, u: one sensor
  - {of: u, file: wide.csv, sensors: {S1: {x: 1}, S2: {x: 2}}}  # columns t, S1, S2
  - {of: u, file: wide2.csv, sensors: places.csv}           # places: columns sensor, x
```

A row whose cell of a value is empty lacks that value; other values of the row are kept. Text that
stands for a missing value (`nan`, `NA`) is an error unless `missing` states it, and so is anything
that is no finite number in a column of an axis or of a standard deviation. The count is told by
`pinngate check` and in the report.

Values below a limit of detection, or beyond the end of a sensor's range, stay in the file, at the
limit or beyond: with `noise: {kind: censored, below: 0.1}` such a value says only that it was so
much or less. It has no residual in `observations.csv`; values near a bound are left out of the
tests for patterns, for the bound selects their errors. Errors that remember, `correlated: {over: t,
length: 0.5}`, are judged by what the error before does not tell of them, which is the residual in
`observations.csv`; a series is the values at one place of the other axes.

Files of any length are read in blocks, and every value is fitted; time grows with their number,
memory hardly does. Where `max_rows` is stated and values are more, a subset is fitted: the domain
is cut into cells, which in turn give one of their values each, drawn at random from the seed.

Held-out values take no part in the fit. The mean of their squared residuals stands beside the
leave-one-out risk, which promises just that, in the report, on the command line and in
`metrics.json` (`risk.held_out`); in `observations.csv` their column `held_out` is 1.
"""

TRUTH = """\
The formulas of `truth` may use the axes, the constants, and those coefficients whose true values
are stated. With `solver` the domain needs the axis `t`, and the formulas in `clean` hold at its
start. `finite-difference` takes one or two space axes, `spectral` one, periodic or with fields (or
slopes) zero at the ends, `cole-hopf` Burgers' equation, `runge-kutta` problems in `t` alone,
delays among them.
"""

FORMULAS = f"""\
## Formulas

Numbers, names, brackets and the operators `+ - * / **` (a power is `x**2`, not `x^2`), the constant
{" ".join(f"`{name}`" for name in CONSTANTS)}, the functions of one argument
{" ".join(f"`{name}`" for name in FUNCTIONS)},
and `min(a, b)`, `max(a, b)`, also of more, `arctan2(y, x)` and `mod(a, b)`, which has the sign of
b. `heaviside(0)` is 1/2.

Names are ASCII letters, digits and `_`, and each has one meaning: an axis, a constant, an unknown,
an input or an estimated coefficient. A derivative is an unknown, `_` and one axis for each
differentiation, in any order and up to {MAX_ORDER} in all: `u_t`, `u_xx`, `u_xt`, `v_xxyy`. So are
derivatives of coefficients that are fields, along their own axes. An underscore and axes after a
bracket differentiate it, `(a*u_x)_x`; the chain rule is applied when the file is read.

A step, `heaviside`, `sign`, `floor` or `mod`, may stand in a bracket that is differentiated across
it, and so may `abs`, `min` and `max` in one that is differentiated twice:
`((1 + 9*heaviside(x - 0.5))*u_x)_x = -1` are two layers. The chain rule would lose the step, so the
inside becomes a further field, the flux, which is solved for and not shown: `q_x = -1` and
`q = (1 + 9*heaviside(x - 0.5))*u_x`. `pinngate check` prints them, and where the kinks are; where a
step depends on several axes, the flux is smoothed over it.
With nothing in the bracket that is solved for, the derivative is a pulse of no width and an error:
write a narrow pulse, `exp(-((x - a)/w)**2/2)/(w*sqrt(2*pi))`, or, where the pulse makes a flux
jump, the step into its bracket, `(u_x + heaviside(x - a))_x`. In `observations.of` no flux is made:
declare one more unknown and state its equation.

In ordinary equations `sign` and `heaviside` may depend on unknowns and coefficients:
`f*sign(x_t)` is dry friction, `heaviside(N - S)` a threshold, `heaviside(t - t0)` what begins at a
time that is estimated. A fit through the solver switches them where the solution is, and follows
how that time moves with what is searched for; a solution that slides along a switch, as a mass that
sticks, ends it.

In problems whose only axis is `t` an equation may hold an unknown at an earlier time, `u(t - 0.1)`
or `u(t - tau)` with a constant `tau`: several delays, several unknowns, nonlinearly. A delay is a
positive number that is stated; where it is not known, state several as `candidates` with
`constants` of their own and let the data choose. Before the start an unknown is what a condition on
the past says, a formula of `t`, constants and coefficients, which is the initial condition as well;
without one it is constant, at its value at the start, be that stated or not:

```yaml
domain: {{t: [0, 30]}}
constants: {{tau: 2}}
equations: ["u_t = r*u*(1 - u(t - tau)/K)"]
conditions:
  - {{where: t <= 0, equation: u = 0.5 + 0.1*t}}    # or t = 0: constant before it
```

Delayed derivatives, `u_t(t - 1)`, delays in other formulas than equations, and delays beside
events, spreads and unknown functions of fields are refused.

| where | what a formula may name |
|---|---|
| `constants` | constants stated before it |
| bounds, shapes, `where`, `noise`, `estimate`, `truth.constants` | constants |
| `equations`, `conditions` | unknowns, derivatives, axes, constants, inputs, coefficients |
| `equations` | also delayed values of unknowns |
| `conditions` with `on` | also the outward unit normal: `n_x`, `n_y`, `n_z` |
| `boundaries.<name>.where` | space axes and constants |
| `truth` of a coefficient field | its own axes, constants, coefficients with a true value |
| `observations.of` | what an equation may name: what the sensor sees |
| `truth.<unknown>` | axes, constants, coefficients with a true value |
| `truth.clean` | the same without `t` |

Wherever a table says *a number or a formula*, `0.01/pi` is as good as `0.003183`.
"""

ERRORS = """\
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
