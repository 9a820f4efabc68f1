"""An edit split over two processes (Ulysses) equals the edit of one."""

import numpy as np
import torch
import torch.distributed as dist
from diffusers import ContextParallelConfig
from PIL import Image
from tiny import tiny_pipeline
from torch.multiprocessing import start_processes
from torch.testing import assert_close


def edit(pipeline):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    return pipeline(
        image,
        "make it red",
        size_level=48,
        num_inference_steps=2,
        true_cfg_scale=3.0,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
    ).images


def share_an_edit(rank, folder):
    # diffusers deals the ranks out over the machine's accelerators and divides by their number.
    torch.accelerator.device_count = lambda: 1
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for release in ("v1.1", "v1.2"):
        pipeline = tiny_pipeline(release)
        expected = edit(pipeline)
        pipeline.transformer.set_attention_backend("native")
        # v1.2 does not pad its context, so its length need not divide by the degree.
        config = ContextParallelConfig(ulysses_degree=2, ulysses_anything=not pipeline.conventions.pad_text)
        pipeline.transformer.enable_parallelism(config=config)
        assert_close(edit(pipeline), expected, rtol=0, atol=1e-5)
    dist.destroy_process_group()


def test_two_processes_make_the_edit_of_one(tmp_path):
    start_processes(share_an_edit, args=(str(tmp_path),), nprocs=2, start_method="fork")
