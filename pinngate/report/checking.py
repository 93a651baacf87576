"""The lines of ``pinngate check``: a problem as it was understood, its data, what a run would take.

Over `inspection`, with the reference, the observations and the memory of a run. No network is
built, and torch is loaded only where the device has to be looked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pinngate.data.observations import ObservationSet, collect
from pinngate.errors import InputError
from pinngate.memory import rounded_text
from pinngate.reference import truth
from pinngate.report.inspection import describe, multiply_adds
from pinngate.report.truth_check import Finding, verify_truth
from pinngate.runs.forecast import memory_of_a_run
from pinngate.statement.completion import complete_options
from pinngate.statement.options import NetworkOptions, OptimizerOptions, optimizer_name
from pinngate.statement.problem import Problem
from pinngate.statement.singular_ends import singular_ends


def check_lines(problem: Problem) -> Iterator[str]:
    """Yield what there is to say of a problem, line by line.

    Raises:
        InputError: it could not be run, or, after the last line, its stated truth does not satisfy
            its equations and conditions.
    """
    yield f"{problem.name}: {problem.title}" if problem.title else problem.name
    last = ""
    findings: list[Finding] = []
    for heading, line in _entries(problem, findings):
        yield f"  {heading if heading != last else '':<14}{line}"
        last = heading
    refuse_wrong(findings)


def summary(problem: Problem, findings: list[Finding]) -> dict[str, Any]:
    """Return what there is to say of a problem as plain containers.

    Args:
        problem: the problem.
        findings: what was found of the truth is added; see `refuse_wrong`.

    Returns:
        ``name``, ``title``, under ``said`` the lines by heading, and under ``truth`` an entry for
        each equation and condition.

    Raises:
        InputError: it could not be run.
    """
    said: dict[str, list[str]] = {}
    for heading, line in _entries(problem, findings):
        said.setdefault(heading, []).append(line)
    truth = [
        {
            "statement": finding.statement,
            "residual": finding.residual if math.isfinite(finding.residual) else None,
            "holds": bool(finding.is_satisfied),
        }
        for finding in findings
    ]
    return {"name": problem.name, "title": problem.title, "said": said, "truth": truth}


def refuse_wrong(findings: Sequence[Finding]) -> None:
    """Refuse a truth that does not satisfy its problem.

    Raises:
        InputError: it does not.
    """
    wrong = [finding for finding in findings if not finding.is_satisfied]
    if wrong:
        raise InputError(
            f"the stated truth does not satisfy {wrong[0].statement!r}",
            expected=f"a residual of zero, found {wrong[0].residual:.2e} of the terms' size",
        )


def _entries(problem: Problem, findings: list[Finding]) -> Iterator[tuple[str, str]]:
    """Yield (heading, line) pairs and note what was found of the truth."""
    yield from describe(problem)
    findings += verify_truth(problem)
    for finding in findings:
        verdict = "holds" if finding.is_satisfied else "DOES NOT HOLD"
        yield "truth", f"{finding.statement}: {verdict} (residual {finding.residual:.1e})"
    for name, end in singular_ends(problem):
        yield "note", f"{name} grows without bound towards {end}"
    options = complete_options(problem)
    device = _device(options)
    reference = truth(problem)
    observations = collect(problem, reference, options.seed)
    memory = memory_of_a_run(problem, observations)
    if reference is not None:
        yield "truth", reference.method
    for made in observations:
        for line in _of_data(made):
            yield "data", line
    if isinstance(options.network, NetworkOptions):
        name = optimizer_name(problem.solve.optimizer)
        shape = (options.network.width, options.network.depth, options.collocation)
        work = multiply_adds(problem, *shape) * options.iterations
        yield "solve", f"{name}, {options.iterations} iterations on {device}"
        yield "cost", f"{work / 1e9:.3g} billion multiply-adds on collocation points"
    if memory.num_bytes:
        yield "memory", f"{rounded_text(memory.num_bytes)} at most, {memory.describe()}"


def _device(options: OptimizerOptions) -> str:
    """Return the device, looked for where it is shown or stated.

    Raises:
        InputError: there is none of that name.
    """
    if options.device == "auto" and not isinstance(options.network, NetworkOptions):
        return options.device
    from pinngate.optim.registry import choose_device

    return choose_device(options.device)


def _of_data(made: ObservationSet) -> Iterator[str]:
    yield f"{made.name}: {len(made.values)} values of {made.of}, {made.source}"
    if made.held_out is not None:
        yield f"{len(made.held_out.values)} more are held out and judge the fit"
    yield from made.notes
