"""The nightly mode: ``python -m tests.reliability``, as many cases as it is told.

Each part leaves a line in ``results/reliability/README.md`` as soon as it is done; the lines of
parts that are not run stay.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from tests.reliability import disk, fuzz, interruptions, soak, waiting
from tests.reliability.children import load_everything
from tests.reliability.small import SETTINGS, finished

ROOT = Path(__file__).parents[2]
SHOWN = 5  # failures in words

Entry = dict[str, Any]


def fuzzing(options: argparse.Namespace, work: Path) -> Iterator[Entry]:
    """Try generated inputs of every kind."""
    run = finished("population-risk-gauss-newton", work / "run")
    folder = work / "cases" / "one"
    folder.mkdir(parents=True)
    bench = fuzz.Bench(folder, run)
    for kind in options.kinds:
        tally, began = fuzz.Tally(), time.monotonic()
        for number in fuzz.numbers(kind, options.cases, options.seed):
            fuzz.tried(kind, number, bench, tally)
        yield {
            "what": f"fuzzed {kind}",
            "cases": tally.cases,
            "failures": len(tally.failures),
            "note": f"{tally.refused:,} refused in words, slowest {tally.slowest:.1f} s",
            "words": [f"{number}: {told}" for number, told in tally.failures[:SHOWN]],
            "seconds": round(time.monotonic() - began),
        }


def interrupting(options: argparse.Namespace, work: Path) -> Iterator[Entry]:
    """Kill, Ctrl-C and SIGTERM at random moments, for both optimizers."""
    load_everything()
    for optimizer in SETTINGS:
        whole = work / f"whole-{optimizer}"
        seconds = interruptions.duration(optimizer, whole)
        for name, number in interruptions.SIGNALS.items():
            rng, wrong, began = Random(f"{name} {optimizer} {options.seed}"), [], time.monotonic()
            for k in range(options.interruptions):
                folder = work / f"{optimizer}-{number}-{k}"
                told = interruptions.interrupted(optimizer, number, whole, seconds, folder, rng)
                wrong += [f"{k}: {told}"] if told else []
            yield {
                "what": f"{name}, {optimizer}",
                "cases": options.interruptions,
                "failures": len(wrong),
                "note": "each up to 6 times, then compared bitwise",
                "words": wrong[:SHOWN],
                "seconds": round(time.monotonic() - began),
            }


def failing_disks(options: argparse.Namespace, work: Path) -> Iterator[Entry]:
    """Disks that are full after k bytes, or read-only from a moment on."""
    load_everything()
    optimizer = "population-risk-adam"
    whole = work / "whole"
    seconds = interruptions.duration(optimizer, whole)
    rng = Random(options.seed)
    tries: dict[str, Callable[[Path], Iterator[str | None]]] = {
        "disk full after k bytes": lambda place: (
            disk.full_after(optimizer, size, whole, place)
            for size in disk.moments(rng, options.disks, whole)
        ),
        "disk read-only from a moment on": lambda place: (
            disk.read_only_after(optimizer, seconds * rng.random(), whole, place)
            for _ in range(options.disks)
        ),
    }
    for what, outcomes in tries.items():
        began, wrong, count, note = time.monotonic(), [], 0, "then room is made and it goes on"
        try:
            for told in outcomes(work / "disk"):
                count += 1
                wrong += [f"{count}: {told}"] if told else []
        except PermissionError as error:
            note = str(error)
        yield {
            "what": what,
            "cases": count,
            "failures": len(wrong),
            "note": note,
            "words": wrong[:SHOWN],
            "seconds": round(time.monotonic() - began),
        }


def soaking(options: argparse.Namespace, _: Path) -> Iterator[Entry]:
    """Solve again and again in one process."""
    began = time.monotonic()
    found = soak.soak(options.soak)
    (before, after), ends = found.megabytes, (*found.descriptors, *found.threads)
    yield {
        "what": "solves in one process",
        "cases": found.solves,
        "failures": len(found.failures),
        "note": f"memory {before:.0f} to {after:.0f} MB, descriptors {ends[0]} to {ends[1]}, "
        f"threads {ends[2]} to {ends[3]}, medians of the middle and the last third",
        "words": found.failures,
        "seconds": round(time.monotonic() - began),
    }


def foretelling(options: argparse.Namespace, _: Path) -> Iterator[Entry]:
    """Compare the time left that is told at half of a run with what it takes."""
    began = time.monotonic()
    found = list(waiting.runs(range(options.seed, options.seed + options.seeds)))
    ratios = sorted(run.ratio for run in found)
    wrong = [run for run in found if not run.is_right]
    yield {
        "what": "time left, told at half of a run",
        "cases": len(found),
        "failures": len(wrong),
        "note": f"within a factor of two; told over true {ratios[0]:.2f} to {ratios[-1]:.2f}, "
        f"median {ratios[len(ratios) // 2]:.2f}",
        "words": [f"{r.problem}, seed {r.seed}: {r.told:.1f} s, not {r.left:.1f}" for r in wrong],
        "seconds": round(time.monotonic() - began),
    }


PARTS = {
    "fuzz": fuzzing, "interruptions": interrupting, "disks": failing_disks, "soak": soaking,
    "waiting": foretelling,
}  # fmt: skip


def write(folder: Path, entries: list[Entry]) -> None:
    """Write what has been tried, new entries in place of old ones of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tried.json"
    known: dict[str, Entry] = {}
    with suppress(FileNotFoundError):
        known = {entry["what"]: entry for entry in json.loads(file.read_text(encoding="utf-8"))}
    known |= {entry["what"]: entry for entry in entries}
    file.write_text(json.dumps(list(known.values()), indent=1) + "\n", encoding="utf-8")
    lines = [
        "# What tried to break it",
        "",
        "The last result of `make nightly`, made by `python -m tests.reliability`; each line says",
        "how many cases were tried, how many failed, when and by which command.",
        "",
        "| what | cases | failures | | seconds | date | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in known.values():
        lines.append(
            f"| {entry['what']} | {entry['cases']:,} | {entry['failures']} | {entry['note']} | "
            f"{entry['seconds']:,} | {entry['date']} | `{entry['command']}` |"
        )
    failed = [entry for entry in known.values() if entry["failures"]]
    for entry in failed:
        lines += ["", f"## Failures of: {entry['what']}", ""]
        lines += [f"- `{' '.join(told.split())[:300]}`" for told in entry["words"]]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    """Run the parts and return how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--cases", type=int, default=50_000, help="generated inputs")
    parser.add_argument("--kinds", nargs="*", choices=list(fuzz.KINDS), default=list(fuzz.KINDS))
    parser.add_argument(
        "--interruptions", type=int, default=200, help="of each signal and optimizer"
    )
    parser.add_argument("--disks", type=int, default=60, help="failing disks of each kind")
    parser.add_argument("--soak", type=float, default=30.0, help="minutes")
    parser.add_argument("--seeds", type=int, default=1, help="of runs whose end is foretold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "reliability")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    command = " ".join(["python -m tests.reliability", *sys.argv[1:]])
    told = {
        "date": datetime.date.today().isoformat(),
        "command": command,
        "python": platform.python_version(),
    }
    failures = 0
    for part in options.parts:
        with tempfile.TemporaryDirectory() as work:
            for entry in PARTS[part](options, Path(work)):
                failures += entry["failures"]
                write(options.results, [told | entry])
                print(f"{entry['what']}: {entry['cases']} cases, {entry['failures']} failures")
                for words in entry["words"]:
                    print("   ", words)
                sys.stdout.flush()
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
