"""Figures as SVG: a document of its own, and the same drawing inside a page.

Part of the report. matplotlib draws; letters are outlines, so that a figure looks alike everywhere,
and maps are pixels inside. A page holds each letter once for all its figures and gives the colours
of paper and ink to its style, which knows light and dark.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_WIDTH = 504  # points of every figure: a text column of seven inches
PIXELS = 150  # dots an inch of what is drawn as pixels
MANY = 1000  # dots of a scatter beyond which they are pixels
SECONDS = 8.0  # of a film, before it begins anew
BEGIN, END = "frames-begin", "frames-end"  # gids of artists below and above all frames
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "pinngate",
    "svg.image_inline": True,
    "image.composite_image": False,
}
INKS = {  # colours of `style` that the page sets, by the name of its variable
    "#222222": "ink", "#767676": "mark", "#aaaaaa": "frame", "#bdbdbd": "beside",
    "#e6e6e6": "grid", "#f0f0f0": "shade", "#ffffff": "page", "#0072b2": "blue",
    "#d55e00": "vermilion", "#009e73": "green", "#e69f00": "orange", "#cc79a7": "purple",
    "#56b4e9": "sky",
}  # fmt: skip
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_GLOBAL = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_PLACES = re.compile(r' (?:d|x|y|points)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")
_FRAME = re.compile(r'<g id="frame-(\d+)"')
_FRAME_IMAGE = re.compile(r'<g (clip-path="[^"]*")>\s*(<image [^>]*)id="(frame-\d+)"')
_GROUP = re.compile(r'(<g) id="[^"]*"')
_LETTER = re.compile(r'<path id="([^"]+-[0-9a-f]+)" d="[^"]*" transform="scale\([^"]*\)"/>')
_NAMED = re.compile(r'(id="|xlink:href="#|url\(#)(?=[^"):]+["\)])')
_COLOUR = re.compile(r"#[0-9a-f]{6}(?=[;\"])")


def svg(figure: Figure, words: str = "") -> str:
    """Return a figure as an SVG document.

    Artists whose gid is ``frame-k``, between those of `BEGIN` and `END`, become a film; other names
    of parts are dropped.
    Cost: that of one drawing.

    Args:
        figure: as the other modules make them.
        words: what it shows, for those who do not see it.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.StringIO()
    figure.set_dpi(PIXELS)
    for plot in figure.axes:
        for image in plot.images:
            image.set_interpolation("none")  # the pixels that there are; who shows them smooths
    with rc_context(SETTINGS):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(stream, metadata=nothing)
    text = _GLOBAL.sub("", _HEAD.sub("", stream.getvalue()))
    text = _PLACES.sub(lambda found: _DIGITS.sub(r"\1", found[0]).replace("\n", ""), text)
    text = text.replace(' style="image-rendering:crisp-edges;image-rendering:pixelated"', "")
    text = _FRAME_IMAGE.sub(r'<g id="\3" \1>\2', text)
    count = len(set(_FRAME.findall(text)))
    if count:
        text = _moving(text, count)
    text = _GROUP.sub(r"\1", text)
    spoken = f' role="img" aria-label="{escape(words)}"' if words else ""
    return text.replace("<svg", f"<svg{spoken}", 1)


def in_page(document: str, name: str) -> tuple[str, dict[str, str]]:
    """Return a drawing of `svg` for a page, and its letters by name, which the page holds once.

    Args:
        document: of `svg`.
        name: of the figure, told before every name inside it.
    """
    letters = {found[1]: found[0] for found in _LETTER.finditer(document)}
    text = _LETTER.sub("", document)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r' xmlns(?::xlink)?="[^"]*"| version="1.1"', "", text)
    prefix = escape(name) + "-"
    text = _NAMED.sub(lambda found: found[0] + prefix, text)
    for letter in letters:
        text = text.replace(f'"#{prefix}{letter}"', f'"#{letter}"')
    text = re.sub(r"<defs>\s*</defs>", "", text)
    text = _COLOUR.sub(lambda found: _ink(found[0]), text)
    return re.sub(r"\n\s*", "\n", text), letters


def _moving(text: str, count: int) -> str:
    """Return a film whose frames lie beside each other on one strip, of which one is seen.

    One element moves, so that no two frames can be seen at once.
    """

    def placed(found: re.Match[str]) -> str:
        return (
            f'<g class="frame f{found[1]}" transform="translate({int(found[1]) * FIGURE_WIDTH} 0)"'
        )

    text = _FRAME.sub(placed, text)
    text = text.replace(f'<g id="{BEGIN}"/>', '<g class="strip">').replace(
        f'<g id="{END}"/>', "</g>"
    )
    name = f"strip{count}"
    style = (
        f"@media (prefers-reduced-motion:no-preference){{.of{count} .strip{{animation:{name} "
        f"{SECONDS:g}s steps({count}) infinite}}}}"
        f"@keyframes {name}{{to{{transform:translateX(-{count * FIGURE_WIDTH}px)}}}}"
    )
    head = rf'\1 class="of{count}"><style>{style}</style>'
    return re.sub(r"(<svg[^>]*)>", head, text, count=1)


def num_frames(drawing: str) -> int:
    """Return how many pictures a film of `svg` has, 0 of a drawing that stands still."""
    found = re.findall(r'class="frame f(\d+)"', drawing)
    return 1 + max(map(int, found), default=-1)


def _ink(colour: str) -> str:
    return f"var(--{INKS[colour]})" if colour in INKS else colour
