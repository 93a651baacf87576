"""Synthetic runs: real solutions of real equations with made-up noise, no solver involved."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pinngate.expression import parse, parse_equation
from pinngate.report import RunArchive
from pinngate.statement.components import Statement
from pinngate.statement.problem import (
    Coefficient,
    Condition,
    Equation,
    MeasuredObservations,
    Noise,
    Plane,
    Problem,
    SyntheticObservations,
    Truth,
)

KAPPA, NOISE = 0.05, 0.3


def _equation(text: str) -> Equation:
    return Equation(text, parse_equation(text))


def _condition(axis: str, value: float, text: str) -> Condition:
    return Condition(Plane(axis, value), text, parse_equation(text))


def _heat_field(x: np.ndarray, t: np.ndarray, a: float = 1.0, b: float = 0.5) -> np.ndarray:
    rate = KAPPA * np.pi**2
    first = a * np.exp(-rate * t) * np.sin(np.pi * x)
    return first + b * np.exp(-9 * rate * t) * np.sin(3 * np.pi * x)


HEAT_TRUTH = "exp(-kappa*pi**2*t)*sin(pi*x) + 0.5*exp(-9*kappa*pi**2*t)*sin(3*pi*x)"
HEAT_YAML = f"""\
pinngate: 1
name: heat-noisy-ic  # <b>not markup</b>
title: Heat on a rod whose initial temperature was measured with noise
domain: {{x: [0, 1], t: [0, 1]}}
unknowns: [u]
constants: {{kappa: 0.05}}
equations:
  - u_t = kappa*u_xx
conditions:
  - {{where: x = 0, equation: u = 0}}
  - {{where: x = 1, equation: u = 0}}
observations:
  - {{of: u, where: t = 0, count: 200, noise: {{std: 0.3}}}}
truth:
  u: {HEAT_TRUTH}
"""


def heat_problem() -> Problem:
    return Problem.of(
        Statement(
            name="heat-noisy-ic",
            title="Heat on a rod whose initial temperature was measured with noise",
            description="A rod of length 1 & ends held at <zero>.",
            source="arXiv:2605.01172",
            domain={"x": (0.0, 1.0), "t": (0.0, 1.0)},
            unknowns=("u",),
            constants={"kappa": KAPPA},
            equations=(_equation("u_t = kappa*u_xx"),),
            conditions=(_condition("x", 0.0, "u = 0"), _condition("x", 1.0, "u = 0")),
            observations=(
                SyntheticObservations("u", 200, Noise(std=NOISE), where=Plane("t", 0.0)),
            ),
            truth=Truth(fields={"u": parse(HEAT_TRUTH)}),
        )
    )


def _race_history() -> dict[str, np.ndarray]:
    """Three networks of 20 iterations in turn, then 12 more of the second; every second logged."""
    candidate = np.repeat([0.0, 1.0, 2.0, 1.0], [10, 10, 10, 6])
    own = np.concatenate([np.arange(2.0, 21, 2)] * 3 + [np.arange(22.0, 33, 2)])
    fall = np.exp(-own / 3)
    misfit = 0.087 + 0.9 * fall + 0.004 * candidate
    physics = 9 * fall + 0.001
    risk = misfit + 0.0042
    return {
        "iteration": np.arange(2.0, 73, 2),
        "seconds": 0.08 * np.arange(36),
        "loss": misfit + physics,
        "loss_equation_1": 0.0001 + fall,
        "loss_condition_1": 1e-6 + 0.5 * fall**2,
        "loss_condition_2": 1e-6 + 0.4 * fall**2,
        "loss_observation_1": misfit,
        "learning_rate": np.full(36, np.nan),
        "leave_one_out_risk": risk,
        "training_risk": misfit,
        "lookahead_risk": risk,
        "selection_risk": risk + physics,
        "effective_dimension": 4 + 22 * fall,
        "signal_fraction": 0.1 + 0.2 * fall,
        "ridge": 0.01 + fall,
        "damping": 1e-4 + 0.3 * fall**2,
        "physics_weight": 3 * np.minimum(1.0, 0.05 * 1.3**own),
        "noise_std_1": np.sqrt(misfit * 200 / 196),
        "candidate": candidate,
        "relative_l2_u": 0.027 + 0.9 * fall,
    }


def heat(folder: Path) -> RunArchive:
    """One space axis and time, with truth, uncertainty, data at t = 0 and a race of networks."""
    generator = np.random.default_rng(1)
    x, t = np.linspace(0, 1, 81), np.linspace(0, 1, 61)
    grid = np.meshgrid(x, t, indexing="ij")
    truth = _heat_field(*grid)
    u = _heat_field(*grid, a=1.025, b=0.47)
    std = 0.028 * np.sqrt(
        (np.exp(-KAPPA * np.pi**2 * grid[1]) * np.sin(np.pi * grid[0])) ** 2
        + (np.exp(-9 * KAPPA * np.pi**2 * grid[1]) * np.sin(3 * np.pi * grid[0])) ** 2
    )
    at = np.sort(generator.uniform(0, 1, 200))
    start = np.zeros(200)
    errors = generator.normal(size=200)
    value = _heat_field(at, start) + NOISE * errors / errors.std()
    fitted = _heat_field(at, start, a=1.025, b=0.47)
    history = _race_history()
    error = float(np.linalg.norm(u - truth) / np.linalg.norm(truth))
    coverage = float(np.mean(np.abs(u - truth) <= 1.96 * std + 1e-12))
    return RunArchive(
        folder=folder,
        problem=heat_problem(),
        metrics={
            "format": 1,
            "problem": "heat-noisy-ic",
            "status": "converged",
            "reason": "the leave-one-out risk stopped falling",
            "optimizer": "population-risk-gauss-newton",
            "seed": 0,
            "iterations": 72,
            "seconds": {"total": 3.1, "setup": 0.6, "solve": 1.9, "evaluate": 0.6},
            "points": {"collocation": 1000, "conditions": 200, "observations": 200},
            "parameters": 2241,
            "fields": {
                "u": {
                    "relative_l2": error,
                    "relative_l2_initial": 0.058,
                    "max_abs": float(np.abs(u - truth).max()),
                    "coverage_95": coverage,
                }
            },
            "limit": {"u": {"relative_l2": 0.021}},
            "classical": {
                "u": {"relative_l2": 0.033, "method": "smoothing spline + finite differences"}
            },
            "coefficients": None,
            "noise_std": {"u": 0.298},
            "risk": {"leave_one_out": 0.0912, "training": 0.0871},
            "network": {"width": 128, "depth": 1, "activation": "sin", "features": 4.0},
            "race": [
                {
                    "network": name,
                    "options": {"width": w, "depth": d, "activation": kind, "features": bandwidth},
                    "risk": risk,
                    "iterations": count,
                    "is_winner": name == "sine-4",
                }
                for name, w, d, kind, bandwidth, risk, count in (
                    ("sine-2", 128, 1, "sin", 2.0, 0.0954, 20),
                    ("sine-4", 128, 1, "sin", 4.0, 0.0922, 32),
                    ("tanh", 32, 3, "tanh", None, None, 20),
                )
            ],
        },
        history=history,
        solution={"x": x, "t": t, "u": u, "u_std": std, "u_truth": truth},
        observations={
            "set": np.full(200, "1"),
            "of": np.full(200, "u"),
            "x": at,
            "t": start,
            "value": value,
            "fitted": fitted,
            "residual": value - fitted,
            "leave_one_out_residual": (value - fitted) / (1 - 4 / 200),
            "std": np.full(200, np.nan),
        },
        environment={
            "pinngate": "0.1.0",
            "python": "3.11.7",
            "packages": {"torch": "2.6.0", "numpy": "2.1.0"},
            "device": "cpu",
            "threads": 1,
        },
    )


def decay(folder: Path) -> RunArchive:
    """One ordinary differential equation with an unknown rate; measured data of known std."""
    generator = np.random.default_rng(2)
    t, at = np.linspace(0, 4, 101), np.linspace(0.1, 3.9, 25)
    value = np.exp(-0.7 * at) + 0.05 * generator.normal(size=25)
    n = np.arange(0, 4000.0, 50)
    fall = np.exp(-n / 500)
    fitted = 1.02 * np.exp(-0.72 * at)
    return RunArchive(
        folder=folder,
        problem=Problem.of(
            Statement(
                name="decay",
                domain={"t": (0.0, 4.0)},
                unknowns=("u",),
                equations=(_equation("u_t + k*u"),),
                observations=(MeasuredObservations("u", Path("decay.csv"), Noise(std=0.05)),),
                coefficients=(Coefficient("k", 0.3, lower=0.0, truth=0.7),),
                truth=Truth(fields={"u": parse("exp(-k*t)")}),
            )
        ),
        metrics={
            "status": "converged",
            "reason": "the leave-one-out risk stopped falling",
            "optimizer": "population-risk-adam",
            "seed": 3,
            "iterations": 4000,
            "seconds": {"total": 310.0},
            "fields": {"u": {"relative_l2": 0.0171, "max_abs": 0.02, "coverage_95": 0.97}},
            "limit": None,
            "classical": None,
            "coefficients": {
                "k": {
                    "estimate": 0.72,
                    "std": 0.021,
                    "interval_95": [0.679, 0.761],
                    "truth": 0.7,
                    "relative_error": 0.0286,
                }
            },
            "noise_std": {"u": 0.049},
            "risk": {"leave_one_out": 0.0026, "training": 0.0023},
        },
        history={
            "iteration": n,
            "loss": 0.002 + fall,
            "learning_rate": 1e-3 * 0.5 * (1 + np.cos(np.pi * n / 4000)),
            "open_fraction": 0.3 + 0.6 * fall,
            "coefficient_k": 0.72 - 0.42 * fall,
            "coefficient_k_std": 0.021 + 3.0 * fall,
        },
        solution={
            "t": t,
            "u": 1.02 * np.exp(-0.72 * t),
            "u_std": 0.02 * np.exp(-0.3 * t),
            "u_truth": np.exp(-0.7 * t),
        },
        observations={
            "set": np.full(25, "decay.csv"),
            "of": np.full(25, "u"),
            "t": at,
            "value": value,
            "fitted": fitted,
            "residual": value - fitted,
            "std": np.full(25, 0.05),
        },
    )


def membrane(folder: Path) -> RunArchive:
    """A steady problem in the plane with scattered observations; not converged."""
    generator = np.random.default_rng(3)
    x, y = np.linspace(0, 1, 41), np.linspace(0, 1, 37)
    grid = np.meshgrid(x, y, indexing="ij")
    truth = np.sin(np.pi * grid[0]) * np.sin(np.pi * grid[1])
    places = generator.uniform(size=(150, 2))
    clean = np.sin(np.pi * places).prod(axis=1)
    value = clean + 0.1 * generator.normal(size=150)
    value[:3] += 1.5
    return RunArchive(
        folder=folder,
        problem=Problem.of(
            Statement(
                name="membrane",
                domain={"x": (0.0, 1.0), "y": (0.0, 1.0)},
                unknowns=("u",),
                equations=(_equation("u_xx + u_yy = -2*pi**2*sin(pi*x)*sin(pi*y)"),),
                conditions=(_condition("x", 0.0, "u + 2*u_x = 1"),),
                observations=(
                    SyntheticObservations(
                        "u", 150, Noise(relative=0.2, kind="outliers", fraction=0.02)
                    ),
                ),
                truth=Truth(fields={"u": parse("sin(pi*x)*sin(pi*y)")}),
            )
        ),
        metrics={
            "status": "iteration-limit",
            "reason": "the iteration limit of 40 was reached",
            "optimizer": "adam",
            "iterations": 40,
            "fields": {"u": {"relative_l2": 0.31, "max_abs": 0.2, "coverage_95": 0.55}},
            "noise_std": {"u": 0.1},
        },
        history={"iteration": np.arange(40.0), "loss": np.exp(-np.arange(40.0) / 9)},
        solution={
            "x": x,
            "y": y,
            "u": 0.97 * truth + 0.01,
            "u_std": 0.004 + 0.008 * truth,
            "u_truth": truth,
        },
        observations={
            "set": np.full(150, "1"),
            "of": np.full(150, "u"),
            "x": places[:, 0],
            "y": places[:, 1],
            "value": value,
            "fitted": 0.97 * clean,
            "residual": value - 0.97 * clean,
        },
    )


def bare(folder: Path) -> RunArchive:
    """Nothing but two fields on a grid: no truth, no observations, no history, no metrics."""
    x, t = np.linspace(0, 1, 11), np.linspace(0, 2, 9)
    grid = np.meshgrid(x, t, indexing="ij")
    return RunArchive(
        folder=folder,
        problem=Problem.of(
            Statement(
                name="bare",
                domain={"x": (0.0, 1.0), "t": (0.0, 2.0)},
                unknowns=("u", "v"),
                equations=(_equation("u_t = v_xx"), _equation("v_t = -u_xx")),
                conditions=(_condition("t", 0.0, "u = sin(2*pi*x)"), _condition("t", 0.0, "v = 0")),
                periodic=("x",),
            )
        ),
        metrics={"status": "converged", "reason": None, "fields": {"u": None, "v": None}},
        history={},
        solution={"x": x, "t": t, "u": np.sin(grid[0] + grid[1]), "v": np.zeros_like(grid[0])},
    )


def plate(folder: Path) -> RunArchive:
    """Two space axes and time."""
    x, y, t = np.linspace(0, 1, 21), np.linspace(0, 1, 19), np.linspace(0, 1, 11)
    X, Y, T = np.meshgrid(x, y, t, indexing="ij")
    truth = np.exp(-T) * np.sin(np.pi * X) * np.sin(2 * np.pi * Y)
    n = 120
    places = np.random.default_rng(4).uniform(size=(n, 3))
    clean = np.exp(-places[:, 2]) * np.sin(np.pi * places[:, 0]) * np.sin(2 * np.pi * places[:, 1])
    value = clean + 0.1 * np.random.default_rng(5).normal(size=n)
    return RunArchive(
        folder=folder,
        problem=Problem.of(
            Statement(
                name="plate",
                domain={"x": (0.0, 1.0), "y": (0.0, 1.0), "t": (0.0, 1.0)},
                unknowns=("u",),
                equations=(_equation("u_t = 0.1*(u_xx + u_yy)"),),
            )
        ),
        metrics={"status": "converged", "fields": {"u": {"relative_l2": 0.04}}},
        history={},
        solution={
            "x": x,
            "y": y,
            "t": t,
            "u": 1.04 * truth,
            "u_std": 0.05 * np.abs(truth) + 0.002,
            "u_truth": truth,
        },
        observations={
            "set": np.full(n, "1"),
            "of": np.full(n, "u"),
            "x": places[:, 0],
            "y": places[:, 1],
            "t": places[:, 2],
            "value": value,
            "fitted": clean,
            "residual": value - clean,
        },
    )


def volume(folder: Path) -> RunArchive:
    """Three space axes and time, with an uncertainty but no truth."""
    grids = [np.linspace(0, 1, n) for n in (9, 8, 7, 5)]
    X, Y, Z, T = np.meshgrid(*grids, indexing="ij")
    u = np.exp(-T) * np.sin(np.pi * X) * np.sin(np.pi * Y) * np.sin(np.pi * Z)
    return RunArchive(
        folder=folder,
        problem=Problem.of(
            Statement(
                name="volume",
                domain=dict.fromkeys(("x", "y", "z", "t"), (0.0, 1.0)),
                unknowns=("u",),
                equations=(_equation("u_t = 0.1*(u_xx + u_yy + u_zz)"),),
            )
        ),
        metrics={"status": "converged", "fields": None},
        history={},
        solution={**dict(zip("xyzt", grids, strict=True)), "u": u, "u_std": 0.1 * u + 0.01},
    )


MAKERS = {
    "heat": heat,
    "decay": decay,
    "membrane": membrane,
    "bare": bare,
    "plate": plate,
    "volume": volume,
}


@pytest.fixture
def make_archive(tmp_path: Path) -> Callable[[str], RunArchive]:
    """A synthetic run by name, its folder empty but for problem.yaml."""

    def make(name: str) -> RunArchive:
        (tmp_path / "problem.yaml").write_text(HEAT_YAML, encoding="utf-8")
        return MAKERS[name](tmp_path)

    return make


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """The heat run as files, written with the standard library as any writer would."""
    archive = heat(tmp_path)
    (tmp_path / "problem.yaml").write_text(HEAT_YAML, encoding="utf-8")
    (tmp_path / "metrics.json").write_text(json.dumps(archive.metrics), encoding="utf-8")
    (tmp_path / "environment.json").write_text(json.dumps(archive.environment), encoding="utf-8")
    np.savez(tmp_path / "solution.npz", **archive.solution)
    for name, columns in (
        ("history.csv", archive.history),
        ("observations.csv", archive.observations),
    ):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for row in zip(*columns.values(), strict=True):
                writer.writerow(["" if v != v else v for v in row])
    return tmp_path
