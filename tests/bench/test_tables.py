"""Tables from rows: medians, arrivals, overfitting, comparisons; figures of every shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinngate.bench import make_tables, write_page, write_tables
from pinngate.bench.measures import best_ever, error_at, reached
from pinngate.bench.suite import Choice
from pinngate.bench.suite_figures import figures_of, slug
from tests.bench.tiny import made_row, tiny_suite

SUITE = tiny_suite(methods={"a": Choice("adam"), "b": Choice("adamw")}, levels=(0.15,))


def test_summary_counts_failures() -> None:
    rows = [made_row("a", s, e) for s, e in enumerate([0.1, 0.3, 0.2, None])]
    (field,) = make_tables(SUITE, rows).fields
    assert (field["num_seeds"], field["num_failed"]) == (4, 1)
    assert field["relative_l2_median"] == pytest.approx(0.3)
    assert field["relative_l2_worst"] is None  # infinite
    assert field["ratio_to_classical"] == pytest.approx(0.5)
    assert field["overfitting"] == pytest.approx(2.0)
    assert field["relative_l2_best_ever"] == pytest.approx(0.1)
    assert field["arrived_0.15"] == pytest.approx(0.75)  # 0.05, 0.15 and 0.1 at the second state
    assert field["iterations_to_0.15"] == 20
    assert field["seconds_to_0.15"] == 1.0
    assert field["arrived_1.5x_limit"] == pytest.approx(0.75)
    assert field["arrived_1.2x_limit"] == pytest.approx(0.5)


def test_best_ever_is_on_the_scale_of_the_final_judgement() -> None:
    row = made_row("a", 0, 0.2)
    row["course"]["relative_l2.u"] = [0.5, 0.15, 0.3]  # the coarse grid reads 0.3 for the end's 0.2
    assert best_ever(row, "u") == pytest.approx(0.1)
    assert best_ever(made_row("a", 0, 0.2, course={}), "u") == pytest.approx(0.2)


def test_error_within_a_time() -> None:
    row = made_row("a", 0, 0.2)
    assert error_at(row, "u", 0.4) is None
    assert error_at(row, "u", 1.5) == pytest.approx(0.1)
    assert error_at(row, "u", 5.0) == pytest.approx(0.2)
    varying = row | {"coefficient_fields.a.relative_l2": 0.3}  # not judged along the way
    assert error_at(varying, "a", 0.4) is None
    assert error_at(varying, "a", row["solve_seconds"]) == pytest.approx(0.3)


def test_method_without_a_course_arrives_at_its_end() -> None:
    row = made_row("a", 0, 0.2, course={}, iterations=None)
    assert reached(row, "u", 0.25) == (None, 2.0)
    assert reached(row, "u", 0.15) is None


def test_coefficients_over_their_limit() -> None:
    more = {"coefficients.k.truth": 2.0, "coefficients.k.limit": 0.1}
    rows = [
        made_row(
            "a", s, 0.1, **more, **{
                "coefficients.k.estimate": 2.0 + e,
                "coefficients.k.relative_error": abs(e) / 2,
                "coefficients.k.interval_95": [1.8 + e, 2.2 + e],
            },
        )
        for s, e in enumerate([0.3, -0.1, 0.1, 0.1])
    ]  # fmt: skip
    (found,) = make_tables(SUITE, rows).coefficients
    assert found["relative_error_median"] == pytest.approx(0.05)
    assert found["rms_over_limit"] == pytest.approx((0.12 / 4) ** 0.5 / 0.1)
    assert found["coverage_95"] == pytest.approx(0.75)


def test_comparisons_are_paired_with_the_baseline() -> None:
    rows = [made_row("a", s, 0.1 + 0.01 * s) for s in range(6)]
    rows += [made_row("b", s, 0.3 + 0.03 * s if s else None) for s in range(6)]
    (found,) = make_tables(SUITE, rows).comparisons
    assert (found["baseline"], found["num_pairs"]) == ("a", 6)
    assert found["ratio"] == pytest.approx(3.0)
    assert found["probability_of_improvement"] == 1.0
    assert found["p_holm"] == pytest.approx(2 / 2**6)


def test_everything_is_written_whatever_failed(tmp_path: Path) -> None:
    rows = [made_row("a", s, None) for s in range(2)]
    rows += [made_row("b", 0, 0.2), made_row("b", 1, 0.2, course={})]
    rows += [made_row("b", 0, None) | {"problem": "q", "status": "not applicable"}]
    text = write_tables(SUITE, rows, tmp_path, "command").read_text()
    assert "b to q: no reason" in text
    assert "| inf" not in text
    page = write_page(SUITE, rows, tmp_path, "command").read_text()
    assert "nan" not in page.split("base64")[0]
    for name in ("runs", "courses", "summary", "coefficients", "comparisons"):
        assert (tmp_path / f"{name}.csv").exists()


def test_nothing_solved_still_gives_a_page(tmp_path: Path) -> None:
    rows = [made_row("a", s, None) for s in range(2)]
    write_tables(SUITE, rows, tmp_path, "command")
    assert write_page(SUITE, rows, tmp_path, "command").exists()


def test_figures_name_every_method_and_the_limit() -> None:
    rows = [made_row(m, s, e) for m, e in (("a", 0.2), ("b", 0.3)) for s in range(3)]
    figures = figures_of(SUITE, rows)
    assert set(figures) == {"p--s", "ends"}
    texts = {t.get_text() for t in figures["p--s"].axes[0].texts}
    assert {"a", "b", "statistical limit"} <= texts
    assert slug("../p q", "default") == "..-p-q"
