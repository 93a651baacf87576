"""Tables of one or several studied runs: a row a fact, the same columns whatever the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pinngate.theory.fitted_waves import followed_share
from pinngate.theory.foreseen_risk import judge_risk, mean_interval
from pinngate.theory.growth import Exponent, exponents
from pinngate.theory.repeated_draws import Array, Study
from pinngate.theory.short_walk import SETTLED

Rows = list[dict[str, Any]]

# final figure: what it is called in words
SHARES = {
    "signal_in_channel": "clean signal in the signal channel, share of its energy",
    "noise_in_reservoir": "noise in the reservoir, share of its energy",
    "channel": "directions of the data in the signal channel",
    "joint_signal_in_channel": "clean signal in the channel of all rows",
    "joint_noise_in_reservoir": "noise in the reservoir of all rows",
    "joint_start_in_channel": "first residual without noise in the channel of all rows",
    "joint_channel": "directions of all rows in the signal channel",
    "num_untouched": "directions of all rows that nothing acted on",
    "null_visibility": "largest effect of those on the test outputs, over the largest of all",
    "is_bound_met": "draws in which the bound of the theorem holds in every direction, share",
    "path_error": "residual foretold by the path against the actual one, relative",
    "test_path_error": "test outputs foretold by the path against the actual ones, relative",
    "moved_by_noise_in_channel": "test outputs moved by noise in the channel, root mean square",
    "moved_by_noise_in_reservoir": "test outputs moved by noise in the reservoir, root mean square",
    "relative_l2": "relative L2 error at the end",
    "effective_dimension": "effective dimension of the data, sum of 1 - E_ii",
}
LOGGED = ("relative_l2", "effective_dimension")  # of which the last time counts
ESTIMATES = {
    "path_risk": "path's leave-one-out",
    "promised_risk": "accumulated product",
    "own_risk": "the optimizer's own",
    "training_risk": "training risk",
}
JUDGED = ("correlation", "rank_correlation", "calibration", "regret")


def final_values(study: Study, name: str) -> Array:
    """Return a figure at the end of every draw, (draws,)."""
    if name in LOGGED:
        return np.array([series[-1] for series in study.course(name)])
    return study.final(name)


def share_rows(studies: Sequence[Study]) -> Rows:
    """Return means of all final figures over draws, their 95 % intervals, and extremes."""
    rows = []
    for study in studies:
        for name, words in SHARES.items():
            values = final_values(study, name)
            if not np.isfinite(values).any():
                continue
            mean, low, high = mean_interval(values)
            rows.append(
                {
                    "optimizer": study.label,
                    "figure": name,
                    "meaning": words,
                    "draws": len(values),
                    "mean": mean,
                    "low": low,
                    "high": high,
                    "least": float(np.nanmin(values)),
                    "most": float(np.nanmax(values)),
                }
            )
    return rows


def direction_rows(studies: Sequence[Study]) -> Rows:
    """Return every direction of the data of the first draw: dissipation, visibility, energies."""
    rows = []
    for study in studies:
        columns = study.draws[0]["final"]["directions"]
        for j in range(len(columns["dissipated"])):
            rows.append(
                {"optimizer": study.label, "direction": j + 1}
                | {name: column[j] for name, column in columns.items()}
            )
    return rows


def growth_rows(studies: Sequence[Study]) -> Rows:
    """Return fitted exponents with their intervals, and what theory says."""
    rows: Rows = []
    for study in studies:
        for kind, (times, moved) in study.walks.items():
            if len(moved) < 2:
                continue
            for what, found in zip(("drift", "diffusion"), walked(times, moved), strict=True):
                said = 0.5 if (kind, what) == ("new", "diffusion") else 1.0
                rows.append(
                    {
                        "optimizer": study.label,
                        "noise": kind,
                        "part": what,
                        "draws": len(moved),
                        "exponent": found.value,
                        "low": found.low,
                        "high": found.high,
                        "theory": said,
                    }
                )
    return rows


def walked(times: Array, moved: Array) -> tuple[Exponent, Exponent]:
    """Return the exponents of drift and diffusion of one walk (draws, times, n)."""
    return exponents(times, moved, settled=SETTLED)


def risk_rows(studies: Sequence[Study]) -> Rows:
    """Return how well each estimate of the population risk followed the truth, over the draws."""
    rows = []
    for study in studies:
        truth, error = study.course("true_risk"), study.course("relative_l2")
        for name, words in ESTIMATES.items():
            judged = [
                judge_risk(*(series[np.isfinite(estimate)] for series in (estimate, true, wrong)))
                for estimate, true, wrong in zip(study.course(name), truth, error, strict=True)
                if np.isfinite(estimate).sum() > 2
            ]
            if not judged:
                continue
            row: dict[str, Any] = {
                "optimizer": study.label,
                "estimate": words,
                "draws": len(judged),
            }
            for figure in JUDGED:
                values = np.array([getattr(j, figure) for j in judged])
                row[figure], row[f"{figure}_low"], row[f"{figure}_high"] = mean_interval(values)
            rows.append(row)
    return rows


def course_rows(studies: Sequence[Study]) -> Rows:
    """Return every logged figure of the first draw."""
    rows = []
    for study in studies:
        course = study.draws[0]["course"]
        names = [name for name in course if name != "amplitudes"]
        for k in range(len(course["iteration"])):
            rows.append({"optimizer": study.label} | {name: course[name][k] for name in names})
    return rows


def wave_rows(studies: Sequence[Study]) -> Rows:
    """Return which share of the noise in each mode was fitted when, where there is a line."""
    rows = []
    for study in studies:
        found = followed(study)
        if found is None:
            continue
        iterations, shares, errors = found
        for t, iteration in enumerate(iterations):
            for k in range(shares.shape[1]):
                rows.append(
                    {
                        "optimizer": study.label,
                        "iteration": float(iteration),
                        "mode": k + 1,
                        "share": shares[t, k],
                        "std": errors[t, k],
                    }
                )
    return rows


def followed(study: Study) -> tuple[Array, Array, Array] | None:
    """Return times and the share of each mode's noise that was fitted, with standard errors.

    Draws of an optimizer that stops by itself have different lengths: then the last time alone is
    compared, and the times before it by their place among the logged ones, up to the shortest.
    """
    if len(study.draws) < 3 or study.draws[0]["noise_amplitudes"] is None:
        return None
    every = [np.array(d["course"]["amplitudes"]) for d in study.draws]
    shortest = min(len(one) for one in every)
    fitted = np.stack([np.concatenate([one[: shortest - 1], one[-1:]]) for one in every])
    noise = np.array([d["noise_amplitudes"] for d in study.draws])
    times = np.array(study.draws[0]["course"]["iteration"], dtype=float)
    times = np.concatenate([times[: shortest - 1], times[-1:]])
    return times, *followed_share(fitted, noise)


def kernel_rows(studies: Sequence[Study], name: str) -> Rows:
    """Return the ``spectrum`` or the ``evolution`` of the tangent kernels."""
    return [{"optimizer": s.label} | row for s in studies for row in s.kernel[name]]


def columns_of(rows: Rows) -> dict[str, Array]:
    """Return rows as columns; what is missing is NaN."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: np.array([_plain(row.get(name)) for row in rows]) for name in names}


def _plain(value: Any) -> Any:
    return np.nan if value is None else value


def summary_lines(studies: Sequence[Study]) -> list[str]:
    """Return what the command prints."""
    lines = []
    for study in studies:
        lines.append(f"{study.problem.name}, {study.label}, {len(study.draws)} noise draws")
        shown = [row for row in share_rows([study]) if row["figure"] in SHARES]
        lines += [f"  {_number(row):<28} {row['meaning']}" for row in shown]
        for row in growth_rows([study]):
            span = f"{row['exponent']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            lines.append(
                f"  {span:<28} exponent of {row['part']}, {row['noise']} noise at every step "
                f"(theory {row['theory']:g})"
            )
        for row in risk_rows([study]):
            span = f"{row['correlation']:.3f}, × {row['calibration']:.3f}"
            lines.append(
                f"  {span:<28} correlation and calibration of {row['estimate']}; stopping there "
                f"costs {row['regret']:.1%}"
            )
    return lines


def _number(row: dict[str, Any]) -> str:
    if not np.isfinite(row["low"]):
        return f"{row['mean']:.4g}"
    return f"{row['mean']:.4g} [{row['low']:.4g}, {row['high']:.4g}]"
