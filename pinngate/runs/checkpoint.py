"""Checkpoints: everything needed to go on, written so that a killed process loses nothing.

A file is written beside its final place and moved there in one step. It holds tensors and plain
containers only and loads with ``weights_only=True``. Beside the state stand the format, the problem
that it belongs to and a checksum of all that it holds: what is damaged, foreign or older is refused
in words, and nothing goes on from half a state.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from pathlib import Path
from typing import Any

import torch

from pinngate.errors import InputError, StorageError
from pinngate.reading import what_it_is
from pinngate.writing import write_bytes

FORMAT = 4
_MARKS = ("format", "problem", "checksum")
AGAIN = "run the problem again in another folder"


def save(path: Path, state: dict[str, Any], problem: str) -> None:
    """Write a checkpoint; it appears complete or not at all.

    Args:
        path: of the file.
        state: tensors and plain containers.
        problem: the hash of the problem that it belongs to.

    Raises:
        StorageError: it cannot be written; the one before stays.
    """
    stream = io.BytesIO()
    marked = {"format": FORMAT, "problem": problem, "checksum": checksum(state), **state}
    torch.save(marked, stream)
    try:
        write_bytes(path, stream.getvalue())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None


def load(path: Path, problem: str | None = None) -> dict[str, Any]:
    """Read a checkpoint.

    Args:
        path: of the file.
        problem: the hash of the problem that it should belong to; None asks for none.

    Raises:
        InputError: there is none, or it is damaged, of another format or of another problem.
    """
    try:
        kind = what_it_is(path)
        if kind:
            raise InputError(f"{path} is {kind}", expected="a checkpoint")
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist", hint="a run writes it as soon as training begins"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    state = _unpacked(path, content)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            f"{path} is no checkpoint of format {FORMAT}",
            hint=f"it is of another version of this package: {AGAIN}",
        )
    found = {key: value for key, value in state.items() if key not in _MARKS}
    if state.get("checksum") != checksum(found):
        raise InputError(f"{path} is damaged: its checksum is wrong", hint=AGAIN)
    if problem is not None and state.get("problem") != problem:
        raise InputError(
            f"{path} belongs to another problem than the one in its folder",
            expected="problem.yaml and data as the run has written them",
            hint=AGAIN,
        )
    return found


def _unpacked(path: Path, content: bytes) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file makes torch, pickle and zip raise whatever they can
        lines = str(error).splitlines()
        told = lines[0][:200] if lines else type(error).__name__
        raise InputError(f"{path} is not a readable checkpoint ({told})", hint=AGAIN) from None


def checksum(state: Any) -> str:
    """Return the SHA-256 of tensors, numbers and texts in plain containers.

    Cost: about a second for a gigabyte.
    """
    digest = hashlib.sha256()
    waiting = [state]
    while waiting:
        value = waiting.pop()
        digest.update(type(value).__name__.encode() + b"\0")
        match value:
            case torch.Tensor():
                array = value.detach().cpu().contiguous()
                digest.update(f"{array.dtype} {tuple(array.shape)}\0".encode())
                if array.numel():
                    digest.update(array.reshape(-1).view(torch.uint8).numpy().tobytes())
            case dict():
                digest.update(f"{len(value)}\0".encode())
                waiting += [part for item in value.items() for part in item]
            case list() | tuple() | set():
                digest.update(f"{len(value)}\0".encode())
                waiting += value
            case float():
                digest.update(struct.pack("<d", value))
            case _:
                digest.update(f"{value!r}\0".encode())
    return digest.hexdigest()
