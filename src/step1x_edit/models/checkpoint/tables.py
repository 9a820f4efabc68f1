"""The key tables: published single-file names beside the names of our networks.

Source: the released code's module names and the published diffusers folders. The block modulations keep their row order
(shift, scale, gate) in both layouts; the final layer's does not: official (shift, scale), ours (scale, shift).
"""

from __future__ import annotations

from step1x_edit.models.checkpoint.entries import Rule

__all__ = ["SCALE_FACTOR", "SCALE_FACTOR_RELEASES", "TEXT_MAPPING", "TRANSFORMER", "vae_rules"]

SCALE_FACTOR = "connector.scale_factor"
"""Learned scalar; it multiplies the global vector's input by 1 + itself and is folded when read."""

SCALE_FACTOR_RELEASES = ("v1.0",)
"""Releases whose single file holds the scalar."""

TEXT_MAPPING = "text_token_mapping.weight"
"""Present in v1.2 and v1.2-preview alone."""


def _plain(official: str, ours: str) -> Rule:
    return Rule(official=official, ours=(ours,))


def _stacked(official: str, *ours: str) -> Rule:
    return Rule(official=official, ours=ours, form="stacked")


def _stream(
    theirs: str, norm: str, feed: str, query_key_value: tuple[str, str, str], norms: str, out: str
) -> list[Rule]:
    """Rows of one stream (image or text) of the double blocks."""
    official, block = f"double_blocks.#.{theirs}", "transformer_blocks.#"
    return [
        _plain(f"{official}_mod.lin.*", f"{block}.{norm}.linear.*"),
        _stacked(f"{official}_attn.qkv.*", *(f"{block}.attn.{name}.*" for name in query_key_value)),
        _plain(f"{official}_attn.norm.query_norm.scale", f"{block}.attn.norm_{norms}q.weight"),
        _plain(f"{official}_attn.norm.key_norm.scale", f"{block}.attn.norm_{norms}k.weight"),
        _plain(f"{official}_attn.proj.*", f"{block}.attn.{out}.*"),
        _plain(f"{official}_mlp.0.*", f"{block}.{feed}.net.0.proj.*"),
        _plain(f"{official}_mlp.2.*", f"{block}.{feed}.net.2.*"),
    ]


_SINGLE = "single_transformer_blocks.#"

TRANSFORMER: tuple[Rule, ...] = (
    _plain("img_in.*", "x_embedder.*"),
    _plain("txt_in.*", "context_embedder.*"),
    _plain("time_in.*", "time_embed.*"),
    _plain("vector_in.*", "vec_embed.*"),
    _plain("connector.*", "connector.*"),
    _plain("text_token_mapping.*", "text_token_mapping.*"),
    *_stream("img", "norm1", "ff", ("to_q", "to_k", "to_v"), "", "to_out.0"),
    *_stream("txt", "norm1_context", "ff_context", ("add_q_proj", "add_k_proj", "add_v_proj"), "added_", "to_add_out"),
    _plain("single_blocks.#.modulation.lin.*", f"{_SINGLE}.norm.linear.*"),
    _stacked(
        "single_blocks.#.linear1.*",
        *(f"{_SINGLE}.{name}.*" for name in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")),
    ),
    _plain("single_blocks.#.linear2.*", f"{_SINGLE}.proj_out.*"),
    _plain("single_blocks.#.norm.query_norm.scale", f"{_SINGLE}.attn.norm_q.weight"),
    _plain("single_blocks.#.norm.key_norm.scale", f"{_SINGLE}.attn.norm_k.weight"),
    _plain("final_layer.linear.*", "proj_out.*"),
    Rule(official="final_layer.adaLN_modulation.1.*", ours=("norm_out.linear.*",), form="swapped"),
)


def vae_rules(levels: int) -> tuple[Rule, ...]:
    """Return the VAE's key table; its decoder counts the levels the other way round.

    Args:
        levels: Number of resolutions (4 in the published VAE).
    """
    rules = []
    for level in range(levels):
        mirrored = levels - 1 - level
        rules += _resnet(f"encoder.down.{level}.block.#", f"encoder.down_blocks.{level}.resnets.#")
        rules += _resnet(f"decoder.up.{level}.block.#", f"decoder.up_blocks.{mirrored}.resnets.#")
        rules += [
            _plain(f"encoder.down.{level}.downsample.*", f"encoder.down_blocks.{level}.downsamplers.0.*"),
            _plain(f"decoder.up.{level}.upsample.*", f"decoder.up_blocks.{mirrored}.upsamplers.0.*"),
        ]
    for half in ("encoder", "decoder"):
        rules += _vae_middle(half)
    return tuple(rules)


def _resnet(official: str, ours: str) -> list[Rule]:
    return [
        _plain(f"{official}.nin_shortcut.*", f"{ours}.conv_shortcut.*"),
        _plain(f"{official}.*", f"{ours}.*"),
    ]


def _vae_middle(half: str) -> list[Rule]:
    attention = f"{half}.mid_block.attentions.0"
    pointwise = {"q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
    return [
        *_resnet(f"{half}.mid.block_1", f"{half}.mid_block.resnets.0"),
        *_resnet(f"{half}.mid.block_2", f"{half}.mid_block.resnets.1"),
        *(
            Rule(official=f"{half}.mid.attn_1.{theirs}.*", ours=(f"{attention}.{ours}.*",), form="pointwise")
            for theirs, ours in pointwise.items()
        ),
        _plain(f"{half}.mid.attn_1.norm.*", f"{attention}.group_norm.*"),
        _plain(f"{half}.norm_out.*", f"{half}.conv_norm_out.*"),
        _plain(f"{half}.conv_in.*", f"{half}.conv_in.*"),
        _plain(f"{half}.conv_out.*", f"{half}.conv_out.*"),
    ]
