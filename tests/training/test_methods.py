"""What learns, in which form, by which optimiser; and that a stop in between changes no bit."""

import copy
import functools
import importlib.util

import pytest
import torch
from torch import nn

from step1x_edit.errors import MissingExtra, RequestError
from step1x_edit.models.checkpoint.loading import empty_transformer
from step1x_edit.training.config import (
    DataConfig,
    LoraConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    SourceConfig,
    TrainingConfig,
)
from step1x_edit.training.methods.ema import RunningMean
from step1x_edit.training.methods.full import train_parts
from step1x_edit.training.methods.lora import adapted_modules, adapter_parameters, add_adapters
from step1x_edit.training.methods.optimizers import build_optimizers, is_block_matrix
from step1x_edit.training.methods.readiness import check_methods
from step1x_edit.training.methods.schedules import rate_share
from step1x_edit.training.run.state_files import read_tree, write_tree

NEEDS = {"adamw_8bit": "bitsandbytes", "schedule_free": "schedulefree"}
OPTIMIZERS = ("adamw", "adamw_8bit", "schedule_free", "muon")


@pytest.fixture
def network(tiny):
    return copy.deepcopy(tiny("v1.1").transformer)


class Regression(nn.Module):
    """Small, with names like the transformer's: a matrix in a block, one outside, a norm, biases."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList([nn.Linear(128, 64)])
        self.norm = nn.LayerNorm(64)
        self.proj_out = nn.Linear(64, 8)

    def forward(self, values):
        return self.proj_out(self.norm(self.blocks[0](values)))


def optimizer_of(model, name, **settings):
    pytest.importorskip(NEEDS.get(name, "torch"), reason=f"{name} needs an extra")
    return build_optimizers(model.named_parameters(), OptimizerConfig(name=name, rate=1e-2, **settings))


def run(model, optimizers, mean, steps):
    """Steps of which each has its own data."""
    for step in steps:
        optimizers.scale_rates(rate_share(OptimizerConfig(warm_up_steps=4), step=step, progress=0.0))
        values = torch.randn(16, 128, generator=torch.Generator().manual_seed(step))
        (model(values) - values[:, :8]).square().mean().backward()
        optimizers.step()
        optimizers.zero_grad()
        mean.update()


def weights_of(model):
    return torch.cat([value.detach().flatten().clone() for value in model.parameters()])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_stored_and_taken_up_again_equals_one_that_never_stopped(name, tmp_path):
    whole, stopped = Regression(), Regression()
    parts = {
        model: (optimizer_of(model, name), RunningMean(list(model.parameters()), decay=0.9))
        for model in (whole, stopped)
    }
    run(whole, *parts[whole], range(9))
    run(stopped, *parts[stopped], range(5))
    optimizers, mean = parts[stopped]
    write_tree({"optimizers": optimizers.state_dict(), "mean": mean.state_dict()}, tmp_path, "state")
    again = Regression()
    again.load_state_dict(stopped.state_dict())
    optimizers, mean = optimizer_of(again, name), RunningMean(list(again.parameters()), decay=0.9)
    state = read_tree(tmp_path, "state")
    optimizers.load_state_dict(state["optimizers"])
    mean.load_state_dict(state["mean"])
    run(again, optimizers, mean, range(5, 9))
    assert torch.equal(weights_of(again), weights_of(whole))
    for ours, theirs in zip(mean.state_dict()["mean"], parts[whole][1].state_dict()["mean"], strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_lowers_the_loss(name):
    model = Regression()
    optimizers = optimizer_of(model, name)
    values = torch.randn(256, 128, generator=torch.Generator().manual_seed(99))

    def loss():
        with torch.no_grad(), optimizers.evaluated():
            return float((model(values) - values[:, :8]).square().mean())

    before = loss()
    run(model, optimizers, RunningMean(list(model.parameters()), decay=0.9), range(60))
    assert loss() < 0.6 * before


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_looking_at_the_weights_leaves_them_as_they_were(name):
    model = Regression()
    optimizers = optimizer_of(model, name)
    mean = RunningMean(list(model.parameters()), decay=0.9)
    run(model, optimizers, mean, range(5))
    before = weights_of(model)
    with optimizers.evaluated():
        assert torch.equal(weights_of(model), before) == (name != "schedule_free")
    with mean.applied():
        assert not torch.equal(weights_of(model), before)
    assert torch.equal(weights_of(model), before)
    run(model, optimizers, mean, range(5, 6))


def test_biases_and_norms_do_not_decay_and_muon_takes_the_matrices_of_blocks(network):
    (adamw,) = optimizer_of(network, "adamw").members
    assert [group["weight_decay"] for group in adamw.param_groups] == [0.01, 0.0]
    assert all(value.ndim == 2 for value in adamw.param_groups[0]["params"])
    muon, rest = optimizer_of(network, "muon", matrix_rate=3e-3).members
    assert isinstance(muon, torch.optim.Muon) and muon.param_groups[0]["lr"] == 3e-3
    taken = [name for name, value in network.named_parameters() if is_block_matrix(name, value)]
    assert len(muon.param_groups[0]["params"]) == len(taken) and rest.param_groups[0]["weight_decay"] == 0.0
    assert "transformer_blocks.0.attn.to_q.weight" in taken
    assert not any("norm" in name or "adaLN" in name or name.startswith("x_embedder") for name in taken)


def test_a_state_of_another_run_and_an_impossible_schedule_are_refused(network):
    state = optimizer_of(Regression(), "adamw").state_dict()
    with pytest.raises(RequestError, match="the state of this run"):
        optimizer_of(network, "adamw").load_state_dict(state)
    with pytest.raises(RequestError, match="the state of this run"):
        optimizer_of(Regression(), "muon").load_state_dict(state)
    with pytest.raises(RequestError, match="schedule = constant"):
        optimizer_of(Regression(), "schedule_free", schedule="cosine")
    with pytest.raises(RequestError, match="no weight learns"):
        optimizer_of(Regression().requires_grad_(False), "adamw")


def test_the_rate_warms_up_by_steps_or_by_share_and_falls_along_a_cosine():
    by_steps = OptimizerConfig(warm_up_steps=4)
    assert [rate_share(by_steps, step=step, progress=0.5) for step in (0, 1, 3, 9)] == [0.25, 0.5, 1.0, 1.0]
    by_share = OptimizerConfig(warm_up_share=0.2)
    assert rate_share(by_share, step=0, progress=0.0) == pytest.approx(1e-3)
    assert rate_share(by_share, step=50, progress=0.1) == pytest.approx(0.5)
    cosine = OptimizerConfig(schedule="cosine", final_share=0.1)
    shares = [rate_share(cosine, step=0, progress=progress) for progress in (0.0, 0.5, 1.0, 1.2)]
    assert shares == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_the_running_mean_warms_up_and_is_kept_in_fp32():
    weight = nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    mean = RunningMean([weight], decay=0.99)
    expected = torch.zeros(2)
    for update in range(1, 40):
        weight.data.fill_(update)
        mean.update()
        decay = 0.0 if update == 1 else min(0.99, update / (9 + update))
        assert mean.decay == pytest.approx(decay)
        expected = decay * expected + (1 - decay) * update
    (kept,) = mean.state_dict()["mean"]
    assert kept.dtype == torch.float32 and torch.allclose(kept, expected)


def test_the_linear_layers_of_the_blocks_are_adapted_by_default_as_in_the_released_script(network):
    modules = adapted_modules(network, LoraConfig(), train=("transformer",))
    assert len(modules) == 2 * 14 + 2 * 6  # 494 = 19 * 14 + 38 * 6 in the published sizes
    assert all("blocks." in name and not name.startswith("connector.") for name in modules)
    connector = adapted_modules(network, LoraConfig(), train=("connector",))
    assert connector and all(name.startswith("connector.") for name in connector)
    assert not set(modules) & set(connector)


def test_patterns_choose_modules_ranks_and_alphas(network):
    config = LoraConfig(
        rank=4,
        alpha=2.0,
        targets=("to_q", "single_transformer_blocks.*.proj_out", "proj_out"),
        rank_pattern={"single_transformer_blocks.1.*": 2, "proj_out": 3},
        alpha_pattern={"transformer_blocks.*": 8.0},
    )
    learning = dict(add_adapters(network, config, train=("transformer",), seed=1))
    assert len(learning) == 2 * (2 + 2 + 2 + 1)
    assert learning["single_transformer_blocks.1.attn.to_q.lora_A.default.weight"].shape[0] == 2
    assert learning["single_transformer_blocks.0.proj_out.lora_A.default.weight"].shape[0] == 3
    assert learning["proj_out.lora_A.default.weight"].shape[0] == 3
    assert network.transformer_blocks[0].attn.to_q.lora_alpha == {"default": 8.0}
    assert network.single_transformer_blocks[0].attn.to_q.lora_alpha == {"default": 2.0}
    assert all(value.requires_grad and value.dtype == torch.float32 for value in learning.values())
    assert sum(value.numel() for value in network.parameters() if value.requires_grad) == sum(
        value.numel() for value in learning.values()
    )


def test_a_fresh_adapter_is_drawn_from_its_seed_alone_and_counted_beforehand(tiny):
    config = LoraConfig(rank=4)
    drawn = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        network = copy.deepcopy(tiny("v1.1").transformer)
        count = adapter_parameters(network, config, train=("transformer",))
        learning = add_adapters(network, config, train=("transformer",), seed=7)
        assert torch.equal(torch.get_rng_state(), state) and count == sum(value.numel() for _, value in learning)
        drawn.append(torch.cat([value.detach().flatten() for _, value in learning]))
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    ("config", "train", "words"),
    [
        (LoraConfig(targets=("to_q", "to_qq")), ("transformer",), "'to_qq', which fits no linear layer"),
        (LoraConfig(targets=("fc1",)), ("transformer",), "'fc1', which fits no linear layer"),
        (LoraConfig(rank_pattern={"x_embedder": 2}), ("transformer",), "lora.rank_pattern"),
        (LoraConfig(alpha_pattern={"nothing": 2}), ("connector",), "lora.alpha_pattern"),
        (LoraConfig(), ("text_encoder",), "without the multimodal LLM"),
    ],
)
def test_a_pattern_that_fits_nothing_is_refused_before_anything_changes(network, config, train, words):
    with pytest.raises(RequestError, match=words):
        add_adapters(network, config, train=train, seed=1)
    assert not getattr(network, "peft_config", {}) and next(network.parameters()).requires_grad


def test_the_matrix_with_v1_0_s_scale_factor_is_left_alone_by_default_and_refused_when_named(tiny):
    network = tiny("v1.0").transformer
    modules = adapted_modules(network, LoraConfig(), train=("connector",))
    assert "connector.global_proj_out" not in modules
    with pytest.raises(RequestError, match="scale factor"):
        adapted_modules(network, LoraConfig(targets=("global_proj_out",)), train=("connector",))


def test_adapters_on_the_multimodal_llm_learn_while_it_stays_frozen(tiny):
    pipeline = tiny("v1.1")
    transformer, llm = copy.deepcopy(pipeline.transformer), copy.deepcopy(pipeline.text_encoder)
    config = LoraConfig(rank=2, rank_pattern={"text_encoder.*.q_proj": 3})
    learning = add_adapters(transformer, config, train=("transformer", "text_encoder"), seed=1, text_encoder=llm)
    own = {name: value for name, value in learning if name.startswith("text_encoder.")}
    assert own and len(own) < len(learning) and all(".language_model.layers." in name for name in own)
    assert {len(value) for name, value in own.items() if "q_proj.lora_A" in name} == {3}
    hidden = llm.model(input_ids=torch.tensor([[5, 6, 7]])).last_hidden_state
    hidden.square().sum().backward()
    learnt = {name for name, value in llm.named_parameters() if value.grad is not None}
    assert learnt == {name.removeprefix("text_encoder.") for name in own}


@pytest.mark.parametrize("train", [("transformer",), ("connector",), ("transformer", "connector")])
def test_full_training_frees_the_named_parts_alone(network, train):
    learning = train_parts(network.to(torch.bfloat16), ModelConfig(train=train, base="fp32"))
    names = {name for name, _ in learning}
    assert names == {name for name, value in network.named_parameters() if value.requires_grad}
    assert {name.startswith("connector.") for name in names} == {part == "connector" for part in train}
    for name, value in network.named_parameters():
        assert value.dtype == (torch.float32 if name in names else torch.bfloat16)


@pytest.mark.parametrize("base", ["fp8", "int8", "nf4"])
def test_weights_in_few_bits_and_the_multimodal_llm_do_not_train_in_full(network, base):
    with pytest.raises(RequestError, match=base):
        train_parts(network, ModelConfig(base=base))
    with pytest.raises(RequestError, match="adapters alone"):
        train_parts(network, ModelConfig(train=("text_encoder",)))


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("lora", {"lora": LoraConfig(targets=("to_qq",))}, "fits no linear layer"),
        ("lora", {"model": ModelConfig(train=("text_encoder",))}, "cached conditioning"),
        ("full", {"model": ModelConfig(base="int8")}, "for full training"),
        ("full", {"optimizer": OptimizerConfig(name="schedule_free", schedule="cosine")}, "schedule = constant"),
    ],
)
def test_what_cannot_work_is_said_before_a_weight_is_read(tiny, method, changes, words):
    network = empty_transformer(tiny("v1.1").transformer.config)
    with pytest.raises(RequestError, match=words):
        check_methods(config_of(**changes), method, network)


@pytest.mark.parametrize("base", ["bf16", "fp8", "nf4"])
def test_a_package_that_a_base_needs_is_looked_for_first(tiny, base):
    library = {"fp8": "torchao", "nf4": "bitsandbytes"}.get(base, "torch")
    check = functools.partial(
        check_methods,
        config_of(model=ModelConfig(base=base)),
        "lora",
        empty_transformer(tiny("v1.1").transformer.config),
    )
    if importlib.util.find_spec(library) is not None:
        check()
    else:
        with pytest.raises(MissingExtra, match=library):
            check()


def config_of(**changes):
    return TrainingConfig(data=DataConfig(sources=(SourceConfig(path="pairs"),)), run=RunConfig(steps=1), **changes)
