"""What a person sees of a finished run: figures and one self-contained page.

Everything here is made from the files of the run alone, so that a report can be remade years later
without solving again. `archive` reads the files, `figures` turns them into matplotlib figures,
`page` into HTML; matplotlib and jinja2 are imported only when something is drawn or written.
"""

from __future__ import annotations

from pinngate.report.archive import RunArchive, read
from pinngate.report.page import render, write

__all__ = ["RunArchive", "read", "render", "write"]
