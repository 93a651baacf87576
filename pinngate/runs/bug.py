"""What a report of a fault of this package needs: versions, problem and traceback, and no data.

An error that is none of `pinngate.errors` is a fault by definition. Its traceback is kept in the
folder of the run, or in a folder of its own where there is none, and ``pinngate report-bug`` prints
it with all else that somebody else needs to see the same.
"""

from __future__ import annotations

import json
import platform
import shlex
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pinngate
from pinngate.errors import InputError
from pinngate.reading import read_bounded
from pinngate.writing import write_text

TRACEBACK = "traceback.txt"
PACKAGES = ("numpy", "scipy", "torch", "matplotlib", "pydantic", "PyYAML", "typer", "rich")
MOST = 1_000_000  # bytes of a file that are shown
_PLACE = "folder of the traceback: "


def keep(folder: Path, error: BaseException) -> Path | None:
    """Keep the traceback of a fault in a folder, and note in the error where; None where it fails.

    A folder that holds no run is left alone, and one for the traceback alone is made.
    """
    with suppress(OSError):
        if not (folder / "problem.yaml").is_file():
            folder = Path(tempfile.mkdtemp(prefix="pinngate-fault-"))
        write_text(folder / TRACEBACK, "".join(traceback.format_exception(error)))
        error.add_note(f"{_PLACE}{folder}")
        return folder
    return None


def command_for(error: BaseException) -> str:
    """Return the command that prints the report of a fault; its traceback is kept first."""
    notes = (note for note in getattr(error, "__notes__", ()) if note.startswith(_PLACE))
    place = next(notes, None)
    folder = Path(place.removeprefix(_PLACE)) if place else keep(Path(), error)
    return f"pinngate report-bug {shlex.quote(str(folder or '.'))}"


def lines(folder: Path) -> Iterator[str]:
    """Yield the report of a folder in lines.

    Raises:
        InputError: it holds neither a run nor a traceback.
    """
    if not any((folder / name).is_file() for name in ("problem.yaml", TRACEBACK)):
        raise InputError(
            f"{folder} holds no run and no traceback",
            expected="the folder that the message of the fault names",
        )
    yield f"pinngate {pinngate.__version__}, Python {platform.python_version()}"
    yield f"{platform.platform()}, {platform.machine()}"
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            yield f"{package} {version(package)}"
    for name in ("environment.json", "problem.yaml", TRACEBACK):
        yield ""
        yield f"--- {name}"
        yield from _content(folder / name)


def _content(path: Path) -> Iterator[str]:
    try:
        text = read_bounded(path, MOST, "a file of a run").decode("utf-8", errors="replace")
    except (OSError, InputError):
        yield "(none)"
        return
    if path.suffix == ".json":
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2)
    yield from text.rstrip().splitlines()
