"""MobileNetV2: 3 x 224 x 224 in, 1000 out, 3,504,872 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Cbr(nn.Sequential):
    def __init__(self, in_channels, c, k=3, s=1, g=1):
        super().__init__(
            nn.Conv2d(in_channels, c, k, stride=s, padding=(k - 1) // 2, groups=g, bias=False),
            nn.BatchNorm2d(c),
            nn.ReLU6(),
        )


class Inverted(nn.Module):
    def __init__(self, in_channels, t, c, s):
        super().__init__()
        self.use_residual = s == 1 and in_channels == c
        layers = []
        if t != 1:
            layers.append(Cbr(in_channels, t * in_channels, k=1))
        layers.append(Cbr(t * in_channels, t * in_channels, s=s, g=t * in_channels))
        layers.append(nn.Conv2d(t * in_channels, c, 1, bias=False))
        layers.append(nn.BatchNorm2d(c))
        self.conv = nn.Sequential(*layers)

    def forward(self, x):  # in_channels x H x W
        out = self.conv(x)  # c x H/s x W/s
        return out + x if self.use_residual else out  # c x H/s x W/s


class MobileNetV2(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        layers = [Cbr(3, 32, s=2)]
        in_channels = 32
        for t, c, n, s in [
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ]:
            for i in range(n):
                layers.append(Inverted(in_channels, t, c, s if i == 0 else 1))
                in_channels = c
        self.features = nn.Sequential(*layers, Cbr(320, 1280, k=1))
        self.classifier = nn.Sequential(nn.Dropout(p=0.2), nn.Linear(1280, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)  # 1280 x 7 x 7
        x = F.adaptive_avg_pool2d(x, 1)  # 1280 x 1 x 1
        return self.classifier(torch.flatten(x, 1))  # classes
