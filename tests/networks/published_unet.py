"""The partial-convolution U-Net as published, mask branch and all: slow, literal, and independent of the package."""

import torch
from torch import nn
from torch.nn import functional as F


class MaskedConv(nn.Module):
    def __init__(self, channels_in, channels_out, kernel, stride, bias):
        super().__init__()
        self.input_conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=bias)
        self.mask_conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
        nn.init.ones_(self.mask_conv.weight)
        self.window = channels_in * kernel**2

    def forward(self, x, mask):
        bias = 0 if self.input_conv.bias is None else self.input_conv.bias.view(1, -1, 1, 1)
        raw = self.input_conv(x * mask) - bias
        seen = self.mask_conv(mask)
        y = torch.where(seen > 0, raw * self.window / seen.clamp(min=1e-6) + bias, torch.zeros_like(raw))
        return y, (seen > 0).float()


class Block(nn.Module):
    def __init__(self, channels_in, channels_out, kernel, stride, bias, norm):
        super().__init__()
        self.conv = MaskedConv(channels_in, channels_out, kernel, stride, bias)
        if norm:
            self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x, mask):
        y, mask = self.conv(x, mask)
        return (self.bn(y) if hasattr(self, "bn") else y), mask


class PublishedUNet(nn.Module):
    """For `colour` the decoder's names and biases differ from depth."""

    def __init__(self, width, colour):
        super().__init__()
        self.colour = colour
        first, out = (6, 3) if colour else (4, 1)
        c = [first, width, 2 * width, 4 * width] + [8 * width] * 4
        kernels = (7, 5, 5, 3, 3, 3, 3)
        for i in range(7):
            setattr(self, f"enc_{i + 1}", Block(c[i], c[i + 1], kernels[i], 2, not colour and i < 2, i > 0))
        for i in range(7, 0, -1):
            setattr(self, self.decoder(i), Block(c[i] + c[i - 1], c[i - 1] if i > 1 else out, 3, 1, i == 1, i > 1))

    def decoder(self, level):
        return f"dec_{level}A" if self.colour and level < 6 else f"dec_{level}"

    def forward(self, x, validity):
        features, masks = [x], [validity.expand_as(x)]
        for i in range(1, 8):
            y, m = getattr(self, f"enc_{i}")(features[-1], masks[-1])
            features.append(F.relu(y))
            masks.append(m)
        y, m = features[-1], masks[-1]
        for i in range(7, 0, -1):
            y = torch.cat([F.interpolate(y, scale_factor=2), features[i - 1]], 1)
            m = torch.cat([F.interpolate(m, scale_factor=2), masks[i - 1]], 1)
            y, m = getattr(self, self.decoder(i))(y, m)
            if i > 1:
                y = F.leaky_relu(y, 0.2)
        return torch.sigmoid(y) if self.colour else y
