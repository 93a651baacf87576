"""All figures of a run: which apply, under which names.

A figure's name is its kind (`solution`, `slices`, `film`, `error`, `field`, `fit`, `residuals`,
`series`, `calibration`, `joint`, `priors`, `coefficients`, `training`, `risk`, `gate`), followed by
the field or the set of observations where there are several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinngate.report.archive import RunArchive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_EACH = 6  # fields and sets that have all figures: each costs a third of a second
FILMS = 2  # fields that are shown as films


def figures_of(archive: RunArchive) -> dict[str, Figure]:
    """Make the figures that apply to a run, in the order in which they are read.

    Returns:
        Name to figure; names are file names without extension.
    """
    from pinngate.report import course, fields, film, fit, joint_figures, residual_figures

    found: dict[str, Figure | None] = {}
    unknowns = archive.problem.unknowns
    for number, unknown in enumerate(unknowns):
        suffix = f"_{unknown}" if len(unknowns) > 1 else ""
        found[f"solution{suffix}"] = fields.solution(archive, unknown)
        if number < MOST_EACH:
            found[f"slices{suffix}"] = fields.slices(archive, unknown)
        if number < FILMS:
            found[f"film{suffix}"] = film.film(archive, unknown)
        if number < MOST_EACH:
            found[f"error{suffix}"] = fields.error(archive, unknown)
    for name, own in archive.varying():
        found[f"field_{name}"] = fields.solution(own, name)
        found[f"error_{name}"] = fields.error(own, name)
    sets = archive.observation_sets()
    for number, (_, of, columns) in enumerate(sets[:MOST_EACH], start=1):
        suffix = f"_{number}" if len(sets) > 1 else ""
        found[f"fit{suffix}"] = fit.fit(archive, of, columns)
        found[f"residuals{suffix}"] = residual_figures.residuals(archive, of, columns)
        found[f"series{suffix}"] = residual_figures.series(archive, of, columns)
    found["calibration"] = residual_figures.calibration(archive)
    found["joint"] = joint_figures.joint(archive)
    found["priors"] = joint_figures.priors(archive)
    found["coefficients"] = course.coefficients(archive)
    found["training"] = course.training(archive)
    found["risk"] = course.risk(archive)
    found["gate"] = course.gate(archive)
    return {name: figure for name, figure in found.items() if figure is not None}
