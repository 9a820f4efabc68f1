"""Structure: whether two pictures show the same shapes, whatever their colours."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

from step1x_edit.measures.masks import dilated
from step1x_edit.measures.windows import window_means

__all__ = ["edge_agreement", "gradient_correlation", "gradients", "inner", "ssim", "ssim_map", "strongest"]

Grey = Float32[np.ndarray, "height width"]
Pixels = Bool[np.ndarray, "height width"]
WINDOW_PX = 7
"""Side of SSIM's square window; the usual one where it is not Gaussian."""
STABILISERS = (0.01, 0.03)
"""K1 and K2 of the SSIM paper."""
EDGE_SHARE = 0.1
"""Share of the pixels that count as edges: the tenth with the strongest gradients."""


def ssim_map(first: Grey, second: Grey, *, peak: float = 255.0) -> Float32[np.ndarray, "rows columns"]:
    """Return the structural similarity of every 7 x 7 window, -1..1.

    Args:
        first: One picture in grey.
        second: The other.
        peak: What white is: 255 for levels, 100 for L*.

    Source:
        Z. Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004).
    """
    # Around the middle of the range, squares of levels stay small and float32 holds their differences.
    one, two = first - np.float32(peak / 2), second - np.float32(peak / 2)
    mean_one, mean_two = (window_means(one, side_px=WINDOW_PX), window_means(two, side_px=WINDOW_PX))
    spread = window_means(one * one + two * two, side_px=WINDOW_PX) - mean_one**2 - mean_two**2
    joint = window_means(one * two, side_px=WINDOW_PX) - mean_one * mean_two
    mean_one += np.float32(peak / 2)
    mean_two += np.float32(peak / 2)
    light, contrast = ((constant * peak) ** 2 for constant in STABILISERS)
    likeness = (2 * mean_one * mean_two + light) * (2 * joint + contrast)
    return likeness / ((mean_one**2 + mean_two**2 + light) * (spread + contrast))


def ssim(first: Grey, second: Grey, *, where: Pixels | None = None, peak: float = 255.0) -> float | None:
    """Return the mean structural similarity of the windows that lie wholly where a mask says, 1 for equal pictures.

    Returns:
        The mean, or None when no window fits.
    """
    similarity = ssim_map(first, second, peak=peak)
    if where is None:
        return float(similarity.mean())
    half = WINDOW_PX // 2
    windows = inner(where, margin_px=half)[half:-half, half:-half]
    return float(similarity[windows].mean()) if windows.any() else None


def inner(where: Pixels, *, margin_px: int) -> Pixels:
    """Return the part of a mask that is further than a margin from what the mask leaves out."""
    return ~dilated(~where, radius_px=margin_px)


def gradients(grey: Grey) -> Float32[np.ndarray, "rows columns"]:
    """Return how steeply a picture changes at every inner pixel (Sobel), in levels per pixel; two rows and columns fewer."""
    across = grey[:, 2:] - grey[:, :-2]
    down = grey[2:] - grey[:-2]
    across = across[:-2] + 2 * across[1:-1] + across[2:]
    down = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    return np.sqrt(across**2 + down**2) / np.float32(8)


def gradient_correlation(first: Grey, second: Grey, *, where: Pixels | None = None) -> float | None:
    """Return the correlation of two pictures' gradients, -1..1; it does not see brightness, contrast and inversion.

    Returns:
        The correlation, or None when a picture has no gradients there.
    """
    one, two = gradients(first), gradients(second)
    if where is not None:
        seen = inner(where, margin_px=1)[1:-1, 1:-1]
        one, two = one[seen], two[seen]
    one, two = one.ravel(), two.ravel()
    if one.size == 0 or one.std() == 0 or two.std() == 0:
        return None
    one, two = one - one.mean(), two - two.mean()
    return float(one @ two / np.sqrt((one @ one) * (two @ two)))


def edge_agreement(first: Grey, second: Grey, *, tolerance_px: int = 1) -> float | None:
    """Return how well the edges of two pictures lie on each other, beyond what chance gives: 1 is fully, 0 is chance.

    Edges are the tenth of the pixels with the strongest gradients. An edge is met when the other picture has one within
    the tolerance; the two directions are averaged.

    Returns:
        The agreement, or None when a picture has no edges.
    """
    one, two = (strongest(gradients(grey), EDGE_SHARE) for grey in (first, second))
    if not one.any() or not two.any():
        return None
    near_one, near_two = (dilated(edges, radius_px=tolerance_px) for edges in (one, two))
    met = (near_two[one].mean() + near_one[two].mean()) / 2
    chance = (near_one.mean() + near_two.mean()) / 2
    return float((met - chance) / (1 - chance)) if chance < 1 else 1.0


def strongest(values: Float32[np.ndarray, "rows columns"], share: float) -> Bool[np.ndarray, "rows columns"]:
    """Return where the largest values lie, about this share of all; zeros never count."""
    place = int((1 - share) * (values.size - 1))
    return values > max(0.0, float(np.partition(values, place, axis=None)[place]))
