"""Neither eye of a stereo film sees past the photo's edge where the framing is clean."""

import cv2
import numpy as np
import pytest

from photo_diorama.operators.scene.root import objects_by_role


@pytest.mark.parametrize("move", ["swing", "dolly-zoom"])
def test_both_eyes_see_the_photo_up_to_their_frames_edge(import_photo, street, blender, tmp_path, move):
    """Without border, backdrop and hidden layers what is not photographed is black; the photo's darkest level is far from that."""
    root = import_photo(*street)
    for role, ob in objects_by_role(root).items():
        ob.hide_render = role in ("border", "backdrop")
    seen = {}
    for framing in ("clean", "whole"):
        blender.ops.photo_diorama.apply_move(camera_move=move, frames=3, framing=framing)
        sensor = objects_by_role(root)["camera"].data.sensor_width
        blender.ops.photo_diorama.render_output(
            filepath=str(tmp_path / framing), stereo="side-by-side", eye_distance=0.2, convergence=3.0, render_side=128
        )
        assert objects_by_role(root)["camera"].data.sensor_width == sensor  # the user's own camera stays
        frames = [cv2.imread(str(path)).max(axis=2) for path in sorted((tmp_path / framing).iterdir())]
        assert len(frames) == 3 and frames[0].shape == (96, 256)
        rims = [np.concatenate([eye[:, :2].ravel(), eye[:, -2:].ravel(), eye[:2].ravel(), eye[-2:].ravel()])
                for frame in frames for eye in (frame[:, :128], frame[:, 128:])]  # fmt: skip
        seen[framing] = max(float((rim < 12).mean()) for rim in rims)
    assert seen["clean"] < 0.02 and seen["whole"] > 0.1
