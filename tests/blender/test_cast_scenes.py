"""Casting of training scenes: along a ray come the first thing and what is left when it goes, at their true distances."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")
sys.path.append(str(Path(__file__).resolve().parents[2] / "training" / "hidden_depth"))

from cast_scenes import Cast  # noqa: E402
from mathutils import Vector  # noqa: E402


def add(corners, faces, name: str) -> None:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def wall(y: float, name: str = "wall") -> None:
    add([(-5, y, -5), (5, y, -5), (5, y, 5), (-5, y, 5)], [(0, 1, 2, 3)], name)


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return SimpleNamespace(scene=bpy.context.scene)


def test_a_thing_goes_as_a_whole(scene):
    """Two plates of one object count once; the walls behind it come at their distances, farther ones too."""
    plate = [(-1, 2, -1), (1, 2, -1), (1, 2, 1), (-1, 2, 1)]
    add(plate + [(x, 3, z) for x, _, z in plate], [(0, 1, 2, 3), (4, 5, 6, 7)], "thing")
    wall(4)
    wall(7, "other")
    found = Cast(scene).hits(Vector((0, 0, 0)), Vector((0.1, 1, 0.2)), 3)
    assert [y for y, _ in found] == pytest.approx([2, 4, 7], rel=1e-5)
    assert len({owner for _, owner in found}) == 3
    assert [y for y, _ in Cast(scene).hits(Vector((0, 0, 0)), Vector((0.8, 1, 0)), 3)] == pytest.approx([4], rel=1e-5)


def test_behind_a_ridge_is_the_terrains_own_valley(scene):
    """Of a terrain what faces the camera counts again; its far slope, seen from below, does not."""
    ridge = [(-9, 1, -2), (9, 1, -2), (9, 2, 1), (-9, 2, 1), (9, 3, -2), (-9, 3, -2), (9, 6, 3), (-9, 6, 3)]
    add(ridge, [(0, 1, 2, 3), (3, 2, 4, 5), (5, 4, 6, 7)], "terrain")
    found = Cast(scene).hits(Vector((0, 0, 0)), Vector((0, 1, 0)), 3)
    assert [y for y, _ in found] == pytest.approx([5 / 3, 3 + 2 * 3 / 5], rel=1e-4)
