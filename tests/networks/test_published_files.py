"""The files of the authors' published networks: the official layout, missing ones, unchecked ones, changed ones."""

import os
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from layer_checks import assert_layers_are_sound  # noqa: E402
from made_inpainters import (  # noqa: E402
    KINDS,
    bring,
    narrow_files,
    official_files,
)
from scenes import t_junction  # noqa: E402

from photo_diorama.core.errors import DioramaError  # noqa: E402
from photo_diorama.core.inpaint.needed_networks import Downloaded  # noqa: E402
from photo_diorama.core.pipeline import StageCache, build_diorama  # noqa: E402
from photo_diorama.core.settings import Settings  # noqa: E402

SETTINGS = Settings().with_values({"inpainter": "published", "depth_kind": "metric", "border": 0.2, "device": "cpu"})


@pytest.fixture
def models(monkeypatch, tmp_path) -> Path:
    """A models folder into which narrow networks were imported as the published ones."""
    (tmp_path / "files").mkdir()
    bring(monkeypatch, tmp_path / "models", narrow_files(tmp_path / "files"))
    return tmp_path / "models"


def test_files_in_the_official_layout_work(monkeypatch, tmp_path):
    """As large as the published ones, with their names, spectral norms and mask branch, imported and run."""
    bring(monkeypatch, tmp_path / "models", official_files(tmp_path))
    diorama = build_diorama(*t_junction().saved(tmp_path), SETTINGS.with_values({"passes": 1, "long_side": 96}), models=tmp_path / "models")
    assert_layers_are_sound(diorama.image)


@pytest.mark.parametrize("key", KINDS)
def test_a_missing_file_is_named_before_anything_is_done(monkeypatch, tmp_path, key):
    files = narrow_files(tmp_path)
    del files[key]
    bring(monkeypatch, tmp_path / "models", files)
    started = []
    with pytest.raises(DioramaError) as told:
        build_diorama(*t_junction().saved(tmp_path), SETTINGS, models=tmp_path / "models", progress=lambda *step: started.append(step))
    message = str(told.value)
    assert key in message and "import" in message and "download" in message and "diffusion" in message and not started
    assert not any(other in message for other in KINDS if other != key)
    assert ("CC-BY-NC-4.0" in message) == (key == "shih2020_edge")


def test_no_models_folder_and_no_files_are_told_in_one_sentence(tmp_path):
    photo, depth = t_junction().saved(tmp_path)
    with pytest.raises(DioramaError, match="models folder"):
        build_diorama(photo, depth, SETTINGS)
    with pytest.raises(DioramaError) as told:
        build_diorama(photo, depth, SETTINGS, models=tmp_path)
    assert all(key in str(told.value) for key in KINDS)


def test_a_file_that_nobody_checked_is_not_taken(models):
    (models / "hashes.json").unlink()
    with pytest.raises(DioramaError, match="never checked"):
        Downloaded(models).paths("published")


def test_the_kept_result_goes_with_the_files(models, tmp_path):
    files, kept = t_junction().saved(tmp_path), StageCache()
    first = build_diorama(*files, SETTINGS, models=models, kept=kept)
    assert build_diorama(*files, SETTINGS, models=models, kept=kept).image is first.image
    os.utime(next(models.glob("color-model*")), ns=(1, 1))
    assert build_diorama(*files, SETTINGS, models=models, kept=kept).image is not first.image
    other = SETTINGS.with_values({"inpainter": "diffusion"})
    assert build_diorama(*files, other, models=models, kept=kept).image is not first.image
