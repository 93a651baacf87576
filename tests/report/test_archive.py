"""Reading a run back: every array survives the round trip, every damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pinngate.errors import InputError
from pinngate.report import archive as archive_module
from pinngate.report import read
from pinngate.runs import files
from tests.report.conftest import heat


def test_reads_what_was_written(run_folder: Path) -> None:
    archive, written = read(run_folder), heat(run_folder)
    assert archive.problem.unknowns == ("u",)
    assert archive.metrics == written.metrics
    assert archive.environment == written.environment
    for name in ("history", "solution", "observations"):
        stored, original = getattr(archive, name), getattr(written, name)
        assert list(stored) == list(original)
        for column, values in original.items():
            np.testing.assert_array_equal(stored[column], values)


def test_empty_cells_are_nan_and_sets_stay_text(run_folder: Path) -> None:
    archive = read(run_folder)
    assert np.isnan(archive.history["learning_rate"]).all()
    assert np.isnan(archive.observations["std"]).all()
    ((name, of, columns),) = archive.observation_sets()
    assert (name, of, columns["value"].shape) == ("1", "u", (200,))


def test_number_is_none_for_null_absent_text_and_nan(run_folder: Path) -> None:
    metrics = heat(run_folder).metrics | {"limit": {"u": None}, "classical": None}
    text = json.dumps(metrics).replace("2241", "NaN")
    (run_folder / "metrics.json").write_text(text, encoding="utf-8")
    archive = read(run_folder)
    assert archive.number("noise_std", "u") == 0.298
    for path in [("limit", "u", "x"), ("classical", "u"), ("parameters",), ("status",), ("no",)]:
        assert archive.number(*path) is None


def _cut_column(path: Path) -> None:
    path.write_text(path.read_text().replace("fitted", "fit"))


def _add_row(path: Path) -> None:
    path.write_text(path.read_text() + "1,2\n")


def _put_word(path: Path) -> None:
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(lines[3].split(",")[1], "soon", 1)
    path.write_text("\n".join(lines))


def _break_shape(path: Path) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **(arrays | {"u_std": arrays["u_std"].T}))


def _drop_axis(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "t"}
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("metrics.json", lambda p: p.write_text("{"), "metrics.json cannot be read as JSON"),
        ("metrics.json", lambda p: p.write_text("[1]"), "a JSON object"),
        ("metrics.json", Path.unlink, "metrics.json missing"),
        ("history.csv", Path.unlink, "history.csv missing"),
        ("history.csv", lambda p: p.write_text(""), "history.csv cannot be read"),
        ("history.csv", _add_row, "history.csv:38: 2 values under"),
        ("history.csv", _put_word, "history.csv:4: 'soon' in the column 'seconds'"),
        ("observations.csv", _cut_column, "observations.csv lacks the column fitted"),
        ("observations.csv", Path.unlink, "observations.csv cannot be read"),
        ("solution.npz", lambda p: p.write_bytes(b"PK no archive"), "solution.npz cannot be read"),
        ("solution.npz", _break_shape, "'u_std' has the shape (61, 81)"),
        ("solution.npz", _drop_axis, "solution.npz lacks t"),
    ],
)
def test_damage_is_named(run_folder: Path, name: str, damage, message: str) -> None:
    damage(run_folder / name)
    with pytest.raises(InputError) as caught:
        read(run_folder)
    assert message in str(caught.value)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not a finished run"):
        read(tmp_path)


def test_an_interrupted_run_is_told_how_to_finish(run_folder: Path) -> None:
    (run_folder / "metrics.json").unlink()
    (run_folder / "checkpoint.pt").touch()
    with pytest.raises(InputError) as caught:
        read(run_folder)
    assert f"pinngate resume {run_folder}" in str(caught.value)


def test_tables_of_any_length_are_written_and_read_in_blocks(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, text = read(run_folder), (run_folder / "observations.csv").read_text(encoding="utf-8")
    monkeypatch.setattr(archive_module, "BLOCK", 7)
    monkeypatch.setattr(files, "BLOCK", 11)
    again = read(run_folder)
    assert list(again.observations) == list(whole.observations)
    for name, values in whole.observations.items():
        np.testing.assert_array_equal(again.observations[name], values)
    columns = {
        "set": np.array(["a", "b", "a"] * 9, dtype=object),
        "x": np.array([0.1, -3.0, np.nan] * 9),
        "y": np.array([1e300, np.inf, 1 / 3] * 9),
    }
    files.write_csv(run_folder / "made.csv", columns)
    rows = ["set,x,y", *["a,0.1,", "b,-3,", "a,,0.3333333333333333"] * 9]
    rows[1::3] = [f"a,0.1,{int(1e300)}"] * 9
    assert (run_folder / "made.csv").read_text(encoding="utf-8").split() == rows
    damaged = text.splitlines()
    damaged[40] += ",1"
    (run_folder / "observations.csv").write_text("\n".join(damaged), encoding="utf-8")
    with pytest.raises(InputError, match=r"observations\.csv:41: "):
        read(run_folder)


def test_a_table_without_rows_is_read(run_folder: Path) -> None:
    header = (run_folder / "history.csv").read_text(encoding="utf-8").splitlines()[0]
    (run_folder / "history.csv").write_text(header + "\n", encoding="utf-8")
    assert all(values.shape == (0,) for values in read(run_folder).history.values())
