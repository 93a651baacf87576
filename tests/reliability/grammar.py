"""Random inputs by grammar: formulas, problem files, tables, command lines, most of them faulty.

Everything follows from a `random.Random`, so that a case that fails can be made again from its
number.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np

FUNCTIONS = ("sin", "cos", "exp", "log", "sqrt", "tanh", "abs", "heaviside", "sign")
ODD_NUMBERS = (
    "0", "1e300", "1e-300", "1e999", "-1", "2**9999", "1_000", "\u0661", "0x1f", "1/0", ".5",
)  # fmt: skip
ODD_TEXT = (
    "", " ", "\x1b[2J", "\u202e", "\ud800", "é", "'", '"', "\\", "{}", "${x}", "a" * 300, "\0",
)  # fmt: skip
BREAKING = ("(", ")", "**", "_x", " ", "u", "=", ",", "é", "\0", ":")
POWERS = ("2", "3", "-1", "0.5", "u")
NAMES = ("a", "fuzz", "a b", "1", "x/y")
INITIAL = ("0.1", "1", "1e300", "-1", "x")
CONSTANTS = ("0.05", "0.05", "pi", "1/3", "1e999")
COUNTS = ("20", "7", "5", "0", "1e9", "-3", "1", "nan")
NOISE = ("{std: 0.1}", "{relative: 0.1}", "{std: 0.1, kind: student-t}", "{std: -1}", "{std: x}")
SOLVE = (
    "seed: 3", "iterations: 1e9", "optimizer: adam", "collocation: 0", "network: {width: 1e6}",
    "device: tpu", "max_memory: 1kB",
)  # fmt: skip
SHORT = 3000  # letters of what is repeated: chains inside chains would fill the memory
AXES = ("x", "y", "z", "t")


def formula(rng: Random, names: Sequence[str], depth: int = 4) -> str:
    """Return the text of a formula; one in ten has a fault."""
    text = _formula(rng, names, depth)
    if rng.random() < 0.1:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(BREAKING) + text[at:]
    return text


def _formula(rng: Random, names: Sequence[str], depth: int) -> str:
    kind = rng.randrange(9 if depth > 0 else 2)
    if kind == 0:
        return rng.choice(ODD_NUMBERS) if rng.random() < 0.1 else f"{rng.uniform(-3, 3):.3g}"
    if kind == 1:
        return rng.choice(names)
    inner = _formula(rng, names, depth - 1)
    shapes = {
        2: f"{rng.choice(FUNCTIONS)}({inner})",
        3: f"({inner})_{''.join(rng.choices('xyt', k=rng.choice([1, 1, 2, 4])))}",
        4: rng.choice([f"-({inner})", f"({inner})**{rng.choice(POWERS)}"]),
    }
    if kind in shapes:
        return shapes[kind]
    if kind == 5 and rng.random() < 0.1 and len(inner) < SHORT:
        return rng.choice("+*").join([inner] * rng.choice([60, 300]))
    return f"({inner}) {rng.choice('+-*/')} ({_formula(rng, names, depth - 1)})"


def problem(rng: Random) -> str:
    """Return a problem file; every other one has a fault somewhere."""
    axes = rng.sample(AXES, rng.choice([1, 2, 2, 3]))
    fields = rng.sample(["u", "v", "p", "flow_x"], rng.choice([1, 1, 2]))
    bounds = {a: (round(rng.uniform(-2, 0), 2), round(rng.uniform(0.1, 3), 2)) for a in axes}
    sides = ", ".join(f"{a}: [{low}, {high}]" for a, (low, high) in bounds.items())
    lines = [
        "pinngate: 1",
        f"name: {rng.choice(NAMES) if rng.random() < 0.2 else 'fuzz'}",
        f"domain: {{{sides}}}",
        f"unknowns: [{', '.join(fields)}]",
        *_coefficient(rng),
        "equations:",
        *_equations(rng, axes, fields),
    ]
    if rng.random() < 0.7:
        lines += ["conditions:", *_conditions(rng, axes, fields, bounds)]
    lines.append("observations:")
    for f in fields:
        count = rng.choice(COUNTS if rng.random() < 0.3 else COUNTS[:2])
        lines.append(f"  - {{of: {f}, count: {count}, noise: {rng.choice(NOISE)}}}")
    lines.append("truth:")
    lines += [f'  {f}: "{formula(rng, axes, 2)}"'.replace("\0", "") for f in fields]
    if rng.random() < 0.3:
        lines.append(f"solve: {{{rng.choice(SOLVE)}}}")
    return spoiled(rng, "\n".join(lines) + "\n")


def _coefficient(rng: Random) -> list[str]:
    if rng.random() < 0.6:
        return [f"constants: {{kappa: {rng.choice(CONSTANTS)}}}"]
    stated = f"initial: {rng.choice(INITIAL)}, positive: true, truth: 0.05"
    return ["estimate:", f"  kappa: {{{stated}}}"]


def _equations(rng: Random, axes: list[str], fields: list[str]) -> list[str]:
    derived = [f"{f}_{a * k}" for f in fields for a in axes for k in (1, 2)]
    names = [*axes, *fields, *derived, "kappa"]
    rights = [_typed(rng, names, rng.choice([1, 2, 3])) for _ in fields]
    return [
        f'  - "{f}_{rng.choice(axes)} = {right}"' for f, right in zip(fields, rights, strict=True)
    ]


def _conditions(
    rng: Random, axes: list[str], fields: list[str], bounds: Mapping[str, tuple[float, float]]
) -> list[str]:
    lines = []
    for _ in range(rng.choice([1, 2, 3])):
        a = rng.choice(axes)
        where = f"{a} = {rng.choice([*bounds[a], 0])}"
        equation = f"{rng.choice(fields)} = {_typed(rng, [*axes, *fields], 1)}"
        lines.append(f'  - {{where: {where}, equation: "{equation}"}}')
    return lines


def _typed(rng: Random, names: Sequence[str], depth: int) -> str:
    """Return a formula that can stand in quotes."""
    return formula(rng, names, depth).replace("\0", "").replace('"', "")


def spoiled(rng: Random, text: str) -> str:
    """Return a text with nothing, a line or a few characters changed."""
    kind = rng.randrange(6)
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[rng.randrange(len(lines))])
    elif kind == 2:
        lines[at] = " " * rng.randrange(4) + lines[at]
    elif kind == 3:
        place = rng.randrange(len(text))
        return (
            text[:place] + rng.choice([*ODD_TEXT, *ODD_NUMBERS]) + text[place + rng.randrange(3) :]
        )
    return "\n".join(lines) + "\n"


def table(rng: Random) -> tuple[str, bytes]:
    """Return the name and the bytes of a table of x, t and u."""
    rows = np.array(
        [[rng.random(), rng.random(), rng.gauss(0, 1)] for _ in range(rng.choice([1, 3, 12]))]
    )
    if rng.random() < 0.4:
        stream = io.BytesIO()
        columns = {"x": rows[:, 0], "t": rows[:, 1], "u": rows[:, 2]}
        if rng.random() < 0.2:
            columns["u"] = rng.choice(
                [
                    rows[:1, 2],
                    rows.astype(complex)[:, 2],
                    rows[:, 2].astype(str),
                    rows,
                    np.float64(3),
                ]
            )
        (np.savez_compressed if rng.random() < 0.5 else np.savez)(stream, **columns)
        return "data.npz", _bytes_changed(rng, stream.getvalue())
    separator = rng.choice([",", ",", ",", ";", "\t", "|"])
    cells = [["x", "t", "u"], *([f"{v:.6g}" for v in row] for row in rows)]
    if rng.random() < 0.6:
        row = rng.randrange(len(cells))
        column = rng.randrange(3)
        cells[row][column] = rng.choice(
            [*ODD_NUMBERS, *ODD_TEXT, "nan", "inf", "NA", '"a\nb"', '"1""2"']
        )
    if rng.random() < 0.2:
        cells[rng.randrange(len(cells))].append("7")
    text = rng.choice(["\n", "\r\n"]).join(separator.join(row) for row in cells) + "\n"
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"])
    return "data.csv", _bytes_changed(rng, text.encode(encoding, errors="replace"))


def _bytes_changed(rng: Random, content: bytes) -> bytes:
    """Return bytes as they are, cut short, or with a few changed."""
    kind = rng.randrange(4)
    if kind == 0:
        return content[: rng.randrange(len(content) + 1)]
    if kind == 1:
        changed = bytearray(content)
        for _ in range(rng.choice([1, 1, 5, 40])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    return content


def checkpoint(rng: Random, original: bytes) -> bytes:
    """Return a checkpoint that is never the original one."""
    kind = rng.randrange(4)
    if kind == 0:
        return original[: rng.randrange(len(original))]
    if kind == 1:
        return bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 100])))
    changed = bytearray(original)
    start, length = rng.randrange(len(changed)), rng.choice([1, 1, 4, 40])
    for at in range(start, min(start + length, len(changed))):
        changed[at] ^= rng.randrange(1, 256)
    return bytes(changed)


COMMANDS = (
    "run", "resume", "report", "report-bug", "check", "predict", "compare", "spectrum", "theory",
    "bench", "list", "new", "cite", "schema", "completion",
)  # fmt: skip
OPTIONS = (
    "--out", "--set", "--seed", "--device", "--netcdf", "--max-memory", "--quiet", "--json", "--at",
    "--grid", "--seeds", "--workers", "--method", "--problem", "--list", "--from", "--help",
    "--version", "--draws", "--time-limit", "--no-such",
)  # fmt: skip
VALUES = {
    "--set": (
        "solve.iterations=1", "solve.iterations=-1", "=", "a.b.c=1", "observations.7.count=2",
        "name=x", "solve={", "domain.x=[1,0]",
    ),
    "--seed": ("1", "-1", "x", "\u0661", "1e3", "99999999999999999999"),
    "--device": ("cpu", "tpu", ""),
    "--max-memory": ("1GB", "1kB", "-3", "x", ""),
    "--at": ("points.csv", "missing.csv", ".", "/dev/null", "broken.yaml"),
    "--grid": (
        "x=0:1:3,t=0:1:2", "x=0:1:10000000000000", "x=", "t=0:1:2", "x=0:1:-1,t=0:0:1", ",,,",
    ),
    "--out": ("out.csv", "out.npz", "out.txt", "", "new", "\0"),
    "--seeds": ("1", "0", "x"),
    "--workers": ("1", "0"),
    "--method": ("none",),
    "--problem": ("none",),
    "--from": ("heat-noisy-ic", "heta-noisy-ic"),
    "--draws": ("0", "-1"),
    "--time-limit": ("-1", "x"),
}  # fmt: skip
PLACES = ("heat-noisy-ic", "no-such", "", ".", "..", "adam", "new.yaml", "\x1b[2J", "/dev/zero")
NO_PROBLEMS = ("no-such", "", ".", "/dev/zero", "broken.yaml")


def command(rng: Random, run: str, problem: str) -> list[str]:
    """Return the arguments of a command that never trains for long.

    Args:
        rng: of the case.
        run: the folder of a finished run.
        problem: a problem file.
    """
    name = rng.choice([*COMMANDS, "frobnicate", ""])
    if name in ("bench", "theory"):
        name += " --help" if rng.random() < 0.5 else " no-such"
    arguments = name.split(" ")
    pool = NO_PROBLEMS if name == "run" else (run, problem, *PLACES)
    arguments += rng.choices(pool, k=rng.choice([0, 1, 1, 1, 2]))
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        option = rng.choice(OPTIONS)
        arguments.append(option)
        if option in VALUES and rng.random() < 0.95:
            arguments.append(rng.choice(VALUES[option]))
    return arguments
