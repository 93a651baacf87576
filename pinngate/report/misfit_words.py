"""Whether the solution fits its data, as the run recorded it or as its files tell.

Part of the report; the tests themselves are in `pinngate.inference`.
"""

from __future__ import annotations

from pinngate.inference.misfit import Misfit, assess
from pinngate.inference.series import Correlation
from pinngate.report.archive import RunArchive


def misfit(archive: RunArchive) -> Misfit | None:
    """Return the misfit of a run: as recorded, else the most significant of its sets.

    None where the noise is known from the residuals alone.
    """
    if isinstance(archive.metrics.get("misfit"), dict):
        return _recorded(archive)
    sets = archive.observation_sets()
    kinds = [o.noise.kind if o.noise else "gaussian" for o in archive.problem.observations]
    if len(kinds) != len(sets):
        kinds = ["gaussian"] * len(sets)
    found = [(kind, columns) for kind, (_, _, columns) in zip(kinds, sets, strict=True)]
    return assess(found, archive.problem.axes)


def _recorded(archive: RunArchive) -> Misfit | None:
    ratio, p_value = (archive.number("misfit", key) for key in ("ratio", "p_value"))
    if ratio is None or p_value is None:
        return None
    return Misfit(ratio, p_value, str(archive.section("misfit").get("against") or "the noise"))


def correlation(archive: RunArchive) -> Correlation | None:
    """Return the correlation of neighbouring residuals that the run recorded."""
    entry = archive.section("misfit", "correlation")
    return Correlation(**entry) if entry else None


def contradiction(archive: RunArchive) -> str:
    """Return in words how the data say that the solution does not fit; empty where they do not."""
    found = [test for test in (misfit(archive), correlation(archive)) if test is not None]
    return "; ".join(test.words for test in found if test.is_clear)


__all__ = ["contradiction", "correlation", "misfit"]
