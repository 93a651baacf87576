"""Films: every time once, on axes that hold all of them, with the data where they were taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pinngate.report import RunArchive
from pinngate.report.cuts import FRAMES, film_times
from pinngate.report.film import film
from pinngate.report.vector_graphics import in_page, num_frames, svg

Make = Callable[[str], RunArchive]


def frames_of(artists: list) -> list[int]:
    gids = [a.get_gid() or "" for a in artists]
    return [int(g.removeprefix("frame-")) for g in gids if g.startswith("frame-")]


def test_a_line_goes_through_all_times(make_archive: Make) -> None:
    archive = make_archive("heat")
    figure = film(archive, "u")
    assert figure is not None
    (plot,) = figure.axes
    times = film_times(archive)
    assert (times[0], times[-1], len(times)) == (0, 60, FRAMES)
    framed = [line for line in plot.lines if (line.get_gid() or "").startswith("frame-")]
    solid = [line for line in framed if line.get_linestyle() == "-"]
    drawn = dict(zip(frames_of(solid), solid, strict=True))
    for frame, index in enumerate(times):
        np.testing.assert_array_equal(drawn[frame].get_ydata(), archive.solution["u"][:, index])
    low, high = plot.get_ylim()
    assert low < archive.solution["u"].min()
    assert high > archive.observations["value"].max()
    dots = [line for line in framed if line.get_linestyle() == "None"]
    assert frames_of(dots) == [0]  # all data are at the start
    assert len(dots[0].get_xdata()) == 200


@pytest.mark.parametrize("name", ["plate", "volume"])
def test_a_plane_is_an_image_for_each_time(make_archive: Make, name: str) -> None:
    archive = make_archive(name)
    figure = film(archive, "u")
    assert figure is not None
    count = archive.solution["t"].size
    assert frames_of(figure.axes[0].images) == list(range(count))
    drawing, _ = in_page(svg(figure), "film")
    assert num_frames(drawing) == count
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert len(texts) == count
    assert all(("z" in text) == (name == "volume") for text in texts)


def test_what_has_no_time_or_no_space_is_no_film(make_archive: Make) -> None:
    assert film(make_archive("membrane"), "u") is None
    assert film(make_archive("decay"), "u") is None


def test_uneven_planes_are_no_film(make_archive: Make) -> None:
    archive = make_archive("plate")
    uneven = archive.solution | {"x": archive.solution["x"] ** 2}
    assert film(replace(archive, solution=uneven), "u") is None
