"""GhostNet: 3 x 224 x 224 in, 1000 out, 5,182,508 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class GhostModule(nn.Module):
    def __init__(self, in_channels, c, act=nn.ReLU):
        super().__init__()
        self.primary_conv = nn.Sequential(nn.Conv2d(in_channels, c // 2, 1, bias=False), nn.BatchNorm2d(c // 2), act())
        self.cheap_operation = nn.Sequential(
            nn.Conv2d(c // 2, c // 2, 3, padding=1, groups=c // 2, bias=False),
            nn.BatchNorm2d(c // 2),
            act(),
        )

    def forward(self, x):  # in_channels x H x W
        primary_conv = self.primary_conv(x)  # c//2 x H x W
        cheap_operation = self.cheap_operation(primary_conv)  # c//2 x H x W
        return torch.cat([primary_conv, cheap_operation], dim=1)  # c x H x W


class SqueezeExcite(nn.Module):
    def __init__(self, in_channels, squeeze):
        super().__init__()
        self.conv_reduce = nn.Conv2d(in_channels, squeeze, 1)
        self.conv_expand = nn.Conv2d(squeeze, in_channels, 1)

    def forward(self, x):  # in_channels x H x W
        out = F.relu(self.conv_reduce(F.adaptive_avg_pool2d(x, 1)))  # squeeze x 1 x 1
        return F.hardsigmoid(self.conv_expand(out)) * x  # in_channels x H x W


class GhostBottleneck(nn.Module):
    def __init__(self, in_channels, k, expand, c, squeeze=0, s=1):
        super().__init__()
        self.ghost1 = GhostModule(in_channels, expand)
        self.conv_dw = None
        self.bn_dw = None
        if s > 1:
            self.conv_dw = nn.Conv2d(expand, expand, k, stride=s, padding=(k - 1) // 2, groups=expand, bias=False)
            self.bn_dw = nn.BatchNorm2d(expand)
        self.se = None
        if squeeze > 0:
            self.se = SqueezeExcite(expand, squeeze)
        self.ghost2 = GhostModule(expand, c, act=nn.Identity)
        self.shortcut = None
        if s != 1 or in_channels != c:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, in_channels, k, stride=s, padding=(k - 1) // 2, groups=in_channels, bias=False),
                nn.BatchNorm2d(in_channels),
                nn.Conv2d(in_channels, c, 1, bias=False),
                nn.BatchNorm2d(c),
            )

    def forward(self, x):  # in_channels x H x W
        ghost1 = self.ghost1(x)  # expand x H x W
        if self.conv_dw is not None:
            out = self.conv_dw(ghost1)  # expand x H/s x W/s
            ghost1 = self.bn_dw(out)  # expand x H/s x W/s
        out = self.se(ghost1) if self.se is not None else ghost1  # expand x H/s x W/s
        ghost2 = self.ghost2(out)  # c x H/s x W/s
        if self.shortcut is not None:
            x = self.shortcut(x)  # c x H/s x W/s
        return ghost2 + x  # c x H/s x W/s


class ConvBnAct(nn.Module):
    def __init__(self, in_channels, c):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, c, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)

    def forward(self, x):  # in_channels x 7 x 7
        x = self.conv(x)  # c x 7 x 7
        return F.relu(self.bn1(x))  # c x 7 x 7


class GhostNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv_stem = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(
            nn.Sequential(GhostBottleneck(16, 3, 16, 16)),
            nn.Sequential(GhostBottleneck(16, 3, 48, 24, s=2)),
            nn.Sequential(GhostBottleneck(24, 3, 72, 24)),
            nn.Sequential(GhostBottleneck(24, 5, 72, 40, squeeze=20, s=2)),
            nn.Sequential(GhostBottleneck(40, 5, 120, 40, squeeze=32)),
            nn.Sequential(GhostBottleneck(40, 3, 240, 80, s=2)),
            nn.Sequential(
                GhostBottleneck(80, 3, 200, 80),
                GhostBottleneck(80, 3, 184, 80),
                GhostBottleneck(80, 3, 184, 80),
                GhostBottleneck(80, 3, 480, 112, squeeze=120),
                GhostBottleneck(112, 3, 672, 112, squeeze=168),
            ),
            nn.Sequential(GhostBottleneck(112, 5, 672, 160, squeeze=168, s=2)),
            nn.Sequential(
                GhostBottleneck(160, 5, 960, 160),
                GhostBottleneck(160, 5, 960, 160, squeeze=240),
                GhostBottleneck(160, 5, 960, 160),
                GhostBottleneck(160, 5, 960, 160, squeeze=240),
            ),
            nn.Sequential(ConvBnAct(160, 960)),
        )
        self.conv_head = nn.Conv2d(960, 1280, 1)
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x):  # 3 x 224 x 224
        x = self.conv_stem(x)  # 16 x 112 x 112
        x = F.relu(self.bn1(x))  # 16 x 112 x 112
        x = self.blocks(x)  # 960 x 7 x 7
        x = F.relu(self.conv_head(F.adaptive_avg_pool2d(x, 1)))  # 1280 x 1 x 1
        return self.classifier(torch.flatten(F.dropout(x, 0.2, self.training), 1))  # classes
