"""Puts a cut-out into a picture as if it had been photographed there: every stage of compositing in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from step1x_edit.data_engine.compositing.light import Light, in_light, light_of
from step1x_edit.data_engine.compositing.shadow import cast_shadow
from step1x_edit.data_engine.compositing.texture import SOFTEST_PX, grain_of, grainy, softened, softness_of
from step1x_edit.data_engine.objects import ObjectClass
from step1x_edit.data_engine.scene import Placed

__all__ = ["Surround", "settled", "surround_of"]

Rgb = UInt8[np.ndarray, "size size 3"]
OWN_RIM_PX = 0.5
"""Softness a matte has after it was scaled."""
MOST_SOFT = 0.003
"""Most blur a cut-out is given, as a share of the picture's side: before a soft background a subject is in focus."""
DARKNESS = (0.8, 1.0)
"""Darkness of the shadow, drawn for each object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surround:
    """What a picture does to everything in it, measured once."""

    picture: Rgb
    light: Light
    grain: float
    """Deviation of luma, levels 0..255."""
    softness: float
    """Deviation of the lens's blur, pixels."""


def surround_of(picture: Rgb) -> Surround:
    """Measure light, grain and sharpness of a picture."""
    levels = picture.astype(np.float32)
    softness = softness_of(levels)
    # Without an edge nothing is known of the lens.
    softness = 0.0 if softness >= SOFTEST_PX else softness
    return Surround(picture=picture, light=light_of(picture), grain=grain_of(levels), softness=softness)


def settled(
    surround: Surround,
    rgba: UInt8[np.ndarray, "rows columns 4"],
    what: ObjectClass,
    *,
    top: int,
    left: int,
    stands: bool,
    rng: np.random.Generator,
    source: str = "",
) -> Placed:
    """Put a cut-out with clean edges, at its final size, into a picture.

    Args:
        surround: The picture.
        rgba: The cut-out.
        what: What it shows.
        top: First row of the picture that it covers.
        left: First column.
        stands: Whether it touches ground and throws a shadow.
        rng: Makes grain and the darkness of the shadow.
        source: Id of the picture it was cut from.
    """
    picture = surround.picture
    alpha: Float32[np.ndarray, "rows columns 1"] = rgba[..., 3:].astype(np.float32) / 255
    colour = rgba[..., :3].astype(np.float32)
    # 1. Light, contrast and white balance of the place.
    colour = in_light(colour, alpha, around=_around(picture, top, left, alpha.shape), picture=picture)
    # 2. Sharpness: of the two, the softer one is kept.
    own = softness_of(colour, alpha[..., 0])
    most = MOST_SOFT * len(picture)
    inside_px = min(np.sqrt(max(0.0, surround.softness**2 - own**2)), most)
    rim_px = min(np.sqrt(max(0.0, max(surround.softness, min(own, most)) ** 2 - OWN_RIM_PX**2)), most)
    colour, alpha = softened(colour, alpha, inside_px=float(inside_px), rim_px=float(rim_px))
    # 3. Grain: what the picture has more of.
    missing = np.sqrt(max(0.0, surround.grain**2 - grain_of(colour, alpha[..., 0]) ** 2))
    colour = grainy(colour, float(missing), rng)
    # 4. Shadow.
    shade = cast_shadow(alpha, surround.light) if stands else None
    darkness = float(rng.uniform(*DARKNESS)) if stands else 0.0
    return Placed(
        what=what, colour=colour.astype(np.float32), alpha=alpha.astype(np.float32),
        top=top, left=left, shadow=darkness, shade=shade, source=source,
    )  # fmt: skip


def _around(picture: Rgb, top: int, left: int, shape: tuple[int, ...]) -> UInt8[np.ndarray, "height width 3"]:
    """Return the part of a picture within half an object's size of its spot."""
    rows, columns = shape[:2]
    return picture[max(0, top - rows // 2) : top + rows + rows // 2, max(0, left - columns // 2) : left + 2 * columns]
