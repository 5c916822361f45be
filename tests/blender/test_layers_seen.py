"""Whatever is changed behind the photo, the photo's own camera sees the photo; from beside the change is seen."""

import json

import numpy as np
import pytest
from layer_state import mask_on, parts
from PIL import Image
from test_materials import CLOSEST, view  # noqa: F401
from test_update_layers import folder, paint_file, update  # noqa: F401


@pytest.fixture(params=[0.0, 0.02], ids=["hard", "soft"])
def street_root(request, street, import_photo):
    return import_photo(*street, border=0.1, soft_edge=request.param, **CLOSEST)


def test_the_photo_is_seen_as_before_and_the_change_from_beside(blender, street, street_root, folder, update, view):  # noqa: F811
    photo, before = np.asarray(Image.open(street[0]).convert("RGB")).astype(float), view()
    assert np.abs(before - photo).max() <= 1
    paint_file(folder)
    paint_file(folder, square=(0.5, 0.7, 0.0, 1.0), alpha=0)
    index = json.loads((folder / "layers.json").read_text())
    Image.new("RGBA", tuple(index["canvas"]), (0, 0, 0, 0)).save(folder / "sign.png")
    paint_file(folder, "sign.png", (0.3, 0.7, 0.3, 0.7), (0, 255, 0), 255)
    index["layers"].insert(1, {"name": "sign", "file": "sign.png"})
    (folder / "layers.json").write_text(json.dumps(index))
    assert update(street_root, folder) == {"FINISHED"}
    assert np.array_equal(view(), before)
    mask_on(blender, street_root, (60, 110), (10, 60))
    assert blender.ops.photo_diorama.split_layer() == {"FINISHED"}
    blender.context.view_layer.objects.active = parts(street_root)["part 1 photo"]
    assert blender.ops.photo_diorama.lay_on_card(card="CURVED") == {"FINISHED"}
    assert np.abs(view() - photo).max() <= 1
    rig = parts(street_root)["rig"]
    rig.location.x += 0.6
    beside = view()
    assert (np.abs(beside - (0, 255, 0)).max(axis=2) < 3).sum() > 20, "the sign is seen"
