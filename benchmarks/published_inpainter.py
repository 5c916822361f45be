"""Prints what the inpainter "published" costs for one photo: pixels, calls and processor seconds of each network, peak memory.

    python benchmarks/published_inpainter.py PHOTO DEPTH [--long-side 960] [--threads 1] [--device cpu]

Weights are random, which changes neither time nor memory of a network; the edge network is kept from answering, so that the
number of passes is that of the photo. Seconds are of the processor, not of the clock, so that other work on the machine counts little.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import conftest  # noqa: E402, F401 (makes photo_diorama importable)


def random_networks(device: str):
    """The three networks as published, with random weights."""
    import torch

    from photo_diorama.core.inpaint.published import Published
    from photo_diorama.core.networks.inpaint.inpaint_colour import InpaintColour
    from photo_diorama.core.networks.inpaint.inpaint_depth import InpaintDepth
    from photo_diorama.core.networks.inpaint.inpaint_edge import InpaintEdge

    torch.manual_seed(0)
    networks = [kind(form="folded").eval().requires_grad_(False) for kind in (InpaintEdge, InpaintDepth, InpaintColour)]
    torch.nn.init.zeros_(networks[0].decoder_2[1].weight)
    torch.nn.init.constant_(networks[0].decoder_2[1].bias, -20)  # a probability of 2e-9
    torch.nn.init.zeros_(networks[1].dec_1.conv.input_conv.weight)  # the mean depth of the context, everywhere
    memory = torch.contiguous_format, torch.channels_last, torch.channels_last  # as they are when loaded from files
    return Published(*(each.to(device, memory_format=layout) for each, layout in zip(networks, memory, strict=True)))


def count_work() -> dict[str, list]:
    """From now on: crops, padded pixels and processor seconds by the name of the network."""
    from photo_diorama.core.built_in.crops import padded_size
    from photo_diorama.core.networks.inpaint import forward, inpaint_colour, inpaint_depth, inpaint_edge

    work, plain = {}, forward.forward_in_batches

    def counted(network, inputs, *arguments, **options):
        started = time.process_time()
        result = plain(network, inputs, *arguments, **options)
        row = work.setdefault(network.name, [0, 0, 0.0])
        row[0] += len(inputs)
        row[1] += sum(int(np.prod(padded_size(*item[0].shape[1:]))) for item in inputs)
        row[2] += time.process_time() - started
        return result

    for module in (inpaint_edge, inpaint_depth, inpaint_colour):
        module.forward_in_batches = counted
    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("depth", type=Path)
    parser.add_argument("--long-side", type=int, default=960)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    import torch
    from estimators import peak_megabytes

    from photo_diorama.core.inpaint import inpaint, needed_networks
    from photo_diorama.core.pipeline import build_diorama
    from photo_diorama.core.settings import Settings

    torch.set_num_threads(given.threads)
    networks, work = random_networks(given.device), count_work()
    inpaint.choose_inpainter = lambda settings, files: networks
    needed_networks.Downloaded.stamp = lambda self, inpainter: ()
    settings = Settings().with_values({"inpainter": "published", "long_side": given.long_side, "device": given.device})
    started = time.process_time()
    built = build_diorama(given.photo, given.depth, settings)
    print(f"{given.photo.name}: {sum(built.edges)} depth edges in {len(built.edges)} passes")
    for name, (crops, pixels, seconds) in work.items():
        print(f"{name:15} {crops:4} crops {pixels / 1e6:6.2f} Mpx {seconds:7.1f} s")
    print(f"whole diorama   {time.process_time() - started:7.1f} s, peak {peak_megabytes():.0f} MB")


if __name__ == "__main__":
    main()
