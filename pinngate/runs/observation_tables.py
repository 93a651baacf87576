"""The data of a run beside what was fitted to them: `observations.csv` and what follows from it.

Below the judgement of a session. Noise, risks, repeated measurements and the misfit are read off
one table of residuals; the truth enters into the risk that was to be expected, alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pinngate.data.censoring import Censoring
from pinngate.data.observations import ObservationSet
from pinngate.data.replicates import by_place, pure_error
from pinngate.inference.misfit import Misfit, assess
from pinngate.inference.uncertainty import Uncertainty
from pinngate.inference.whiteness import FEWEST_VALUES, LagOne, lag_one
from pinngate.runs.training import Session

Table = dict[str, np.ndarray]
NUMBERS = ("value", "fitted", "residual", "leave_one_out_residual", "std")


def observation_table(
    session: Session, sets: Sequence[ObservationSet], posterior: Uncertainty | None
) -> Table:
    """Return a row for each value: where, what was seen, fitted and left, also by leaving it out.

    Residuals of errors that remember are what the residual before does not tell; values that are
    bounds have none. Where there are bounds, ``deviance`` and ``tally`` say what each value tells
    of a stated standard deviation, ``free`` whether its error was not selected
    (`data.censoring.CensoredRows`).

    Args:
        session: after training.
        sets: of observations, those that were fitted or those held out.
        posterior: has the leverages of the fitted ones; None for others, whose leave-one-out
            residuals are NaN.
    """
    columns: dict[str, list[np.ndarray]] = {}

    def put(name: str, values: np.ndarray) -> None:
        columns.setdefault(name, []).append(values)

    def put_bounds(made: ObservationSet, plain: np.ndarray, std: np.ndarray) -> None:
        censoring = made.censoring or Censoring()
        size = np.where(np.isnan(std), np.sqrt(np.mean(plain[made.is_measured] ** 2)), std)
        told = censoring.rows(made.values, -plain, size, is_search=True)
        put("deviance", np.where(np.isnan(std), np.nan, -told.residual))
        put("tally", told.count)
        put("free", told.is_free.astype(np.float64))

    start = 0
    has_bounds = any(made.censoring is not None for made in session.observations)
    for made in sets:
        n = len(made.values)
        fitted = session.observe(made)
        put("set", np.full(n, made.name, dtype=object))
        put("of", np.full(n, made.of, dtype=object))
        for k, axis in enumerate(session.problem.axes):
            put(axis, made.points[:, k])
        put("value", made.values)
        put("fitted", fitted)
        plain = made.values - fitted
        residual = np.where(made.is_measured, made.whitened(plain), np.nan)
        put("residual", residual)
        leave_one_out = np.full(n, np.nan)
        if posterior is not None:
            leverage = posterior.leverage[start : start + n].cpu().numpy()
            leave_one_out = residual / (1 - leverage)
        start += n
        put("leave_one_out_residual", leave_one_out)
        std = made.std if made.std is not None else np.full(n, np.nan)
        put("std", std)
        if has_bounds:
            put_bounds(made, plain, std)
    if not columns:
        texts = dict.fromkeys(("set", "of"), np.empty(0, dtype=object))
        names = (*session.problem.axes, *NUMBERS)
        return texts | dict.fromkeys(names, np.empty(0))
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def joined(fitted: Table, held_out: Table) -> Table:
    """Return one table of the values that were fitted and those that were not."""
    parts = [
        table | {"held_out": np.full(len(table["residual"]), is_held_out)}
        for table, is_held_out in ((fitted, 0.0), (held_out, 1.0))
        if len(table["residual"])
    ]
    if not parts:
        return fitted
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def risks(session: Session, fitted: Table, held_out: Table, noise: Mapping[str, float]) -> Any:
    """Return the entries of ``risk`` in metrics.json, squared data units.

    Args:
        session: after training.
        fitted: table of the values that were fitted.
        held_out: of those that were not.
        noise: true standard deviation of each set, where known.
    """
    return {
        "leave_one_out": _mean_square(fitted["leave_one_out_residual"]),
        "training": _mean_square(fitted["residual"]),
        "true": _true_risk(session, fitted["fitted"], noise),
        "held_out": _mean_square(held_out["residual"]),
        "held_out_std_error": _mean_square_error(held_out["residual"]),
        "held_out_expected": _expected(fitted, held_out),
    }


def _mean_square(residuals: np.ndarray) -> float | None:
    """Return the mean square in data units, None where there are no residuals."""
    known = residuals[np.isfinite(residuals)]
    return float(np.mean(known**2)) if len(known) else None


def _true_risk(session: Session, fitted: np.ndarray, noise: Mapping[str, float]) -> float | None:
    """Return mean(σ² + (û − u)²) at the data, what leaving one out estimates; None if unknown."""
    parts, start = [], 0
    for made in session.observations:
        own = fitted[start : start + len(made.values)]
        start += len(own)
        if made.clean is None or made.name not in noise:
            return None
        parts.append(noise[made.name] ** 2 + (own - made.clean) ** 2)
    return float(np.mean(np.concatenate(parts))) if parts else None


def _expected(observations: Table, held_out: Table) -> float | None:
    """Return the leave-one-out risk of the sets of the held-out values, in their proportion."""
    total = 0.0
    for name in dict.fromkeys(held_out["set"]):
        own = _mean_square(observations["leave_one_out_residual"][observations["set"] == name])
        if own is None:
            return None
        total += own * float(np.mean(held_out["set"] == name))
    return total or None


def _mean_square_error(residuals: np.ndarray) -> float | None:
    """Return the standard error of the mean square, None below two residuals."""
    residuals = residuals[np.isfinite(residuals)]
    if len(residuals) < 2:
        return None
    return float(np.std(residuals**2, ddof=1) / np.sqrt(len(residuals)))


def noise_levels(observations: Table, by: str) -> dict[str, float]:
    """Return for each field or set the root of Σr²/(n − d), from r²/(1 − h) of each value."""
    noise = {}
    for name in dict.fromkeys(observations[by]):
        own = (observations[by] == name) & np.isfinite(observations["residual"])
        r, e = (observations[k][own] for k in ("residual", "leave_one_out_residual"))
        share = np.where(np.isfinite(e) & (e != 0), r / np.where(e == 0, 1.0, e), 1.0)
        noise[str(name)] = float(np.sqrt(np.sum(r**2) / max(1.0, np.sum(share))))
    return noise


def replicates(session: Session, observations: Table) -> dict[str, Any]:
    """Return the pure error of each set, None where nothing was measured twice."""
    found: dict[str, Any] = {}
    for made in session.observations:
        error = pure_error(_rows_of(observations, made.name), session.problem.axes)
        found[made.name] = None
        if error is not None:
            found[made.name] = {
                "noise_std": error.std,
                "degrees_of_freedom": error.degrees_of_freedom,
                "num_places": error.num_places,
            }
    return found


def misfit_entries(
    session: Session, observations: Table, posterior: Uncertainty | None
) -> dict[str, Any] | None:
    """Return whether the data say that the solution does not fit them; None without data."""
    if not session.observations:
        return None
    against = _against_noise(session, observations)
    alike = None if posterior is None else posterior.correlation
    few = _of_few_values(session, observations)
    clear = [test.words for test in (against, alike, few) if test and test.is_clear]
    figures = dict.fromkeys(("ratio", "p_value", "against"))
    if against is not None:
        figures = {"ratio": against.ratio, "p_value": against.p_value, "against": against.noise}
    return {
        "is_clear": bool(clear),
        "words": "; ".join(clear) or None,
        "is_overstated": against is not None and against.is_overstated,
        **figures,
        "correlation": None if alike is None else asdict(alike),
        "lag_one": None if few is None else asdict(few),
        "is_in_intervals": posterior is not None and posterior.is_widened,
    }


def _against_noise(session: Session, observations: Table) -> Misfit | None:
    """Return the residuals against noise that is known from elsewhere, None where none is."""
    kinds = [o.noise.kind if o.noise else "gaussian" for o in session.problem.observations]
    sets = [_rows_of(observations, made.name) for made in session.observations]
    return assess(list(zip(kinds, sets, strict=True)), session.problem.axes)


def _of_few_values(session: Session, observations: Table) -> LagOne | None:
    """Return the test of short series: what a sensor reads along time, or along the only axis."""
    axes = session.problem.axes
    along = "t" if "t" in axes else axes[0]
    series = []
    for made in session.observations:
        rows = _rows_of(observations, made.name)
        beside = [rows[axis] for axis in axes if axis != along]
        places, sizes = by_place(np.column_stack([*beside, np.zeros(len(rows[along]))]))
        for place in np.flatnonzero(sizes >= FEWEST_VALUES):
            is_free = np.asarray(rows.get("free", 1.0)) * np.isfinite(rows["residual"])
            own = np.flatnonzero((places == place) & (is_free == 1))
            series.append(rows["residual"][own[np.argsort(rows[along][own], kind="stable")]])
    return lag_one(series)


def described(made: ObservationSet) -> dict[str, Any]:
    """Return what one set of observations holds, and what was noted when it was read."""
    return {
        "of": made.of,
        "source": made.source,
        "fitted": len(made.values),
        "held_out": 0 if made.held_out is None else len(made.held_out.values),
        "missing": made.num_missing,
        "notes": list(made.notes),
    }


def _rows_of(observations: Table, name: str) -> Table:
    own = observations["set"] == name
    return {column: values[own] for column, values in observations.items()}
