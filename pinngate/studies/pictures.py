"""Pictures for the denoising study: shipped ones, one's own, noise, and classical denoisers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy import ndimage, signal

from pinngate.errors import InputError

Array = np.ndarray

EXTRA = "pip install 'pinngate[studies]'"
GAUSSIAN_WIDTHS = (0.5, 0.7, 0.9, 1.1, 1.4, 1.8)  # pixels; the best is taken
WIENER_SIZES = (3, 5, 7)  # pixels
VARIATION_WEIGHTS = (0.04, 0.06, 0.08, 0.1, 0.13, 0.17)  # of total variation
NON_LOCAL = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}  # scikit-image's example
NON_LOCAL_STRENGTHS = (0.6, 0.8, 1.0)  # cut-off in units of the noise; 0.8 is that example's


def picture(name: str, size: int) -> Array:
    """Return a grey picture with values in [0, 1], (size, size).

    Args:
        name: of a picture of `skimage.data` (``camera``), or an image file.
        size: pixels a side; the largest middle square is averaged down to it.

    Raises:
        InputError: there is no such picture, scikit-image is not installed, or it is smaller.
    """
    whole = _from_file(Path(name)) if Path(name).suffix else _shipped(name)
    side = min(whole.shape[:2])
    block = side // size
    if block == 0:
        raise InputError(f"picture {name}: {side} pixels a side", expected=f"at least {size}")
    edge = block * size
    top, left = ((length - edge) // 2 for length in whole.shape[:2])
    square = whole[top : top + edge, left : left + edge]
    averaged: Array = square.reshape(size, block, size, block).mean((1, 3))
    return averaged


def _from_file(path: Path) -> Array:
    try:
        with Image.open(path) as opened:
            return np.asarray(opened.convert("L"), dtype=float) / 255.0
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise InputError(f"picture {path} cannot be read: {error}") from None


def _shipped(name: str) -> Array:
    if importlib.util.find_spec("skimage") is None:
        raise InputError(
            f"picture '{name}' comes with scikit-image, which is not installed",
            expected=f"{EXTRA}, or an image file: --set image=FILE.png",
        )
    from skimage import color, data

    make = getattr(data, name, None) if name in data.__all__ else None
    if make is None:
        raise InputError(f"scikit-image has no picture '{name}'", expected="camera, coins, moon …")
    found = np.asarray(make())
    grey: Array = color.rgb2gray(found) if found.ndim == 3 else found / 255.0
    return grey


def denoised(noisy: Array, noise_std: float) -> dict[str, dict[str, Array]]:
    """Return classical answers: by method, by value of its parameter.

    Gaussian and Wiener filters of scipy; total variation and non-local means where scikit-image is
    installed.
    """
    found = {
        "Gaussian filter": _over(GAUSSIAN_WIDTHS, lambda w: ndimage.gaussian_filter(noisy, w)),
        "Wiener filter": _over(WIENER_SIZES, lambda w: signal.wiener(noisy, w, noise_std**2)),
    }
    if importlib.util.find_spec("skimage") is None:
        return found
    from skimage import restoration

    found["total variation"] = _over(
        VARIATION_WEIGHTS, lambda w: restoration.denoise_tv_chambolle(noisy, weight=w)
    )
    found["non-local means"] = _over(
        NON_LOCAL_STRENGTHS,
        lambda h: restoration.denoise_nl_means(
            noisy, h=h * noise_std, sigma=noise_std, **NON_LOCAL
        ),
    )
    return found


def _over(values: Sequence[float], make: Callable[[Any], Array]) -> dict[str, Array]:
    return {f"{value:g}": make(value) for value in values}
