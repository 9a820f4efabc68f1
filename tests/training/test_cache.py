"""What the cache holds is what the pipeline computes; it is filled once, survives kills, and lets the networks go."""

from __future__ import annotations

import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_pairs import mask_of, scene, table_rows, write_csv, write_folder
from tiny import tiny_pipeline
from torch import Tensor

from step1x_edit.errors import DataError, RequestError
from step1x_edit.models.conditioner import Conditioner, Conditioning
from step1x_edit.models.vae import encode_pixels
from step1x_edit.pipeline.geometry import exact_frame
from step1x_edit.pipeline.picture_inputs import llm_picture, vae_pixels
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline
from step1x_edit.presets.releases import find_release
from step1x_edit.sampling.packing import pack_latents
from step1x_edit.store.lock import locked
from step1x_edit.training.cache import EncodingParts, ReleaseEncoders, fill_cache, release_encoders
from step1x_edit.training.cache.shard import Shard
from step1x_edit.training.config import SourceConfig
from step1x_edit.training.dealing import CachedBatches
from step1x_edit.training.pairs import PairSource, open_pairs
from step1x_edit.training.run.contract import Batches, Deal
from step1x_edit.training.sampler import BatchSampler

EQUAL = {"rtol": 0, "atol": 5e-5}
LEVEL = 64


def encoders_of(pipeline: Step1XEditPipeline, seen: list[Any] | None = None) -> ReleaseEncoders:
    """The tiny pipeline's own encoders; each loading is noted."""

    def load() -> EncodingParts:
        conditioner = Conditioner(
            pipeline.text_encoder,
            pipeline.processor.tokenizer,
            pipeline.processor.image_processor,
            pipeline.conventions,
        )
        if seen is not None:
            seen.append(1)
        return EncodingParts(vae=pipeline.vae, conditioner=conditioner)

    return ReleaseEncoders(hash="tiny", load=load)


def sources_of(*paths: Path) -> list[PairSource]:
    return [open_pairs(SourceConfig(path=str(path))) for path in paths]


def filled(folder: Path, sources: Sequence[PairSource], encoders: ReleaseEncoders, **options: Any) -> Any:
    return fill_cache(sources, folder / "cache", encoders, **{"size_level": LEVEL, "batch": 3, **options})


def require_alike(cached: Conditioning, computed: Conditioning) -> None:
    torch.testing.assert_close(cached.tokens, computed.tokens, **EQUAL)
    assert torch.equal(cached.mask, computed.mask)
    torch.testing.assert_close(cached.positions, computed.positions)
    assert (cached.text_mask is None) == (computed.text_mask is None)
    if cached.text_mask is not None and computed.text_mask is not None:
        assert torch.equal(cached.text_mask, computed.text_mask)
        assert cached.text_embeddings is not None and computed.text_embeddings is not None
        quoted = computed.text_embeddings * computed.text_mask[..., None]
        torch.testing.assert_close(cached.text_embeddings, quoted, **EQUAL)


def latents_of(pipeline: Step1XEditPipeline, picture: Any) -> Tensor:
    frame = exact_frame(*picture.size, size_level=LEVEL)
    with torch.no_grad():
        return pack_latents(encode_pixels(pipeline.vae, vae_pixels(picture, frame, pipeline.conventions)))[0]


@pytest.mark.parametrize("release", ["nano", "v1.0", "v1.1", "v1.2"])
def test_a_cached_example_is_what_the_pipeline_computes_for_the_same_picture_and_sentence(
    tmp_path, release, monkeypatch
):
    pipeline = tiny_pipeline(release)
    write_folder(tmp_path / "pairs", 2, (100, 68))
    (tmp_path / "pairs" / "target" / "0.txt").write_text('Write "Hi 5" on the red square')
    sources = sources_of(tmp_path / "pairs")
    examples = filled(tmp_path, sources, encoders_of(pipeline), languages=("en",))
    conditioned: list[Any] = []
    condition = pipeline._condition
    monkeypatch.setattr(
        pipeline, "_condition", lambda *a, **k: conditioned.append(condition(*a, **k)) or conditioned[-1]
    )
    for number in range(2):
        pair, example = sources[0].pair(number), examples[number]
        assert pair.reference is not None
        # The pipeline's own reference tokens and conditioning, at the same size.
        conditioned.clear()
        pipeline(
            image=pair.reference,
            prompt=pair.instructions["en"],
            size_level=LEVEL,
            num_inference_steps=1,
            true_cfg_scale=2.0,
            output_type="latent",
        )
        conditional, unconditional = conditioned[0]
        require_alike(example.conditioning, conditional)
        require_alike(example.unconditional, unconditional)
        frame = exact_frame(*pair.reference.size, size_level=LEVEL)
        own = pipeline._reference_tokens([pair.reference], frame, pipeline.conventions, None)
        assert own is not None and example.reference is not None
        torch.testing.assert_close(example.reference, own[0], **EQUAL)
        torch.testing.assert_close(example.target, latents_of(pipeline, pair.target), **EQUAL)
        assert (example.columns * 16, example.rows * 16) == frame.canvas


def test_text_to_image_examples_have_the_black_picture_and_its_negative_prompt(tmp_path):
    pipeline = tiny_pipeline("v1.1")
    folder = write_folder(tmp_path / "pairs", 2, (80, 64))
    write_csv(folder, [row | {"reference": "", "mask": ""} for row in table_rows(2)])
    sources = sources_of(folder)
    example = filled(tmp_path, sources, encoders_of(pipeline))[0]
    assert example.reference is None and example.changed is None
    frame = pipeline._frame(None, LEVEL, example.columns * 16, example.rows * 16, parity=False)
    prompts = [sources[0].facts(0).instructions["en"]]
    negatives = pipeline._negatives(None, 1, guided=True, edit=False)
    conditional, unconditional = pipeline._condition(
        None, prompts, negatives, frame, pipeline.conventions, parity=False
    )
    require_alike(example.conditioning, conditional)
    require_alike(example.unconditional, unconditional)


def test_each_language_is_an_example_and_what_they_share_is_stored_once(tmp_path):
    pipeline = tiny_pipeline("nano")
    sources = sources_of(write_folder(tmp_path / "pairs", 2))
    both = filled(tmp_path, sources, encoders_of(pipeline))
    assert len(both) == 4
    assert torch.equal(both[0].target, both[1].target)
    assert not torch.equal(both[0].conditioning.tokens[:, :3], both[1].conditioning.tokens[:, :3])
    shard = both._shards[0]
    assert shard._file.get_slice("target").get_shape()[0] == 2
    assert shard._file.get_slice("spans").get_shape()[0] == 6


@pytest.mark.parametrize("release", ["nano", "v1.1"])
def test_pairs_of_one_reference_look_at_it_once(tmp_path, release):
    pipeline, seen = tiny_pipeline(release), []
    folder = write_folder(tmp_path / "pairs", 3)
    for number in (1, 2):
        (folder / "reference" / f"{number}.png").write_bytes((folder / "reference" / "0.png").read_bytes())
    visual: Any = pipeline.text_encoder.model.visual
    visual.register_forward_hook(lambda _module, _args, output: seen.append(len(output.pooler_output)))
    examples = filled(tmp_path, sources_of(folder), encoders_of(pipeline))
    assert len(seen) == 1 and len(examples) == 6
    assert examples._shards[0]._file.get_slice("reference").get_shape()[0] == 1
    # Three pairs in two languages, and one unconditional form for all.
    assert examples._shards[0]._file.get_slice("spans").get_shape()[0] == 7


def test_the_changed_share_of_a_token_is_the_masks(tmp_path):
    pipeline = tiny_pipeline("nano")
    sources = sources_of(write_folder(tmp_path / "pairs", 1, (64, 64)))
    changed = filled(tmp_path, sources, encoders_of(pipeline), languages=("en",))[0].changed
    assert changed is not None
    expected = torch.zeros(4, 4)
    expected[1, 1] = 1
    assert torch.equal(changed.view(4, 4), expected)


def test_cached_examples_are_dealt_as_batches_with_their_origins(tmp_path):
    sources = sources_of(write_folder(tmp_path / "pairs", 3))
    examples = filled(tmp_path, sources, encoders_of(tiny_pipeline("nano")))
    batches = CachedBatches(examples, BatchSampler(examples.table, batch=4, seed=0, instruction_dropout=0.5))
    assert isinstance(batches, Batches) and batches.batches_in(2) == 3
    deal = batches.deal()
    assert isinstance(deal, Deal)
    assert deal.batch.target.shape[0] == len(deal.batch.conditionings) == len(deal.names) == 4
    assert all(name.startswith("pair '") and name.endswith(("(en)", "(zh)")) for name in deal.names)
    number = examples.names.index(deal.names[0])
    assert torch.equal(deal.batch.target[0], examples[number].target)


def test_nothing_is_encoded_twice_and_a_new_language_only_adds(tmp_path):
    pipeline, loads = tiny_pipeline("nano"), []
    sources = sources_of(write_folder(tmp_path / "pairs", 3))
    first = filled(tmp_path, sources, encoders_of(pipeline, loads), languages=("en",))
    again = filled(tmp_path, sources, encoders_of(pipeline, loads), languages=("en",))
    assert len(loads) == 1 and len(first) == len(again) == 3
    assert torch.equal(first[2].target, again[2].target)
    both = filled(tmp_path, sources, encoders_of(pipeline, loads))
    assert len(loads) == 2 and len(both) == 6
    assert sum(len(shard) for shard in both._shards) == 6
    filled(tmp_path, sources, encoders_of(pipeline, loads), size_level=48)
    assert len(loads) == 3


def test_a_changed_picture_is_encoded_again(tmp_path):
    pipeline, loads = tiny_pipeline("nano"), []
    folder = write_folder(tmp_path / "pairs", 2)
    before = filled(tmp_path, sources_of(folder), encoders_of(pipeline, loads), languages=("en",))
    scene(9).save(folder / "target" / "1.png")
    after = filled(tmp_path, sources_of(folder), encoders_of(pipeline, loads), languages=("en",))
    assert len(loads) == 2
    assert torch.equal(before[0].target, after[0].target)
    assert not torch.equal(before[1].target, after[1].target)


def test_shards_keep_below_their_size(tmp_path):
    pipeline = tiny_pipeline("nano")
    sources = sources_of(write_folder(tmp_path / "pairs", 6))
    examples = filled(tmp_path, sources, encoders_of(pipeline), batch=1, largest_shard=20_000)
    shards = list((tmp_path / "cache" / "tiny").glob("*.safetensors"))
    assert len(shards) > 1
    assert all(shard.stat().st_size < 24_000 for shard in shards)
    assert len(examples) == 12 and not list((tmp_path / "cache" / "tiny").glob(".*.part"))


def test_the_networks_are_gone_afterwards(tmp_path):
    gone: list[weakref.ref[Any]] = []

    def load() -> EncodingParts:
        parts = encoders_of(tiny_pipeline("nano")).load()
        gone.extend(weakref.ref(one) for one in (parts.vae, parts.conditioner.model))
        return parts

    sources = sources_of(write_folder(tmp_path / "pairs", 2))
    examples = filled(tmp_path, sources, ReleaseEncoders(hash="tiny", load=load))
    assert len(gone) == 2 and all(one() is None for one in gone)
    assert examples[0].target.isfinite().all()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import torch; torch.set_num_threads(1)
from test_cache import encoders_of, filled, sources_of
from tiny import tiny_pipeline
folder = Path(sys.argv[1])
def report(progress):
    if progress.stage == "encoding" and progress.done == 4:
        os.kill(os.getpid(), signal.SIGKILL)
options = {"batch": 1, "largest_shard": 1, "languages": ("en",)}
filled(folder, sources_of(folder / "pairs"), encoders_of(tiny_pipeline("nano")), report=report, **options)
"""


def test_a_kill_costs_no_finished_shard(tmp_path):
    write_folder(tmp_path / "pairs", 6)
    here = Path(__file__).parent
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(here), str(here.parent)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "cache" / "tiny").glob("*.safetensors"))) == 3
    done: list[int] = []

    def report(progress: Any) -> None:
        if progress.stage == "encoding":
            done.append(progress.total)

    sources = sources_of(tmp_path / "pairs")
    pipeline = tiny_pipeline("nano")
    continued = filled(tmp_path, sources, encoders_of(pipeline), languages=("en",), report=report)
    assert done[-1] == 3
    whole = filled(tmp_path / "other", sources, encoders_of(pipeline), languages=("en",))
    for number in range(6):
        torch.testing.assert_close(continued[number].target, whole[number].target, **EQUAL)
        require_alike(continued[number].conditioning, whole[number].conditioning)


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import torch; torch.set_num_threads(1)
from step1x_edit.errors import DataError
from test_cache import encoders_of, filled, sources_of
from tiny import tiny_pipeline
folder, pipeline = Path(sys.argv[1]), tiny_pipeline("nano")
sources = sources_of(folder / "pairs")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    filled(folder, sources, encoders_of(pipeline))
except DataError as error:
    sys.exit(str(error))
"""


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing_behind(tmp_path):
    write_folder(tmp_path / "pairs", 2)
    here = Path(__file__).parent
    words = [sys.executable, "-c", FULL, str(tmp_path), str(here), str(here.parent)]
    ended = subprocess.run(words, check=False, capture_output=True, text=True)
    assert "the disk has no room left" in ended.stderr
    assert [file.name for file in (tmp_path / "cache" / "tiny").iterdir() if file.name != ".lock"] == []


def test_a_second_writer_is_refused(tmp_path):
    sources = sources_of(write_folder(tmp_path / "pairs", 1))
    with locked(tmp_path / "cache" / "tiny"), pytest.raises(RequestError, match="another process"):
        filled(tmp_path, sources, encoders_of(tiny_pipeline("nano")))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: scene(0, (96, 48)).save(folder / "reference" / "0.png"), "the reference image has 96 x 48 px"),
        (lambda folder: mask_of((48, 96)).save(folder / "mask" / "0.png"), "the mask has 48 x 96 px"),
        (lambda folder: [file.unlink() for file in folder.glob("target/0*.txt")], "without an instruction"),
        (lambda folder: (folder / "target" / "0.png").unlink(), "does not exist"),
    ],
)
def test_a_pair_that_cannot_be_trained_on_stops_with_its_name(tmp_path, spoil, said):
    folder = write_folder(tmp_path / "pairs", 2)
    spoil(folder)
    with pytest.raises(DataError, match=said) as caught:
        filled(tmp_path, sources_of(folder), encoders_of(tiny_pipeline("nano")))
    assert "pair '0'" in str(caught.value)


def test_what_was_encoded_before_a_broken_pair_stays(tmp_path):
    folder = write_folder(tmp_path / "pairs", 4)
    broken = folder / "target" / "2.png"
    broken.write_bytes(broken.read_bytes()[:-200])
    with pytest.raises(DataError, match="the target of pair '2'"):
        filled(tmp_path, sources_of(folder), encoders_of(tiny_pipeline("nano")), batch=1)
    (shard,) = (tmp_path / "cache" / "tiny").glob("*.safetensors")
    assert len(Shard(shard)) == 4


def test_a_reference_of_the_same_shape_is_brought_to_the_targets_size(tmp_path):
    folder = write_folder(tmp_path / "pairs", 1)
    scene(0, (192, 190)).save(folder / "reference" / "0.png")
    example = filled(tmp_path, sources_of(folder), encoders_of(tiny_pipeline("nano")))[0]
    assert example.reference is not None and example.reference.shape == example.target.shape


def test_a_damaged_shard_is_named(tmp_path):
    sources = sources_of(write_folder(tmp_path / "pairs", 1))
    encoders = encoders_of(tiny_pipeline("nano"))
    filled(tmp_path, sources, encoders)
    (shard,) = (tmp_path / "cache" / "tiny").glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(DataError, match="Delete the file"):
        filled(tmp_path, sources, encoders)


NANO = Path(str(files("step1x_edit") / "nano"))


@pytest.fixture
def nano_encoders() -> Callable[..., ReleaseEncoders]:
    if not (NANO / "transformer" / "config.json").is_file():
        pytest.skip("the embedded release is not in this working copy")
    return lambda **options: release_encoders(find_release("nano"), **{"dtype": torch.float32, **options})


def test_the_embedded_releases_cache_equals_its_pipeline(tmp_path, nano_encoders):
    encoders = nano_encoders()
    sources = sources_of(write_folder(tmp_path / "pairs", 2, (128, 96)))
    example = filled(tmp_path, sources, encoders, size_level=128)[3]
    pair, parts = sources[0].pair(1), encoders.load()
    assert pair.reference is not None
    frame = exact_frame(*pair.reference.size, size_level=128)
    with torch.no_grad():
        latents = pack_latents(encode_pixels(parts.vae, vae_pixels(pair.reference, frame, parts.conventions)))[0]
        answers = parts.conditioner(
            llm_picture(pair.reference, frame, parts.conventions),
            [pair.instructions["zh"], ""],
            generation=frame.canvas,
        )
    assert example.reference is not None
    torch.testing.assert_close(example.reference, latents, rtol=0, atol=2e-4)
    for cached, computed in zip((example.conditioning, example.unconditional), answers, strict=True):
        torch.testing.assert_close(cached.tokens, computed.tokens, rtol=1e-3, atol=2e-3)


def test_other_weights_or_another_type_have_another_hash(tmp_path, nano_encoders):
    assert nano_encoders().hash == nano_encoders().hash
    assert nano_encoders().hash != nano_encoders(dtype=torch.bfloat16).hash
    vae = tmp_path / "vae"
    vae.mkdir()
    for file in (NANO / "vae").iterdir():
        data = bytearray(file.read_bytes())
        if file.suffix == ".safetensors":
            data[-1] ^= 1
        (vae / file.name).write_bytes(bytes(data))
    assert nano_encoders(weights=tmp_path).hash != nano_encoders().hash
