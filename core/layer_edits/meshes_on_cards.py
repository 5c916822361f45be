"""Moves the vertices of surfaces that are cards exactly onto them, along the photo camera's rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..camera.camera import Camera
from ..layers.layered_depth_image import LayeredDepthImage
from ..mesh.triangulate import LayeredMesh, TexturedMesh
from .cards import card_disparity


def meshes_on_cards(mesh: LayeredMesh, image: LayeredDepthImage) -> LayeredMesh:
    """The mesh with each card's vertices on its polynomial. What shares a place with one of them goes with it, so no seam opens."""
    for role, card in image.cards:
        mesh = replace(mesh, meshes=_bend_onto_card(mesh.meshes, role, card, mesh.camera))
    return mesh


def _bend_onto_card(meshes: tuple[TexturedMesh, ...], role: str, card: tuple[float, ...], camera: Camera) -> tuple[TexturedMesh, ...]:
    start = role.removesuffix("photo")
    own = {role, f"{start}border"} if role.endswith("photo") and role.split()[0] in ("photo", "part") else {role}
    places = [_as_words(each.vertices) for each in meshes if each.role in own]
    if not places:
        return meshes
    moved = np.unique(np.concatenate(places))
    result = []
    for each in meshes:
        chosen = np.ones(len(each.vertices), bool) if each.role in own else np.isin(_as_words(each.vertices), moved)
        if chosen.any():
            vertices = each.vertices.copy()
            vertices[chosen] = project_onto_card(each.vertices[chosen], card, camera)
            normals = None if each.normals is None else vertex_normals(vertices, each.triangles)
            each = replace(each, vertices=vertices, normals=normals)
        result.append(each)
    return tuple(result)


def project_onto_card(vertices: np.ndarray, card: tuple[float, ...], camera: Camera) -> np.ndarray:
    """(V, 3) float32: the points where the camera's rays through (V, 3) points meet the card."""
    u, v = camera.project(vertices.astype(np.float64))
    disparity = np.maximum(card_disparity(card, u / camera.width, v / camera.height), 1e-9)
    return camera.unproject(u, v, 1 / disparity).astype(np.float32)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) float32: unit normals at vertices, from the triangles round them, towards the camera."""
    a, b, c = (vertices[corner].astype(np.float64) for corner in triangles.T)
    total = np.zeros(vertices.shape)
    for corner in triangles.T:
        np.add.at(total, corner, np.cross(b - a, c - a))
    total *= np.where((total * vertices).sum(axis=1) > 0, -1, 1)[:, None]
    return (total / np.maximum(np.linalg.norm(total, axis=1), 1e-30)[:, None]).astype(np.float32)


def _as_words(vertices: np.ndarray) -> np.ndarray:
    """(V,) void: each vertex as one value, equal where all its bits are."""
    return np.ascontiguousarray(vertices).view(np.dtype((np.void, 12))).ravel()
