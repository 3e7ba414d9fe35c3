"""EfficientNetV2: 3 x 224 x 224 in, 1000 out, 21,458,488 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def drop_path(x, p, training):
    """Stochastic depth: in training, zero whole samples with probability `p` and scale up the others."""
    if p == 0 or not training:
        return x
    kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(1 - p)
    return x * (kept / (1 - p))


class Conv2dNormActivation(nn.Sequential):
    def __init__(self, in_channels, c, k=3, s=1, g=1):
        super().__init__(
            nn.Conv2d(in_channels, c, k, stride=s, padding=(k - 1) // 2, groups=g, bias=False),
            nn.BatchNorm2d(c, eps=0.001),
            nn.SiLU(),
        )


class FusedMBConv(nn.Module):
    def __init__(self, in_channels, t, s, c, p):
        super().__init__()
        self.use_residual = s == 1 and in_channels == c
        self.p = p
        layers = [Conv2dNormActivation(in_channels, t * in_channels if t != 1 else c, s=s)]
        if t != 1:
            layers.append(nn.Sequential(nn.Conv2d(t * in_channels, c, 1, bias=False), nn.BatchNorm2d(c, eps=0.001)))
        self.block = nn.Sequential(*layers)

    def forward(self, x):  # in_channels x H x W
        block = self.block(x)  # c x H/s x W/s
        if self.use_residual:
            block = drop_path(block, self.p, self.training) + x  # c x H x W
        return block


class SqueezeExcitation(nn.Module):
    def __init__(self, in_channels, squeeze):
        super().__init__()
        self.fc1 = nn.Conv2d(in_channels, squeeze, 1)
        self.fc2 = nn.Conv2d(squeeze, in_channels, 1)

    def forward(self, x):  # in_channels x H x W
        out = F.silu(self.fc1(F.adaptive_avg_pool2d(x, 1)))  # squeeze x 1 x 1
        return torch.sigmoid(self.fc2(out)) * x  # in_channels x H x W


class MBConv(nn.Module):
    def __init__(self, in_channels, t, s, c, p):
        super().__init__()
        self.use_residual = s == 1 and in_channels == c
        self.p = p
        self.block = nn.Sequential(
            Conv2dNormActivation(in_channels, t * in_channels, k=1),
            Conv2dNormActivation(t * in_channels, t * in_channels, s=s, g=t * in_channels),
            SqueezeExcitation(t * in_channels, in_channels // 4),
            nn.Sequential(nn.Conv2d(t * in_channels, c, 1, bias=False), nn.BatchNorm2d(c, eps=0.001)),
        )

    def forward(self, x):  # in_channels x H x W
        block = self.block(x)  # c x H/s x W/s
        if self.use_residual:
            block = drop_path(block, self.p, self.training) + x  # c x H x W
        return block


class EfficientNetV2(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        layers = [Conv2dNormActivation(3, 24, s=2)]
        in_channels = 24
        for t, s, c, n, b in [(1, 1, 24, 2, 0), (4, 2, 48, 4, 2), (4, 2, 64, 4, 6)]:
            stage = []
            for i in range(n):
                stage.append(FusedMBConv(in_channels, t, s if i == 0 else 1, c, 0.2 * (b + i) / 40))
                in_channels = c
            layers.append(nn.Sequential(*stage))
        for t, s, c, n, b in [(4, 2, 128, 6, 10), (6, 1, 160, 9, 16), (6, 2, 256, 15, 25)]:
            stage = []
            for i in range(n):
                stage.append(MBConv(in_channels, t, s if i == 0 else 1, c, 0.2 * (b + i) / 40))
                in_channels = c
            layers.append(nn.Sequential(*stage))
        self.features = nn.Sequential(*layers, Conv2dNormActivation(256, 1280, k=1))
        self.classifier = nn.Sequential(nn.Dropout(p=0.2), nn.Linear(1280, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.uniform_(module.weight, a=-(classes**-0.5), b=classes**-0.5)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)  # 1280 x 7 x 7
        x = F.adaptive_avg_pool2d(x, 1)  # 1280 x 1 x 1
        return self.classifier(torch.flatten(x, 1))  # classes
