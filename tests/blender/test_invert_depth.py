"""A depth map that is inside out is seen before anything is built, and turned by one button afterwards."""

import time
from pathlib import Path

import numpy as np

from photo_diorama.core.settings import Settings
from photo_diorama.operators.scene.root import find_root, kept_settings, kept_source
from photo_diorama.operators.staging import depth_preview


def test_the_button_turns_the_depth_and_back(blender, street, tmp_path):
    photo, _ = street
    metres = np.load(street[1]) if str(street[1]).endswith("npy") else None
    depth = tmp_path / "turned.npy"
    rows = np.linspace(1, 5, 48)[:, None] + np.zeros(64)
    np.save(depth, rows if metres is None else metres.max() + metres.min() - metres)
    blender.ops.photo_diorama.import_photo(filepath=str(photo), depth=str(depth), long_side=96, depth_kind="metric", ask=False)
    root = find_root(blender.context.object)
    nearest = kept_source(root)["focus_m"]
    assert blender.ops.photo_diorama.invert_depth() == {"FINISHED"}
    assert kept_settings(root)["invert_depth"] is True and kept_source(root)["focus_m"] != nearest
    assert "inverted" in kept_source(root)["depth_source"]
    assert blender.ops.photo_diorama.invert_depth() == {"FINISHED"}
    assert kept_settings(root)["invert_depth"] is False and kept_source(root)["focus_m"] == nearest


def test_photo_and_depth_are_shown_side_by_side(blender, street):
    files = [Path(street[0]), Path(street[1])]
    shown = depth_preview._look(*files, Settings())
    key = next(key for key, value in depth_preview._shown.items() if value is shown)
    for _ in range(1200):
        if depth_preview._publish(key) is None:
            break
        time.sleep(0.05)
    preview = depth_preview._previews[str(key)]  # whose icon has a number only where there is a window
    width, height = preview.image_size
    assert width == height and Path(street[1]).name in shown.description
    pixels = np.reshape(preview.image_pixels_float, (height, width, 4))
    assert pixels[..., 3].any() and pixels[..., 0].max() > 0.5
    assert depth_preview._look(*files, Settings()) is shown
    other = depth_preview._look(*files, Settings().with_values({"invert_depth": True}))
    assert other is not shown


def test_what_is_wrong_with_a_depth_file_is_said_before_it_is_built(blender, street, tmp_path):
    (tmp_path / "a.npy").write_bytes(b"nothing")
    shown = depth_preview._look(Path(street[0]), tmp_path / "a.npy", Settings())
    key = next(key for key, value in depth_preview._shown.items() if value is shown)
    for _ in range(1200):
        if depth_preview._publish(key) is None:
            break
        time.sleep(0.05)
    assert not shown.icon and "a.npy" in shown.description
