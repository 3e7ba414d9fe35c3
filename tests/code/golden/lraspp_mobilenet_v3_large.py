"""LRASPP: 3 x 520 x 520 in, 21 x 520 x 520 out, 3,221,538 parameters."""

import torch.nn.functional as F
from torch import nn


class Conv2dNormActivation(nn.Sequential):
    def __init__(self, in_channels, c, k=3, s=1, d=1, g=1, act=nn.ReLU):
        super().__init__(
            nn.Conv2d(in_channels, c, k, stride=s, padding=d * (k - 1) // 2, dilation=d, groups=g, bias=False),
            nn.BatchNorm2d(c, eps=0.001, momentum=0.01),
            act(),
        )


class SqueezeExcitation(nn.Module):
    def __init__(self, in_channels, squeeze):
        super().__init__()
        self.fc1 = nn.Conv2d(in_channels, squeeze, 1)
        self.fc2 = nn.Conv2d(squeeze, in_channels, 1)

    def forward(self, x):  # in_channels x H x W
        out = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))  # squeeze x 1 x 1
        return F.hardsigmoid(self.fc2(out)) * x  # in_channels x H x W


class InvertedResidual(nn.Module):
    def __init__(self, in_channels, k, expand, c, squeeze, act, s=1, d=1):
        super().__init__()
        self.use_residual = s == 1 and in_channels == c
        layers = []
        if expand != in_channels:
            layers.append(Conv2dNormActivation(in_channels, expand, k=1, act=act))
        layers.append(Conv2dNormActivation(expand, expand, k=k, s=s, d=d, g=expand, act=act))
        if squeeze > 0:
            layers.append(SqueezeExcitation(expand, squeeze))
        layers.append(nn.Sequential(nn.Conv2d(expand, c, 1, bias=False), nn.BatchNorm2d(c, eps=0.001, momentum=0.01)))
        self.block = nn.Sequential(*layers)

    def forward(self, x):  # in_channels x H x W
        out = self.block(x)  # c x H/s x W/s
        return out + x if self.use_residual else out  # c x H/s x W/s


class Backbone(nn.ModuleList):
    def __init__(self):
        super().__init__(
            [
                Conv2dNormActivation(3, 16, s=2, act=nn.Hardswish),
                InvertedResidual(16, 3, 16, 16, 0, nn.ReLU),
                InvertedResidual(16, 3, 64, 24, 0, nn.ReLU, s=2),
                InvertedResidual(24, 3, 72, 24, 0, nn.ReLU),
                InvertedResidual(24, 5, 72, 40, 24, nn.ReLU, s=2),
                InvertedResidual(40, 5, 120, 40, 32, nn.ReLU),
                InvertedResidual(40, 5, 120, 40, 32, nn.ReLU),
                InvertedResidual(40, 3, 240, 80, 0, nn.Hardswish, s=2),
                InvertedResidual(80, 3, 200, 80, 0, nn.Hardswish),
                InvertedResidual(80, 3, 184, 80, 0, nn.Hardswish),
                InvertedResidual(80, 3, 184, 80, 0, nn.Hardswish),
                InvertedResidual(80, 3, 480, 112, 120, nn.Hardswish),
                InvertedResidual(112, 3, 672, 112, 168, nn.Hardswish),
                InvertedResidual(112, 5, 672, 160, 168, nn.Hardswish, d=2),
                InvertedResidual(160, 5, 960, 160, 240, nn.Hardswish, d=2),
                InvertedResidual(160, 5, 960, 160, 240, nn.Hardswish, d=2),
                Conv2dNormActivation(160, 960, k=1, act=nn.Hardswish),
            ]
        )

    def forward(self, x):
        for i, layer in enumerate(self):
            x = layer(x)
            if i == 4:
                low = x
        return low, x


class LRASPPHead(nn.Module):
    def __init__(self, low_channels, high_channels, classes, inter):
        super().__init__()
        self.cbr = nn.Sequential(nn.Conv2d(high_channels, inter, 1, bias=False), nn.BatchNorm2d(inter), nn.ReLU())
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(high_channels, inter, 1, bias=False),
            nn.Sigmoid(),
        )
        self.low_classifier = nn.Conv2d(low_channels, classes, 1)
        self.high_classifier = nn.Conv2d(inter, classes, 1)

    def forward(self, low, high):
        cbr = self.cbr(high)
        x = F.interpolate(cbr * self.scale(high), size=low.shape[-2:], mode="bilinear")  # inter x 65 x 65
        return self.low_classifier(low) + self.high_classifier(x)  # classes x 65 x 65


class LRASPP(nn.Module):
    def __init__(self, classes=21, inter=128):
        super().__init__()
        self.backbone = Backbone()
        self.classifier = LRASPPHead(40, 960, classes, inter)

    def forward(self, x):  # 3 x 520 x 520
        low, high = self.backbone(x)  # 40 x 65 x 65
        out = self.classifier(low, high)  # classes x 65 x 65
        x = F.interpolate(out, size=x.shape[-2:], mode="bilinear")  # classes x 520 x 520
        return {"out": x}
