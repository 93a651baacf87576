"""What came out of a run, in one sentence and in tables.

Part of the report. The sentence says first whether the run converged, then how far the answer can
be trusted: against the truth where it is known, by the run's own intervals where it is not. It
never calls good what the numbers do not show, nor a fit that leaves more than the known noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pinngate.inference.series import Correlation
from pinngate.report.archive import RunArchive
from pinngate.report.misfit_words import contradiction, correlation, misfit
from pinngate.report.notation import ABSENT, percent, significant, with_uncertainty
from pinngate.statement.problem import Coefficient, MeasuredObservations

FAR = 0.2  # a relative L2 above this is a different picture, whatever the run says of itself
NARROW = 0.9  # coverage below this: the 95 % intervals cannot be taken at their word
Tone = Literal["good", "doubtful", "bad"]


@dataclass(frozen=True)
class Verdict:
    """One sentence and its tone."""

    sentence: str
    tone: Tone


def verdict(archive: RunArchive) -> Verdict:
    """Return the verdict on a run."""
    is_converged = archive.metrics.get("status") == "converged"
    fields = [_field_words(archive, unknown) for unknown in archive.problem.unknowns]
    for field in archive.problem.coefficient_fields:
        fields.append(_field_words(archive.of_coefficient_field(field), field.name))
    coefficients = [_coefficient_words(archive, c) for c in archive.problem.coefficients]
    parts = [words for words, _ in (*fields, *coefficients) if words]
    is_doubtful = any(doubt for _, doubt in (*fields, *coefficients))
    body = "; ".join(parts) or "neither a truth nor an uncertainty is recorded to judge it by"
    against = contradiction(archive)
    wrong = f"the model does not fit the data ({against})" if against else ""
    if is_converged and wrong:
        return Verdict(f"Converged, but {wrong}: {body}.", "doubtful")
    if is_converged:
        lead = "Converged, but with doubts" if is_doubtful else "Solved"
        return Verdict(f"{lead}: {body}.", "doubtful" if is_doubtful else "good")
    reason = str(archive.metrics.get("reason") or archive.metrics.get("status") or "not recorded")
    body = f"{wrong}; {body}" if wrong else body
    return Verdict(f"Did not converge ({reason.rstrip('.')}). As it stands, {body}.", "bad")


def _field_words(archive: RunArchive, unknown: str) -> tuple[str, bool]:
    error = archive.number("fields", unknown, "relative_l2")
    if error is None:
        std = archive.std(unknown)
        size = float(np.sqrt(np.nanmean(archive.solution[unknown] ** 2)))
        if std is None or size == 0.0:
            return "", False
        own = float(np.sqrt(np.nanmean(std**2))) / size
        words = f"the field {unknown} is known to about {percent(own)} by its own estimate"
        return f"{words} (no truth to compare with)", own > FAR
    words = f"the field {unknown} is within {percent(error)} of the truth (relative L2)"
    beside = []
    classical = archive.number("classical", unknown, "relative_l2")
    if classical is not None:
        beside.append(f"{percent(classical)} for the classical method")
    limit = archive.number("limit", unknown, "relative_l2")
    if limit:
        beside.append(f"{percent(limit)} at best")
    if beside:
        words += f", against {' and '.join(beside)}"
    coverage = archive.number("fields", unknown, "coverage_95")
    if coverage is not None and coverage < NARROW:
        words += (
            f"; the true field lies inside the 95 % interval at only {percent(coverage)} of the "
            "grid, so the intervals are too narrow"
        )
    elif coverage is not None:
        words += (
            f"; the true field lies inside the 95 % interval at {percent(coverage)} of the grid"
        )
    return words, error > FAR or (coverage is not None and coverage < NARROW)


def _coefficient_words(archive: RunArchive, coefficient: Coefficient) -> tuple[str, bool]:
    name = coefficient.name
    estimate, std = (archive.number("coefficients", name, key) for key in ("estimate", "std"))
    if estimate is None:
        return "", False
    words = f"{name} = {with_uncertainty(estimate, std)}"
    inside = truth_inside(archive, name)
    if inside is not None:
        truth = significant(archive.number("coefficients", name, "truth"), 4)
        words += f" (the truth, {truth}, is {'inside' if inside else 'outside'} its 95 % interval)"
        return words, not inside
    error = archive.number("coefficients", name, "relative_error")
    if error is not None:
        words += f" (off the truth by {percent(error)})"
    return words, error is not None and error > FAR


def truth_inside(archive: RunArchive, name: str) -> bool | None:
    """Return whether a coefficient's 95 % interval holds its truth; None where unknown."""
    low, high = interval_of(archive, name)
    truth = archive.number("coefficients", name, "truth")
    return None if low is None or high is None or truth is None else low <= truth <= high


def interval_of(archive: RunArchive, name: str) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a coefficient."""
    entry = (archive.metrics.get("coefficients") or {}).get(name) or {}
    ends = entry.get("interval_95") or (None, None)
    return (ends[0], ends[1]) if len(ends) == 2 else (None, None)


def accuracy_rows(archive: RunArchive, unknown: str) -> list[list[str]]:
    """Return the table of one field: quantity, this run, classical, limit, run/limit."""
    rows = []
    for key, words, write in (
        ("relative_l2", "relative L2 error", percent),
        ("relative_l2_initial", "relative L2 error at t = 0", percent),
        ("max_abs", "largest error", significant),
        ("coverage_95", "coverage of the 95 % interval", percent),
    ):
        ours, classical, limit = (
            archive.number(source, unknown, key) for source in ("fields", "classical", "limit")
        )
        if ours is None and classical is None and limit is None:
            continue
        is_error = key.startswith("relative_l2")
        ratio = f"{ours / limit:.2f}" if is_error and ours is not None and limit else ABSENT
        best = "95 %" if key == "coverage_95" and limit is None else write(limit)
        rows.append([words, write(ours), write(classical), best, ratio])
    return rows


def noise_rows(archive: RunArchive) -> list[tuple[str, str]]:
    """Return what is known of the noise and the risk: (quantity, value)."""
    rows = []
    for unknown in archive.problem.unknowns:
        estimated = archive.number("noise_std", unknown)
        if estimated is None:
            continue
        stated = dict.fromkeys(
            significant(o.noise.std)
            for o in archive.problem.observations
            if o.of == unknown and o.noise is not None and o.noise.std is not None
        )
        beside = f" (stated: {', '.join(stated)})" if stated else ""
        name = f"noise of {unknown}, estimated standard deviation"
        rows.append((name, significant(estimated) + beside))
    rows += _instrument_rows(archive)
    left_out = archive.number("risk", "leave_one_out")
    if left_out is not None:
        name = "leave-one-out risk: expected squared error on a fresh noisy value"
        rows.append((name, f"{significant(left_out)} = {significant(left_out**0.5)}²"))
    training = archive.number("risk", "training")
    if training is not None:
        rows.append(("training risk: mean squared residual of the data", significant(training)))
    rows += _data_rows(archive)
    against = misfit(archive)
    if against is not None:
        judged = "; the model does not fit the data" if against.is_clear else ""
        rows.append(("fit to the data", f"{against.words}{judged}"))
    alike = correlation(archive)
    if alike is not None:
        judged = (
            f"; the model does not fit the data, and intervals {_counted(archive, alike)}"
            if alike.is_clear
            else "; no more than chance"
        )
        rows.append(("neighbouring residuals", f"{alike.words}{judged}"))
    return rows


def _counted(archive: RunArchive, alike: Correlation) -> str:
    if (archive.metrics.get("misfit") or {}).get("is_in_intervals"):
        return f"count its {alike.num_groups} {alike.kind} rather than its values"
    return "do not allow for it: they are too narrow"


def _instrument_rows(archive: RunArchive) -> list[tuple[str, str]]:
    """Return the noise of each set where there are several, and that of repeated measurements."""
    sets = archive.metrics.get("noise_std_by_set") or {}
    rows = []
    if len(sets) > 1:
        for (name, of, columns), source in zip(
            archive.observation_sets(), _sources(archive), strict=False
        ):
            std = archive.number("noise_std_by_set", name)
            words = f"{significant(std)} ({columns['value'].size:,} values{source})"
            rows.append((f"noise of {name}, {of}", words))
    for name, entry in (archive.metrics.get("replicates") or {}).items():
        if entry:
            words = (
                f"{significant(entry['noise_std'])} ({entry['num_places']:,} places measured more "
                f"than once, {entry['degrees_of_freedom']:,} degrees of freedom)"
            )
            rows.append((f"scatter of repeated measurements of {name}", words))
    return rows


def _sources(archive: RunArchive) -> list[str]:
    return [
        f" from {o.file.name}" if isinstance(o, MeasuredObservations) else ""
        for o in archive.problem.observations
    ]


def _data_rows(archive: RunArchive) -> list[tuple[str, str]]:
    """Return the held-out risk, and what was noted of the data."""
    rows = []
    held_out, error = (archive.number("risk", k) for k in ("held_out", "held_out_std_error"))
    if held_out is not None:
        beside = f" ± {significant(error, 2)}" if error is not None else ""
        expected = archive.number("risk", "held_out_expected")
        against = f", expected from leaving one out: {significant(expected)}" if expected else ""
        name = "held-out risk: mean squared residual of values that were never fitted"
        words = f"{significant(held_out)}{beside} = {significant(held_out**0.5)}²{against}"
        rows.append((name, words))
    for name, entry in (archive.metrics.get("data") or {}).items():
        rows += [(f"data of {name}", note) for note in entry.get("notes", [])]
    return rows
