"""ConvNeXt: 3 x 224 x 224 in, 1000 out, 28,589,128 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def drop_path(x, p, training):
    """Stochastic depth: in training, zero whole samples with probability `p` and scale up the others."""
    if p == 0 or not training:
        return x
    kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(1 - p)
    return x * (kept / (1 - p))


class Permute(nn.Module):
    """Puts the axes into another order."""

    def __init__(self, *dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(self.dims)


class Norm2d(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(in_channels))
        self.bias = nn.Parameter(torch.zeros(in_channels))

    def forward(self, x):  # in_channels x H x W
        x = x.permute(0, 2, 3, 1)  # H x W x in_channels
        x = F.layer_norm(x, self.weight.shape, self.weight, self.bias, eps=1e-6)  # H x W x in_channels
        return x.permute(0, 3, 1, 2)  # in_channels x H x W


class Cn(nn.Module):
    def __init__(self, in_channels, p):
        super().__init__()
        self.p = p
        self.layer_scale = nn.Parameter(torch.full((in_channels, 1, 1), 1e-6))
        self.block = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 7, padding=3, groups=in_channels),
            Permute(0, 2, 3, 1),
            nn.LayerNorm(in_channels, eps=1e-6),
            nn.Linear(in_channels, 4 * in_channels),
            nn.GELU(),
            nn.Linear(4 * in_channels, in_channels),
            Permute(0, 3, 1, 2),
        )

    def forward(self, x):  # in_channels x H x W
        out = self.block(x)  # in_channels x H x W
        return drop_path(out * self.layer_scale, self.p, self.training) + x  # in_channels x H x W


class ConvNeXt(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, 96, 4, stride=4), Norm2d(96))]
        in_channels = 96
        for i, (c, n, b) in enumerate([(96, 3, 0), (192, 3, 3), (384, 9, 6), (768, 3, 15)]):
            if i > 0:
                layers.append(nn.Sequential(Norm2d(in_channels), nn.Conv2d(in_channels, c, 2, stride=2)))
            layers.append(nn.Sequential(*[Cn(c, 0.1 * (b + j) / 17) for j in range(n)]))
            in_channels = c
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(Norm2d(768), nn.Flatten(), nn.Linear(768, classes))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)  # 768 x 7 x 7
        x = F.adaptive_avg_pool2d(x, 1)  # 768 x 1 x 1
        return self.classifier(x)  # classes
