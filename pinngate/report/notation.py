"""How numbers and names are written for a person, in text and in figures.

Shared by the figures and the page so that a value reads the same in both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_LETTERS = (
    "alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ "
    "nu ν xi ξ pi π rho ρ sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω "
    "Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω"
)
GREEK = dict(zip(_LETTERS.split()[::2], _LETTERS.split()[1::2], strict=True))
ABSENT = "–"
QUANTILE_95 = 1.96  # half-width of a 95 % interval in standard deviations
PLAIN = (-3, 5)  # powers of ten that are written out
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTED = re.compile(r"([A-Za-z]+?)_?(\d+)|([A-Za-z]+)_([A-Za-z0-9]+)")


def split_name(name: str) -> tuple[str, str]:
    """Split a name into stem and subscript: ``k1`` and ``k_1`` → (k, 1), ``nu`` → (ν, '')."""
    match = _SUBSCRIPTED.fullmatch(name)
    stem, subscript = (match[1] or match[3], match[2] or match[4]) if match else (name, "")
    return GREEK.get(stem, stem), GREEK.get(subscript, subscript)


def mathtext(name: str) -> str:
    """Return a name as matplotlib mathtext; words of several letters stand upright.

    What belongs to an experiment, ``N__few``, has its name above.
    """

    def face(text: str) -> str:
        return text if len(text) == 1 else rf"\mathrm{{{text}}}".replace("_", r"\_")

    own, _, experiment = name.partition("__")
    if own and experiment:
        return rf"{mathtext(own)[:-1]}^{{({face(experiment)})}}$"
    stem, subscript = split_name(name)
    return f"${face(stem)}_{{{face(subscript)}}}$" if subscript else f"${face(stem)}$"


def plain(text: str) -> str:
    """Return a text without the marks of mathtext: ``$\\mathrm{birth}$`` → birth."""
    return re.sub(r"\\mathrm\{([^}]*)\}|[$_{}]", r"\1", text)


def with_unit(name: str, units: Mapping[str, str]) -> str:
    """Return a name as mathtext with its unit, ``u (K)``, as an axis of a figure is labelled."""
    unit = units.get(name, "").replace("$", r"\$")
    return f"{mathtext(name)} ({unit})" if unit else mathtext(name)


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` significant digits; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return ABSENT
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    mantissa = mantissa.replace("-", "−")
    if not exponent:
        return mantissa
    if abs(value) < 1e7 and float(f"{value:.{digits}g}").is_integer():
        return f"{float(f'{value:.{digits}g}'):,.0f}".replace("-", "−")
    return f"{mantissa}·{power_of_ten(int(exponent))}"


def percent(fraction: float | None) -> str:
    """Return a fraction in percent, two significant digits, never rounding 0.996 to 100."""
    if fraction is None or math.isnan(fraction):
        return ABSENT
    value = 100 * fraction
    if abs(value) >= 1000:
        text = significant(value)
    elif 99 < value < 100:
        text = f"{math.floor(10 * value) / 10:.1f}"
    else:
        text = f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
    return f"{text}\N{NO-BREAK SPACE}%"


def power_of_ten(exponent: int) -> str:
    """Return ``10⁻⁵``."""
    return f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def with_uncertainty(value: float | None, std: float | None, unit: str = "") -> str:
    """Return ``value ± std``, both to the second significant digit of `std`, and the unit."""
    if value is None or std is None or not math.isfinite(std) or std <= 0:
        return f"{significant(value, 4)} {unit}".rstrip() if value is not None else ABSENT
    exponent = _exponent(max(abs(value), std))
    both = f"{_rounded(value, std, exponent)} ± {_rounded(std, std, exponent)}"
    return f"{_scaled(both, exponent, '()' if exponent or unit else '  ')} {unit}".strip()


def interval(low: float | None, high: float | None, unit: str = "") -> str:
    """Return ``[low, high]`` to the second significant digit of its half width, and the unit."""
    if low is None or high is None:
        return ABSENT
    exponent, half = _exponent(max(abs(low), abs(high))), abs(high - low) / 4
    if half <= 0:
        return f"[{significant(low, 4)}, {significant(high, 4)}] {unit}".rstrip()
    both = f"{_rounded(low, half, exponent)}, {_rounded(high, half, exponent)}"
    return f"{_scaled(both, exponent, '[]')} {unit}".rstrip()


def comparable(value: float | None, std: float | None, unit: str = "", last: int = 3) -> str:
    """Return a value beside ``… ± std``, to the digit number `last` of that, and the unit."""
    if value is None or std is None or not 0 < std < math.inf or value == 0:
        return f"{significant(value, 4)} {unit}".rstrip() if value is not None else ABSENT
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(std)) + last
    return f"{significant(value, min(max(digits, 2), 12))} {unit}".rstrip()


def _exponent(size: float) -> int:
    """Return the power of ten that is written apart, 0 for sizes that are written out."""
    exponent = math.floor(math.log10(size)) if size > 0 else 0
    return 0 if PLAIN[0] <= exponent <= PLAIN[1] else exponent


def _rounded(value: float, std: float, exponent: int) -> str:
    """Return value / 10^exponent to the second significant digit of a standard deviation."""
    scale = 10.0**exponent
    decimals = 1 - math.floor(math.log10(std / scale))
    text = f"{round(value / scale, decimals):,.{max(0, decimals)}f}"
    return text.replace("-", "−")


def _scaled(both: str, exponent: int, brackets: str) -> str:
    text = f"{brackets[0]}{both}{brackets[1]}".strip()
    return f"{text}·{power_of_ten(exponent)}" if exponent else text


def seconds(value: float | None) -> str:
    """Return a duration in seconds, minutes or hours."""
    if value is None:
        return ABSENT
    if value < 120:
        return f"{significant(round(value, 2) or value)} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"
