"""Scores depth networks on the test split: rank correlation, AbsRel after alignment, order of random pairs.

python training/depth/evaluate.py --data ../shared/data [--weights FILE.safetensors] [--json OUT]
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import rankdata

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests")]

import conftest  # noqa: F401  (makes the checkout importable as photo_diorama)
from pairs import Pair, test_split

Estimator = Callable[[np.ndarray], np.ndarray]
MEASURES = ("spearman", "absrel", "ordinal")


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two vectors; 0 when one of them is constant."""
    a, b = rankdata(first), rankdata(second)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def absrel(guess: np.ndarray, truth: np.ndarray) -> float:
    """Mean |z' - z| / z, z' = 1 / (s guess + t), s, t by least squares on inverse depth; z' ends at the farthest z."""
    design = np.stack([guess, np.ones_like(guess)], 1).astype(np.float64)
    scale, shift = np.linalg.lstsq(design, truth.astype(np.float64), rcond=None)[0]
    aligned = np.maximum(scale * guess + shift, truth.min())
    return float(np.abs(truth / aligned - 1).mean())


def ordinal(guess: np.ndarray, truth: np.ndarray, count: int = 10_000, seed: int = 0) -> float:
    """The part of random pairs, more than 5 % apart in depth, whose nearer pixel is right; a tie is half right."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(len(truth), size=(2, 6 * count))
    apart = np.flatnonzero(np.maximum(truth[a], truth[b]) > 1.05 * np.minimum(truth[a], truth[b]))[:count]
    a, b = a[apart], b[apart]
    right, tie = np.sign(guess[a] - guess[b]) == np.sign(truth[a] - truth[b]), guess[a] == guess[b]
    return float(np.where(tie, 0.5, right).mean())


def score(estimate: Estimator, pair: Pair, most: int = 30_000) -> dict[str, float]:
    """The three measures of one picture, on at most `most` random valid pixels at the truth's size."""
    height, width = pair.inverse.shape
    guess = cv2.resize(estimate(pair.photo).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    pick = np.flatnonzero(pair.valid)
    pick = np.random.default_rng(0).permutation(pick)[:most]
    guess, truth = guess.ravel()[pick], pair.inverse.ravel()[pick]
    return {"spearman": spearman(guess, truth), "absrel": absrel(guess, truth), "ordinal": ordinal(guess, truth)}


def meter(folder: Path) -> Estimator:
    """METER xxs as ONNX, its depth inverted."""
    import onnxruntime

    sessions = [onnxruntime.InferenceSession(str(folder / f"meter_nyu_xxs_{name}.onnx")) for name in ("192x256", "256x192_portrait")]

    def estimate(photo: np.ndarray) -> np.ndarray:
        upright = photo.shape[0] > photo.shape[1]
        small = cv2.resize(photo, (192, 256) if upright else (256, 192), interpolation=cv2.INTER_AREA)
        pixels = (small.astype(np.float32) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        depth = sessions[upright].run(None, {"image": pixels.transpose(2, 0, 1)[None].astype(np.float32)})[0][0, 0]
        return 1 / np.maximum(depth, 1e-3 * np.abs(depth).max())

    return estimate


def untrained() -> Estimator:
    """This network with ImageNet weights in the encoder and random ones in the decoder."""
    from photo_diorama.core.networks.depth.embedded_depth_net import EmbeddedDepthNet, infer

    torch.manual_seed(0)
    network = EmbeddedDepthNet()
    from pretrained import load_imagenet

    load_imagenet(network.encoder)
    network.eval()
    return lambda photo: infer(network, photo, flip=False)


def shipped(weights: Path, flip: bool, long_side: int) -> Estimator:
    from photo_diorama.core.networks.depth.embedded_depth_net import infer, load_network

    network = load_network(weights)
    return lambda photo: infer(network, photo, long_side, flip)


def table(estimators: dict[str, Estimator], pairs: list[Pair]) -> dict[str, dict[str, dict[str, float]]]:
    """{estimator: {collection or "mean": {measure: value}}}; the mean is over the collections."""
    result = {}
    for name, estimate in estimators.items():
        scores: dict[str, list[dict[str, float]]] = {}
        for pair in pairs:
            scores.setdefault(pair.collection, []).append(score(estimate, pair))
        rows = {collection: {m: float(np.mean([s[m] for s in some])) for m in MEASURES} for collection, some in scores.items()}
        rows["mean"] = {m: float(np.mean([row[m] for row in rows.values()])) for m in MEASURES}
        result[name] = rows
    return result


def markdown(result: dict) -> str:
    """One table a measure, estimators down, collections across."""
    lines = []
    for measure in MEASURES:
        collections = list(next(iter(result.values())))
        lines += [f"| {measure} | " + " | ".join(collections) + " |", "|---" * (len(collections) + 1) + "|"]
        lines += [f"| {name} | " + " | ".join(f"{rows[c][measure]:.3f}" for c in collections) + " |" for name, rows in result.items()]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    from photo_diorama.core.networks.depth.embedded_depth_net import LONG_SIDE, WEIGHTS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of reference data")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--options", action="store_true", help="also without flip, and at other sizes")
    parser.add_argument("--in-use", action="store_true", help="also the bundled networks together, as the extension runs them")
    parser.add_argument("--long-side", type=int, default=LONG_SIDE)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="more only on an idle machine: waiting threads burn their time")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    estimators: dict[str, Estimator] = {"ours": shipped(options.weights, True, options.long_side)}
    if options.options:
        estimators["ours, no flip"] = shipped(options.weights, False, options.long_side)
        for side in (256, 320, 480):
            estimators[f"ours, {side} px"] = shipped(options.weights, True, side)
    if options.in_use:
        from photo_diorama.core.built_in.depth import estimate_with_edges

        estimators["in use"] = lambda photo: estimate_with_edges(photo).disparity
    if not options.only_ours:
        estimators |= {
            "METER": meter(options.data / "meter_baseline"),
            "constant": lambda photo: np.ones(photo.shape[:2], np.float32),
            "vertical gradient": lambda photo: np.repeat(np.linspace(0, 1, photo.shape[0], dtype=np.float32)[:, None], photo.shape[1], 1),
            "untrained decoder": untrained(),
        }
    result = table(estimators, list(test_split(options.data)))
    print(markdown(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
