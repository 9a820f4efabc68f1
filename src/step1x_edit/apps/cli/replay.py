"""``step1x replay``: a result → the same pixels again, from the parameters inside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from PIL import Image

    from step1x_edit.schema.edit import EditParameters, EditRequest, ResolvedSettings

__all__ = ["replay"]


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A result of `step1x edit`.")],
    reference: Annotated[Path | None, typer.Option(help="The reference image, if it has moved.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File of the new picture.  [FILE-replay]")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the release, if they have moved.")] = None,
    device: Annotated[str | None, typer.Option(help="Another device; pixels may differ a little.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Another number type; pixels differ a little.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Another number of processor threads.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Make a result again: the same pixels on the same device, number type, threads and versions."""
    from step1x_edit.apps.cli.engine import Engine, load_editor, parse_adapter
    from step1x_edit.apps.cli.failures import say
    from step1x_edit.apps.cli.progress import edit_progress
    from step1x_edit.apps.cli.sheets import refuse_other_file
    from step1x_edit.apps.cli.stopping import stoppable
    from step1x_edit.pipeline.outcome import read_parameters, require_writable, result_format, save_picture

    parameters = read_parameters(file)
    recorded = parameters.settings
    request = _request(parameters, _find_reference(parameters, file, reference))
    target = out or file.with_stem(f"{file.stem}-replay")
    result_format(target)
    require_writable(target)
    refuse_other_file(target, overwrite=force)
    engine = Engine(
        release=recorded.release,
        weights=weights or recorded.weights,
        device=device or recorded.device,
        dtype=dtype or recorded.dtype,
        threads=threads or recorded.threads,
        adapters=tuple(parse_adapter(f"{adapter.path}:{adapter.scale}") for adapter in recorded.adapters),
        parity=recorded.parity,
    )
    with edit_progress(1) as progress:
        progress.loading(engine.release)
        editor = load_editor(engine)
        with stoppable() as should_stop:
            result = editor.edit(request, on_step=progress.picture(0, file.name), should_stop=should_stop)
            made = result.parameters(parameters.image_index)
            save_picture(result.images[parameters.image_index], target, made, overwrite=force)
    for line in _differences(recorded, result.settings):
        say(f"step1x: {line}")
    typer.echo(f"Replayed: {target} ({_verdict(file, result.images[parameters.image_index])})")


def _find_reference(parameters: EditParameters, file: Path, given: Path | None) -> Path:
    """Return the file with the recorded hash: the one named, or at its old place, or beside the result."""
    from step1x_edit.errors import RequestError

    candidates = [given] if given else list(_usual_places(parameters.reference_path, file))
    found = [path for path in candidates if path.is_file()]
    for path in found:
        if hashlib.sha256(path.read_bytes()).hexdigest() == parameters.reference_sha256:
            return path
    recorded = parameters.reference_path or "a picture that was given in memory"
    what = f"{found[0]}, which has changed since" if found else f"{given or recorded}, which is not there"
    raise RequestError(
        given=f"the reference image {what}",
        expected=f"the file with SHA-256 {parameters.reference_sha256[:16]}…",
        remedy="Say where the original picture is with --reference.",
    )


def _usual_places(recorded: Path | None, file: Path) -> Iterator[Path]:
    if recorded is not None:
        yield recorded
        yield file.parent / recorded
        yield file.parent / recorded.name


def _request(parameters: EditParameters, reference: Path) -> EditRequest:
    from step1x_edit.schema.edit import EditRequest

    recorded = parameters.settings
    by_level = recorded.size_level is not None
    return EditRequest(
        reference=reference,
        instruction=parameters.instruction,
        allow_empty_instruction=True,
        negative_instruction=recorded.negative_instruction,
        seed=recorded.seed,
        steps=recorded.steps,
        guidance_scale=recorded.guidance_scale,
        size_level=recorded.size_level,
        width=None if by_level else recorded.width,
        height=None if by_level else recorded.height,
        images_per_instruction=recorded.images_per_instruction,
    )


def _differences(recorded: ResolvedSettings, now: ResolvedSettings) -> Iterator[str]:
    """Yield a sentence for everything that can move pixels and is not as it was."""
    for name in ("device", "dtype", "threads", "torch_version", "package_version"):
        before, after = getattr(recorded, name), getattr(now, name)
        if before != after:
            yield f"{name.replace('_', ' ')} was {before} and is {after} now; pixels may differ."
    for before, after in zip(recorded.adapters, now.adapters, strict=False):
        if before.sha256 != after.sha256:
            yield f"the adapter {after.path} has changed since; pixels will differ."


def _verdict(file: Path, again: Image.Image) -> str:
    import numpy as np
    from PIL import Image

    from step1x_edit.pipeline.outcome import result_format

    if result_format(file) == "JPEG":
        return "a JPEG cannot tell whether all pixels are the same"
    with Image.open(file) as before:
        if before.mode != again.mode or before.size != again.size:
            return "another kind of picture than before"
        different = int((np.asarray(before) != np.asarray(again)).any(axis=-1).sum())
    return f"{different} pixels differ" if different else "the same pixels"
