"""Small runs to try things on: a second of training for each of both optimizers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pinngate import config
from pinngate import solution as runs

SMALL = [
    "solve.collocation=60",
    "solve.network={width: 8, depth: 1}",
    "observations.0.layout={t: 40}",
]
SETTINGS = {
    "population-risk-gauss-newton": [*SMALL, "solve.iterations=60"],
    "population-risk-adam": [
        *SMALL, "solve.optimizer=population-risk-adam", "solve.iterations=80",
    ],
}  # fmt: skip
COMPARED = ("fields", "risk", "coefficients", "iterations", "verdict")
PROBLEM = "oscillator"


def arguments(optimizer: str, folder: Path, *, has_report: bool = True) -> list[str]:
    """Return the command that solves the small problem into a folder."""
    stated = [part for override in SETTINGS[optimizer] for part in ("--set", override)]
    return ["run", PROBLEM, *stated, "--out", str(folder), "--quiet", *quick(has_report)]


def quick(has_report: bool) -> list[str]:
    """Return the option that leaves figures and report out, where they are not wanted."""
    return [] if has_report else ["--no-report"]


def finished(optimizer: str, folder: Path) -> Path:
    """Solve the small problem into a folder and return it."""
    runs.run(config.load(config.resolve(PROBLEM), overrides=SETTINGS[optimizer]), folder)
    return folder


def differences(whole: Path, other: Path, *, has_report: bool = True) -> list[str]:
    """Return what two finished runs do not have in common: files, and numbers bit by bit."""
    found = []
    drawn = () if has_report else ("figures", "report.html")
    files = [
        {p.relative_to(folder).as_posix() for p in folder.rglob("*")} for folder in (whole, other)
    ]
    files = [{name for name in own if not name.startswith(drawn)} for own in files]
    if files[0] != files[1]:
        found.append(f"files: {sorted(files[0] ^ files[1])}")
        if not (other / "solution.npz").exists() or not (other / "metrics.json").exists():
            return found
    with np.load(whole / "solution.npz") as a, np.load(other / "solution.npz") as b:
        found += [
            n for n in a.files if n not in b.files or not np.array_equal(a[n], b[n], equal_nan=True)
        ]
    first, second = (json.loads((f / "metrics.json").read_text()) for f in (whole, other))
    found += [
        k
        for k in ("fields", "risk", "coefficients", "iterations", "verdict")
        if first[k] != second[k]
    ]
    page = other / "report.html"
    if page.is_file() and not page.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        found.append("report.html is not whole")
    return found
