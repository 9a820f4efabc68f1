"""Training as the formulas say it, in plain tensor code: stock FLUX blocks, all pads, every position computed."""

import math

import torch
from diffusers.models.embeddings import Timesteps
from diffusers.models.normalization import AdaLayerNormContinuous
from diffusers.models.transformers.transformer_flux import (
    FluxPosEmbed,
    FluxSingleTransformerBlock,
    FluxTransformerBlock,
)
from torch import nn
from torch.nn.functional import pad

from step1x_edit.models.connector import Connector


class PlainEmbedding(nn.Module):
    def __init__(self, width, dim):
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(width, dim), nn.Linear(dim, dim)

    def forward(self, values):
        return self.out_layer(nn.functional.silu(self.in_layer(values)))


class PlainTransformer(nn.Module):
    """The network of the vectors' size from stock modules, with the published names."""

    def __init__(self, *, mapping=False):
        super().__init__()
        self.connector = Connector(in_channels=40, hidden_size=48, heads=4, depth=2, vector_channels=32)
        if mapping:
            self.text_token_mapping = nn.Linear(40, 48)
        self.sinusoids = Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embed, self.vec_embed = PlainEmbedding(256, 64), PlainEmbedding(32, 64)
        self.rotary = FluxPosEmbed(theta=10000, axes_dim=[4, 6, 6])
        self.context_embedder, self.x_embedder = nn.Linear(48, 64), nn.Linear(64, 64)
        self.transformer_blocks = nn.ModuleList(FluxTransformerBlock(64, 4, 16) for _ in range(2))
        self.single_transformer_blocks = nn.ModuleList(FluxSingleTransformerBlock(64, 4, 16) for _ in range(2))
        self.norm_out = AdaLayerNormContinuous(64, 64, elementwise_affine=False, eps=1e-6)
        self.proj_out = nn.Linear(64, 64)

    def forward(self, image_tokens, tokens, mask, time, ids, *, embeddings=None, quoted=None, connector_time=None):
        """Return the velocity of all image tokens; ``connector_time`` is what the released trainer gets wrong."""
        context, vector = self.connector(tokens, time if connector_time is None else connector_time, mask)
        if embeddings is not None:
            context = context + quoted[..., None] * self.text_token_mapping(embeddings)
        modulation = self.time_embed(self.sinusoids(1000 * time)) + self.vec_embed(vector)
        image, context = self.x_embedder(image_tokens), self.context_embedder(context)
        for block in (*self.transformer_blocks, *self.single_transformer_blocks):
            context, image = block(image, context, modulation, self.rotary(ids))
        return self.proj_out(self.norm_out(image, modulation))


def plain_copy(model):
    """The same weights in stock modules."""
    plain = PlainTransformer(mapping=hasattr(model, "text_token_mapping"))
    plain.load_state_dict(model.state_dict())
    return plain


def plain_grid(rows, columns, *, axis=0, offset=0):
    places = [(axis, row + offset, column + offset) for row in range(rows) for column in range(columns)]
    return torch.tensor(places).float()


def plain_shifted(uniform, tokens):
    """c u / (1 + (c - 1) u), c = e^mu, mu from 0.5 at 256 tokens to 1.15 at 4096."""
    factor = math.exp(0.5 + (tokens - 256) * 0.65 / 3840)
    return factor * uniform / (1 + (factor - 1) * uniform)


def plain_loss(plain, batch, *, times, noise, text_length, reference_grid, weights=None, connector_scale=None):
    """Mean over examples of the mean squared error between the target half and noise minus target, one example a call.

    Args:
        text_length: Length that conditioning is zero-padded to; none for its own.
        reference_grid: Ids of the reference tokens; none without a reference.
    """
    losses = []
    for index, item in enumerate(batch.conditionings):
        grown = 0 if text_length is None else text_length - item.tokens.shape[1]
        z, x = batch.target[index], (1 - times[index]) * batch.target[index] + times[index] * noise[index]
        ids = [pad(item.positions, (0, 0, 0, grown)), plain_grid(batch.rows, batch.columns)]
        if batch.reference is not None:
            x = torch.cat([x, batch.reference[index]])
            ids.append(reference_grid)
        prediction = plain(
            x[None],
            pad(item.tokens, (0, 0, 0, grown)),
            pad(item.mask, (0, grown)),
            times[index, None],
            torch.cat(ids),
            embeddings=item.text_embeddings,
            quoted=item.text_mask,
            connector_time=None if connector_scale is None else connector_scale * times[index, None],
        )
        squared = (prediction[0, : len(z)] - (noise[index] - z)) ** 2
        weight = torch.ones(len(z)) if weights is None else weights[index]
        losses.append((squared.mean(-1) * weight).sum() / weight.sum())
    return torch.stack(losses).mean()
