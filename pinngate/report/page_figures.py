"""Figures on the page: what stands above and below each, and where it goes.

Part of the report. A figure's name is its kind and what it is of, see `figures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinngate.report.alternatives import alternative
from pinngate.report.archive import RunArchive
from pinngate.report.cuts import film_times
from pinngate.report.figures import MOST_EACH
from pinngate.report.notation import significant
from pinngate.report.vector_graphics import in_page, num_frames

CAPTIONS = {
    "solution": (
        "The solution",
        "The estimated field and, where the method gives one, its standard deviation: how far off "
        "the estimate may be at each place. Dots are observations; those coloured on the scale of "
        "the field stand out from it by their noise. With several times, each observation is shown "
        "at the nearest.",
    ),
    "slices": (
        "Slices",
        "The estimate (blue) with its 95 % interval (shaded), the truth where known (dashed) and "
        "the observations within 1 % of the slice. Axes that do not vary are held in the middle or "
        "at a sensor. The dashed line should leave the shading at about one place in twenty.",
    ),
    "film": (
        "The field in time",
        "One picture after another, from the first time to the last; a place on the bar holds one "
        "of them. Where motion is not wanted the first one stands still.",
    ),
    "error": (
        "The error",
        "The distance from the truth, and the relative L2 error over time or its size in standard "
        "deviations. The error at each time is relative to the whole field, so that it compares "
        "with the dashed whole-domain errors. A dotted line well below the solid one means "
        "intervals that are too narrow.",
    ),
    "field": (
        "The coefficient",
        "The estimated coefficient over its axes and its standard deviation. Where the fields have "
        "no slope for it to act on, and at the edges, the data say little of it: there the "
        "deviation grows and the estimate falls back towards its initial value. Of a function of "
        "two fields, dots are where the fit was; what is white it never came near.",
    ),
    "fit": (
        "The fit to the data",
        "Left: observed against fitted values; about 95 % should lie in the band. Right: the "
        "residuals, which should follow the normal curve of the noise. A histogram narrower than "
        "the curve of the stated noise (dashed, where the data state it) means that noise was "
        "fitted, a wider one that signal was missed.",
    ),
    "residuals": (
        "The residuals",
        "Along each axis, with the mean of neighbours and its 95 % interval: a wave or a slope is "
        "signal that the model misses, a funnel is noise that varies. Right: their ordered values "
        "against those of a normal distribution; ends that leave the diagonal are heavy tails.",
    ),
    "series": (
        "The series",
        "What each sensor read (dots) over time, and the fit at those times (line); of many "
        "sensors, nine.",
    ),
    "calibration": (
        "Calibration",
        "How much the intervals of every level hold: of the truth by the standard deviation of the "
        "field, of values that were left out by the estimated noise. On the diagonal they hold "
        "what they claim, above it they are too wide, below it too narrow.",
    ),
    "joint": (
        "Coefficients together",
        "Each pair of coefficients with the regions that hold both with 68 % and 95 %, and beside "
        "them each by itself with its 95 % interval; dashed lines and crosses are true values. A "
        "narrow slanted region: the data tell a combination of the two better than either.",
    ),
    "priors": (
        "Before and after",
        "What was stated of a coefficient beforehand (grey), and what is known of it with the data "
        "(blue), each over its own largest density. Two curves alike: the data added nothing.",
    ),
    "coefficients": (
        "Coefficients",
        "Each estimated number over the iterations with its 95 % interval; of several networks, "
        "the chosen one's. It should have settled before the end.",
    ),
    "training": (
        "Training",
        "What was minimised, by terms, and the error against the truth where it is known. Where "
        "several networks raced, each starts at iteration 0: the chosen one in colour, the others "
        "in grey. A grey line ends where its network stopped or was dropped for its risk.",
    ),
    "risk": (
        "The risk",
        "Of the network that was chosen. The leave-one-out risk, which needs no truth, should fall "
        "to just above the noise variance and stay; a training misfit far below the noise variance "
        "means that noise was fitted. The ridge α, which keeps directions that carry only noise at "
        "rest, follows the least risk; the effective dimension counts the directions left to "
        "move. Iterates count from the end of the shaded ramp, where the physics has its full "
        "weight.",
    ),
    "gate": (
        "The gate",
        "The share of coordinates in which the signal of the gradient exceeded its noise, so that "
        "the data could move them, and the rate at which they moved.",
    ),
}
PLACES = {"solution": "first", "training": "training", "risk": "training", "gate": "training"}


def pictures(archive: RunArchive, figures: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures by their place: under the verdict, further down, and in a fold.

    Args:
        archive: the run.
        figures: name to SVG document, as `figures_of` names them.

    Returns:
        ``first``, ``rest`` and ``training``, lists of figures; ``letters``, which they all use;
        ``note`` on what is not drawn.
    """
    places: dict[str, Any] = {"first": [], "rest": [], "training": [], "letters": {}, "note": ""}
    kinds: set[str] = set()
    for name, document in figures.items():
        drawing, letters = in_page(document, name)
        kind = name.partition("_")[0]
        places["letters"] |= letters
        times = _times(archive) if num_frames(drawing) else []
        _, caption = CAPTIONS.get(kind, ("", "")) if kind not in kinds else ("", "")
        kinds.add(kind)
        figure = {"name": name, "heading": heading(name), "caption": caption, "times": times}
        places[PLACES.get(kind, "rest")].append(figure | {"drawing": drawing})
    places["letters"] = list(places["letters"].values())
    left_out = max(len(archive.problem.unknowns), len(archive.observation_sets())) - MOST_EACH
    if left_out > 0 and figures:
        places["note"] = (
            f"Of fields and sets beyond the first {MOST_EACH} only the solution is drawn."
        )
    return places


def _times(archive: RunArchive) -> list[str]:
    """Return the times of a film as they are written below it."""
    unit = archive.problem.units.get("t", "")
    return [
        f"t = {significant(t)} {unit}".rstrip() for t in archive.solution["t"][film_times(archive)]
    ]


def heading(name: str) -> str:
    """Return what stands above a figure, ``The fit to the data (set 2)``."""
    kind, _, suffix = name.partition("_")
    first, _ = CAPTIONS.get(kind, (kind.capitalize(), ""))
    if not suffix:
        return first
    sets = dict.fromkeys(("fit", "residuals", "series"), f"(set {suffix})")
    return f"{first} {(sets | {'field': suffix}).get(kind, f'of {suffix}')}"


def words(archive: RunArchive, name: str) -> str:
    """Return what a figure shows, for those who do not see it."""
    return alternative(archive, name, heading(name))
