"""Trains nano's vision tower on naming what is where, before it is used.

Every token of a picture should enter the frozen language part like the word for what it shows: over an object, the
token table's vector of the object's name; over background, one learned vector. The loss is cross-entropy over all names
by cosine (InfoNCE), and the length of the vectors is held to that of words. The door is
``python -m step1x_edit.apps.nano_vision``.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel as VisionTower

from step1x_edit.models.language_model import LANGUAGE_FILE, VISION_FILE
from step1x_edit.models.quantised import read_quantised
from step1x_edit.training.nano.naming_scenes import NAMELESS, UNDECIDED, NamingScenes

__all__ = ["NamingHead", "picture_patches", "train_vision_part"]

PREFIX = "model.visual."
TOKEN_TABLE = "model.language_model.embed_tokens.weight"
GRIDS = ((4, 4), (4, 4), (3, 4), (4, 3), (3, 5), (5, 3))
"""Rows and columns of 28 px in training, as nano's pixel range gives them for common aspect ratios."""
BATCH = 32
LEARNING_RATE = 1e-3
WARMUP = 100
NAMELESS_WEIGHT = 0.3
"""Loss weight of background tokens; they are the majority."""
LENGTH_WEIGHT = 0.1
TEMPERATURE = 0.07

log = logging.getLogger(__name__)


class NamingHead(nn.Module):
    """Compares picture tokens with names.

    Args:
        names: One vector for each name, from the token table.
        typical: The token table's mean; cosines are taken around it, since all rows share it.
    """

    names: Tensor
    typical: Tensor

    def __init__(self, names: Float[Tensor, "names hidden"], typical: Float[Tensor, " hidden"]) -> None:
        super().__init__()
        self.register_buffer("names", names - typical)
        self.register_buffer("typical", typical)
        self.nameless = nn.Parameter(torch.randn_like(typical) * names.std())

    def forward(self, tokens: Float[Tensor, "tokens hidden"]) -> Float[Tensor, "tokens labels"]:
        """Return the logits of each label, background first."""
        candidates = torch.cat([self.nameless[None], self.names])
        return (
            functional.normalize(tokens - self.typical, dim=-1)
            @ functional.normalize(candidates, dim=-1).T
            / TEMPERATURE
        )

    def loss(self, tokens: Float[Tensor, "tokens hidden"], labels: Int[Tensor, " tokens"]) -> Float[Tensor, ""]:
        """Return cross-entropy, plus the squared log of how much longer or shorter than a name the tokens are."""
        logits = self(tokens)
        weight = torch.ones(logits.shape[1])
        weight[0] = NAMELESS_WEIGHT
        naming = functional.cross_entropy(logits, labels, weight, ignore_index=UNDECIDED, label_smoothing=0.05)
        length = (tokens - self.typical).square().mean(dim=-1).log() - self.names.square().mean().log()
        return naming + LENGTH_WEIGHT * length.square().mean()


def picture_patches(
    pictures: UInt8[np.ndarray, "batch height width 3"],
) -> tuple[Float[Tensor, "patches 1176"], Int[Tensor, "batch 3"]]:
    """Cut pictures into patches exactly as transformers' Qwen2-VL image processor does after its resize.

    Args:
        pictures: RGB, sides multiples of 28 px.

    Returns:
        Patches of 3 x 2 x 14 x 14 numbers (each picture stands for two equal frames), those that merge into one token
        next to each other, and the grid (frames, rows, columns) of each picture.
    """
    batch, height, width, _ = pictures.shape
    scaled = torch.from_numpy(pictures).float() / 255
    scaled = (scaled - torch.tensor(OPENAI_CLIP_MEAN)) / torch.tensor(OPENAI_CLIP_STD)
    rows, columns = height // 14, width // 14
    cells = scaled.reshape(batch, rows // 2, 2, 14, columns // 2, 2, 14, 3).permute(0, 1, 4, 2, 5, 7, 3, 6)
    patches = cells.unsqueeze(6).expand(-1, -1, -1, -1, -1, -1, 2, -1, -1).reshape(batch * rows * columns, -1)
    return patches, torch.tensor([[1, rows, columns]] * batch)


def train_vision_part(
    nano: Path,
    output: Path,
    scenes: NamingScenes,
    *,
    names: Sequence[str],
    tests: Mapping[str, NamingScenes],
    minutes: float,
    start: Path | None = None,
) -> None:
    """Train the tower and write ``vision.safetensors`` and ``vision.log.jsonl``.

    Args:
        nano: Folder of the embedded release, with the language part in place.
        output: Folder to write into.
        scenes: What to learn from.
        names: The classes in the order of the scenes' labels.
        tests: Scenes to measure on at the end, each under the name it has in the log.
        minutes: Time to train; the learning rate falls to zero with it.
        start: Weights to go on from; without them the tower begins anew.
    """
    config = Qwen2_5_VLConfig.from_pretrained(nano / "text_encoder")
    tower = VisionTower(cast(Qwen2_5_VLVisionConfig, config.vision_config))
    tower.patch_embed.requires_grad_(False)
    head = _naming_head(nano, names)
    pictures, labels = _batch(scenes, GRIDS[0], BATCH)
    _start_from_waves(tower, picture_patches(pictures)[0])
    if start:
        tower.load_state_dict({name.removeprefix(PREFIX): weight for name, weight in read_quantised(start).items()})
    with torch.no_grad():
        head.nameless.copy_(_seen(tower, pictures)[labels == NAMELESS].mean(dim=0) - head.typical)
    records = _fit(tower, head, scenes, minutes=minutes)
    tower.eval()
    for name, test in tests.items():
        records.append({"test": name} | _accuracy(tower, head, test))
        log.info("%s", records[-1])
    _save(tower, records, output)


def _save(tower: VisionTower, records: list[dict[str, float | str]], output: Path) -> None:
    state = {PREFIX + name: weight.half().contiguous() for name, weight in tower.state_dict().items()}
    output.mkdir(parents=True, exist_ok=True)
    partial = output / f"{VISION_FILE}.partial"
    partial.write_bytes(save(state))
    partial.replace(output / VISION_FILE)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (output / "vision.log.jsonl").write_text(lines, encoding="utf-8")


def _naming_head(nano: Path, names: Sequence[str]) -> NamingHead:
    table = read_quantised(nano / "text_encoder" / LANGUAGE_FILE)[TOKEN_TABLE]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(nano / "tokenizer")
    words = [tokenizer(f" {name}")["input_ids"] for name in names]
    return NamingHead(torch.stack([table[ids].mean(dim=0) for ids in words]), table.mean(dim=0))


@torch.no_grad()
def _start_from_waves(tower: VisionTower, patches: Float[Tensor, "patches 1176"]) -> None:
    """Set the patch embedding, which stays so, to the slowest cosine waves of brightness and two colour differences.

    Each is scaled to unit variance over the given patches. Half the channels are brightness, as the eye has it.
    """
    weight = tower.patch_embed.proj.weight
    width, side = weight.shape[0], weight.shape[-1]
    order = sorted(((row, column) for row in range(side) for column in range(side)), key=sum)
    angle = (torch.arange(side) + 0.5) * math.pi / side
    waves = [torch.outer((row * angle).cos(), (column * angle).cos()) for row, column in order]
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    counts = (width // 2, width // 4, width - width // 2 - width // 4)
    planes = [
        wave * colour[:, None, None] for colour, count in zip(colours, counts, strict=True) for wave in waves[:count]
    ]
    frames = weight.shape[2]
    start = torch.stack(planes).unsqueeze(2).expand(-1, -1, frames, -1, -1)
    weight.copy_(start / (patches @ start.flatten(1).T).std(dim=0)[:, None, None, None, None])


def _fit(
    tower: VisionTower,
    head: NamingHead,
    scenes: NamingScenes,
    *,
    minutes: float,
) -> list[dict[str, float | str]]:
    parameters = [*tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    records: list[dict[str, float | str]] = []
    start, step, recent = time.monotonic(), 0, []
    while (passed := (time.monotonic() - start) / (60 * minutes)) < 1:
        rate = LEARNING_RATE * min(1, (step + 1) / WARMUP) * (0.5 + 0.5 * math.cos(math.pi * passed))
        optimizer.param_groups[0]["lr"] = rate
        pictures, labels = _batch(scenes, GRIDS[scenes.rng.integers(len(GRIDS))], BATCH)
        loss = head.loss(_seen(tower, pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        recent.append(loss.item())
        if step % 100 == 0:
            records.append(
                {"step": step, "loss": round(float(np.mean(recent)), 4), "minutes": round(passed * minutes, 2)}
            )
            log.info("%s", records[-1])
            recent.clear()
    return records


def _seen(tower: VisionTower, pictures: UInt8[np.ndarray, "batch height width 3"]) -> Float[Tensor, "tokens hidden"]:
    patches, grid = picture_patches(pictures)
    with torch.autocast("cpu", torch.bfloat16):
        return tower(patches, grid).pooler_output.float()


def _batch(
    scenes: NamingScenes, grid: tuple[int, int], size: int
) -> tuple[UInt8[np.ndarray, "batch height width 3"], Int[Tensor, " tokens"]]:
    made = [scenes.make(*grid) for _ in range(size)]
    labels = np.stack([scene.labels for scene in made])
    return np.stack([scene.picture for scene in made]), torch.from_numpy(labels).flatten()


@torch.no_grad()
def _accuracy(tower: VisionTower, head: NamingHead, scenes: NamingScenes) -> dict[str, float | str]:
    """Measure shares of tokens named rightly, at first and in five attempts."""
    right: dict[str, list[Tensor]] = {"objects": [], "objects_in_five": [], "background": []}
    for _ in range(48):
        pictures, labels = _batch(scenes, (4, 4), BATCH)
        best = head(_seen(tower, pictures)).topk(5).indices
        hit = best == labels[:, None]
        right["objects"].append(hit[labels > 0, 0])
        right["objects_in_five"].append(hit[labels > 0].any(dim=1))
        right["background"].append(hit[labels == 0, 0])
    shares = {kind: round(torch.cat(hits).float().mean().item(), 3) for kind, hits in right.items()}
    return {**shares, "classes": len(scenes.cutouts)}
