"""The matrix of runs: complete, resumable, failures kept; tables from rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pinngate.bench import load_suite, run_matrix, summarise, write_tables
from pinngate.bench.matrix import Suite, execute, identity, runs_of, suite_names
from pinngate.errors import InputError

SETTING = ("solve.iterations=3", "solve.collocation=16", "solve.network={width: 6, depth: 2}")
SUITE = Suite(
    "tiny", ("heat-noisy-ic",), ("population-risk-adam", "adam"), {"tiny": SETTING}, num_seeds=2
)


def test_shipped_suites_load() -> None:
    assert "quick" in suite_names()
    for name in suite_names():
        assert load_suite(name).problems


@pytest.mark.parametrize(
    ("name", "message"), [("quik", "did you mean 'quick'"), ("no/such.yaml", "there is no suite")]
)
def test_unknown_suite(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_suite(name)
    assert message in str(caught.value)


def test_suite_with_unknown_keys(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("problems: [heat-noisy-ic]\nsedes: 3\n")
    with pytest.raises(InputError, match="is no suite"):
        load_suite(str(file))


def test_identity_depends_on_what_is_run() -> None:
    assert len({identity(run) for run in runs_of(SUITE)}) == 4
    assert [identity(r) for r in runs_of(SUITE)] == [identity(r) for r in runs_of(SUITE)]


def test_interrupted_matrix_resumes_to_the_same_rows(tmp_path: Path) -> None:
    seen = []
    rows = run_matrix(SUITE, tmp_path, on_row=lambda row, done, total: seen.append((done, total)))
    assert len(rows) == 4
    assert seen[-1] == (4, 4)
    file = tmp_path / "runs.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:3]) + "\n" + lines[3][:40])
    again = run_matrix(SUITE, tmp_path)
    for a, b in zip(rows, again, strict=True):
        assert a["id"] == b["id"]
        assert a["fields.u.relative_l2"] == b["fields.u.relative_l2"]
    report = write_tables(SUITE, again, tmp_path, "pinngate bench tiny")
    text = report.read_text()
    assert "pinngate bench tiny" in text
    assert text.count("heat-noisy-ic") == 2
    with (tmp_path / "summary.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [row["num_seeds"] for row in table] == ["2", "2"]


def test_failure_is_a_row() -> None:
    (run,) = runs_of(Suite("one", ("heat-noisy-ic",), ("no-such-optimizer",), num_seeds=1))
    row = execute("key", run)
    assert row["status"] == "failed"
    assert "unknown optimizer" in row["reason"]
    json.dumps(row, allow_nan=False)


def test_summary_is_medians_with_failures_counted() -> None:
    def row(seed: int, error: float) -> dict[str, object]:
        return {
            "problem": "p",
            "setting": "s",
            "optimizer": "o",
            "seed": seed,
            "status": "converged",
            "seconds.total": 2.0,
            "fields.u.max_abs": 1.0,
            "fields.u.relative_l2": error,
            "classical.u.relative_l2": 2 * error,
            "coefficients.nu.relative_error": error,
        }

    failed = {"problem": "p", "setting": "s", "optimizer": "o", "seed": 9, "status": "failed"}
    rows = [row(0, 0.1), row(1, 0.3), row(2, 0.2), failed]
    field, coefficient = summarise(rows)
    assert field["num_failed"] == 1
    assert field["num_seeds"] == 4
    assert field["relative_l2_median"] == pytest.approx(0.2)
    assert field["relative_l2_worst"] == pytest.approx(0.3)
    assert field["ratio_to_classical"] == pytest.approx(0.5)
    assert coefficient["coefficient"] == "nu"
    assert coefficient["relative_error_rms"] == pytest.approx((0.14 / 3) ** 0.5)
