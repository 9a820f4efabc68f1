"""What a checkpoint says about itself: release, sizes, whether v1.0's scale factor is folded already.

It stands in the ``config.json`` beside a diffusers folder and in the metadata of the safetensors files this package
writes. Shapes cannot tell v1.1 from v1.2-preview or a folded v1.0, so the release has to be written down.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint.source import WeightFiles
from step1x_edit.models.checkpoint.stored_form import StoredWeights
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR, SCALE_FACTOR_RELEASES, TEXT_MAPPING
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.presets.releases import find_release

__all__ = ["Record", "check_release", "metadata_of", "read_record", "resolve_config", "sizes_of"]

_OWN_ARGUMENTS = ("release", "conventions")
_SIZES = tuple(
    name
    for name in inspect.signature(Step1XEditTransformer2DModel.__init__).parameters
    if name not in ("self", *_OWN_ARGUMENTS)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A transformer checkpoint's own words."""

    release: str | None
    folded: bool
    """Whether the file says that v1.0's scale factor is in ``connector.global_proj_out`` already."""
    sizes: dict[str, Any] = field(default_factory=dict)
    """Arguments of the network, as far as they are written down."""
    conventions: dict[str, Any] | None = None


def read_record(files: WeightFiles) -> Record:
    """Return what is written down with the weights.

    Raises:
        CheckpointError: File and ``config.json`` name different releases.
    """
    noted = files.metadata.get("release")
    release = files.config.get("release") or noted
    if noted and noted != release:
        raise CheckpointError(
            given=f"{files.path}, whose weights say release {noted} and whose config.json says {release}",
            expected="one release",
            remedy="Convert or download the folder again; its files belong to different versions.",
        )
    sizes = _noted_sizes(files) | files.config
    return Record(
        release=release,
        folded=files.metadata.get("folded") == SCALE_FACTOR or files.config.get("release") is not None,
        sizes={name: _as_written(value) for name, value in sizes.items() if name in _SIZES},
        conventions=files.config.get("conventions"),
    )


def _noted_sizes(files: WeightFiles) -> dict[str, Any]:
    text = files.metadata.get("config", "{}")
    try:
        sizes = json.loads(text)
    except ValueError:
        sizes = None
    return sizes if isinstance(sizes, dict) else {}  # another program's idea of a config is not ours


def _as_written(value: Any) -> Any:
    """Return an argument as the network's signature has it: JSON knows lists where that has tuples."""
    return tuple(value) if isinstance(value, list) else value


def metadata_of(*, release: str, layout: str, folded: bool, sizes: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata this package writes into a transformer's safetensors file; :func:`read_record` reads it."""
    metadata = {"format": "pt", "release": release, "layout": layout, "config": json.dumps(dict(sizes))}
    return metadata | ({"folded": SCALE_FACTOR} if folded else {})


def resolve_config(release: str, record: Record, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return all arguments of the network: published sizes, then what the checkpoint says, then ``config``.

    ``config`` may be a whole ``config.json``; names that begin with an underscore are diffusers' own and passed over.

    Raises:
        CheckpointError: ``config`` has a name the network does not know, or is of another release.
        MissingRelease: Unknown release.
    """
    conventions = find_release(release).conventions
    given = {name: _as_written(value) for name, value in (config or {}).items() if not name.startswith("_")}
    if given.get("release") not in (None, release):
        raise CheckpointError(
            given=f"a config of release {given['release']} for weights of {release}",
            expected="one release",
            remedy="Name the release the weights belong to.",
        )
    unknown = sorted(given.keys() - set(_SIZES) - set(_OWN_ARGUMENTS))
    if unknown:
        raise CheckpointError(
            given=f"the network sizes {', '.join(unknown)}",
            expected=f"names of the published config.json: {', '.join(_SIZES)}",
            remedy="Correct the names; sizes that are left out are the published ones.",
        )
    published = {"out_channels": 64, "enable_text_token_mapping": conventions.text_mapping}
    return {
        **published,
        **record.sizes,
        **given,
        "release": release,
        "conventions": given.get("conventions") or record.conventions or conventions.model_dump(),
    }


def sizes_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes among a network's arguments, without release and conventions."""
    return {name: arguments[name] for name in _SIZES if name in arguments}


def check_release(stored: StoredWeights, record: Record, *, release: str, layout: str) -> None:
    """Stop when the checkpoint belongs to another release.

    Args:
        stored: The checkpoint.
        record: What it says about itself.
        release: What the caller says it is.
        layout: ``official`` or ``diffusers``.

    Raises:
        CheckpointError: The record names another release, or a tensor that only some releases have is there or is not.
    """
    if record.release is not None and record.release != release:
        raise _other_release(stored, release, f"the recorded release {record.release}")
    has_factor = SCALE_FACTOR in stored.tensors
    if has_factor and release not in SCALE_FACTOR_RELEASES:
        raise _other_release(stored, release, f"{SCALE_FACTOR}, which only {', '.join(SCALE_FACTOR_RELEASES)} has")
    if release in SCALE_FACTOR_RELEASES:
        recorded = record.folded and record.release == release
        if has_factor and recorded and layout == "diffusers":
            raise _other_release(stored, release, f"{SCALE_FACTOR} in weights recorded as folded")
        if not has_factor and not (recorded and layout == "diffusers"):
            raise _other_release(stored, release, f"no {SCALE_FACTOR} and no record that it was folded")
    if TEXT_MAPPING in stored.tensors and not find_release(release).conventions.text_mapping:
        raise _other_release(stored, release, "text_token_mapping, which only v1.2 and v1.2-preview have")


def _other_release(stored: StoredWeights, release: str, found: str) -> CheckpointError:
    return CheckpointError(
        given=f"{stored.files.path} as release {release}, with {found}",
        expected=f"weights of {release}",
        remedy="Name the release the weights belong to; `step1x inspect FILE` shows what the file says.",
    )
