"""SVG: small, repeatable, told in words, and drawn into a page once for every letter."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pinngate.report.style import BLUE, label, new_figure
from pinngate.report.vector_graphics import FIGURE_WIDTH, INKS, in_page, num_frames, svg

WORDS = 'a "line" < another & more'


def drawn(values: np.ndarray | None = None) -> str:
    figure = new_figure(2.0)
    plot = figure.subplots()
    plot.plot([0, 1], [0, 1], color=BLUE)
    if values is not None:
        plot.imshow(values, extent=(0, 1, 0, 1))
    label(plot, "$x$ (m)", "$u$")
    return svg(figure, WORDS)


def test_it_is_xml_with_words_and_says_the_same_again() -> None:
    document = drawn()
    root = ET.fromstring(document)
    assert root.get("aria-label") == WORDS
    assert root.get("role") == "img"
    assert root.get("viewBox") == f"0 0 {FIGURE_WIDTH} 144"
    assert drawn() == document
    assert "metadata" not in document


def test_numbers_have_two_decimals() -> None:
    places = re.findall(r' d="([^"]*)"', drawn())
    assert places
    assert not any(re.search(r"\.\d{3}", place) for place in places)


def test_a_map_keeps_its_own_pixels() -> None:
    values = np.random.default_rng(0).random((40, 40))
    assert len(drawn(values)) < len(drawn()) + 10_000
    assert "pixelated" not in drawn(values)


def test_in_a_page_letters_stand_apart_and_names_do_not_meet() -> None:
    first, letters = in_page(drawn(), "one")
    second, others = in_page(drawn(), "two")
    assert letters == others
    assert not any(letter in first for letter in letters.values())
    used = set(re.findall(r'xlink:href="#([^"]+)"', first + second))
    named = set(re.findall(r'\bid="([^"]+)"', first + second))
    assert used <= named | set(letters)
    assert not set(re.findall(r'\bid="([^"]+)"', first)) & set(
        re.findall(r'\bid="([^"]+)"', second)
    )
    clips = re.findall(r"url\(#([^)]+)\)", first)
    assert clips
    assert set(clips) <= set(re.findall(r'\bid="([^"]+)"', first))


def test_the_page_sets_the_colours() -> None:
    drawing, _ = in_page(drawn(), "one")
    assert "var(--blue)" in drawing
    assert "var(--page)" in drawing
    assert not any(colour in drawing for colour in INKS)


def test_frames_lie_beside_each_other_on_one_strip() -> None:
    from pinngate.report.vector_graphics import BEGIN, END

    figure = new_figure(2.0)
    plot = figure.subplots()
    for frame in range(3):
        (line,) = plot.plot([0, 1], [0, frame], zorder=2.2)
        line.set_gid(f"frame-{frame}")
    for gid, order in ((BEGIN, 2.1), (END, 2.3)):
        plot.plot([], [], zorder=order)[0].set_gid(gid)
    document = svg(figure)
    root = ET.fromstring(document)
    (strip,) = [e for e in root.iter() if e.get("class") == "strip"]
    assert [e.get("transform") for e in strip] == [
        f"translate({k * FIGURE_WIDTH} 0)" for k in range(3)
    ]
    assert num_frames(document) == 3
    assert "steps(3)" in document
    assert "prefers-reduced-motion:no-preference" in document
    assert num_frames(drawn()) == 0


@pytest.mark.parametrize("fonttype", ["none", "path"])
def test_settings_of_the_caller_do_not_matter(fonttype: str) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": fonttype}):
        assert "<text" not in drawn()
        assert mpl.rcParams["svg.fonttype"] == fonttype
