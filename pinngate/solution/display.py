"""What a person sees of a solution in Python: lines of text, a piece of HTML, a figure."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

from pinngate.errors import InputError, nearest
from pinngate.report.archive import RunArchive, in_memory
from pinngate.report.notation import significant

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pinngate.solution.solved import Solution

_TABLE = "border-collapse:collapse;font:13px sans-serif"


def archive_of(solution: Solution) -> RunArchive:
    """Return what the report draws from, without any files."""
    judged, session = solution.judged, solution.session
    return in_memory(
        solution.problem, judged.metrics, session.history, judged.solution, judged.observations
    )


def figure_of(solution: Solution, name: str | None = None) -> Figure:
    """Return the figure of a field with its data and standard deviation.

    Raises:
        InputError: there is no field of that name.
    """
    from pinngate.report import fields

    problem = solution.problem
    chosen = problem.unknowns[0] if name is None else name
    archive = archive_of(solution)
    if chosen in problem.unknowns:
        return fields.solution(archive, chosen)
    varying = dict(archive.varying())
    if chosen in varying:
        return fields.solution(varying[chosen], chosen)
    known = [*problem.unknowns, *varying]
    raise InputError(
        f"there is no field '{chosen}'",
        expected=f"one of {', '.join(known)}",
        hint=nearest(chosen, known),
    )


def rows_of(solution: Solution) -> list[tuple[str, str]]:
    """Return what is known of every field and coefficient, a line each."""
    metrics = solution.metrics
    rows = [(name, _field_text(metrics, name)) for name in solution.problem.unknowns]
    rows += [
        (name, _error_text(entry["relative_l2"]) or "field, no truth to judge by")
        for name, entry in metrics["coefficient_fields"].items()
    ]
    return rows + [(name, str(estimate)) for name, estimate in solution.coefficients.items()]


def text_of(solution: Solution) -> str:
    """Return the answer in a few lines."""
    axes = ", ".join(f"{a} in [{lo:g}, {hi:g}]" for a, (lo, hi) in solution.problem.domain.items())
    head = f"Solution of {solution.problem.name}, {axes}"
    lines = [f"{name}: {text}" for name, text in rows_of(solution)]
    return "\n".join([head, str(solution.verdict), *lines])


def html_of(solution: Solution) -> str:
    """Return the answer as a self-contained piece of HTML: verdict, numbers, the first field."""
    from pinngate.report.style import png

    verdict, problem = solution.verdict, solution.problem
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in verdict.reasons)
    body = "".join(
        f"<tr><th style='text-align:left;padding:2px 12px 2px 0'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in rows_of(solution)
    )
    image = base64.b64encode(png(figure_of(solution))).decode()
    return (
        f"<div><b>{html.escape(problem.title or problem.name)}: {html.escape(verdict.word)}</b>"
        f"<ul style='margin:2px 0'>{reasons}</ul><table style='{_TABLE}'>{body}</table>"
        f"<img style='max-width:100%' alt='{html.escape(problem.unknowns[0])}' "
        f"src='data:image/png;base64,{image}'></div>"
    )


def _error_text(error: float | None) -> str:
    return "" if error is None else f"relative L2 error {significant(error)}"


def _field_text(metrics: dict[str, Any], name: str) -> str:
    parts = [_error_text(metrics["fields"][name]["relative_l2"])]
    noise = metrics["noise_std"].get(name)
    if noise is not None:
        parts.append(f"noise {significant(noise)} (standard deviation)")
    return ", ".join(part for part in parts if part) or "field, no truth to judge by"
