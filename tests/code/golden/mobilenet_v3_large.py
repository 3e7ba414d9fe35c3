"""MobileNetV3: 3 x 224 x 224 in, 1000 out, 5,483,032 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Conv2dNormActivation(nn.Sequential):
    def __init__(self, in_channels, c, k=3, s=1, g=1, act=nn.ReLU):
        super().__init__(
            nn.Conv2d(in_channels, c, k, stride=s, padding=(k - 1) // 2, groups=g, bias=False),
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
    def __init__(self, in_channels, k, expand, c, squeeze, act, s=1):
        super().__init__()
        self.use_residual = s == 1 and in_channels == c
        layers = []
        if expand != in_channels:
            layers.append(Conv2dNormActivation(in_channels, expand, k=1, act=act))
        layers.append(Conv2dNormActivation(expand, expand, k=k, s=s, g=expand, act=act))
        if squeeze > 0:
            layers.append(SqueezeExcitation(expand, squeeze))
        layers.append(nn.Sequential(nn.Conv2d(expand, c, 1, bias=False), nn.BatchNorm2d(c, eps=0.001, momentum=0.01)))
        self.block = nn.Sequential(*layers)

    def forward(self, x):  # in_channels x H x W
        out = self.block(x)  # c x H/s x W/s
        return out + x if self.use_residual else out  # c x H/s x W/s


class MobileNetV3(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        layers = [Conv2dNormActivation(3, 16, s=2, act=nn.Hardswish)]
        in_channels = 16
        for k, expand, c, squeeze, act, s in [
            (3, 16, 16, 0, nn.ReLU, 1),
            (3, 64, 24, 0, nn.ReLU, 2),
            (3, 72, 24, 0, nn.ReLU, 1),
            (5, 72, 40, 24, nn.ReLU, 2),
            (5, 120, 40, 32, nn.ReLU, 1),
            (5, 120, 40, 32, nn.ReLU, 1),
            (3, 240, 80, 0, nn.Hardswish, 2),
            (3, 200, 80, 0, nn.Hardswish, 1),
            (3, 184, 80, 0, nn.Hardswish, 1),
            (3, 184, 80, 0, nn.Hardswish, 1),
            (3, 480, 112, 120, nn.Hardswish, 1),
            (3, 672, 112, 168, nn.Hardswish, 1),
            (5, 672, 160, 168, nn.Hardswish, 2),
            (5, 960, 160, 240, nn.Hardswish, 1),
            (5, 960, 160, 240, nn.Hardswish, 1),
        ]:
            layers.append(InvertedResidual(in_channels, k, expand, c, squeeze, act, s=s))
            in_channels = c
        self.features = nn.Sequential(*layers, Conv2dNormActivation(160, 960, k=1, act=nn.Hardswish))
        self.classifier = nn.Sequential(
            nn.Linear(960, 1280),
            nn.Hardswish(),
            nn.Dropout(p=0.2),
            nn.Linear(1280, classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)  # 960 x 7 x 7
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)  # 960
        return self.classifier(x)  # classes
