"""Things selected by clicks: the mask that they make, and that all tools for regions take it."""

import numpy as np
import pytest
from layer_state import image, parts, values

BOARD = (slice(30, 90), slice(53, 107))
"""Where the board of the street photo is, rows and columns of 160 x 120."""


@pytest.fixture
def root(blender, street, import_photo):
    return import_photo(*street, long_side=160)


def mask(root) -> np.ndarray:
    return values(image(root, "photo_diorama_mask")) > 0.5


def click(blender, u, v, **options):
    assert blender.ops.photo_diorama.select_by_click(point=(u, v), **options) == {"FINISHED"}


def test_clicks_add_things_and_take_them_out(blender, root):
    board = np.zeros((120, 160), bool)
    board[BOARD] = True
    click(blender, 0.5, 0.5)
    overlap = (mask(root) & board).sum() / (mask(root) | board).sum()
    assert overlap > 0.9
    first = mask(root).sum()
    click(blender, 0.1, 0.1)
    assert mask(root).sum() > first and (mask(root) & board).sum() > 0.9 * board.sum()
    click(blender, 0.5, 0.5, remove=True)
    assert (mask(root) & board).sum() < 0.1 * board.sum()
    click(blender, 0.5, 0.5, extend=False)
    assert (mask(root) & ~board).sum() < 0.1 * board.sum()


def test_the_clicks_alone_are_refused_in_a_sentence(blender, root):
    with pytest.raises(RuntimeError, match="start Select by Click") as refused:
        blender.ops.photo_diorama.click_things()
    assert "Traceback" not in str(refused.value)


def test_what_f9_and_repeat_last_run_again_after_clicks_by_hand_adds_no_click(blender, root):
    """Blender calls execute anew with the properties of the operator that was invoked in the window."""
    click(blender, 0.1, 0.1)
    before = mask(root).copy()
    assert blender.ops.photo_diorama.select_by_click(by_hand=True) == {"CANCELLED"}
    assert np.array_equal(mask(root), before)


def test_what_was_clicked_is_pushed_or_split_off(blender, root):
    click(blender, 0.5, 0.5)
    before = image(root)
    assert before is None and blender.ops.photo_diorama.split_layer() == {"FINISHED"}
    assert "part 1 photo" in parts(root)
    blender.context.view_layer.objects.active = root
    assert blender.ops.photo_diorama.push_depth(gap=0.1) == {"FINISHED"}


def test_a_click_is_one_step_of_undo(blender, root):
    name = root.name
    blender.ops.ed.undo_push(message="imported")
    assert blender.ops.photo_diorama.select_by_click("EXEC_DEFAULT", True, point=(0.5, 0.5)) == {"FINISHED"}
    assert mask(blender.data.objects[name]).any()
    blender.ops.ed.undo()
    assert image(blender.data.objects[name], "photo_diorama_mask") is None
