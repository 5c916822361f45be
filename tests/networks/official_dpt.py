"""The keys and shapes of the published DPT files, written down from the paper's architecture and the files' layout."""


def _linear(shapes, key, outputs, inputs):
    shapes[f"{key}.weight"], shapes[f"{key}.bias"] = [outputs, inputs], [outputs]


def _conv(shapes, key, outputs, inputs, kernel, bias=True):
    shapes[f"{key}.weight"] = [outputs, inputs, kernel, kernel]
    if bias:
        shapes[f"{key}.bias"] = [outputs]


def _norm(shapes, key, channels):
    shapes[f"{key}.weight"], shapes[f"{key}.bias"] = [channels], [channels]


def _resnet(shapes, key):
    """The stem and three stages (3, 4, 9 bottlenecks) of the hybrid's ResNet-50, with group normalisation."""
    _conv(shapes, f"{key}.stem.conv", 64, 3, 7, bias=False)
    _norm(shapes, f"{key}.stem.norm", 64)
    inputs = 64
    for stage, (blocks, outputs) in enumerate([(3, 256), (4, 512), (9, 1024)]):
        middle = outputs // 4
        for block in range(blocks):
            here = f"{key}.stages.{stage}.blocks.{block}"
            if block == 0:
                _conv(shapes, f"{here}.downsample.conv", outputs, inputs, 1, bias=False)
                _norm(shapes, f"{here}.downsample.norm", outputs)
            for index, (out, into, kernel) in enumerate([(middle, inputs, 1), (middle, middle, 3), (outputs, middle, 1)]):
                _conv(shapes, f"{here}.conv{index + 1}", out, into, kernel, bias=False)
                _norm(shapes, f"{here}.norm{index + 1}", out)
            inputs = outputs


def shapes(hybrid: bool) -> dict[str, list[int]]:
    """Key -> shape of dpt_hybrid-midas-501f0c75.pt or dpt_large-midas-2f21e586.pt."""
    width, depth = (768, 12) if hybrid else (1024, 24)
    levels = (256, 512, 768, 768) if hybrid else (256, 512, 1024, 1024)
    found: dict[str, list[int]] = {}
    model = "pretrained.model"
    found[f"{model}.cls_token"] = [1, 1, width]
    found[f"{model}.pos_embed"] = [1, 577, width]
    if hybrid:
        _resnet(found, f"{model}.patch_embed.backbone")
    _conv(found, f"{model}.patch_embed.proj", width, 1024 if hybrid else 3, 1 if hybrid else 16)
    for block in range(depth):
        here = f"{model}.blocks.{block}"
        _norm(found, f"{here}.norm1", width)
        _linear(found, f"{here}.attn.qkv", 3 * width, width)
        _linear(found, f"{here}.attn.proj", width, width)
        _norm(found, f"{here}.norm2", width)
        _linear(found, f"{here}.mlp.fc1", 4 * width, width)
        _linear(found, f"{here}.mlp.fc2", width, 4 * width)
    _norm(found, f"{model}.norm", width)
    _linear(found, f"{model}.head", 1000, width)
    for level in range(2 if hybrid else 0, 4):
        here, channels = f"pretrained.act_postprocess{level + 1}", levels[level]
        _linear(found, f"{here}.0.project.0", width, 2 * width)
        _conv(found, f"{here}.3", channels, width, 1)
        if level != 2:
            _conv(found, f"{here}.4", channels, channels, (4, 2, 0, 3)[level])
    for level in range(4):
        _conv(found, f"scratch.layer{level + 1}_rn", 256, levels[level], 3, bias=False)
        for unit in (1, 2):
            for conv in (1, 2):
                _conv(found, f"scratch.refinenet{level + 1}.resConfUnit{unit}.conv{conv}", 256, 256, 3)
        _conv(found, f"scratch.refinenet{level + 1}.out_conv", 256, 256, 1)
    _conv(found, "scratch.output_conv.0", 128, 256, 3)
    _conv(found, "scratch.output_conv.2", 32, 128, 3)
    _conv(found, "scratch.output_conv.4", 1, 32, 1)
    return found
