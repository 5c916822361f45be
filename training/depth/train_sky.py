"""Trains what a depth network says of sky, and nothing else of it: after weights have been mixed, the old head fits no longer.

    python training/depth/train_sky.py --rendered CACHE/rendered --run CACHE/sky --start WEIGHTS --minutes 5

Options, checkpoints and what is exported are those of `train.py`; the variant is that of `--start`.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import losses
import torch
import train
from photo_diorama.core.networks.depth.embedded_depth_net import EmbeddedDepthNet, form_of, load_network
from samples import RENDERED, Sample


def begin(options: argparse.Namespace) -> EmbeddedDepthNet:
    """The network of `--start`; what it says of sky stays where it does."""
    state = load_network(options.start).state_dict()
    variant, outputs, units, _ = form_of(state)
    network = EmbeddedDepthNet(variant, outputs, units, sky=True)
    network.load_state_dict(state, strict=False)
    return network.to(options.device, memory_format=torch.channels_last)


def step_once(network: EmbeddedDepthNet, batch: list[Sample], frozen: bool) -> dict[str, torch.Tensor]:
    """The loss of one batch on renders, ready to be differentiated; batch norms keep their statistics."""
    network.eval()
    photo, inverse, _ = train.tensors(batch, next(network.parameters()).device)
    with torch.no_grad():
        features = network.decoder.finest(network.encoder(photo * 2 - 1))
    rendered = torch.tensor([float(sample.kind == RENDERED) for sample in batch], device=photo.device)
    loss = losses.sky(network.decoder.answer(features)[:, -1], inverse[:, ::2, ::2]) * rendered
    return {"sky": loss.sum() / rendered.sum().clamp(min=1)}


def main() -> None:
    options = train.prepared()
    network = begin(options)
    parameters = [{"params": network.decoder.sky.parameters(), "share": 1.0}]
    batches = lambda seed: iter(train.Batches(options, seed))
    train.learn(options, network, parameters, batches, step_once)


if __name__ == "__main__":
    main()
