"""InstructPix2Pix of the real classes at toy size, saved as its repository is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LETTERS = [chr(code) for code in range(97, 123)]


def write_toy_pix2pix(folder: Path) -> Path:
    """Random weights, the same each time; returns the pipeline's folder."""
    import diffusers
    import torch

    torch.manual_seed(0)
    kinds: Any = diffusers
    tokenizer, text_encoder = _language(folder / "words")
    pipeline = kinds.StableDiffusionInstructPix2PixPipeline(
        vae=kinds.AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
        ),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=kinds.UNet2DConditionModel(
            sample_size=16,
            in_channels=8,
            out_channels=4,
            block_out_channels=(8, 8),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=2,
            norm_num_groups=4,
        ),
        scheduler=kinds.PNDMScheduler(skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "toy")
    return folder / "toy"


def _language(folder: Path) -> tuple[Any, Any]:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder.mkdir()
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{one}</w>" for one in LETTERS)]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    config = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=77), CLIPTextModel(config)
