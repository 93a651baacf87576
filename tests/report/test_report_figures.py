"""Figures: those that apply are made, labelled, drawn without a warning, and show the numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text

from pinngate.report import RunArchive
from pinngate.report.figures import figures_of
from pinngate.report.style import png

Make = Callable[[str], RunArchive]

EXPECTED = {
    "heat": [
        "solution", "slices", "film", "error", "fit", "residuals", "calibration", "training",
        "risk",
    ],
    "decay": [
        "solution", "error", "fit", "residuals", "calibration", "coefficients", "training", "gate",
    ],
    "membrane": [
        "solution", "slices", "error", "fit", "residuals", "calibration", "training",
    ],
    "bare": ["solution_u", "slices_u", "film_u", "solution_v", "slices_v", "film_v"],
    "plate": ["solution", "slices", "film", "error", "fit", "residuals", "calibration"],
    "volume": ["solution", "slices", "film"],
}  # fmt: skip


def _plots(figure: Figure) -> list:
    return [a for a in figure.axes if a.get_visible() and a.get_label() != "<colorbar>"]


def _line(figure: Figure, label: str) -> tuple[np.ndarray, np.ndarray]:
    for axes in figure.axes:
        for line in axes.lines:
            if line.get_label() == label:
                return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    raise AssertionError(label)


@pytest.mark.parametrize("name", EXPECTED)
def test_those_that_apply_are_drawn_and_labelled(make_archive: Make, name: str) -> None:
    settings = dict(mpl.rcParams)
    figures = figures_of(make_archive(name))
    assert list(figures) == EXPECTED[name]
    for figure in figures.values():
        assert png(figure).startswith(b"\x89PNG")  # a warning while drawing is an error here
        plots = _plots(figure)
        assert all(p.get_title(loc="left") or p.get_ylabel() for p in plots)
        # Panels that share an axis are labelled once: at the foot of a column, left of a row.
        bottom = min(p.get_position().y0 for p in plots)
        left = min(p.get_position().x0 for p in plots)
        assert all(p.get_xlabel() for p in plots if p.get_position().y0 < bottom + 0.01)
        assert all(p.get_ylabel() for p in plots if p.get_position().x0 < left + 0.01)
        bars = [a for a in figure.axes if a.get_label() == "<colorbar>"]
        assert all(bar.get_ylabel() for bar in bars)
    assert dict(mpl.rcParams) == settings


@pytest.mark.parametrize("name", EXPECTED)
def test_no_letter_leaves_its_figure(make_archive: Make, name: str) -> None:
    archive = make_archive(name)
    metrics = archive.metrics | {"noise_std_by_set": {"1": 0.3}}
    for kind, figure in figures_of(replace(archive, metrics=metrics)).items():
        png(figure)
        whole = figure.bbox.padded(1.0)
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text() and text.axes in (None, *_plots(figure)):
                box = text.get_window_extent()
                is_inside = whole.x0 <= box.x0 and box.x1 <= whole.x1
                is_tick = text in [t for a in figure.axes for t in _ticks(a)]
                assert is_inside or is_tick, (kind, text.get_text())


def _ticks(plot) -> list[Text]:
    return [*plot.get_xticklabels(which="both"), *plot.get_yticklabels(which="both")]


def test_the_image_holds_the_field_with_time_across(make_archive: Make) -> None:
    archive = make_archive("heat")
    plot = figures_of(archive)["solution"].axes[0]
    (image,) = plot.images
    np.testing.assert_array_equal(image.get_array(), archive.solution["u"])  # rows are x
    # cells of a width of 1/60 and a height of 1/80 about the places of the grid
    np.testing.assert_allclose(image.get_extent(), [-1 / 120, 1 + 1 / 120, -1 / 160, 1 + 1 / 160])
    assert (plot.get_xlabel(), plot.get_ylabel()) == ("$t$", "$x$")
    (dots,) = [c for c in plot.collections if isinstance(c, PathCollection)]
    at = archive.observations
    np.testing.assert_array_equal(dots.get_offsets(), np.column_stack([at["t"], at["x"]]))


def test_an_uneven_grid_is_a_mesh(make_archive: Make) -> None:
    archive = make_archive("heat")
    t = archive.solution["t"] ** 2
    uneven = replace(archive, solution=archive.solution | {"t": t})
    plot = figures_of(uneven)["solution"].axes[0]
    assert not plot.images
    (mesh,) = [c for c in plot.collections if isinstance(c, QuadMesh)]
    shown = np.asarray(mesh.get_array()).reshape(archive.solution["u"].shape)
    np.testing.assert_array_equal(shown, archive.solution["u"])


def test_slices_across_a_plane_stay_off_its_edges(make_archive: Make) -> None:
    archive = make_archive("membrane")
    titles = [p.get_title(loc="left") for p in _plots(figures_of(archive)["slices"])]
    places = [float(title.split("=")[1]) for title in titles]
    assert len(places) == 6
    assert min(places) > 0.1
    assert max(places) < 0.9


def test_colours_of_a_deviation_leave_out_the_last_hundredth(make_archive: Make) -> None:
    archive = make_archive("heat")
    std = np.full_like(archive.solution["u"], 0.02)
    std[:2, :3] = 5.0  # a corner where nothing is known
    plot = figures_of(replace(archive, solution=archive.solution | {"u_std": std}))["solution"]
    assert plot.axes[1].images[0].norm.vmax == pytest.approx(0.02)


def test_slices_show_the_data_where_they_live(make_archive: Make) -> None:
    archive = make_archive("heat")
    with_data = {
        plot.get_title(loc="left"): sum(
            len(line.get_xdata()) for line in plot.lines if line.get_label() == "observations"
        )
        for plot in _plots(figures_of(archive)["slices"])
    }
    assert with_data["$t$ = 0"] == 200
    assert sum(with_data.values()) == 200


def test_slices_move_to_the_time_of_the_data(make_archive: Make) -> None:
    archive = make_archive("heat")
    t = np.full(200, archive.solution["t"][17])
    moved = replace(archive, observations=archive.observations | {"t": t})
    titles = [p.get_title(loc="left") for p in _plots(figures_of(moved)["slices"])]
    assert "$t$ = 0.283" in titles


def test_each_observation_of_a_moving_plane_is_drawn_once(make_archive: Make) -> None:
    archive = make_archive("plate")
    dots = [
        c
        for axes in figures_of(archive)["solution"].axes
        for c in axes.collections
        if isinstance(c, PathCollection)
    ]
    assert sum(len(c.get_offsets()) for c in dots) == archive.observations["value"].size


def test_slices_avoid_a_nodal_plane(make_archive: Make) -> None:
    archive = make_archive("plate")  # zero at y = 0.5
    _, u = _line(figures_of(archive)["slices"], "estimate")
    assert np.abs(u).max() > 0.9


def test_mean_square_of_the_error_over_time_is_the_relative_l2(make_archive: Make) -> None:
    archive = make_archive("heat")
    figure = figures_of(archive)["error"]
    _, error = _line(figure, "this run")
    stated = archive.number("fields", "u", "relative_l2")
    # The truth's share of each time is equal on the uniform grid, so this is an identity.
    assert np.sqrt(np.mean(error**2)) == pytest.approx(stated, rel=1e-12)
    labels = [text.get_text() for axes in figure.axes[:2] for text in _legend_texts(axes)]
    assert "classical, whole domain 3.3\N{NO-BREAK SPACE}%" in labels
    assert "statistical limit, whole domain 2.1\N{NO-BREAK SPACE}%" in labels


def _legend_texts(axes) -> list:
    return axes.get_legend().get_texts() if axes.get_legend() else []


def test_the_residual_histogram_has_the_area_of_the_shown_share(make_archive: Make) -> None:
    archive = make_archive("membrane")
    right = figures_of(archive)["fit"].axes[1]
    area = sum(bar.get_height() * bar.get_width() for bar in right.patches)
    assert area == pytest.approx(147 / 150, rel=1e-9)  # three outliers lie outside the axis
    assert "3 beyond ±5 std" in right.get_title(loc="left")
    r, density = _line(figures_of(archive)["fit"], "normal, estimated noise 0.1")
    # Normal curve of standard deviation 0.1 cut at five of them: 6e-7 of its area is missing.
    assert np.trapezoid(density, r) == pytest.approx(1.0, abs=1e-5)


def test_the_coefficient_shows_its_truth_and_final_interval(make_archive: Make) -> None:
    plot = figures_of(make_archive("decay"))["coefficients"].axes[0]
    assert plot.get_title(loc="left") == "$k$ = 0.720 ± 0.021"
    low, high = plot.get_ylim()
    assert low < 0.3  # where the estimate began
    assert 0.761 < high < 1.0  # the last interval's end, but not the first one's


def test_the_chosen_network_is_in_colour_over_its_own_iterations(make_archive: Make) -> None:
    figure = figures_of(make_archive("heat"))["training"]
    loss, race, error = figure.axes
    for plot, chosen in ((loss, "total"), (race, "chosen: sine-4"), (error, "this run, $u$")):
        (line,) = [line for line in plot.lines if line.get_label() == chosen]
        np.testing.assert_array_equal(line.get_xdata(), np.arange(2, 33, 2))
        grey = [line for line in plot.lines if line.get_color() == "#BDBDBD"]
        assert [list(line.get_xdata()) for line in grey] == [list(range(2, 21, 2))] * 2
        assert all(line.get_zorder() < 1.9 <= max(2, line.get_zorder()) for line in grey)
    assert error.get_xlabel() == "iteration of each network"


def test_the_risk_stands_above_noise_and_misfit(make_archive: Make) -> None:
    archive = make_archive("heat")
    figure = figures_of(archive)["risk"]
    x, risk = _line(figure, "leave-one-out risk")
    _, noise = _line(figure, "noise variance")
    _, misfit = _line(figure, "training misfit")
    chosen = archive.history["candidate"] == 1
    assert x[-1] == 32
    np.testing.assert_array_equal(risk, archive.history["leave_one_out_risk"][chosen])
    # One set of equal weights: the loss without the physics is the loss of the observations.
    expected = archive.history["loss_observation_1"][chosen]
    np.testing.assert_allclose(misfit, expected, rtol=1e-12)
    assert (misfit < noise).all()
    assert (noise[-5:] < risk[-5:]).all()
    assert "risk of the answer 0.0912" in [t.get_text() for t in _legend_texts(figure.axes[0])]
    ramp = figure.axes[0].patches[0]
    assert ramp.get_x() + ramp.get_width() == 10  # 0.05 · 1.3^n reaches one after eleven
    assert [plot.get_ylabel() for plot in figure.axes[1:]] == ["effective dimension", "ridge α"]


def test_a_single_network_has_no_others(make_archive: Make) -> None:
    archive = make_archive("heat")
    only = archive.history["candidate"] == 1
    history = {name: v[only] for name, v in archive.history.items()}
    history["iteration"] = np.arange(2.0, 33, 2)
    metrics = {name: v for name, v in archive.metrics.items() if name != "race"}
    figures = figures_of(replace(archive, history=history, metrics=metrics))
    assert len(figures["training"].axes) == 2
    assert figures["training"].axes[-1].get_xlabel() == "iteration"
    assert figures["risk"].axes[-1].get_xlabel() == "iteration"


def test_coefficients_are_those_of_the_chosen_network(make_archive: Make) -> None:
    archive = make_archive("decay")
    rows = archive.history["iteration"].size
    history = archive.history | {"candidate": (np.arange(rows) < 30).astype(float)}
    race = [{"network": "a", "is_winner": True}, {"network": "b", "is_winner": False}]
    chosen = replace(archive, history=history, metrics=archive.metrics | {"race": race})
    _, k = _line(figures_of(chosen)["coefficients"], "iterate")
    np.testing.assert_array_equal(k, archive.history["coefficient_k"][30:])


def test_a_stated_noise_is_drawn_beside_the_estimate(make_archive: Make) -> None:
    archive = make_archive("decay")
    _, density = _line(figures_of(archive)["fit"], "normal, stated noise 0.05")
    assert density.max() == pytest.approx(1 / (0.05 * np.sqrt(2 * np.pi)), rel=1e-12)
    heat = figures_of(make_archive("heat"))["fit"].axes[1]
    assert not any("stated" in str(line.get_label()) for line in heat.lines)


@pytest.mark.parametrize("ratio", [1.2, 3.0, 20.0, 99.0, 1e4])
def test_a_risk_of_any_span_has_ticks_that_can_be_read(make_archive: Make, ratio: float) -> None:
    archive = make_archive("heat")
    rows = archive.history["iteration"].size
    history = {
        "iteration": archive.history["iteration"],
        "leave_one_out_risk": np.geomspace(0.11 * ratio, 0.11, rows),
    }
    figure = figures_of(replace(archive, history=history))["risk"]
    figure.draw_without_rendering()
    plot = figure.axes[0]
    low, high = plot.get_ylim()
    labels = [
        text.get_text()
        for text in plot.get_yticklabels()
        if low <= text.get_position()[1] <= high and text.get_text()
    ]
    assert len(labels) >= 3
    assert len(set(labels)) == len(labels)


def test_two_sets_have_two_fits(make_archive: Make) -> None:
    archive = make_archive("heat")
    sets = np.where(np.arange(200) < 50, "1", "2")
    names = figures_of(replace(archive, observations=archive.observations | {"set": sets}))
    assert {"fit_1", "fit_2"} <= set(names)


@pytest.mark.parametrize("absent", [["iteration"], ["loss"], ["leave_one_out_risk", "ridge"]])
def test_any_history_column_may_be_absent(make_archive: Make, absent: list[str]) -> None:
    archive = make_archive("heat")
    history = {name: v for name, v in archive.history.items() if name not in absent}
    figures = figures_of(replace(archive, history=history))
    assert {"training", "risk"} <= set(figures) or absent[0] == "leave_one_out_risk"
    drawn = {"training", "risk"} & set(figures)
    lines = [line for name in drawn for a in figures[name].axes for line in a.lines]
    assert all(np.isfinite(line.get_ydata()).all() for line in lines)


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0])
def test_a_loss_that_is_no_number_is_left_out(make_archive: Make, value: float) -> None:
    archive = make_archive("membrane")
    history = {"iteration": np.arange(4.0), "loss": np.array([1.0, value, 0.5, 0.2])}
    x, _ = _line(figures_of(replace(archive, history=history))["training"], "total")
    np.testing.assert_array_equal(x, [0, 2, 3])


def test_a_field_with_gaps_is_drawn(make_archive: Make) -> None:
    archive = make_archive("heat")
    u = archive.solution["u"].copy()
    u[3, 4] = np.nan
    gappy = replace(archive, solution=archive.solution | {"u": u})
    figures = figures_of(gappy)
    assert list(figures) == EXPECTED["heat"]
    for name in ("solution", "slices", "error"):
        figures[name].draw_without_rendering()


def test_very_many_observations_are_thinned(make_archive: Make) -> None:
    archive = make_archive("heat")
    many = {name: np.resize(v, 5000) for name, v in archive.observations.items()}
    plot = figures_of(replace(archive, observations=many))["solution"].axes[0]
    (dots,) = [c for c in plot.collections if isinstance(c, PathCollection)]
    assert len(dots.get_offsets()) == 1000


def test_a_fit_draws_some_of_very_many_values_and_says_so(make_archive: Make) -> None:
    archive = make_archive("heat")
    many = {name: np.resize(v, 30_000) for name, v in archive.observations.items()}
    left, right = figures_of(replace(archive, observations=many))["fit"].axes
    assert "30,000 values, 20,000 drawn" in left.get_title(loc="left")
    assert max(len(line.get_xdata()) for line in left.lines) == 20_000
    area = sum(bar.get_height() * bar.get_width() for bar in right.patches)
    few = figures_of(archive)["fit"].axes[1]
    # the histogram holds all of them
    assert area == pytest.approx(sum(b.get_height() * b.get_width() for b in few.patches))
