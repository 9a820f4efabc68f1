"""The preset dial knows every release and orders its steps."""

import pytest

from step1x_edit.presets.releases import find_release, release_ids
from step1x_edit.presets.sampling import resolve_sampling, sampling_presets
from step1x_edit.schema.edit import EditRequest


def test_presets_name_known_releases_only():
    for preset in sampling_presets().values():
        assert set(preset.steps) <= set(release_ids())


@pytest.mark.parametrize("release_id", release_ids())
def test_more_quality_never_means_fewer_steps(release_id):
    release = find_release(release_id)
    steps = [
        resolve_sampling(EditRequest(reference=b"", instruction="x", preset=preset), release).steps
        for preset in ("fast", "balanced", "best")
    ]
    assert steps == sorted(steps)
    assert steps[0] < steps[1] == release.defaults.steps


def test_what_the_request_states_wins_over_the_preset():
    request = EditRequest(reference=b"", instruction="x", steps=3, guidance_scale=1, size_level=128, preset="best")
    resolved = resolve_sampling(request, find_release("v1.2"))
    assert (resolved.steps, resolved.guidance_scale, resolved.size_level) == (3, 1, 128)
