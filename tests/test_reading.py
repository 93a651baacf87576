"""What others wrote: regular files only, bounded, numbers in ASCII digits."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pinngate.errors import DataError, InputError, printable
from pinngate.reading import decimal, open_data, read_bounded, whole


@pytest.mark.parametrize("text", ["1", " -1.5e-3\t", "+.5", "2.", "1E9"])
def test_decimal_numbers_as_python_reads_them(text: str) -> None:
    assert decimal(text) == float(text)


@pytest.mark.parametrize("text", ["1_000", "\u0661", "\uff11", "0x10", "1e", "", ".", "1 2", "1d3"])
def test_what_only_some_take_for_a_number_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        decimal(text)
    with pytest.raises(ValueError, match="whole number"):
        whole(text)


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    pipe, link, listening = (tmp_path / name for name in ("pipe.csv", "link.csv", "socket.csv"))
    os.mkfifo(pipe)
    (tmp_path / "data.csv").write_text("x\n1\n")
    link.symlink_to(tmp_path / "data.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listening))
        for path, kind in (
            (pipe, "a pipe"),
            (link, "a link"),
            (listening, "a socket"),
            (Path("/dev/zero"), "a device"),
            (tmp_path, "a folder"),
        ):
            with pytest.raises(DataError, match=f"is {kind}"):
                open_data(path)
    with open_data(tmp_path / "data.csv") as stream:
        assert stream.read() == b"x\n1\n"
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(InputError, match="a problem file"):
            read_bounded(path, 10, "a problem file")


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5, "five bytes") == b"12345"
    with pytest.raises(InputError, match="too large"):
        read_bounded(path, 4, "four bytes")


def test_no_terminal_takes_a_message_for_a_command() -> None:
    assert printable("\x1b[31mred\x07\r\x9b0m\u202e") == "\ufffd[31mred\ufffd\ufffd\ufffd0m\ufffd"
    kept = "a\tb\n\u00a0\u3000\u2028 \u03c0 \u00b1"
    assert printable(kept) == kept
    assert len(printable("x" * 10_000 + "\nnext")) < 3_000
    assert printable("x" * 10_000 + "\nnext").endswith("\nnext")
    assert "\x1b" not in str(InputError("a \x1b[2J", expected="b \x1b", hint="c \x1b"))
