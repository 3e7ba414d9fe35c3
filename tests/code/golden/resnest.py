"""ResNeSt: 3 x 224 x 224 in, 1000 out, 17,069,448 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class SplitAttn(nn.Module):
    def __init__(self, c, radix):
        super().__init__()
        self.radix = radix
        self.conv = nn.Conv2d(c, c * radix, 3, padding=1, groups=radix, bias=False)
        self.bn0 = nn.BatchNorm2d(c * radix)
        self.fc1 = nn.Conv2d(c, max(32, c * radix // 4), 1)
        self.bn1 = nn.BatchNorm2d(max(32, c * radix // 4))
        self.fc2 = nn.Conv2d(max(32, c * radix // 4), c * radix, 1)

    def forward(self, x):  # c x H x W
        x = self.conv(x)  # c*radix x H x W
        x = F.relu(self.bn0(x))  # c*radix x H x W
        parts = x.unflatten(1, (self.radix, -1))  # radix x c x H x W
        x = self.fc1(parts.sum(1).mean((2, 3), keepdim=True))  # max(32,c*radix//4) x 1 x 1
        x = F.relu(self.bn1(x))  # max(32,c*radix//4) x 1 x 1
        x = self.fc2(x)  # c*radix x 1 x 1
        scores = F.softmax(x.unflatten(1, (self.radix, -1)), dim=1)  # radix x c x 1 x 1
        return (parts * scores).sum(1)  # c x H x W


class Bottleneck(nn.Module):
    def __init__(self, in_channels, c, radix, s=1):
        super().__init__()
        self.s = s
        self.conv1 = nn.Conv2d(in_channels, c, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = SplitAttn(c, radix)
        self.conv3 = nn.Conv2d(c, 4 * c, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * c)
        self.downsample = None
        if s != 1 or in_channels != 4 * c:
            self.downsample = nn.Sequential(
                nn.AvgPool2d(s, ceil_mode=True, count_include_pad=False),
                nn.Conv2d(in_channels, 4 * c, 1, bias=False),
                nn.BatchNorm2d(4 * c),
            )

    def forward(self, x):  # in_channels x H x W
        out = self.conv1(x)  # c x H x W
        out = F.relu(self.bn1(out))  # c x H x W
        out = self.conv2(out)  # c x H x W
        if self.s > 1:
            out = F.avg_pool2d(out, 3, stride=self.s, padding=1)  # c x H/s x W/s
        out = self.conv3(out)  # 4*c x H/s x W/s
        bn3 = self.bn3(out)  # 4*c x H/s x W/s
        if self.downsample is not None:
            x = self.downsample(x)  # 4*c x H/s x W/s
        return F.relu(bn3 + x)  # 4*c x H/s x W/s


class ResNeSt(nn.Module):
    def __init__(self, classes=1000, radix=2, depths=(2, 2, 2, 2)):
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1, bias=False),
        )
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(
            Bottleneck(64, 64, radix),
            *[Bottleneck(256, 64, radix) for _ in range(depths[0] - 1)],
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, radix, s=2),
            *[Bottleneck(512, 128, radix) for _ in range(depths[1] - 1)],
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256, radix, s=2),
            *[Bottleneck(1024, 256, radix) for _ in range(depths[2] - 1)],
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, radix, s=2),
            *[Bottleneck(2048, 512, radix) for _ in range(depths[3] - 1)],
        )
        self.fc = nn.Linear(2048, classes)

    def forward(self, x):  # 3 x 224 x 224
        x = self.conv1(x)  # 64 x 112 x 112
        x = F.max_pool2d(F.relu(self.bn1(x)), 3, stride=2, padding=1)  # 64 x 56 x 56
        x = self.layer1(x)  # 256 x 56 x 56
        x = self.layer2(x)  # 512 x 28 x 28
        x = self.layer3(x)  # 1024 x 14 x 14
        x = self.layer4(x)  # 2048 x 7 x 7
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))  # classes
