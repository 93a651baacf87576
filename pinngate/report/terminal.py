"""What came out of a run, in lines for a terminal; the report says it with figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def verdict_lines(metrics: dict[str, Any]) -> list[str]:
    """Return the verdict of a run as lines of text."""
    seconds = metrics["seconds"]["total"]
    return [
        f"{metrics['problem']}: {metrics['status']} after {seconds:.1f} s: {metrics['reason']}",
        *_errors(metrics),
        *(f"{name}: {_coefficient(c)}" for name, c in metrics["coefficients"].items()),
        *_noise(metrics),
        *_held_out(metrics["risk"]),
        *_misfit(metrics.get("misfit") or {}),
        *_undetermined(metrics),
    ]


def _errors(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield the error of each field and coefficient field whose truth is known."""
    for name, field in {**metrics["fields"], **metrics["coefficient_fields"]}.items():
        if field["relative_l2"] is not None:
            parts = [f"{name}: relative L2 error {field['relative_l2']:.4f}"]
            if name in metrics["fields"]:
                parts += _rivals(metrics["classical"].get(name), metrics["limit"].get(name))
            yield ", ".join(parts)


def _rivals(classical: Mapping[str, Any] | None, limit: Mapping[str, Any] | None) -> Iterator[str]:
    if classical:
        yield f"classical {classical['relative_l2']:.4f} ({classical['method']})"
    if limit and limit["relative_l2"] is not None:
        yield f"statistical limit {limit['relative_l2']:.4f}"


def _coefficient(told: Mapping[str, Any]) -> str:
    text = f"{told['estimate']:.6g}"
    if told["std"] is not None:
        text += f" ± {told['std']:.2g}"
    if told["truth"] is not None:
        text += f", true value {told['truth']:.6g}"
    return text


def _noise(metrics: Mapping[str, Any]) -> Iterator[str]:
    for name, std in metrics["noise_std"].items():
        yield f"{name}: noise {std:.4g} (standard deviation)"
    by_set = metrics.get("noise_std_by_set") or {}
    if len(by_set) > len(metrics["noise_std"]):
        each = ", ".join(f"{name} {std:.4g}" for name, std in by_set.items())
        yield f"noise by set: {each}"


def _held_out(risk: Mapping[str, Any]) -> Iterator[str]:
    if risk.get("held_out") is None:
        return
    text = f"held-out risk: {risk['held_out']:.4g}"
    if risk["held_out_std_error"] is not None:
        text += f" ± {risk['held_out_std_error']:.2g}"
    if risk["held_out_expected"] is not None:
        text += f", against {risk['held_out_expected']:.4g} expected from leaving one out"
    yield text


def _undetermined(metrics: Mapping[str, Any]) -> Iterator[str]:
    if metrics.get("determined") is False:
        yield f"not determined: {metrics['determined_words']}"


def _misfit(misfit: Mapping[str, Any]) -> Iterator[str]:
    if misfit.get("is_clear"):
        yield f"the model does not fit the data: {misfit['words']}"
