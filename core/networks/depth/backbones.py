"""The backbones of published depth networks, from timm; no other file imports timm."""

import sys
import warnings

import torch
from torch import nn

from ...errors import DioramaError

_DETECTION_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_kept: list[torch.library.Library] = []  # a Library takes its schemas back when it is collected


def efficientnet_lite3() -> nn.Module:
    """EfficientNet-Lite3 (TensorFlow padding) up to its last block, without the classifier."""
    network = _create("tf_efficientnet_lite3")
    for part in ("conv_head", "bn2", "global_pool", "classifier"):
        setattr(network, part, nn.Identity())
    return network


def vision_transformer(name: str) -> nn.Module:
    """A vision transformer of timm by name, without its classification head."""
    network = _create(name)
    network.head = nn.Identity()
    return network


def _create(name: str) -> nn.Module:
    timm = _import_timm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # older names of the same networks are mapped with a warning
        return timm.create_model(name, pretrained=False)


def _import_timm():
    """timm, which imports torchvision, whose compiled part may be missing or made for another torch.

    Then only its detection operators are missing, at import; no network here calls them.
    """
    try:
        try:
            import torchvision  # noqa: F401
        except RuntimeError:
            _register_detection_schemas()
        import timm
    except ImportError as error:
        raise DioramaError(
            f"The Python package {error.name} is missing, which this depth network needs; install it beside torch."
        ) from error
    return timm


def _register_detection_schemas() -> None:
    operators = torch.ops.torchvision
    library = torch.library.Library("torchvision", "FRAGMENT")  # as torchvision does: others may add to the name too
    for schema in _DETECTION_SCHEMAS:
        if not hasattr(operators, schema.partition("(")[0]):
            library.define(schema)
    _kept.append(library)
    for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[module]  # what the failed import left behind is half initialised
