"""A new problem file to start from, with the data that it names beside it.

What ``pinngate new`` writes. The text is that of `documentation.template`; paths in it are
relative, so that the folder can be moved or sent to a colleague.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pinngate
from pinngate.config import catalog
from pinngate.config.documentation import template
from pinngate.config.loading import load
from pinngate.errors import InputError

PAGE = "problem-file.md"


def write_new(file: Path, name: str | None = None) -> list[Path]:
    """Write a problem file and the data files that it names; return what was written.

    Args:
        file: the file to write.
        name: the shipped problem to start from; without one, a problem with a comment at each key.

    Raises:
        InputError: there is no such problem, or a file exists already or cannot be written.
    """
    text = template(name)
    copies = {} if name is None else _data_files(catalog.path(name), file)
    for target in (file, *copies):
        if target.exists():
            raise InputError(
                f"{target} exists already", hint="choose another name, or another folder"
            )
    try:
        for target, source in copies.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {error.filename}: {error.strerror}") from None
    return [file, *copies]


def _data_files(shipped: Path, file: Path) -> dict[Path, Path]:
    """Return where each data file of a shipped problem goes beside `file`, and where it is."""
    home = shipped.parent.resolve()
    files = load(shipped).data_files()
    sources = [source.resolve() for source in files if isinstance(source, Path)]
    return {file.parent / source.relative_to(home): source for source in sources}


def page() -> Path | None:
    """Return the page that explains every key, None where the installation lacks it."""
    package = Path(pinngate.__file__).resolve().parent
    places = (package / "docs" / PAGE, package.parent / "docs" / PAGE)
    return next((place for place in places if place.is_file()), None)
