"""RegNet: 3 x 224 x 224 in, 1000 out, 4,344,144 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


class Conv2dNormActivation(nn.Sequential):
    def __init__(self, in_channels, c, k=3, s=1, g=1):
        super().__init__(
            nn.Conv2d(in_channels, c, k, stride=s, padding=(k - 1) // 2, groups=g, bias=False),
            nn.BatchNorm2d(c),
            nn.ReLU(),
        )


class SqueezeExcitation(nn.Module):
    def __init__(self, in_channels, squeeze):
        super().__init__()
        self.fc1 = nn.Conv2d(in_channels, squeeze, 1)
        self.fc2 = nn.Conv2d(squeeze, in_channels, 1)

    def forward(self, x):  # in_channels x H x W
        out = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))  # squeeze x 1 x 1
        return torch.sigmoid(self.fc2(out)) * x  # in_channels x H x W


class ResBottleneckBlock(nn.Module):
    def __init__(self, in_channels, width, group_width, s=1):
        super().__init__()
        self.proj = None
        if s != 1 or in_channels != width:
            self.proj = nn.Sequential(nn.Conv2d(in_channels, width, 1, stride=s, bias=False), nn.BatchNorm2d(width))
        self.f = nn.Sequential(
            OrderedDict(
                a=Conv2dNormActivation(in_channels, width, k=1),
                b=Conv2dNormActivation(width, width, s=s, g=width // group_width),
                se=SqueezeExcitation(width, round(0.25 * in_channels)),
                c=nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width)),
            )
        )

    def forward(self, x):  # in_channels x H x W
        proj = self.proj(x) if self.proj is not None else x  # width x H/s x W/s
        return F.relu(proj + self.f(x))  # width x H/s x W/s


class RegNet(nn.Module):
    def __init__(self, depths=(1, 3, 6, 6), widths=(48, 104, 208, 440), group_width=8, classes=1000):
        super().__init__()
        if len(depths) != len(widths):
            raise ValueError("depths takes as many values as widths")
        self.stem = Conv2dNormActivation(3, 32, s=2)
        layers = OrderedDict()
        in_channels = 32
        for i, depth in enumerate(depths):
            stage = OrderedDict()
            for j in range(depth):
                stage[f"block{i + 1}-{j}"] = ResBottleneckBlock(
                    in_channels,
                    widths[i],
                    group_width,
                    s=2 if j == 0 else 1,
                )
                in_channels = widths[i]
            layers[f"block{i + 1}"] = nn.Sequential(stage)
        self.trunk_output = nn.Sequential(layers)
        self.fc = nn.Linear(in_channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.stem(x)  # 32 x 112 x 112
        x = self.trunk_output(x)  # widths[3] x 7 x 7
        x = F.adaptive_avg_pool2d(x, 1)  # widths[3] x 1 x 1
        return self.fc(torch.flatten(x, 1))  # classes
