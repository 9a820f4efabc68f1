"""A whole pipeline of the real classes at toy size, for every release. No mocks."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from step1x_edit.models.processor import Step1XEditProcessor
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.pipeline.assembly import flow_scheduler
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline
from step1x_edit.presets.releases import find_release
from step1x_edit.schema.release import Conventions

SPECIAL_TOKENS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Every byte is a token; ids start with "!" as in Qwen's vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def tiny_llm(tokenizer: PreTrainedTokenizerFast, *, hidden: int = 32) -> Qwen2_5_VLForConditionalGeneration:
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL_TOKENS}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 300,
            "hidden_size": hidden,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 1, 1]},
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": hidden,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def tiny_conventions(release: str, tokenizer: PreTrainedTokenizerFast) -> Conventions:
    """The release's own record; only what the tokenizer decides is adapted."""
    conventions = find_release(release).conventions
    head = tokenizer(conventions.chat_head + conventions.prefix, add_special_tokens=False)["input_ids"]
    return conventions.model_copy(
        update={"dropped_tokens": len(head) - 1, "mllm_min_pixels": 3136, "mllm_max_pixels": 12544}
    )


def tiny_transformer(release: str, conventions: Conventions, *, hidden: int = 32) -> Step1XEditTransformer2DModel:
    return Step1XEditTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=4,
        joint_attention_dim=48,
        vector_in_dim=24,
        connector_in_channels=hidden,
        connector_hidden_size=48,
        connector_heads_num=4,
        axes_dims_rope=(4, 6, 6),
        enable_text_token_mapping=conventions.text_mapping,
        release=release,
        conventions=conventions.model_dump(),
    ).eval()


def tiny_vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.3611,
        shift_factor=0.1159,
    ).eval()


def tiny_pipeline(release: str = "v1.1", *, seed: int = 0) -> Step1XEditPipeline:
    """Random weights, the same for a seed."""
    torch.manual_seed(seed)
    tokenizer = byte_tokenizer()
    conventions = tiny_conventions(release, tokenizer)
    pipeline = Step1XEditPipeline(
        text_encoder=tiny_llm(tokenizer),
        processor=Step1XEditProcessor(tokenizer, Qwen2VLImageProcessorPil()),
        transformer=tiny_transformer(release, conventions),
        vae=tiny_vae(),
        scheduler=flow_scheduler(),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
