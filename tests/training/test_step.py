"""One step of training equals the formula in plain tensor code (loss and every gradient, fp32, 1e-5), for every release."""

import copy
from dataclasses import replace

import pytest
import torch
from plain_training import plain_copy, plain_grid, plain_loss, plain_shifted
from torch.testing import assert_close

from step1x_edit.errors import DataError, RequestError
from step1x_edit.models.conditioner import Conditioning
from step1x_edit.presets.releases import find_release
from step1x_edit.training.batching import assemble_batch
from step1x_edit.training.config import ObjectiveConfig
from step1x_edit.training.draws import StepSeed, draw_flow
from step1x_edit.training.examples import Batch, EncodedExample
from step1x_edit.training.step import flow_step_loss, image_positions

EQUAL = {"rtol": 1e-5, "atol": 1e-5}
ROWS, COLUMNS, TOKENS = 8, 6, 48
AS_RELEASED = ObjectiveConfig(time_sampling="shifted", shift_tokens=4096)
"""The released trainer's times."""


def numbers(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seed_of(*examples, step=3):
    return StepSeed(run=42, step=step, numbers=examples)


def word_conditioning(length, seed):
    tokens = numbers(seed, 1, length, 40)
    return Conditioning(tokens=tokens, mask=torch.ones(1, length).long(), positions=torch.zeros(length, 3))


def placed_conditioning(length, seed):
    """As in v1.2: positions of its own, and some tokens quoted."""
    positions = torch.cat([torch.arange(-length, 0)[:, None].float(), numbers(seed + 1, length, 2).abs()], dim=1)
    quoted = (torch.arange(length) % 3 == 0).long()[None]
    plain = word_conditioning(length, seed)
    return replace(plain, positions=positions, text_embeddings=numbers(seed + 2, 1, length, 40), text_mask=quoted)


def batch_of(*conditionings, reference=True):
    batch = len(conditionings)
    return Batch(
        target=numbers(1, batch, TOKENS, 64),
        reference=numbers(2, batch, TOKENS, 64) if reference else None,
        rows=ROWS,
        columns=COLUMNS,
        conditionings=conditionings,
    )


def vector_batch(values):
    """The inputs of a vector made with the released code, as a batch: its target half as the clean target."""
    lengths = values["in.mask"].sum(1).tolist()
    return Batch(
        target=values["in.img"][:, :TOKENS].clone(),
        reference=values["in.img"][:, TOKENS:].clone(),
        rows=ROWS,
        columns=COLUMNS,
        conditionings=tuple(
            Conditioning(
                tokens=tokens[None, :length], mask=torch.ones(1, length).long(), positions=torch.zeros(length, 3)
            )
            for tokens, length in zip(values["in.llm_embedding"], lengths, strict=True)
        ),
    )


def trained(model):
    return copy.deepcopy(model).requires_grad_(True).train()


def conventions_of(release):
    return find_release(release).conventions


def assert_equal_step(model, batch, seed, *, objective=AS_RELEASED, release, **plain_options):
    """Compare loss and the gradient of every weight with the plain way."""
    ours, plain = trained(model), plain_copy(model)
    step = flow_step_loss(ours, batch, objective=objective, conventions=conventions_of(release), seed=seed)
    step.loss.backward()
    draws = draw_flow(seed, objective, tokens=TOKENS, channels=64)
    loss = plain_loss(plain, batch, times=draws.times, noise=draws.noise, **plain_options)
    loss.backward()
    assert step.loss.dtype == torch.float32
    assert_close(step.loss, loss, **EQUAL)
    assert_close(step.per_example.mean(), loss.detach(), **EQUAL)
    gradients = dict(plain.named_parameters())
    names = [name for name, _ in ours.named_parameters()]
    assert sorted(names) == sorted(gradients)
    for name, weight in ours.named_parameters():
        assert_close(weight.grad, gradients[name].grad, **EQUAL, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("case", ["official_tiny_b1", "official_tiny_b2"])
def test_a_step_of_the_official_model_equals_the_formula_with_all_640_pads(vector, vector_transformer, case):
    batch = vector_batch(vector(f"{case}.safetensors"))
    assert_equal_step(
        vector_transformer("v1.0"),
        batch,
        seed_of(*range(len(batch.conditionings))),
        release="v1.0",
        text_length=640,
        reference_grid=plain_grid(ROWS, COLUMNS),
    )


def test_steps_stay_equal_with_large_weights_and_the_real_share_of_pads(vector_transformer):
    assert_equal_step(
        vector_transformer("v1.0", hot=True),
        batch_of(word_conditioning(345, 5), word_conditioning(300, 6)),
        seed_of(0, 1),
        release="v1.0",
        text_length=640,
        reference_grid=plain_grid(ROWS, COLUMNS),
    )


def test_v1_1_places_the_reference_one_further_and_on_its_own_axis(vector_transformer):
    assert_equal_step(
        vector_transformer("v1.1"),
        batch_of(word_conditioning(15, 5), word_conditioning(21, 6)),
        seed_of(0, 1),
        release="v1.1",
        text_length=640,
        reference_grid=plain_grid(ROWS, COLUMNS, axis=1, offset=1),
    )


def test_v1_1_learns_pictures_from_text_without_reference_tokens(vector_transformer):
    assert_equal_step(
        vector_transformer("v1.1"),
        batch_of(word_conditioning(15, 5), word_conditioning(21, 6), reference=False),
        seed_of(0, 1),
        release="v1.1",
        text_length=640,
        reference_grid=None,
    )


def test_v1_2_takes_each_example_with_its_own_length_and_positions(vector_transformer):
    same = placed_conditioning(20, 31)
    assert_equal_step(
        vector_transformer("v1.2"),
        batch_of(same, placed_conditioning(13, 35), replace(same, tokens=numbers(9, 1, 20, 40))),
        seed_of(0, 1, 2),
        release="v1.2",
        text_length=None,
        reference_grid=plain_grid(ROWS, COLUMNS, axis=1),
    )


def test_unpadded_examples_of_different_length_do_not_see_what_fills_the_batch(vector_transformer):
    assert_equal_step(
        vector_transformer("v1.1"),
        batch_of(word_conditioning(9, 5), word_conditioning(21, 6)),
        seed_of(0, 1),
        release="nano",
        text_length=None,
        reference_grid=plain_grid(ROWS, COLUMNS, axis=1),
    )


def test_changed_tokens_weigh_more_within_their_own_example(vector_transformer):
    changed = torch.rand(2, TOKENS, generator=torch.Generator().manual_seed(8))
    assert_equal_step(
        vector_transformer("v1.1"),
        replace(batch_of(word_conditioning(15, 5), word_conditioning(21, 6)), changed=changed),
        seed_of(0, 1),
        objective=ObjectiveConfig(changed_weight=3),
        release="v1.1",
        text_length=640,
        reference_grid=plain_grid(ROWS, COLUMNS, axis=1, offset=1),
        weights=1 + 2 * changed,
    )


def test_the_released_fault_of_the_connectors_time_would_be_seen(vector, vector_transformer):
    batch, model = vector_batch(vector("official_tiny_b2.safetensors")), vector_transformer("v1.0", hot=True)
    draws = draw_flow(seed_of(0, 1), AS_RELEASED, tokens=TOKENS, channels=64)
    with torch.no_grad():
        ours = flow_step_loss(
            model, batch, objective=AS_RELEASED, conventions=conventions_of("v1.0"), seed=seed_of(0, 1)
        )
        faulty = plain_loss(
            plain_copy(model),
            batch,
            times=draws.times,
            noise=draws.noise,
            text_length=640,
            reference_grid=plain_grid(ROWS, COLUMNS),
            connector_scale=1000,
        )
    assert abs(float(ours.loss - faulty)) > 1e-3


def test_times_follow_the_configured_spread_and_shift():
    seed = seed_of(*range(400))
    drawn = {
        name: draw_flow(seed, objective, tokens=1024, channels=1).times
        for name, objective in {
            "plain": ObjectiveConfig(time_sampling="logit_normal"),
            "shifted": ObjectiveConfig(),
            "as released": AS_RELEASED,
            "narrow": ObjectiveConfig(time_sampling="logit_normal", spread=0.5),
            "uniform": ObjectiveConfig(time_sampling="uniform"),
        }.items()
    }
    assert_close(drawn["shifted"], plain_shifted(drawn["plain"], 1024))
    assert_close(drawn["as released"], plain_shifted(drawn["plain"], 4096))
    assert_close(torch.logit(drawn["narrow"]), 0.5 * torch.logit(drawn["plain"]))
    assert abs(float(drawn["uniform"].mean()) - 0.5) < 0.05
    assert float(drawn["uniform"].std()) == pytest.approx(12**-0.5, abs=0.03)


def test_two_halves_of_a_global_batch_draw_what_the_whole_draws(vector_transformer):
    conditionings = [word_conditioning(length, length) for length in (9, 12, 15, 18)]
    whole = batch_of(*conditionings)
    objective = ObjectiveConfig(position_jitter=5)

    def losses(batch, *examples):
        return flow_step_loss(
            vector_transformer("v1.1"),
            batch,
            objective=objective,
            conventions=conventions_of("v1.1"),
            seed=seed_of(*examples),
        )

    with torch.no_grad():
        together = losses(whole, 0, 1, 2, 3)
        for rows in ([0, 2], [1, 3]):
            part = replace(
                whole,
                target=whole.target[rows],
                reference=whole.reference[rows],
                conditionings=tuple(conditionings[row] for row in rows),
            )
            half = losses(part, *rows)
            assert torch.equal(half.times, together.times[rows])
            assert_close(half.per_example, together.per_example[rows], **EQUAL)
    assert len(set(together.times.tolist())) == 4


def test_moved_positions_move_target_and_reference_alike(vector_transformer):
    seen = {}
    model = trained(vector_transformer("v1.1"))
    model.pos_embed.register_forward_pre_hook(lambda _module, arguments: seen.update(ids=arguments[0]))
    batch = batch_of(word_conditioning(9, 5))
    flow_step_loss(
        model,
        batch,
        objective=ObjectiveConfig(position_jitter=9),
        conventions=conventions_of("v1.1"),
        seed=seed_of(0, step=1),
    )
    moved = seen["ids"][-2 * TOKENS :] - image_positions(batch, conventions=conventions_of("v1.1"))
    assert torch.equal(moved, moved[:1].expand_as(moved))
    assert moved[0, 0] == 0
    assert 0 < moved[0].sum() <= 18


def example(seed, *, rows=ROWS, reference=True, changed=None):
    tokens = rows * COLUMNS
    return EncodedExample(
        target=numbers(seed, tokens, 64),
        reference=numbers(seed + 1, tokens, 64) if reference else None,
        rows=rows,
        columns=COLUMNS,
        conditioning=word_conditioning(9, seed),
        unconditional=word_conditioning(5, seed + 1),
        changed=changed,
    )


def test_a_dropped_instruction_gives_way_to_the_releases_unconditional_form():
    first, second = example(1), example(3, changed=torch.ones(TOKENS))
    batch = assemble_batch([first, second], dropped=[False, True])
    assert batch.conditionings == (first.conditioning, second.unconditional)
    assert torch.equal(batch.target[1], second.target)
    assert torch.equal(batch.reference[0], first.reference)
    assert torch.equal(batch.changed, torch.stack([torch.zeros(TOKENS), torch.ones(TOKENS)]))
    assert assemble_batch([example(1, reference=False)], dropped=[False]).reference is None


@pytest.mark.parametrize("other", [{"reference": False}, {"rows": 4}])
def test_a_batch_of_mixed_forms_is_refused(other):
    with pytest.raises(DataError, match="a batch of examples of 2 forms"):
        assemble_batch([example(1), example(3, **other)], dropped=[False, False])


def test_what_a_release_cannot_learn_is_refused(vector_transformer):
    def step(batch, release, **objective):
        return flow_step_loss(
            vector_transformer(release),
            batch,
            objective=ObjectiveConfig(**objective),
            conventions=conventions_of(release),
            seed=seed_of(0),
        )

    with pytest.raises(RequestError, match="a batch without reference images"):
        step(batch_of(word_conditioning(9, 5), reference=False), "v1.0")
    with pytest.raises(RequestError, match="position_jitter = 2"):
        step(batch_of(placed_conditioning(9, 5)), "v1.2", position_jitter=2)
