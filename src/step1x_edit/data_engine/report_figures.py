"""Pictures of a report: small, with the mask drawn as a line, written into the page itself."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from step1x_edit.data_engine.remaking import Remade
from step1x_edit.measures.masks import decode_mask
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store import EncodedTriplet
from step1x_edit.store.picture_codec import decode_picture

__all__ = ["rejected_figure", "triplet_figure"]

SIDE = 192
"""Long side of a thumbnail, in pixels."""
QUALITY = 76
OUTLINE = (255, 0, 200)


def triplet_figure(one: EncodedTriplet) -> str:
    """Return reference image with the mask's border, target, both instructions and where they come from."""
    record = one.record
    pictures = _shown([decode_picture(one.reference), decode_picture(one.target)], decode_mask(record.mask))
    return (
        f"<figure><div>{pictures}</div><figcaption>{html.escape(record.instruction_en)}<br>"
        f"{html.escape(record.instruction_cn)}<br><small>{record.provenance.attempt} &middot; {record.uid[:8]} &middot; "
        f"{html.escape(record.subtask)}</small></figcaption></figure>"
    )


def rejected_figure(one: Rejection, remade: Remade | None) -> str:
    """Return what there is to see of a rejected attempt, who rejected it, and why."""
    pictures = _shown(remade.pictures, remade.mask) if remade else ""
    measured = "" if one.value is None else f" ({one.value:.4g}{_bound(one.threshold)})"
    what = "" if remade is None or remade.mask is not None else "source pictures &middot; "
    sources = ", ".join(one.provenance.sources)
    return (
        f'<figure class="rejected"><div>{pictures}</div><figcaption><b>{html.escape(one.stage)}</b>: '
        f"{html.escape(one.reason)}{measured}<br><small>{what}{one.provenance.attempt} &middot; {sources}</small>"
        "</figcaption></figure>"
    )


def _bound(threshold: float | None) -> str:
    return "" if threshold is None else f", bound {threshold:.4g}"


def _shown(pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], mask: Bool[np.ndarray, "height width"] | None = None) -> str:
    small = [_small(picture) for picture in pictures]
    if mask is not None:
        small[0] = _outlined(small[0], mask)
    return "".join(f'<img src="{_data_url(picture)}" alt="">' for picture in small)


def _small(picture: UInt8[np.ndarray, "height width 3"]) -> Image.Image:
    small = Image.fromarray(picture)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return small


def _outlined(picture: Image.Image, mask: Bool[np.ndarray, "height width"]) -> Image.Image:
    """Draw the border of a mask; a mask that covers everything has none."""
    inside = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.BOX)) > 127
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] != inside[:-1]
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    pixels = np.array(picture)
    pixels[edge] = OUTLINE
    return Image.fromarray(pixels)


def _data_url(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
