from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pinngate.config import catalog, load
from pinngate.config.new_file import page, write_new
from pinngate.errors import InputError


def test_the_data_of_a_shipped_problem_are_copied_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    assert write_new(file, "heat-sensors") == [file, tmp_path / "heat-sensors.csv"]
    named = Path(yaml.safe_load(file.read_text())["observations"][0]["file"])
    assert not named.is_absolute()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for written in (file, tmp_path / "heat-sensors.csv"):
        written.rename(moved / written.name)
    (found,) = load(moved / "mine.yaml").data_files()
    assert found.read_bytes() == (catalog.folder() / "heat-sensors.csv").read_bytes()


@pytest.mark.parametrize("existing", ["mine.yaml", "heat-sensors.csv"])
def test_nothing_is_overwritten(existing: str, tmp_path: Path) -> None:
    (tmp_path / existing).write_text("precious")
    with pytest.raises(InputError, match=f"{existing} exists already"):
        write_new(tmp_path / "mine.yaml", "heat-sensors")
    assert [p.name for p in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*mine\.yaml"):
        write_new(tmp_path / "nowhere" / "mine.yaml")


def test_every_key_is_explained_on_a_page_that_exists() -> None:
    explained = page()
    assert explained is not None
    assert "| `equations` |" in explained.read_text(encoding="utf-8")
