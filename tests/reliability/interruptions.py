"""Runs that are killed or interrupted at random moments, again and again, until they are done."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from random import Random

from tests.reliability.children import Child
from tests.reliability.small import arguments, differences, quick

SIGNALS = {"kill -9": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}
STATUS = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
MOST = 6  # interruptions of one run; then it is left alone


def duration(optimizer: str, folder: Path) -> float:
    """Return the seconds that an uninterrupted run takes in a forked process, and leave it."""
    began = time.perf_counter()
    child = Child(arguments(optimizer, folder), folder.with_suffix(".txt"))
    assert child.status() in (0, 1, 3), child.words()
    return time.perf_counter() - began


def interrupted(
    optimizer: str,
    number: int,
    whole: Path,
    seconds: float,
    folder: Path,
    rng: Random,
    *,
    has_report: bool = True,
) -> str | None:
    """Interrupt a run until it is done; return what is wrong with it in the end, or None.

    Args:
        optimizer: of the run.
        number: of the signal.
        whole: the folder of an uninterrupted run.
        seconds: that that one took.
        folder: of the run; removed where all is well.
        rng: of the moments.
        has_report: whether it draws figures and report, which takes half of its time.
    """
    said = folder.with_suffix(".txt")
    command = arguments(optimizer, folder, has_report=has_report)
    for count in range(MOST + 1):
        child = Child(command, said)
        if count < MOST:
            child.send(number, seconds * rng.random() ** 1.5)
        status, words = child.status(), child.words()
        if "Traceback" in words or "internal error" in words:
            return words[-600:]
        if status in (0, 1, 3) or "is finished" in words:
            break
        if status != STATUS[number] and status != -number:
            return f"status {status}: {words[-300:]}"
        last = "report.html" if has_report else "metrics.json"
        is_begun = (folder / "problem.yaml").exists() and not (folder / last).exists()
        if status > 0 and is_begun and "pinngate resume" not in words:
            return f"does not say how to go on: {words[-300:]}"
        command = ["resume", str(folder), "--quiet", *quick(has_report)]
        if not (folder / "problem.yaml").exists():
            command = arguments(optimizer, folder, has_report=has_report)
    wrong = differences(whole, folder, has_report=has_report)
    if not wrong:
        shutil.rmtree(folder)
    return "; ".join(wrong) or None
