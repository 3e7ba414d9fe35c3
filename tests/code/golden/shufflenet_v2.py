"""ShuffleNetV2: 3 x 224 x 224 in, 1000 out, 2,278,604 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Down(nn.Module):
    def __init__(self, in_channels, c):
        super().__init__()
        self.branch1 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, stride=2, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, c // 2, 1, bias=False),
            nn.BatchNorm2d(c // 2),
            nn.ReLU(),
        )
        self.branch2 = nn.Sequential(
            nn.Conv2d(in_channels, c // 2, 1, bias=False),
            nn.BatchNorm2d(c // 2),
            nn.ReLU(),
            nn.Conv2d(c // 2, c // 2, 3, stride=2, padding=1, groups=c // 2, bias=False),
            nn.BatchNorm2d(c // 2),
            nn.Conv2d(c // 2, c // 2, 1, bias=False),
            nn.BatchNorm2d(c // 2),
            nn.ReLU(),
        )

    def forward(self, x):  # in_channels x H x W
        branch1 = self.branch1(x)  # c//2 x H/2 x W/2
        branch2 = self.branch2(x)  # c//2 x H/2 x W/2
        return F.channel_shuffle(torch.cat([branch1, branch2], dim=1), 2)  # c x H/2 x W/2


class InvertedResidual(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.branch2 = nn.Sequential(
            nn.Conv2d(in_channels // 2, in_channels // 2, 1, bias=False),
            nn.BatchNorm2d(in_channels // 2),
            nn.ReLU(),
            nn.Conv2d(in_channels // 2, in_channels // 2, 3, padding=1, groups=in_channels // 2, bias=False),
            nn.BatchNorm2d(in_channels // 2),
            nn.Conv2d(in_channels // 2, in_channels // 2, 1, bias=False),
            nn.BatchNorm2d(in_channels // 2),
            nn.ReLU(),
        )

    def forward(self, x):  # in_channels x H x W
        halves0, halves1 = x.chunk(2, dim=1)  # in_channels//2 x H x W
        branch2 = self.branch2(halves1)  # in_channels//2 x H x W
        return F.channel_shuffle(torch.cat([halves0, branch2], dim=1), 2)  # in_channels x H x W


class ShuffleNetV2(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 24, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.stage2 = nn.Sequential(Down(24, 116), *[InvertedResidual(116) for _ in range(3)])
        self.stage3 = nn.Sequential(Down(116, 232), *[InvertedResidual(232) for _ in range(7)])
        self.stage4 = nn.Sequential(Down(232, 464), *[InvertedResidual(464) for _ in range(3)])
        self.conv5 = nn.Sequential(nn.Conv2d(464, 1024, 1, bias=False), nn.BatchNorm2d(1024), nn.ReLU())
        self.fc = nn.Linear(1024, classes)

    def forward(self, x):  # 3 x 224 x 224
        x = self.conv1(x)  # 24 x 112 x 112
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # 24 x 56 x 56
        x = self.stage2(x)  # 116 x 28 x 28
        x = self.stage3(x)  # 232 x 14 x 14
        x = self.stage4(x)  # 464 x 7 x 7
        x = self.conv5(x)  # 1024 x 7 x 7
        return self.fc(x.mean((2, 3)))  # classes
