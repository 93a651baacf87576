"""Amounts of memory as text, both ways."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pinngate import memory
from pinngate.memory import ControlGroup, budget, exact_text, free_memory, parse_size, rounded_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2_000_000_000),
        ("500 MB", 500_000_000),
        ("1.5gib", 3 * 2**29),
        ("64KiB", 65536),
        ("3e8", None),
        (12345, 12345),
        (2e9, 2_000_000_000),
        ("0GB", None),
        ("-2GB", None),
        ("2XB", None),
        ("GB", None),
        ("", None),
        (True, None),
        (float("nan"), None),
    ],
)
def test_amounts_are_read_or_refused(text: str | int | float, size: int | None) -> None:
    if size is not None:
        assert parse_size(text) == size
        return
    with pytest.raises(ValueError, match="no amount of memory"):
        parse_size(text)


@pytest.mark.parametrize("size", [1, 999, 1000, 1024, 2_000_000_000, 3 * 2**29, 123_456_789])
def test_written_amounts_are_read_back_exactly(size: int) -> None:
    assert parse_size(exact_text(size)) == size


def test_written_amounts_are_short() -> None:
    assert exact_text(2_000_000_000) == "2GB"
    assert exact_text(3 * 2**29) == "1536MiB"
    assert [rounded_text(s) for s in (999.4, 999.6, 54_321_000)] == ["999 B", "1 kB", "54.3 MB"]


def test_the_budget_is_what_is_stated_else_half_of_what_is_free() -> None:
    assert budget(7) == 7
    # other processes allocate between the two calls
    assert budget(None) == pytest.approx(free_memory() / 2, rel=0.5)


def group(folder: Path, limit: str, usage: int, cached: int) -> ControlGroup:
    (folder / "limit").write_text(f"{limit}\n")
    (folder / "usage").write_text(f"{usage}\n")
    (folder / "statistics").write_text(f"anon 5\ninactive_file {cached}\nfile 7\n")
    files = (folder / name for name in ("limit", "usage", "statistics"))
    return ControlGroup(*files, "inactive_file")


@pytest.mark.parametrize(
    ("limit", "usage", "free"),
    [("5000", 3000, 2100), ("max", 3000, 10**6), ("5000", 9000, 0), (str(2**62), 9000, 10**6)],
)
def test_a_container_may_use_what_its_limit_leaves(
    limit: str, usage: int, free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Machine:
        available = 10**6

    monkeypatch.setattr(psutil, "virtual_memory", Machine)
    missing = ControlGroup(*[tmp_path / "nothing"] * 3, "inactive_file")
    monkeypatch.setattr(memory, "CONTROL_GROUPS", (missing, group(tmp_path, limit, usage, 100)))
    assert free_memory() == free


def test_no_more_is_free_than_the_machine_has() -> None:
    assert 0 < free_memory() <= psutil.virtual_memory().total


def test_freed_memory_is_kept_where_there_is_glibc() -> None:
    """In a process of its own: the pages of a freed array are there for the next one."""
    code = (
        "import numpy, platform, resource\n"
        "from pinngate.memory import keep_freed\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(20):\n"
        "        numpy.ones(1_000_000)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "plain, kept = faults(), keep_freed()\n"
        "faults()\n"
        "print(plain, faults(), int(kept), int(platform.libc_ver()[0] == 'glibc'))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    plain, kept, is_kept, is_glibc = map(int, told.stdout.split())
    assert is_kept == is_glibc
    assert not is_glibc or kept < plain / 10
