"""Problems × settings × optimizers × seeds: every run once, in parallel, resumable.

A run is identified by the hash of its resolved problem file, defaults written out, so a change of
any default is a new run and everything else is skipped. One line of JSON for each finished run is
appended to ``runs.jsonl``; a failed run is a line too, never dropped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from pinngate import __version__, config
from pinngate.errors import InputError, PinngateError, nearest

logger = logging.getLogger(__name__)

SUITES = Path(__file__).parent / "suites"


@dataclass(frozen=True)
class Suite:
    """What to run: every problem with every setting, optimizer and seed.

    `settings` maps a label to overrides as `pinngate run --set` takes them.
    """

    name: str
    problems: tuple[str, ...]
    optimizers: tuple[str, ...] = ("auto",)
    settings: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"default": ()})
    num_seeds: int = 10


@dataclass(frozen=True)
class Run:
    """One cell and seed of a suite."""

    problem: str
    setting: str
    optimizer: str
    seed: int
    overrides: tuple[str, ...]


def suite_names() -> list[str]:
    """Return the names of the shipped suites."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def load_suite(name: str) -> Suite:
    """Read a suite: a shipped one by name, or a YAML file.

    Raises:
        InputError: there is none, or it has unknown keys.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else SUITES / f"{name}.yaml"
    if not path.exists():
        raise InputError(
            f"there is no suite '{name}'",
            expected="one of " + ", ".join(suite_names()) + ", or a YAML file",
            hint=nearest(name, suite_names()),
        )
    stated = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {"problems", "optimizers", "settings", "seeds"}
    if not isinstance(stated, dict) or set(stated) - known or "problems" not in stated:
        raise InputError(f"{path} is no suite", expected="the keys " + ", ".join(sorted(known)))
    settings = {k: tuple(v or ()) for k, v in (stated.get("settings") or {"default": ()}).items()}
    return Suite(
        path.stem,
        tuple(stated["problems"]),
        tuple(stated.get("optimizers", ("auto",))),
        settings,
        int(stated.get("seeds", 10)),
    )


def runs_of(suite: Suite) -> Iterator[Run]:
    """Yield every run of a suite, seeds outermost: a partial matrix is a smaller sample of all."""
    for seed in range(suite.num_seeds):
        for problem in suite.problems:
            for setting, overrides in suite.settings.items():
                for optimizer in suite.optimizers:
                    every = (*overrides, f"solve.optimizer={optimizer}", f"solve.seed={seed}")
                    yield Run(problem, setting, optimizer, seed, every)


def run_matrix(
    suite: Suite,
    folder: Path,
    *,
    num_workers: int = 1,
    on_row: Callable[[dict[str, Any], int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Run what has not been run yet and return all rows of the suite.

    Args:
        suite: the matrix.
        folder: holds ``runs.jsonl``, made if absent.
        num_workers: processes; each uses one thread where there are several.
        on_row: called with each new row, the number done and the number in all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "runs.jsonl"
    done: dict[str, dict[str, Any]] = {}
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.endswith("}"):
                row = json.loads(line)
                done[row["id"]] = row
    wanted = {identity(run): run for run in runs_of(suite)}
    missing = [(key, run) for key, run in wanted.items() if key not in done]
    logger.info("%d of %d runs are done", len(wanted) - len(missing), len(wanted))
    with (
        ProcessPoolExecutor(num_workers, get_context("spawn"), _limit_threads) as pool,
        file.open("a", encoding="utf-8") as stream,
    ):
        futures = [pool.submit(execute, key, run) for key, run in missing]
        for future in as_completed(futures):
            row = future.result()
            done[row["id"]] = row
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            if on_row is not None:
                on_row(row, sum(key in done for key in wanted), len(wanted))
    return [done[key] for key in wanted]


def _limit_threads() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(1)


def identity(run: Run) -> str:
    """Return the hash of the resolved problem, sixteen hexadecimal digits."""
    from pinngate.optim.registry import resolve

    problem = config.load(config.resolve(run.problem), overrides=run.overrides)
    text = f"{__version__}\n{run.setting}\n{run.optimizer}\n{config.dumps(resolve(problem))}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def execute(key: str, run: Run) -> dict[str, Any]:
    """Solve one run and return its row; a failure is a row with its reason."""
    from pinngate.runs import solve

    row: dict[str, Any] = {
        "id": key,
        "problem": run.problem,
        "setting": run.setting,
        "optimizer": run.optimizer,
        "seed": run.seed,
    }
    try:
        problem = config.load(config.resolve(run.problem), overrides=run.overrides)
        metrics = solve(problem).metrics
    except PinngateError as error:
        return row | {"status": "failed", "reason": str(error)}
    return row | flatten(metrics)


def flatten(metrics: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested metrics as one level, keys joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        elif name not in ("problem", "optimizer", "seed") or prefix:
            flat[prefix + name] = value
    return flat


def columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return every key of the rows, in order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))
