"""The figure of one set of observations: values against the fit, and what is left over.

Part of the report. If the solution is right and the noise as assumed, the points scatter evenly
about the diagonal and the residuals follow the normal curve of the estimated noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
from pinngate.report.notation import significant, with_unit
from pinngate.report.style import CLASSICAL, ESTIMATE, INK, label, legend, new_figure, open_frame
from pinngate.report.vector_graphics import MANY

_MAX_DOTS = 20_000  # values drawn one by one: more are one blot, and each costs time
_REACH = 5.0  # half-width of the histogram in standard deviations of the noise


@dataclass(frozen=True)
class _Residuals:
    """One set of finite values and fits (n,), and the noise they are judged by.

    `noise` is a standard deviation, `name` what it is; `stated` comes with the data.
    """

    value: NDArray[Any]
    fitted: NDArray[Any]
    residual: NDArray[Any]
    noise: float
    name: str
    stated: float | None


def fit(archive: RunArchive, of: str, columns: dict[str, NDArray[Any]]) -> Figure | None:
    """Draw the observed against the fitted values and the histogram of their residuals.

    Args:
        archive: the run, for the estimated noise.
        of: the field observed.
        columns: the rows of one set, as from `RunArchive.observation_sets`.

    Returns:
        The figure; None where no residual is finite.
    """
    shown = np.stack([columns[name] for name in ("value", "fitted", "residual")])
    value, fitted, residual = shown[:, np.isfinite(shown).all(axis=0)]
    if not value.size:
        return None
    noise, name = _noise(archive, of, columns, residual)
    data = _Residuals(value, fitted, residual, noise, name, _stated(columns))
    figure = new_figure(3.0)
    left, right = figure.subplots(1, 2)
    _draw_agreement(left, data, with_unit(of, archive.problem.units))
    _draw_histogram(right, data)
    return figure


def _draw_agreement(plot: Axes, data: _Residuals, seen: str) -> None:
    """Draw observed against fitted values, with the band that holds 95 % of them."""
    value, fitted, noise = data.value, data.fitted, data.noise
    ends = np.array([fitted.min(), fitted.max()])
    ends = ends + (0.05 * np.ptp(ends) or 1.0) * np.array([-1, 1])
    half = 1.96 * noise
    band = f"±1.96 × {significant(noise)}"
    plot.fill_between(ends, ends - half, ends + half, color=CLASSICAL, alpha=0.12, lw=0, label=band)
    plot.plot(ends, ends, color=INK, lw=1, label="observed = fitted")
    size, alpha = (2, 0.35) if value.size > 300 else (3, 0.6)
    look: dict[str, Any] = {"ls": "none", "marker": "o", "ms": size, "mew": 0}
    plot.plot(*_dots(data), **look, color=ESTIMATE, alpha=alpha, rasterized=value.size > MANY)
    # An outlier must not shrink the rest; those cut off are counted in the other panel.
    low, high = ends[0] - (_REACH + 0.5) * noise, ends[1] + (_REACH + 0.5) * noise
    pad = 0.2 * noise
    bottom, top = min(value.min(), ends[0] - half) - pad, max(value.max(), ends[1] + half) + pad
    plot.set_ylim(max(low, bottom), min(high, top))
    drawn = f", {_MAX_DOTS:,} drawn" if value.size > _MAX_DOTS else ""
    label(plot, f"fitted {seen}", f"observed {seen}", f"{value.size:,} values{drawn}")
    open_frame(plot)
    legend(plot, loc="best")


def _dots(data: _Residuals) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return fitted and observed values to draw, some at random where they are very many."""
    size = data.value.size
    if size <= _MAX_DOTS:
        return data.fitted, data.value
    drawn = np.random.default_rng(0).choice(size, _MAX_DOTS, replace=False)
    return data.fitted[drawn], data.value[drawn]


def _draw_histogram(plot: Axes, data: _Residuals) -> None:
    """Draw the residuals with the normal curves of the noise and of the stated noise."""
    residual, noise = data.residual, data.noise
    reach = _REACH * noise if np.abs(residual).max() > 4 * noise else 4 * noise
    is_inside = np.abs(residual) <= reach
    num_bins = int(np.clip(np.sqrt(residual.size) * 1.6, 8, 40))
    weights = np.full(int(is_inside.sum()), num_bins / (2 * reach * residual.size))
    plot.hist(
        residual[is_inside],
        bins=num_bins,
        range=(-reach, reach),
        weights=weights,
        color=ESTIMATE,
        alpha=0.55,
        label="residuals",
    )
    r = np.linspace(-reach, reach, 201)
    density = _normal(r, noise)
    name = f"normal, {data.name} {significant(noise)}"
    plot.plot(r, density, color=CLASSICAL, lw=1.6, label=name)
    if data.stated is not None and data.name != "stated noise":
        expected = _normal(r, data.stated)
        beside = f"normal, stated noise {significant(data.stated)}"
        plot.plot(r, expected, color=INK, lw=1.2, ls=(0, (4, 2)), label=beside)
        density = np.maximum(density, expected)
    num_beyond = int((~is_inside).sum())
    spread = f"residual std {significant(float(residual.std()))}"
    beyond = f", {num_beyond} beyond ±{_REACH:g} std" if num_beyond else ""
    plot.set_ylim(top=1.35 * max(plot.get_ylim()[1], float(density.max())))
    label(plot, "observed − fitted", "density", spread + beyond)
    open_frame(plot)
    legend(plot, loc="upper right")


def _normal(residual: NDArray[Any], std: float) -> NDArray[Any]:
    density: NDArray[Any] = np.exp(-0.5 * (residual / std) ** 2) / (std * np.sqrt(2 * np.pi))
    return density


def _noise(
    archive: RunArchive, of: str, columns: dict[str, NDArray[Any]], residual: NDArray[Any]
) -> tuple[float, str]:
    """Return the standard deviation to judge residuals by, and what it is."""
    estimated = archive.number("noise_std", of)
    if estimated:
        return estimated, "estimated noise"
    stated = _stated(columns)
    if stated is not None:
        return stated, "stated noise"
    return float(residual.std()) or 1.0, "own std"


def _stated(columns: dict[str, NDArray[Any]]) -> float | None:
    """Return the root mean square of the standard deviations that came with the data."""
    std = columns.get("std")
    if std is None or not np.isfinite(std).any():
        return None
    return float(np.sqrt(np.nanmean(std**2))) or None
