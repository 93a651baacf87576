"""What came out of a run, in one sentence and in tables.

Part of the report. The sentence says first whether the run converged, then how far the answer can
be trusted: against the truth where it is known, by the run's own intervals where it is not. It
never calls good what the numbers do not show, nor a fit that leaves more than the known noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pinngate.inference.series import Correlation
from pinngate.report.archive import RunArchive
from pinngate.report.misfit_words import contradiction, correlation, misfit
from pinngate.report.notation import ABSENT, comparable, percent, significant, with_uncertainty
from pinngate.statement.components import single_coefficients
from pinngate.statement.problem import Coefficient, MeasuredObservations

FAR = 0.2  # a relative L2 above this is a different picture, whatever the run says of itself
NARROW = 0.9  # coverage below this: the 95 % intervals cannot be taken at their word
_RIVALS = {"classical": "{} for the classical method", "limit": "{} at best"}
_ACCURACY: dict[str, tuple[str, Callable[[float | None], str]]] = {
    # what is compared, in words, and how it is written
    "relative_l2": ("relative L2 error", percent),
    "relative_l2_initial": ("relative L2 error at t = 0", percent),
    "max_abs": ("largest error", significant),
    "coverage_95": ("coverage of the 95 % interval", percent),
}
Tone = Literal["good", "doubtful", "bad"]


@dataclass(frozen=True)
class Verdict:
    """One sentence and its tone."""

    sentence: str
    tone: Tone


@dataclass(frozen=True)
class _Judgement:
    """What is said of one field or coefficient; empty where nothing is known."""

    words: str = ""
    is_doubtful: bool = False


def verdict(archive: RunArchive) -> Verdict:
    """Return the verdict on a run."""
    judgements = _judgements(archive)
    parts = [judged.words for judged in judgements if judged.words]
    body = "; ".join(parts) or "neither a truth nor an uncertainty is recorded to judge it by"
    if reasons := _reasons(archive):
        return Verdict(f"Converged, but doubtful: {reasons}. As it stands, {body}.", "doubtful")
    against = contradiction(archive)
    wrong = f"the model does not fit the data ({against})" if against else ""
    if archive.metrics.get("status") != "converged":
        body = f"{wrong}; {body}" if wrong else body
        return Verdict(f"Did not converge ({_reason(archive)}). As it stands, {body}.", "bad")
    if wrong:
        return Verdict(f"Converged, but {wrong}: {body}.", "doubtful")
    if any(judged.is_doubtful for judged in judgements):
        return Verdict(f"Converged, but with doubts: {body}.", "doubtful")
    return Verdict(f"Solved: {body}.", "good")


def _reasons(archive: RunArchive) -> str:
    """Return what a run that converged recorded against itself."""
    is_doubtful = archive.metrics.get("verdict") == "doubtful"
    return "; ".join(archive.metrics["reasons"]) if is_doubtful else ""


def _reason(archive: RunArchive) -> str:
    metrics = archive.metrics
    return str(metrics.get("reason") or metrics.get("status") or "not recorded").rstrip(".")


def _judgements(archive: RunArchive) -> list[_Judgement]:
    """Judge every field, coefficient field and coefficient."""
    problem = archive.problem
    return [
        *(_field_judgement(archive, unknown) for unknown in problem.unknowns),
        *(_field_judgement(own, name, is_estimated=True) for name, own in archive.varying()),
        *(_coefficient_judgement(archive, c) for c in single_coefficients(problem)),
    ]


def _field_judgement(
    archive: RunArchive, unknown: str, *, is_estimated: bool = False
) -> _Judgement:
    """Judge a field, or an estimated function, of which the data may know little: by its band."""
    error = archive.number("fields", unknown, "relative_l2")
    if error is None:
        return _by_its_own_estimate(archive, unknown)
    words = f"the field {unknown} is within {percent(error)} of the truth (relative L2)"
    beside = [
        text.format(percent(value))
        for source, text in _RIVALS.items()
        if (value := archive.number(source, unknown, "relative_l2"))
    ]
    if beside:
        words += f", against {' and '.join(beside)}"
    coverage = archive.number("fields", unknown, "coverage_95")
    if coverage is None:
        return _Judgement(words, error > FAR)
    is_narrow = coverage < NARROW
    words += (
        "; the true field lies inside the 95 % interval at "
        f"{'only ' if is_narrow else ''}{percent(coverage)} of the grid"
        f"{', so the intervals are too narrow' if is_narrow else ''}"
    )
    return _Judgement(words, is_narrow or (error > FAR and not is_estimated))


def _by_its_own_estimate(archive: RunArchive, unknown: str) -> _Judgement:
    """Judge a field without a truth by its standard deviation."""
    std = archive.std(unknown)
    size = float(np.sqrt(np.nanmean(archive.solution[unknown] ** 2)))
    if std is None or size == 0.0:
        return _Judgement()
    own = float(np.sqrt(np.nanmean(std**2))) / size
    words = f"the field {unknown} is known to about {percent(own)} by its own estimate"
    return _Judgement(f"{words} (no truth to compare with)", own > FAR)


def _coefficient_judgement(archive: RunArchive, coefficient: Coefficient) -> _Judgement:
    name = coefficient.name
    estimate, std, truth, error = (
        archive.number("coefficients", name, key)
        for key in ("estimate", "std", "truth", "relative_error")
    )
    if estimate is None:
        return _Judgement()
    unit = archive.problem.units.get(name, "")
    words = f"{name} = {with_uncertainty(estimate, std, unit)}"
    inside = truth_inside(archive, name)
    if inside is not None:
        place = "inside" if inside else "outside"
        compared = f"the truth, {comparable(truth, std, unit)}, is {place} its 95 % interval"
        return _Judgement(f"{words} ({compared})", not inside)
    if error is not None:
        words += f" (off the truth by {percent(error)})"
    return _Judgement(words, error is not None and error > FAR)


def truth_inside(archive: RunArchive, name: str) -> bool | None:
    """Return whether a coefficient's 95 % interval holds its truth; None where unknown."""
    low, high = interval_of(archive, name)
    truth = archive.number("coefficients", name, "truth")
    return None if low is None or high is None or truth is None else low <= truth <= high


def interval_of(archive: RunArchive, name: str) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a coefficient."""
    ends: Sequence[float] = archive.section("coefficients", name).get("interval_95") or ()
    return (ends[0], ends[1]) if len(ends) == 2 else (None, None)


def accuracy_rows(archive: RunArchive, unknown: str) -> list[list[str]]:
    """Return the table of one field: quantity, this run, classical, limit, run/limit."""
    rows = []
    for key, (words, write) in _ACCURACY.items():
        ours, classical, limit = (
            archive.number(source, unknown, key) for source in ("fields", "classical", "limit")
        )
        if (ours, classical, limit) != (None, None, None):
            is_level = key == "coverage_95" and bool(archive.section("limit", unknown))
            best = "95 %" if is_level else write(limit)
            ratio = _ratio(ours, limit) if key.startswith("relative_l2") else ABSENT
            rows.append([words, write(ours), write(classical), best, ratio])
    return rows


def _ratio(ours: float | None, limit: float | None) -> str:
    return ABSENT if ours is None or not limit else f"{ours / limit:.2f}"


def noise_rows(archive: RunArchive) -> list[tuple[str, str]]:
    """Return what is known of the noise and the risk: (quantity, value)."""
    return [
        *_estimated_rows(archive),
        *_instrument_rows(archive),
        *_risk_rows(archive),
        *_data_rows(archive),
        *_fit_rows(archive),
    ]


def _estimated_rows(archive: RunArchive) -> Iterator[tuple[str, str]]:
    """Yield the estimated noise of each unknown beside what the problem states."""
    for unknown in archive.problem.unknowns:
        estimated = archive.number("noise_std", unknown)
        if estimated is not None:
            stated = _stated_noise(archive, unknown)
            known = f" (stated: {', '.join(stated)})" if stated else ""
            name = f"noise of {unknown}, estimated standard deviation"
            yield name, _sized(archive, unknown, estimated) + known


def _sized(archive: RunArchive, unknown: str, value: float | None) -> str:
    """Return a number with the unit of a field."""
    unit = archive.problem.units.get(unknown, "")
    return significant(value) if value is None else f"{significant(value)} {unit}".rstrip()


def _stated_noise(archive: RunArchive, unknown: str) -> list[str]:
    stated = dict.fromkeys(
        significant(o.noise.std)
        for o in archive.problem.observations
        if o.of == unknown and o.noise is not None and o.noise.std is not None
    )
    return list(stated)


def _risk_rows(archive: RunArchive) -> Iterator[tuple[str, str]]:
    left_out, training = (archive.number("risk", key) for key in ("leave_one_out", "training"))
    if left_out is not None:
        name = "leave-one-out risk: expected squared error on a fresh noisy value"
        yield name, f"{significant(left_out)} = {significant(left_out**0.5)}²"
    if training is not None:
        yield "training risk: mean squared residual of the data", significant(training)


def _fit_rows(archive: RunArchive) -> Iterator[tuple[str, str]]:
    """Yield what the tests of the fit say."""
    if archive.metrics.get("determined") is False:
        yield "determined", f"no: {archive.metrics['determined_words']}"
    against, alike = misfit(archive), correlation(archive)
    if against is not None:
        judged = "; the model does not fit the data" if against.is_clear else ""
        yield "fit to the data", f"{against.words}{judged}"
    if alike is not None:
        judged = (
            f"; the model does not fit the data, and intervals {_counted(archive, alike)}"
            if alike.is_clear
            else "; no more than chance"
        )
        yield "neighbouring residuals", f"{alike.words}{judged}"


def _counted(archive: RunArchive, alike: Correlation) -> str:
    if archive.section("misfit").get("is_in_intervals"):
        return f"count its {alike.num_groups} {alike.kind} rather than its values"
    return "do not allow for it: they are too narrow"


def _instrument_rows(archive: RunArchive) -> list[tuple[str, str]]:
    """Return the noise of each set where there are several, and that of repeated measurements."""
    rows = []
    if len(archive.section("noise_std_by_set")) > 1:
        for (name, of, columns), source in zip(
            archive.observation_sets(), _sources(archive), strict=False
        ):
            std = archive.number("noise_std_by_set", name)
            words = f"{_sized(archive, of, std)} ({columns['value'].size:,} values{source})"
            rows.append((f"noise of {name}, {of}", words))
    for name, entry in archive.section("replicates").items():
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
    for name, entry in archive.section("data").items():
        rows += [(f"data of {name}", note) for note in entry.get("notes", [])]
    return rows
