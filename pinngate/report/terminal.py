"""What came out of a run, in lines for a terminal; the report says it with figures."""

from __future__ import annotations

from typing import Any


def verdict_lines(metrics: dict[str, Any]) -> list[str]:
    """Return the verdict of a run as lines of text."""
    seconds = metrics["seconds"]["total"]
    lines = [
        f"{metrics['problem']}: {metrics['status']} after {seconds:.1f} s: {metrics['reason']}"
    ]
    for name, field in metrics["fields"].items():
        if field["relative_l2"] is None:
            continue
        parts = [f"{name}: relative L2 error {field['relative_l2']:.4f}"]
        rival, bound = metrics["classical"].get(name), metrics["limit"].get(name)
        if rival:
            parts.append(f"classical {rival['relative_l2']:.4f} ({rival['method']})")
        if bound and bound["relative_l2"] is not None:
            parts.append(f"statistical limit {bound['relative_l2']:.4f}")
        lines.append(", ".join(parts))
    for name, field in metrics["coefficient_fields"].items():
        if field["relative_l2"] is not None:
            lines.append(f"{name}: relative L2 error {field['relative_l2']:.4f}")
    for name, c in metrics["coefficients"].items():
        text = f"{name}: {c['estimate']:.6g}"
        if c["std"] is not None:
            text += f" ± {c['std']:.2g}"
        if c["truth"] is not None:
            text += f", true value {c['truth']:.6g}"
        lines.append(text)
    for name, std in metrics["noise_std"].items():
        lines.append(f"{name}: noise {std:.4g} (standard deviation)")
    by_set = metrics.get("noise_std_by_set") or {}
    if len(by_set) > len(metrics["noise_std"]):
        each = ", ".join(f"{name} {std:.4g}" for name, std in by_set.items())
        lines.append(f"noise by set: {each}")
    risk = metrics["risk"]
    if risk.get("held_out") is not None:
        text = f"held-out risk: {risk['held_out']:.4g}"
        if risk["held_out_std_error"] is not None:
            text += f" ± {risk['held_out_std_error']:.2g}"
        if risk["held_out_expected"] is not None:
            text += f", against {risk['held_out_expected']:.4g} expected from leaving one out"
        lines.append(text)
    misfit = metrics.get("misfit") or {}
    if misfit.get("is_clear"):
        lines.append(f"the model does not fit the data: {misfit['words']}")
    return lines
