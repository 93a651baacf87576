"""A solution as a notebook shows it: the verdict, the numbers and the field, on a small card.

The card is self-contained: its figure is part of it and its style touches nothing around it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from pinngate.report.archive import RunArchive
from pinngate.report.notation import interval, percent, seconds, significant, with_uncertainty
from pinngate.report.style import png
from pinngate.solution.trust import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def render(record: RunArchive, verdict: Verdict, figure: Figure) -> str:
    """Return the card as HTML.

    Args:
        record: of the run.
        verdict: on it.
        figure: of a field.
    """
    import jinja2

    source = files("pinngate.solution").joinpath("notebook.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source).render(
        title=record.problem.title or record.problem.name,
        verdict=verdict,
        rows=list(_rows(record)),
        figure=b64encode(png(figure)).decode("ascii"),
    )


def _rows(record: RunArchive) -> Iterator[tuple[str, str]]:
    """Yield quantity and value of everything that was found."""
    for unknown in record.problem.unknowns:
        error = record.number("fields", unknown, "relative_l2")
        if error is not None:
            yield f"{unknown}, relative L2 error", percent(error)
        noise = record.number("noise_std", unknown)
        if noise is not None:
            yield f"{unknown}, noise (standard deviation)", significant(noise)
    for field in record.problem.coefficient_fields:
        error = record.number("coefficient_fields", field.name, "relative_l2")
        if error is not None:
            yield f"{field.name}, relative L2 error", percent(error)
    for name, entry in (record.metrics.get("coefficients") or {}).items():
        yield name, _coefficient(record, name, entry.get("interval_95"))
    total = record.number("seconds", "total")
    yield "time", seconds(total)


def _coefficient(record: RunArchive, name: str, ends: tuple[float, float] | None) -> str:
    estimate, std, truth = (
        record.number("coefficients", name, key) for key in ("estimate", "std", "truth")
    )
    text = with_uncertainty(estimate, std)
    if ends is not None:
        text += f", 95 % interval {interval(*ends)}"
    return text if truth is None else f"{text}, truth {significant(truth, 4)}"
