"""Run a suite: every run once, in parallel, resumable.

A run is identified by the hash of its problem as the method gets it, of the method and of its
options, defaults written out: a change of any default is a new run and everything else is skipped.
One line of JSON for each finished run is appended to ``runs.jsonl``; a failed run is a line too,
never dropped.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

from pinngate import __version__, config
from pinngate.bench.cluster import Cluster, executed_on
from pinngate.bench.measures import Case, Row, case_of, score
from pinngate.bench.methods import method
from pinngate.bench.methods.contract import NotApplicable, Task
from pinngate.bench.suite import Run, Suite, runs_of
from pinngate.bench.workers import executed
from pinngate.errors import PinngateError
from pinngate.statement.problem import Problem

logger = logging.getLogger(__name__)


def run_matrix(
    suite: Suite,
    folder: Path,
    *,
    num_workers: int = 1,
    time_limit: float | None = None,
    cluster: Cluster | None = None,
    on_row: Callable[[Row, int, int], None] | None = None,
) -> list[Row]:
    """Run what has not been run yet and return all rows of the suite.

    Args:
        suite: the matrix.
        folder: holds ``runs.jsonl``, made if absent.
        num_workers: processes, or jobs of a cluster, at a time; each uses one thread.
        time_limit: seconds that one run may take; one that takes longer is a failed row.
        cluster: where runs are jobs; None for processes on this machine.
        on_row: called with each new row, the number done and the number in all.

    Raises:
        InputError: a method's library is not installed, or the cluster not there; nothing has been
            run.
    """
    for choice in suite.methods.values():
        method(choice.method).require()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "runs.jsonl"
    wanted = {identity(run): run for run in runs_of(suite)}
    done = _finished(file)
    missing = [(key, run) for key, run in wanted.items() if key not in done]
    logger.info("%d of %d runs are done", len(wanted) - len(missing), len(wanted))
    run_all = executed if cluster is None else partial(executed_on, cluster, folder / "jobs")
    if missing:
        with file.open("a", encoding="utf-8") as stream:
            for row in run_all(
                missing, execute, num_workers=num_workers, time_limit=time_limit, failed=_failed
            ):
                done[row["id"]] = row
                stream.write(json.dumps(row) + "\n")
                stream.flush()
                if on_row is not None:
                    on_row(row, len(wanted.keys() & done.keys()), len(wanted))
    return [done[key] | _labels(run) for key, run in wanted.items()]


def _failed(key: str, run: Run, reason: str) -> Row:
    return {"id": key} | _labels(run) | {"status": "failed", "reason": reason}


def _finished(file: Path) -> dict[str, Row]:
    """Return the rows on disk; a line that a killed process left unfinished is cut off."""
    done: dict[str, Row] = {}
    if not file.exists():
        return done
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            continue  # what a benchmark never wrote
        done[row["id"]] = row
        kept.append(line)
    if len(kept) < len(lines):
        file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    return done


def _labels(run: Run) -> Row:
    return {
        "problem": run.problem,
        "setting": run.setting,
        "method": run.label,
        "family": method(run.choice.method).family,
        "seed": run.seed,
    }


def _stated(run: Run) -> Problem:
    overrides = (*run.overrides, f"solve.seed={run.seed}")
    return config.load(config.resolve(run.problem), overrides=overrides)


def identity(run: Run) -> str:
    """Return the hash of all that the answer depends on, sixteen hexadecimal digits."""
    chosen = method(run.choice.method)
    options = chosen.complete(run.choice.options)
    problem = config.dumps(chosen.prepare(_stated(run), options))
    given = {name: value for name, value in options.items() if value is not None}
    text = f"{__version__}\n{chosen.name}\n{json.dumps(given, sort_keys=True)}\n{problem}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=2)
def _case(problem: str, overrides: tuple[str, ...]) -> Case:
    """Return what all methods of one problem and seed share; they follow one another."""
    return case_of(config.load(config.resolve(problem), overrides=overrides))


def execute(key: str, run: Run) -> Row:
    """Solve one run and return its row; a failure is a row with its reason."""
    row: Row = {"id": key} | _labels(run)
    try:
        chosen = method(run.choice.method)
        options = chosen.complete(run.choice.options)
        case = _case(run.problem, (*run.overrides, f"solve.seed={run.seed}"))
        course = case.course()
        problem = chosen.prepare(case.problem, options)
        task = Task(problem, case.observations, case.grid.points, course, options)
        metrics = score(case, chosen.solve(task))
    except NotApplicable as reason:
        return row | {"status": "not applicable", "reason": str(reason)}
    except PinngateError as error:
        return row | {"status": "failed", "reason": str(error)}
    except Exception as error:  # a rival's own error is its failure, not the benchmark's
        logger.debug("%s failed", run.label, exc_info=True)
        return row | {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
    return row | flatten(metrics) | {"course": course.table()}


def flatten(metrics: Row, prefix: str = "") -> Row:
    """Return nested metrics as one level, keys joined by dots."""
    flat: Row = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        elif name not in ("problem", "optimizer", "seed") or prefix:
            flat[prefix + name] = value
    return flat


def columns(rows: Sequence[Row]) -> list[str]:
    """Return every key of the rows, in order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))
