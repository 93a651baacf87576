"""The page in a real browser: nothing is clipped, nothing scrolls sideways, the dark is dark.

Skipped where no Chromium is found (`CHROMIUM` names another program). A page is looked at through
a frame of the width that is asked for, because a window of a headless browser has a least width.
Kept baselines would differ by fonts and versions of browsers, so screenshots are compared with each
other, light and dark, still and moved, and figures with what matplotlib draws as pixels.
"""

from __future__ import annotations

import html
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from pinngate.report import RunArchive, render
from pinngate.report.figures import figures_of
from pinngate.report.page_figures import words
from pinngate.report.style import png
from pinngate.report.vector_graphics import svg

Make = Callable[[str], RunArchive]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
WIDTHS = (400, 1200)
HEIGHT = 9000  # pixels: more than any page here
PROBE = """<script>addEventListener('load', () => {
  const found = [], wide = document.documentElement.clientWidth;
  document.querySelectorAll('details').forEach(fold => { fold.open = true; });
  for (const e of document.querySelectorAll('body *')) {
    if (e.parentElement.closest('svg, math')) continue;
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!box.width || e.matches('.film input, .letters')) continue;
    const name = e.tagName.toLowerCase() + ' ' + (e.textContent || '').trim().slice(0, 40);
    if (box.right > wide + 1 || box.left < -1) found.push(['leaves the page', name]);
    if (style.display !== 'inline' && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
      found.push(['is wider than its place', name]);
  }
  const drawings = [...document.querySelectorAll('figure svg')];
  const outside = drawings.filter(d => { const box = d.getBoundingClientRect();
    return [...d.querySelectorAll('use')].some(u => { const b = u.getBoundingClientRect();
      return !u.closest('.strip') && b.width && (b.left < box.left - 1 || b.right > box.right + 1
        || b.top < box.top - 1 || b.bottom > box.bottom + 1); }); });
  for (const d of outside) found.push(['letters are cut', d.closest('figure').id]);
  const unknown = [...document.querySelectorAll('use')]
    .map(u => u.getAttribute('xlink:href').slice(1)).filter(n => !document.getElementById(n));
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  parent.postMessage(JSON.stringify({ found, unknown, wide,
    twice: ids.filter((n, k) => ids.indexOf(n) !== k),
    figures: drawings.length, scripts: document.querySelectorAll('script').length - 1 }), '*');
});</script>"""
FRAME = """<!DOCTYPE html><body style="margin:0"><iframe src="page.html" width="WIDTH"
height="HEIGHT" style="border:0"></iframe><pre id="told"></pre><script>
addEventListener('message', e => { document.getElementById('told').textContent = e.data; })
</script>"""


def browse(folder: Path, source: str, width: int, *options: str) -> str:
    """Return what the browser prints of a page in a frame `width` pixels wide."""
    (folder / "page.html").write_text(source, encoding="utf-8")
    frame = FRAME.replace("WIDTH", str(width)).replace("HEIGHT", str(HEIGHT))
    (folder / "frame.html").write_text(frame, encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--force-prefers-reduced-motion", "--virtual-time-budget=2000",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={max(width, 600)},{HEIGHT}",
        *options, (folder / "frame.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def probed(folder: Path, source: str, width: int, *options: str) -> dict:
    """Return what a script inside the page finds of it."""
    told = browse(
        folder, source.replace("</body>", PROBE + "</body>"), width, "--dump-dom", *options
    )
    match = re.search(r'<pre id="told">(.*?)</pre>', told, re.DOTALL)
    assert match is not None, told[:400]
    return json.loads(html.unescape(match[1]))


def pictured(folder: Path, source: str, width: int, *options: str) -> np.ndarray:
    """Return a screenshot (HEIGHT, width, 3)."""
    browse(folder, source, width, f"--screenshot={folder / 'shot.png'}", *options)
    with Image.open(folder / "shot.png") as image:
        return np.asarray(image.convert("RGB"))[:, :width].astype(int)


def page_of(archive: RunArchive) -> str:
    drawn = figures_of(archive).items()
    return render(archive, {name: svg(figure, words(archive, name)) for name, figure in drawn})


@pytest.mark.parametrize("name", ["heat", "decay", "plate"])
def test_nothing_is_clipped_at_either_width(make_archive: Make, tmp_path: Path, name: str) -> None:
    source = page_of(make_archive(name))
    for width in WIDTHS:
        told = probed(tmp_path, source, width)
        assert told["found"] == [], (width, told["found"])
        assert told["unknown"] == told["twice"] == []
        assert told["scripts"] == 0
        assert told["figures"] >= 5


def test_the_probe_finds_what_is_clipped(make_archive: Make, tmp_path: Path) -> None:
    wide = '<p style="white-space:nowrap">' + "too wide " * 60 + "</p></main>"
    source = render(make_archive("bare"), {}).replace("</main>", wide)
    assert any("too wide" in name for _, name in probed(tmp_path, source, 400)["found"])


@pytest.mark.parametrize("width", WIDTHS)
def test_screenshots_are_whole(make_archive: Make, tmp_path: Path, width: int) -> None:
    source = page_of(make_archive("heat"))
    narrow = pictured(tmp_path, source, width)
    paper = narrow[0, 0]
    is_inked = np.abs(narrow - paper).max(axis=2) > 24
    assert is_inked.sum() > 30_000  # something is there
    assert not is_inked[:, :4].any()  # and nothing touches an edge
    assert not is_inked[:, -4:].any()
    again = pictured(tmp_path, source, width)
    assert np.mean(np.abs(again - narrow).max(axis=2) > 24) < 1e-3


@pytest.mark.parametrize("name", ["solution", "slices", "residuals", "film"])
def test_a_figure_looks_as_matplotlib_draws_it(
    make_archive: Make, tmp_path: Path, name: str
) -> None:
    archive = make_archive("plate" if name == "film" else "heat")
    figure = figures_of(archive)[name]
    drawing = svg(figure)
    if name == "film":  # its first picture; as pixels all of them lie on each other
        for artist in figure.axes[0].get_children():
            frame = (artist.get_gid() or "").removeprefix("frame-")
            artist.set_visible(artist.get_visible() and not (frame.isdigit() and int(frame) > 0))
    with Image.open(io.BytesIO(png(figure))) as image:
        expected = np.asarray(image.convert("L")).astype(float)
    height, width = expected.shape
    page = f'<!DOCTYPE html><body style="margin:0;background:#fff">{drawing}</body>'
    size = f'width="{width}" height="{height}"'
    page = re.sub(r'width="[^"]*" height="[^"]*"', size, page, count=1)
    shown = pictured(tmp_path, page, width)[:height].mean(axis=2)
    smooth = [gaussian_filter(picture, 3.0) for picture in (shown, expected)]
    assert np.corrcoef(smooth[0].ravel(), smooth[1].ravel())[0, 1] > 0.93
    assert np.abs(smooth[0] - smooth[1]).mean() < 10  # of 255: layouts differ by two pixels


def test_the_dark_page_is_dark_and_its_figures_can_be_read(
    make_archive: Make, tmp_path: Path
) -> None:
    archive = make_archive("decay")  # lines alone: maps keep their colours
    source = page_of(archive)
    light = pictured(tmp_path, source, 800)
    dark = pictured(tmp_path, source, 800, "--blink-settings=preferredColorScheme=0")
    assert light[0, 0].min() > 240
    assert dark[0, 0].max() < 40
    # what is ink on the one is light on the other: as much of both pages stands out
    inked = [np.abs(shot - shot[0, 0]).max(axis=2) > 60 for shot in (light, dark)]
    assert inked[1].sum() == pytest.approx(inked[0].sum(), rel=0.35)
    assert np.mean(inked[0] & inked[1]) > 0.6 * np.mean(inked[0])


def test_a_place_on_the_bar_holds_a_picture_of_the_film(make_archive: Make, tmp_path: Path) -> None:
    source = page_of(make_archive("plate"))
    times = [source]
    chosen = source.replace(' aria-label="play" checked>', ' aria-label="play">')
    times.append(chosen.replace(' aria-label="t = 1">', ' aria-label="t = 1" checked>'))
    shots = [pictured(tmp_path, shown, 800) for shown in times]
    differs = np.abs(shots[1] - shots[0]).max(axis=2) > 24
    rows = np.flatnonzero(differs.any(axis=1))
    assert rows.size > 100  # the plane, which has faded
    assert np.ptp(rows) < 900  # and nothing else on the page
