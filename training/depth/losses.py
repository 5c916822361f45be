"""Losses on relative inverse depth: scale-and-shift invariant difference, gradients, order; and where true depth is torn."""

import torch
from torch import Tensor
from torch.nn import functional


def standardise(disparity: Tensor, valid: Tensor) -> Tensor:
    """Each image less its median, over its mean absolute deviation: Ranftl et al. 2020, equation 5. (N, H, W) both."""
    flat = torch.where(valid, disparity, torch.nan).flatten(1)
    middle = flat.nanmedian(1).values.nan_to_num()[:, None, None]  # of an image without a valid pixel there is none
    count = valid.sum((1, 2)).clamp(min=1)[:, None, None]
    spread = ((disparity - middle).abs() * valid).sum((1, 2), keepdim=True) / count
    return (disparity - middle) / spread.clamp(min=1e-4)


def affine_invariant(guess: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of standardised disparities (ibid., equation 7); per image, (N,)."""
    return ((guess - truth).abs() * valid).sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)


def gradient(guess: Tensor, truth: Tensor, valid: Tensor, scales: int = 4, weight: Tensor | None = None) -> Tensor:
    """Absolute gradients of the difference at `scales` scales (ibid., equation 11), weighted by (N, H, W); per image, (N,)."""
    total = torch.zeros(len(guess), device=guess.device)
    for k in range(scales):
        step = 2**k
        error, mask = (guess - truth)[:, ::step, ::step], valid[:, ::step, ::step].to(guess.dtype)
        if weight is not None:
            mask = mask * weight[:, ::step, ::step]
        across, down = torch.minimum(mask[:, :, 1:], mask[:, :, :-1]), torch.minimum(mask[:, 1:], mask[:, :-1])
        total = total + (error.diff(dim=2).abs() * across).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)
        total = total + (error.diff(dim=1).abs() * down).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)
    return total


def occlusion_edges(inverse: Tensor, jump: float = 0.08) -> Tensor:
    """Where true disparity is torn: pixels whose step to a neighbour is more than `jump` of the nearer one and twice the slope beside.

    inverse: (N, H, W). Returns (N, H, W) bool, both sides of each tear.
    """
    torn = torch.zeros_like(inverse, dtype=torch.bool)
    for axis in (1, 2):
        values = inverse.transpose(axis, 2)
        step = values.diff(dim=2)
        near = torch.maximum(values[:, :, 1:], values[:, :, :-1])
        before = functional.pad(step, (1, 0))[:, :, :-1] * step.sign()
        after = functional.pad(step, (0, 1))[:, :, 1:] * step.sign()
        slope = torch.maximum(before, after).clamp(min=0)  # the other way, as behind something thin, is no slope
        here = (step.abs() > jump * near) & (step.abs() > 2 * slope + 1e-6)
        both = functional.pad(here, (1, 0)) | functional.pad(here, (0, 1))
        torn |= both.transpose(axis, 2)
    return torn


def order(guess: Tensor, first: Tensor, second: Tensor, sign: Tensor) -> Tensor:
    """Logistic loss on pairs of pixels of standardised disparity (Chen et al. 2016); per image, (N,).

    first, second: (N, P) indices into the flattened image; sign: (N, P), +1 where the first is nearer, 0 to leave out.
    """
    flat = guess.flatten(1)
    margin = (flat.gather(1, first) - flat.gather(1, second)) * sign * 6
    return (functional.softplus(-margin) * sign.abs()).sum(1) / sign.abs().sum(1).clamp(min=1)


def sky(logit: Tensor, inverse: Tensor) -> Tensor:
    """Cross entropy with where true inverse depth is 0; (N, H, W) both, per image (N,)."""
    return functional.binary_cross_entropy_with_logits(logit, (inverse <= 0).to(logit.dtype), reduction="none").mean((1, 2))


def random_pairs(truth: Tensor, valid: Tensor, count: int, apart: float = 1.05, reach: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs for `order` from a truth of true zero (inverse depth without shift), half of them within `reach` pixels."""
    images, height, width = truth.shape
    first = torch.randint(height * width, (images, count), device=truth.device)
    second = torch.randint(height * width, (images, count), device=truth.device)
    offset = torch.randint(-reach, reach + 1, (2, images, count // 2), device=truth.device)
    rows = (first[:, : count // 2] // width + offset[0]).clamp(0, height - 1)
    columns = (first[:, : count // 2] % width + offset[1]).clamp(0, width - 1)
    second = torch.cat([rows * width + columns, second[:, count // 2 :]], 1)
    flat, known = truth.flatten(1), valid.flatten(1)
    a, b = flat.gather(1, first), flat.gather(1, second)
    differ = torch.maximum(a, b) > apart * torch.minimum(a, b) + 1e-6
    usable = differ & known.gather(1, first) & known.gather(1, second)
    return first, second, torch.sign(a - b) * usable
