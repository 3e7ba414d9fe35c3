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


class Norm2d(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(in_channels))
        self.bias = nn.Parameter(torch.zeros(in_channels))

    def forward(self, x):  # in_channels x H x W
        x = x.permute(0, 2, 3, 1)  # H x W x in_channels
        x = F.layer_norm(x, self.weight.shape, self.weight, self.bias, eps=1e-6)  # H x W x in_channels
        return x.permute(0, 3, 1, 2)  # in_channels x H x W


class Block(nn.ModuleDict):
    def __init__(self, in_channels):
        super().__init__(
            {
                "0": nn.Conv2d(in_channels, in_channels, 7, padding=3, groups=in_channels),
                "2": nn.LayerNorm(in_channels, eps=1e-6),
                "3": nn.Linear(in_channels, 4 * in_channels),
                "4": nn.GELU(),
                "5": nn.Linear(4 * in_channels, in_channels),
            }
        )

    def forward(self, x):
        x = self["0"](x).permute(0, 2, 3, 1)  # H x W x in_channels
        x = self["2"](x)  # H x W x in_channels
        x = self["3"](x)  # H x W x 4*in_channels
        x = self["4"](x)  # H x W x 4*in_channels
        return self["5"](x).permute(0, 3, 1, 2)  # in_channels x H x W


class Cn(nn.Module):
    def __init__(self, in_channels, p):
        super().__init__()
        self.p = p
        self.layer_scale = nn.Parameter(torch.full((in_channels, 1, 1), 1e-6))
        self.block = Block(in_channels)

    def forward(self, x):  # in_channels x H x W
        out = self.block(x)  # in_channels x H x W
        out = drop_path(out * self.layer_scale, self.p, self.training)  # in_channels x H x W
        return out + x  # in_channels x H x W


class ConvNeXt(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 96, 4, stride=4), Norm2d(96)),
            nn.Sequential(Cn(96, 0.0), Cn(96, 0.0058823529411764705), Cn(96, 0.011764705882352941)),
            nn.Sequential(Norm2d(96), nn.Conv2d(96, 192, 2, stride=2)),
            nn.Sequential(Cn(192, 0.017647058823529415), Cn(192, 0.023529411764705882), Cn(192, 0.029411764705882353)),
            nn.Sequential(Norm2d(192), nn.Conv2d(192, 384, 2, stride=2)),
            nn.Sequential(
                Cn(384, 0.03529411764705883),
                Cn(384, 0.0411764705882353),
                Cn(384, 0.047058823529411764),
                Cn(384, 0.052941176470588235),
                Cn(384, 0.058823529411764705),
                Cn(384, 0.06470588235294118),
                Cn(384, 0.07058823529411766),
                Cn(384, 0.07647058823529412),
                Cn(384, 0.0823529411764706),
            ),
            nn.Sequential(Norm2d(384), nn.Conv2d(384, 768, 2, stride=2)),
            nn.Sequential(Cn(768, 0.08823529411764706), Cn(768, 0.09411764705882353), Cn(768, 0.1)),
        )
        self.classifier = nn.Sequential(Norm2d(768), nn.Flatten(), nn.Linear(768, classes))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)  # 768 x 7 x 7
        x = F.adaptive_avg_pool2d(x, 1)  # 768 x 1 x 1
        return self.classifier(x)  # classes
