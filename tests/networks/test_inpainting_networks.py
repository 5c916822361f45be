"""The inpainting networks are the published ones, and folding and collapsing change nothing but the cost."""

import golden
import numpy as np
import pytest
import torch
from published_unet import PublishedUNet

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.networks import checkpoints
from photo_diorama.core.networks.inpaint import partial_convolution
from photo_diorama.core.networks.inpaint.forward import forward_in_batches
from photo_diorama.core.networks.inpaint.inpaint_colour import InpaintColour
from photo_diorama.core.networks.inpaint.inpaint_depth import InpaintDepth
from photo_diorama.core.networks.inpaint.inpaint_edge import InpaintEdge, fold_spectral_norm

TOLERANCE = 1e-4
UNETS = {
    "shih2020_depth": (InpaintDepth, ("logdepth", "edge", "context", "mask"), 51_554_825, 25_772_900),
    "shih2020_color": (InpaintColour, ("rgb", "edge", "context", "mask"), 51_569_735, 25_780_450),
}


def published_edge(state):
    return checkpoints.build_from_state(lambda: InpaintEdge(), dict(state), "the edge network", "filled")


def test_edge_network_is_the_published_one(shared):
    state, arrays = golden.read(shared, "shih2020_edge_raw")
    network = published_edge(state)
    x = torch.from_numpy(arrays["input_x"])
    for form in (network, fold_spectral_norm(network)):
        with torch.inference_mode():
            assert np.abs(form(x).numpy() - arrays["output"]).max() < TOLERANCE


def test_edge_network_as_used_at_inference(shared):
    state, arrays = golden.read(shared, "shih2020_edge")
    disparity = arrays["input_disp"] / arrays["input_disp"].max()
    rest = [arrays[f"input_{name}"] for name in ("edge", "context", "mask")]
    channels = np.concatenate([arrays["input_rgb"], disparity, *rest], axis=1)[0]
    (output,) = forward_in_batches(fold_spectral_norm(published_edge(state)), [(channels,)])
    assert np.abs(output - arrays["output"][0]).max() < TOLERANCE


@pytest.mark.parametrize("name", UNETS)
def test_unet_is_the_published_one_in_both_forms(shared, name):
    kind, inputs, parameters, constant = UNETS[name]
    state, arrays = golden.read(shared, name)
    network = partial_convolution.collapse_official(kind, state)
    assert sum(p.numel() for p in network.parameters()) == parameters - constant
    channels = np.concatenate([arrays[f"input_{key}"] for key in inputs], axis=1)[0]
    validity = np.clip(arrays["input_context"] + arrays["input_mask"], 0, 1)[0]
    for form in (network, partial_convolution.fold_batch_norm(network)):
        (output,) = forward_in_batches(form, [(channels, validity)])
        assert np.abs(output - arrays["output"][0]).max() < TOLERANCE


def randomise_statistics(network: torch.nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.2, 3)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)


@pytest.mark.parametrize("kind", [InpaintDepth, InpaintColour])
def test_collapsed_and_folded_equal_the_literal_definition(kind, monkeypatch):
    """Random statistics, random masks with large holes: where shifts inside holes would show if they leaked."""
    torch.manual_seed(1)
    width = 8
    monkeypatch.setattr(partial_convolution, "PUBLISHED_WIDTH", width)
    literal = PublishedUNet(width, kind is InpaintColour).eval()
    randomise_statistics(literal)
    collapsed = partial_convolution.collapse_official(kind, literal.state_dict())
    folded = partial_convolution.fold_batch_norm(collapsed)
    x = torch.randn(2, kind.in_channels, 256, 128)
    validity = (torch.rand(2, 1, 256, 128) > 0.5).float()
    validity[0, :, 40:, :] = 0
    with torch.inference_mode():
        truth = literal(x, validity)
        assert truth.std() > 0.01
        for form in (collapsed, folded):
            assert (form(x, validity) - truth).abs().max() < TOLERANCE * max(1.0, truth.abs().max().item())


def test_folded_unet_has_half_the_parameters_of_the_published():
    with torch.device("meta"):
        published = sum(p.numel() for p in PublishedUNet(16, colour=False).parameters())
        folded = sum(p.numel() for p in InpaintDepth(16, "folded").parameters())
    assert folded < 0.502 * published


def test_folding_spectral_norm_after_training_steps_keeps_the_output():
    torch.manual_seed(2)
    network = InpaintEdge(4).train()
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    x = torch.rand(1, 7, 64, 96)
    for _ in range(3):
        optimiser.zero_grad()
        network(x).square().mean().backward()
        optimiser.step()
    network.eval()
    folded = fold_spectral_norm(network)
    assert not any("weight_orig" in key for key in folded.state_dict())
    with torch.inference_mode():
        assert (network(x) - folded(x)).abs().max() < 1e-6


@pytest.mark.parametrize("kind", [InpaintEdge, InpaintDepth])
def test_mixed_precision_trains(kind):
    torch.manual_seed(4)
    network = kind(4).train()
    inputs = [torch.rand(2, 7 if kind is InpaintEdge else 4, 128, 128)]
    if kind is InpaintDepth:
        inputs.append((torch.rand(2, 1, 128, 128) > 0.3).float())
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(*inputs).float().square().mean()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in network.parameters() if p.dim() > 1)


@pytest.mark.parametrize("kind", [InpaintDepth, InpaintColour])
def test_trainable_form_learns_a_fixed_batch(kind):
    torch.manual_seed(3)
    network = kind(4).train()
    x, target = (
        torch.rand(2, kind.in_channels, 128, 128),
        torch.rand(2, kind.out_channels, 1, 1).expand(-1, -1, 128, 128),
    )
    validity = torch.ones(2, 1, 128, 128)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = (network(x, validity) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.grad is not None for p in network.parameters())


def test_a_mask_branch_that_is_not_constant_is_refused(monkeypatch):
    monkeypatch.setattr(partial_convolution, "PUBLISHED_WIDTH", 4)
    state = PublishedUNet(4, colour=False).state_dict()
    state["enc_3.conv.mask_conv.weight"][0, 0, 0, 0] = 0.5
    with pytest.raises(DioramaError, match=r"weights\.pth.*mask branch.*enc_3"):
        partial_convolution.collapse_official(InpaintDepth, state, "weights.pth")


@pytest.mark.parametrize("spoil", ["missing", "unknown", "shape"])
def test_strict_loading_names_the_file_and_the_key(monkeypatch, spoil):
    monkeypatch.setattr(partial_convolution, "PUBLISHED_WIDTH", 4)
    state = PublishedUNet(4, colour=True).state_dict()
    key = "dec_3A.conv.mask_conv.weight"
    if spoil == "missing":
        del state[key]
    elif spoil == "unknown":
        state["dec_9A.bn.weight"] = torch.zeros(4)
    else:
        state[key] = state[key][:-1]
    with pytest.raises(DioramaError, match=r"color-model\.pth"):
        partial_convolution.collapse_official(InpaintColour, state, "color-model.pth")
