"""The downloadable networks as data: sources, length, hash, licence, purpose."""

import difflib
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import DioramaError

RELATIVE_DEPTH = "relative depth"  # disparity up to an unknown scale and shift, larger = nearer
METRIC_DEPTH = "metric depth"  # metres
COLOUR_INPAINTING = "colour inpainting"
DEPTH_INPAINTING = "depth inpainting"
EDGE_INPAINTING = "edge inpainting"
KINDS = (RELATIVE_DEPTH, METRIC_DEPTH, COLOUR_INPAINTING, DEPTH_INPAINTING, EDGE_INPAINTING)


@dataclass(frozen=True)
class Weights:
    """One file of published weights; the same bytes at each of its sources."""

    key: str  # how it is named in options and on the command line
    file: str  # its name in the models folder
    urls: tuple[str, ...]  # the main source, then mirrors, asked in this order
    bytes: int  # length of the file; 0 where it is not known
    sha256: str  # 64 hexadecimal digits, or the first 8, or "" where none is published
    licence: str
    commercial: bool  # whether the licence allows commercial use
    purpose: str  # what it is for, to be read after the licence in one sentence
    kind: str  # one of KINDS
    bytes_exact: bool = False  # False: `bytes` is right to some per cent only
    rank: int = 0  # depth networks: "auto" takes the one of highest rank; 0 is never taken by it

    def __post_init__(self):
        digits = set(self.sha256) <= set("0123456789abcdef") and len(self.sha256) in (0, 8, 64)
        plain = self.file and not self.file.startswith(".") and not set(self.file) & set('/\\:*?"<>|\0')
        web = self.urls and all(urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname for url in self.urls)
        for holds, what in (
            (plain, "a plain file name"),
            (web, "http or https sources"),
            (digits, "a sha256 of 64, 8 or no digits"),
            (self.kind in KINDS, "a known kind"),
            (self.bytes > 0 or (self.bytes == 0 and not self.bytes_exact), "a length"),
        ):
            if not holds:
                raise DioramaError(f"The weights {self.key!r} do not have {what}: correct their catalogue entry.")


def weights_named(key: str, catalogue: tuple[Weights, ...] | None = None) -> Weights:
    """The weights of this key; raises DioramaError that names the nearest keys, or all."""
    catalogue = CATALOGUE if catalogue is None else catalogue
    for weights in catalogue:
        if weights.key == key:
            return weights
    keys = [weights.key for weights in catalogue]
    near = difflib.get_close_matches(key, keys, n=3) or keys
    raise DioramaError(f"There are no weights named {key!r}: choose {' or '.join(near)}.")


def _hugging_face(repository: str, file: str, revision: str = "main") -> str:
    return f"https://huggingface.co/{repository}/resolve/{revision}/{file}"


def _hugging_face_and_mirror(repository: str, file: str, revision: str = "main") -> tuple[str, str]:
    """Two addresses: the publisher's repository, and the public mirror of that site for networks that block it."""
    url = _hugging_face(repository, file, revision)
    return url, url.replace("https://huggingface.co/", "https://hf-mirror.com/")


def _shih2020(file: str) -> tuple[str, ...]:
    """The three networks of Shih et al. 2020: a copy pinned to a revision, another copy, the authors' own host (often
    down)."""
    return (
        _hugging_face("spaces/Epoching/3D_Photo_Inpainting", f"checkpoints/{file}", "e389e564fd2a55cf"),
        _hugging_face("camenduru/3d-photo-inpainting", file),
        f"https://filebox.ece.vt.edu/~jbhuang/project/3DPhoto/model/{file}",
    )


# Lengths are marked exact, and hashes given whole, only where several independent public catalogues agree. Mirrors
# need not be trusted: what they send counts only with the right hash.
CATALOGUE: tuple[Weights, ...] = (
    Weights(
        "depth_anything_v2_small",
        "depth_anything_v2_vits.pth",
        _hugging_face_and_mirror("depth-anything/Depth-Anything-V2-Small", "depth_anything_v2_vits.pth"),
        99_218_434,
        "715fade13be8f229f8a70cc02066f656f2423a59effd0579197bbf57860e1378",
        "Apache-2.0",
        True,
        "relative depth of any photo, fine silhouettes, small and quick",
        RELATIVE_DEPTH,
        rank=50,
    ),
    Weights(
        "depth_anything_v2_base",
        "depth_anything_v2_vitb.pth",
        (
            _hugging_face("depth-anything/Depth-Anything-V2-Base", "depth_anything_v2_vitb.pth"),
            _hugging_face("Rain729/Prior-Depth-Anything", "depth_anything_v2_vitb.pth"),
        ),
        389_961_218,
        "0d2b7002e62d39d655571c371333340bd88f67ab95050c03591555aa05645328",
        "CC-BY-NC-4.0",
        False,
        "relative depth of any photo, better than small",
        RELATIVE_DEPTH,
        True,
        rank=60,
    ),
    Weights(
        "depth_anything_v2_large",
        "depth_anything_v2_vitl.pth",
        _hugging_face_and_mirror("depth-anything/Depth-Anything-V2-Large", "depth_anything_v2_vitl.pth"),
        1_341_395_338,
        "a7ea19fa0ed99244e67b624c72b8580b7e9553043245905be58796a608eb9345",
        "CC-BY-NC-4.0",
        False,
        "relative depth of any photo, fine silhouettes, slow without a graphics card",
        RELATIVE_DEPTH,
        True,
        rank=70,
    ),
    Weights(  # below the general networks: made for rooms, it cannot say "far"
        "depth_anything_v2_metric_indoor_small",
        "depth_anything_v2_metric_hypersim_vits.pth",
        _hugging_face_and_mirror("depth-anything/Depth-Anything-V2-Metric-Hypersim-Small", "depth_anything_v2_metric_hypersim_vits.pth"),
        99_222_290,
        "b782898d8a3e8be1f639de33837ed85e9b4b73e40f8f5e5cd99067588d722545",
        "Apache-2.0",
        True,
        "depth in metres of rooms, up to 20 m",
        METRIC_DEPTH,
        True,
        rank=10,
    ),
    Weights(
        "midas_v21_small",
        "midas_v21_small-70d6b9c8.pt",
        (
            "https://github.com/AlexeyAB/MiDaS/releases/download/midas_dpt/midas_v21_small-70d6b9c8.pt",
            "https://github.com/isl-org/MiDaS/releases/download/v2_1/midas_v21_small_256.pt",
        ),
        85_761_505,
        "70d6b9c891758c67f974a6097fb0c608c7ee67fb81ac3e5588847d5596d56fca",
        "MIT",
        True,
        "relative depth of any photo, the quickest, coarse",
        RELATIVE_DEPTH,
        True,
        rank=20,
    ),
    Weights(
        "dpt_hybrid",
        "dpt_hybrid-midas-501f0c75.pt",
        (
            "https://github.com/intel-isl/DPT/releases/download/1_0/dpt_hybrid-midas-501f0c75.pt",
            _hugging_face("lllyasviel/Annotators", "dpt_hybrid-midas-501f0c75.pt"),
        ),
        490_000_000,
        "501f0c75b3bca7daec6b3682c5054c09b366765aef6fa3a09d03a5cb4b230853",
        "MIT",
        True,
        "relative depth of any photo, between MiDaS small and DPT large",
        RELATIVE_DEPTH,
        rank=30,
    ),
    Weights(
        "dpt_large",
        "dpt_large-midas-2f21e586.pt",
        (
            "https://github.com/intel-isl/DPT/releases/download/1_0/dpt_large-midas-2f21e586.pt",
            "https://github.com/isl-org/MiDaS/releases/download/v3/dpt_large_384.pt",
        ),
        1_376_378_527,
        "2f21e586477d90cb9624c7eef5df7891edca49a1c4795ee2cb631fd4daa6ca69",
        "MIT",
        True,
        "relative depth of any photo, steady on large structures, slow",
        RELATIVE_DEPTH,
        True,
        rank=40,
    ),
    Weights(
        "moge2_small",
        "moge-2-vits-normal.pt",
        _hugging_face_and_mirror("Ruicheng/moge-2-vits-normal", "model.pt", "679230677b4d282c6f304189a93e98e14f085902"),
        140_550_416,
        "79a16621928c2bf0ed04659218c55c01075e950507f40bb3332fb4c873d3e1dc",
        "MIT",
        True,
        "depth in metres, focal length and sky of any photo, small",
        METRIC_DEPTH,
        True,
        rank=80,
    ),
    Weights(
        "moge2_large",
        "moge-2-vitl-normal.pt",
        _hugging_face_and_mirror("Ruicheng/moge-2-vitl-normal", "model.pt", "b135031bae30b5ac2ae141a0e68717795ce38340"),
        1_323_815_904,
        "280741fd09bc3f403ccff9967784c2a391b52d2c0742ae3efdb21d9f90cc1a01",
        "MIT",
        True,
        "depth in metres, focal length and sky of any photo, the best here, slow without a graphics card",
        METRIC_DEPTH,
        True,
        rank=100,
    ),
    Weights(
        "depth_anything_3_mono",
        "depth-anything-3-mono-large.safetensors",
        _hugging_face_and_mirror("depth-anything/DA3MONO-LARGE", "model.safetensors", "f465978e618db8cc79c83b8bbf24964857db1875"),
        1_336_734_448,
        "7a799a7f95eb8d4c404c2ca8be3dc3276b350a417ddc4420db72ba850cc0e960",
        "Apache-2.0",
        True,
        "relative depth and sky of any photo, fine silhouettes, slow without a graphics card",
        RELATIVE_DEPTH,
        rank=90,
    ),
    Weights(  # below mono: its metres need the focal length, which not every photo tells
        "depth_anything_3_metric",
        "depth-anything-3-metric-large.safetensors",
        _hugging_face_and_mirror("depth-anything/DA3METRIC-LARGE", "model.safetensors", "4010e39f3634a45bc60553321fb49fb760bd594e"),
        1_336_734_448,
        "bbea5b0b3ee389849cffa7ddae89de064a90abd2b055fc5aa99aac68db324776",
        "Apache-2.0",
        True,
        "depth in metres and sky of photos that tell their focal length, slow without a graphics card",
        METRIC_DEPTH,
        True,
        rank=75,
    ),
    Weights(
        "lama",
        "big-lama.pt",
        (
            "https://github.com/Sanster/models/releases/download/add_big_lama/big-lama.pt",
            _hugging_face("signature-ai/big-lama", "big-lama.pt"),
        ),
        205_669_692,
        "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9",
        "Apache-2.0",
        True,
        "colour of hidden parts, large holes and repeating patterns",
        COLOUR_INPAINTING,
        True,
    ),
    Weights(
        "shih2020_edge",
        "edge-model.pth",
        _shih2020("edge-model.pth"),
        46_000_000,
        "b1d768bd008ad5fe9f540004f870b8c3d355e4939b2009aa4db493fd313217c9",
        "MIT with an EdgeConnect section under CC-BY-NC-4.0",
        False,
        "edges of hidden parts, by the authors of the method",
        EDGE_INPAINTING,
    ),
    Weights(
        "shih2020_depth",
        "depth-model.pth",
        _shih2020("depth-model.pth"),
        206_000_000,
        "2d0e63e89a22762ddfa8bc8c9f8c992e5532b140123274ffc6e4171baa1b76f8",
        "MIT",
        True,
        "depth of hidden parts, by the authors of the method",
        DEPTH_INPAINTING,
    ),
    Weights(
        "shih2020_color",
        "color-model.pth",
        _shih2020("color-model.pth"),
        206_000_000,
        "383c9b1db70097907a6f9c8abb0303e7056f50d5456a36f34ab784592b8b2c20",
        "MIT",
        True,
        "colour of hidden parts, by the authors of the method",
        COLOUR_INPAINTING,
    ),
)
