"""Trains the silhouettes' network: depth that is sharp at silhouettes, and where silhouettes lie.

    python training/depth/train_edges.py --rendered CACHE/rendered --photos DIR [DIR ...] --run CACHE/edges --minutes 90
    python training/depth/train_edges.py ... --cool 10      (lets the rate fall to nothing: the weights to ship)

It begins as a copy of a depth network, or goes on from itself (`--start`), and learns, from pictures of `--long-side` px, relative
inverse depth whose steps are sharp and in place, and the probability that a pixel lies at an occlusion boundary. The encoder learns
after `--frozen` minutes; its finest stages never do. Checkpoints, rates and minutes as in `train.py`.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

from collections.abc import Iterator

import train
import losses
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from photo_diorama.core.networks.depth.embedded_depth_net import EmbeddedDepthNet, form_of, load_network
from samples import PASTED, RENDERED, Sample, Source

PASTED_SHARE = 0.25
"""Cut-outs before photographs: true silhouettes before real backgrounds, with nothing else known."""
CUT_OUT_SHARE = 0.25
"""Of the renders, with another cut-out before them."""
BOUNDARY_WEIGHT = 4.0
"""Pixels of a boundary count so much more than others: they are few."""


class EdgeSource(Source):
    """Samples in which silhouettes are frequent."""

    def draw(self, shape: tuple[int, int]) -> Sample:
        if self.photos and self.rng.random() < PASTED_SHARE:
            pasted = self._pasted(shape)
            if pasted is not None:
                return pasted
        photos, self.photos = self.photos, []
        cut_outs = self.cut_outs
        try:
            if self.rng.random() > CUT_OUT_SHARE / 0.12:
                self.cut_outs = []
            return super().draw(shape)
        finally:
            self.photos, self.cut_outs = photos, cut_outs


def boundary_loss(logit: Tensor, boundary: Tensor, valid: Tensor) -> Tensor:
    """Weighted cross entropy and one minus the Dice coefficient (Milletari et al. 2016, equation 3); (N, H, W) each, per image (N,)."""
    weight = valid * (1 + (BOUNDARY_WEIGHT - 1) * boundary)
    entropy = functional.binary_cross_entropy_with_logits(logit, boundary, reduction="none")
    entropy = (entropy * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
    share = torch.sigmoid(logit) * valid
    both, each = (share * boundary).sum((1, 2)), (share * share).sum((1, 2)) + (boundary * valid).sum((1, 2))
    return entropy + 0.5 * (1 - (2 * both + 1) / (each + 1))


def steps_in_place(guess: Tensor, truth: Tensor, valid: Tensor, boundary: Tensor, reach: int = 5) -> Tensor:
    """Gradients at two scales in the band beside true boundaries; per image, (N,)."""
    band = functional.max_pool2d(boundary[:, None], 2 * reach + 1, 1, reach)[:, 0]
    return losses.gradient(guess, truth, valid, 2, band)


def objective(guess: Tensor, logit: Tensor, batch: list[Sample], inverse: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """The losses, means over the images that each applies to, at half the pictures' size; (N, h, w) `guess` and `logit`."""
    boundary = losses.occlusion_edges(inverse)[:, None].float()
    boundary = functional.max_pool2d(boundary, 2)[:, 0]  # both sides of a tear, at half size
    inverse, valid = inverse[:, ::2, ::2], valid[:, ::2, ::2]
    rendered = torch.tensor([float(s.kind == RENDERED) for s in batch], device=guess.device)
    pasted = torch.tensor([float(s.kind == PASTED) for s in batch], device=guess.device)
    level = losses.standardise(guess, valid)
    truth = losses.standardise(inverse, valid).clamp(-8, 8)
    log_truth = losses.standardise(torch.log(inverse / inverse.amax((1, 2), keepdim=True).clamp(min=1e-6) + 0.02), valid)
    first, second, sign = losses.random_pairs(inverse, valid, 1500)
    mixed = (truth + log_truth) / 2
    terms = {
        "affine": losses.affine_invariant(level, truth, valid) * rendered,
        "gradient": 0.5 * losses.gradient(level, mixed, valid) * rendered,
        "steps": 2.0 * steps_in_place(level, mixed, valid, boundary) * rendered,
        "order": 0.4 * losses.order(level, first, second, sign) * (rendered + pasted),
        "boundary": 1.5 * boundary_loss(logit, boundary, valid.float()) * (rendered + pasted),
    }
    return {name: value.sum() / len(batch) for name, value in terms.items()}


def begin(options) -> EmbeddedDepthNet:
    """The network of `--start`, its decoder with a second output."""
    started = load_network(options.start).state_dict()
    network = EmbeddedDepthNet(form_of(started)[0], outputs=2)
    state = network.state_dict()
    for name, value in started.items():
        if name not in state:
            continue  # the head for the shift
        state[name][: value.shape[0]].copy_(value) if value.dim() else state[name].copy_(value)
    return network.to(options.device, memory_format=torch.channels_last)


def step_once(network: EmbeddedDepthNet, batch: list[Sample], frozen: bool) -> dict[str, Tensor]:
    """The losses of one batch, ready to be summed and differentiated."""
    device = next(network.parameters()).device
    photo, inverse, valid = train.tensors(batch, device)
    maps = train.encode(network, photo, len(network.encoder.stages) if frozen else train.FROZEN_STAGES)
    with torch.autocast(device.type, torch.bfloat16):
        half = network.decoder(maps)
    return objective(half[:, 0].float(), half[:, 1].float(), batch, inverse, valid)


def batches(options, seed: int) -> Iterator[list[Sample]]:
    """Endless batches in which silhouettes are frequent."""
    source = EdgeSource(options.rendered, train.read_photos(options.photos, 640), None, [], np.random.default_rng(seed))
    while True:
        yield source.batch(options.batch, options.long_side)


def main() -> None:
    options = train.prepared()
    network = begin(options)
    train.learn(options, network, train.groups(network, options), lambda seed: batches(options, seed), step_once)


if __name__ == "__main__":
    main()
