"""What came out of a run, in lines for a terminal; the report says it with figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


def verdict_lines(metrics: dict[str, Any], waited: float | None = None) -> list[str]:
    """Return the verdict of a run as lines of text.

    Args:
        metrics: of the run.
        waited: seconds of the whole command, drawing included; None where that is not known.
    """
    seconds = metrics["seconds"]
    time = f"{seconds['total']:.1f} s"
    if waited is not None:
        time = f"{waited:.1f} s, {seconds['solve']:.1f} of them solving"
    return [
        f"{metrics['problem']}: {metrics['verdict']} after {time}: {metrics['reason']}",
        *(f"  {reason}" for reason in metrics["reasons"]),
        *_candidates(metrics.get("candidates")),
        *(f"{name} = {_coefficient(c)}" for name, c in _single(metrics).items()),
        *(f"{name} spreads {_spread(s)}" for name, s in metrics.get("spreads", {}).items()),
        *(f"{name}: {_function(c)}" for name, c in metrics["coefficient_fields"].items()),
        *(f"{name} = {_derived(d)}" for name, d in metrics.get("derived", {}).items()),
        *_errors(metrics),
        *_noise(metrics),
        *_held_out(metrics["risk"]),
    ]


def _candidates(told: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield which of several equations was chosen, and how it stands to the others."""
    if told:
        yield f"chosen: {told['chosen']}: {'; '.join(told['table'][0]['equations'])}"
        yield from (f"  {words}" for words in told["words"])


def _single(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the coefficients that are no pieces of a function."""
    functions = metrics["coefficient_fields"].items()
    pieces = tuple(f"{name}[" for name, told in functions if "breaks" in told)
    found: dict[str, Any] = metrics["coefficients"]
    return {name: told for name, told in found.items() if not name.startswith(pieces)}


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
    ends = told["interval_95"]
    if ends is None:
        text = f"{told['estimate']:.4g}, without an interval"
    else:
        estimate, low, high = (rounded(v, *ends) for v in (told["estimate"], *ends))
        text = f"{estimate}, 95 % interval {low} to {high}"
    if told.get("prior_share") is not None:
        text += f", {told['prior_share']:.0%} of it from the prior"
    if told["truth"] is not None:
        text += f", true value {told['truth']:.6g}"
    return text


def _spread(told: Mapping[str, Any]) -> str:
    if told["of_logarithm"]:
        factor = math.exp(told["std"])
        return f"by a factor of {factor:.3g} (logarithm ± {told['std']:.3g})"
    return f"by {told['std']:.3g} (standard deviation)"


def _derived(told: Mapping[str, Any]) -> str:
    return f"{told['formula']}: " + (_function(told) if "over" in told else _coefficient(told))


def _function(told: Mapping[str, Any]) -> str:
    if told["range"] is None:
        return "without a finite value"
    low, high = told["range"]
    text = f"between {low:.4g} and {high:.4g}"
    if told["half_width"] is not None:
        text += f", its 95 % band ± {told['half_width']:.2g} in the mean"
    if told.get("from_prior"):
        some = f"{len(told['from_prior'])} of {told['count']}"
        text += f"; of {some} pieces the prior tells more than the data"
    return text


def rounded(value: float, low: float, high: float) -> str:
    """Return a number to the second significant digit of the width of an interval."""
    size, width = max(abs(low), abs(high), abs(value)), high - low
    if not width > 0:
        return f"{value:.6g}"
    last = math.floor(math.log10(width)) - 1
    if last >= -6 and size < 1e7:
        return f"{round(value, -last):.{max(0, -last)}f}"
    return f"{value:.{max(2, math.floor(math.log10(size)) - last + 1)}g}"


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
