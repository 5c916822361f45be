"""The depth networks that ship inside the extension, to train and export: EfficientNet-Lite0 or Lite2 and a light decoder, in plain torch.

The encoder is MobileNet-v2 blocks scaled as in Tan and Le, "EfficientNet" (2019), in the "Lite" form (ReLU6, no
squeeze-and-excitation); the decoder fuses its five levels upwards with residual units as MiDaS (Ranftl et al. 2020) and
RefineNet (Lin et al. 2017) do. Trained by `training/depth`; in use it runs through `built_in/depth.py`. Data and figures are in
`docs/model_cards/embedded_depth.md`.
"""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...built_in.depth import equal_area_side, network_size
from ...errors import DioramaError

WEIGHTS = Path(__file__).parents[1] / "weights" / "embedded_depth.safetensors"
SECOND_WEIGHTS = WEIGHTS.with_name("embedded_depth_lite2.safetensors")
SILHOUETTE_WEIGHTS = WEIGHTS.with_name("embedded_silhouettes.safetensors")
LONG_SIDE = 384
STRIDE = 32

# Expansion, kernel, stride, channels out, repeats: EfficientNet-B0 (Tan and Le 2019, Table 1).
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
# Lite2: 1.1 times as wide, 1.2 times as deep; first and last stage keep their depth, the stem its width.
LITE2_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 3),
    (6, 5, 2, 48, 3),
    (6, 3, 2, 88, 4),
    (6, 5, 1, 120, 4),
    (6, 5, 2, 208, 5),
    (6, 3, 1, 352, 1),
)
VARIANTS = {"lite0": STAGES, "lite2": LITE2_STAGES}
TAPS = (0, 1, 2, 4, 6)  # The last stage at each of the strides 2, 4, 8, 16, 32.
DECODER_CHANNELS = (24, 40, 64, 96, 128)
SHIFT_TAP, SHIFT_HIDDEN, SHIFT_RANGE = 3, 32, (0.01, 3.0)
"""Feature map whose means tell the shift (the one at stride 16), units of the layer between, least and largest shift."""


class SamePadConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME" does for even sizes: an odd pixel goes to the right and bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        before = (kernel - stride) // 2
        self.pad = (before, kernel - stride - before) * 2
        symmetric = stride == 1
        super().__init__(inputs, outputs, kernel, stride, before if symmetric else 0, groups=groups, bias=False)
        self.symmetric = symmetric

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if self.symmetric else functional.pad(x, self.pad))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Expand, filter each channel alone, project; the input is added where shape allows (MobileNet-v2, section 3)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [nn.Conv2d(inputs, inner, 1, bias=False), _norm(inner), nn.ReLU6(inplace=True)]
        layers += [
            SamePadConv(inner, inner, kernel, stride, groups=inner),
            _norm(inner),
            nn.ReLU6(inplace=True),
            nn.Conv2d(inner, outputs, 1, bias=False),
            _norm(outputs),
        ]
        self.layers = nn.Sequential(*layers)
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds_input else self.layers(x)


class Encoder(nn.Module):
    """EfficientNet-Lite without its classifier: (N, 3, H, W) in -1..1 to five feature maps at strides 2 to 32."""

    def __init__(self, plan: tuple = STAGES):
        super().__init__()
        self.stem = nn.Sequential(SamePadConv(3, 32, 3, 2), _norm(32), nn.ReLU6(inplace=True))
        stages, inputs = [], 32
        for expansion, kernel, stride, outputs, repeats in plan:
            blocks = []
            for k in range(repeats):
                blocks.append(InvertedResidual(inputs, outputs, kernel, stride if k == 0 else 1, expansion))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x, maps = self.stem(x), []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in TAPS:
                maps.append(x)
        return maps


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions added to their input (RefineNet's residual convolution unit, with batch norm)."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.layers(x))


class Decoder(nn.Module):
    """Feature maps to `outputs` maps at half the input's resolution, (N, outputs, H/2, W/2); the first is inverse depth. With `sky` one
    more, the last: the logit of sky."""

    def __init__(self, tap_channels: tuple[int, ...], outputs: int = 1, sky: bool = False):
        super().__init__()
        top = DECODER_CHANNELS[-1]
        self.lateral = nn.ModuleList(nn.Conv2d(c, d, 1) for c, d in zip(tap_channels, DECODER_CHANNELS, strict=True))
        self.place = nn.Conv2d(2, top, 1)  # Where in the picture: ground is below, sky above.
        self.whole = nn.Sequential(nn.Linear(tap_channels[-1], top), nn.ReLU(inplace=True), nn.Linear(top, top))
        self.units = nn.ModuleList(ResidualUnit(c) for c in DECODER_CHANNELS)
        self.narrow = nn.ModuleList(nn.Conv2d(wide, slim, 1) for slim, wide in pairwise(DECODER_CHANNELS))
        self.head = nn.Sequential(nn.Conv2d(DECODER_CHANNELS[0], 24, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(24, outputs, 1))
        self.sky = nn.Conv2d(24, 1, 1) if sky else None
        if self.sky is not None:  # a decoder that tells depth already has large features
            nn.init.zeros_(self.sky.weight), nn.init.zeros_(self.sky.bias)

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.answer(self.finest(maps))

    def finest(self, maps: list[Tensor]) -> Tensor:
        """The finest map of features, (N, C, H/2, W/2)."""
        deep = maps[-1]
        rows = torch.linspace(-1, 1, deep.shape[2], device=deep.device, dtype=deep.dtype)
        columns = torch.linspace(-1, 1, deep.shape[3], device=deep.device, dtype=deep.dtype)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]
        x = self.lateral[-1](deep) + self.place(grid) + self.whole(deep.mean((2, 3)))[:, :, None, None]
        x = self.units[-1](functional.relu(x))
        for level in range(len(maps) - 2, -1, -1):
            x = functional.interpolate(self.narrow[level](x), size=maps[level].shape[2:], mode="bilinear", align_corners=False)
            x = self.units[level](functional.relu(x + self.lateral[level](maps[level])))
        return x

    def answer(self, x: Tensor) -> Tensor:
        """All outputs for that map."""
        before, nonlinearity, last = self.head
        x = nonlinearity(before(x))
        return last(x) if self.sky is None else torch.cat([last(x), self.sky(x)], 1)


class ShiftHead(nn.Module):
    """Means of feature maps to the shift that relative inverse depth lacks, (N,): with inverse depth on 0..1 of the picture, shift + it
    is inverse depth whose zero is at infinity, at any scale. The depth of the picture spans (shift + 1) / shift."""

    def __init__(self, channels: int, hidden: int = SHIFT_HIDDEN):
        super().__init__()
        self.first = nn.Linear(channels, hidden)
        self.second = nn.Linear(hidden, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.of(maps[SHIFT_TAP].mean((2, 3)))

    def of(self, means: Tensor) -> Tensor:
        """The shift for means of features, (N, C) to (N,), within SHIFT_RANGE."""
        return self.in_range(self.second(functional.relu(self.first(means)))[:, 0])

    @staticmethod
    def in_range(score: Tensor) -> Tensor:
        """The shift within SHIFT_RANGE for any number; evenly spaced in its logarithm."""
        least, most = SHIFT_RANGE
        return least * torch.exp(math.log(most / least) * torch.sigmoid(score))


class EmbeddedDepthNet(nn.Module):
    """Photo to relative inverse depth: (N, 3, H, W) RGB in 0..1 to (N, H, W), larger = nearer, scale and shift unknown.

    H and W are multiples of 32. The encoder was trained on pixels scaled to -1..1, which is done here. A network of two
    `outputs` (`training/depth/train_edges.py`) has as its second the logit of an occlusion boundary. `shift` is its head for the shift,
    where it has one; as an argument, the units of its layer between. With `sky` its decoder also tells where there is sky.
    """

    def __init__(self, variant: str = "lite0", outputs: int = 1, shift: int = 0, sky: bool = False):
        super().__init__()
        plan = VARIANTS[variant]
        channels = tuple(plan[number][3] for number in TAPS)
        self.encoder, self.outputs = Encoder(plan), outputs
        self.decoder = Decoder(channels, outputs, sky)
        self.shift = ShiftHead(channels[SHIFT_TAP], shift) if shift else None

    def forward(self, photo: Tensor) -> Tensor:
        half = self.decoder(self.encoder(photo * 2 - 1))
        return functional.interpolate(half[:, :1], size=photo.shape[2:], mode="bilinear", align_corners=False)[:, 0]

    def silhouettes(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Relative inverse depth that is sharp at silhouettes, and the probability of an occlusion boundary, both (N, 1, H/2, W/2),
        of the second decoder (`training/depth/train_edges.py`)."""
        half = self.decoder(self.encoder(photo * 2 - 1))
        return half[:, :1], torch.sigmoid(half[:, 1:])

    def sky(self, photo: Tensor) -> Tensor:
        """The probability of sky, (N, 1, H/2, W/2), of a network whose decoder tells it."""
        return torch.sigmoid(self.decoder(self.encoder(photo * 2 - 1))[:, -1:])

    def with_shift(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Relative inverse depth, (N, 1, H, W), and its shift, (N, 1, 1, 1), of a network that has the head for it."""
        assert self.shift is not None
        maps = self.encoder(photo * 2 - 1)
        answer = functional.interpolate(self.decoder(maps)[:, :1], size=photo.shape[2:], mode="bilinear", align_corners=False)
        return answer, self.shift(maps)[:, None, None, None]


def form_of(stored: dict[str, Tensor]) -> tuple[str, int, int, bool]:
    """Variant, count of outputs, units of the head for the shift (0: it has none) and whether it tells the sky, of the network that a state
    belongs to, by what is in it; lite0 and 1 where it does not tell."""
    deepest, last = stored.get("decoder.lateral.4.weight"), stored.get("decoder.head.2.weight")
    for variant, plan in VARIANTS.items():
        if deepest is not None and deepest.shape[1] == plan[TAPS[-1]][3]:
            outputs, shift = 1 if last is None else last.shape[0], len(stored.get("shift.first.weight", ()))
            return variant, outputs, shift, "decoder.sky.weight" in stored
    return "lite0", 1, 0, False


def load_network(path: Path = WEIGHTS, device: str = "cpu") -> EmbeddedDepthNet:
    """The network with the weights of a safetensors file (half floats there, single precision in use), in eval mode.

    Raises DioramaError when the file is missing or does not hold this network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(str(path))
        network = EmbeddedDepthNet(*form_of(stored))
        network.load_state_dict({name: value.float() for name, value in stored.items()}, strict=False)
        missing = set(network.state_dict()) - set(stored)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DioramaError(f"{path}: the embedded depth network cannot be read ({error}); install the extension again.") from error
    if not all(torch.isfinite(value).all() for value in stored.values()):
        raise DioramaError(f"{path}: holds weights that are no numbers; install the extension again.")
    if any(not name.endswith("num_batches_tracked") for name in missing):
        raise DioramaError(f"{path}: holds another network than this version's; install the extension again.")
    return network.eval().to(device)


def network_input(photo_rgb: np.ndarray, long_side: int = LONG_SIDE) -> Tensor:
    """(1, 3, h, w) float32 0..1 of (H, W, 3) uint8 RGB, as large as a 4:3 picture of this `long_side`."""
    height, width = photo_rgb.shape[:2]
    size = network_size(height, width, equal_area_side(height, width, long_side))
    photo = torch.from_numpy(np.array(photo_rgb)).permute(2, 0, 1)[None].float() / 255
    return functional.interpolate(photo, size=size, mode="bilinear", antialias=True, align_corners=False)


def infer(network: EmbeddedDepthNet, photo_rgb: np.ndarray, long_side: int = LONG_SIDE, flip: bool = True) -> np.ndarray:
    """Run a network on one photo, (H, W, 3) uint8 RGB, to (h, w) float32 relative inverse depth.

    `flip` averages with the mirrored photo's result.
    """
    if photo_rgb.ndim != 3 or photo_rgb.shape[2] != 3 or photo_rgb.dtype != np.uint8 or min(photo_rgb.shape[:2]) < 1:
        raise DioramaError(
            f"The photo given to the depth network is {photo_rgb.dtype} {photo_rgb.shape}; pass 8-bit RGB of shape (H, W, 3)."
        )
    with torch.inference_mode():
        photo = network_input(photo_rgb, long_side).to(next(network.parameters()).device)
        disparity = network(photo.contiguous(memory_format=torch.channels_last))
        if flip:
            disparity = (disparity + network(photo.flip(3)).flip(2)) / 2
    return disparity[0].float().cpu().numpy()


def infer_shift(network: EmbeddedDepthNet, photo_rgb: np.ndarray) -> float:
    """The shift of a photo, (H, W, 3) uint8 RGB, by a network with a head for it, at its training size; the mean of photo and mirror
    image."""
    with torch.inference_mode():
        photo = network_input(photo_rgb).to(next(network.parameters()).device)
        return float(np.mean([network.with_shift(view)[1].item() for view in (photo, photo.flip(3))]))
