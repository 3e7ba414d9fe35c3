"""Res2Net: 3 x 224 x 224 in, 1000 out, 25,699,120 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Bottle2neck(nn.Module):
    def __init__(self, in_channels, c, s=1, first=False):
        super().__init__()
        self.first = first
        self.s = s
        self.conv1 = nn.Conv2d(in_channels, 4 * (26 * c // 64), 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4 * (26 * c // 64))
        self.convs = nn.ModuleList(
            [nn.Conv2d(26 * c // 64, 26 * c // 64, 3, stride=s, padding=1, bias=False) for _ in range(3)]
        )
        self.bns = nn.ModuleList([nn.BatchNorm2d(26 * c // 64) for _ in range(3)])
        self.conv3 = nn.Conv2d(4 * (26 * c // 64), 4 * c, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * c)
        self.downsample = None
        if s != 1 or in_channels != 4 * c:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, 4 * c, 1, stride=s, bias=False),
                nn.BatchNorm2d(4 * c),
            )

    def forward(self, x):  # in_channels x H x W
        out = self.conv1(x)  # 4*(26*c//64) x H x W
        bn10, bn11, bn12, bn13 = F.relu(self.bn1(out)).chunk(4, dim=1)  # 26*c//64 x H x W
        out = self.convs[0](bn10)  # 26*c//64 x H/s x W/s
        bns_0 = F.relu(self.bns[0](out))  # 26*c//64 x H/s x W/s
        out = bn11 if self.first else bn11 + bns_0  # 26*c//64 x H x W
        out = self.convs[1](out)  # 26*c//64 x H/s x W/s
        bns_1 = F.relu(self.bns[1](out))  # 26*c//64 x H/s x W/s
        out = bn12 if self.first else bn12 + bns_1  # 26*c//64 x H x W
        out = self.convs[2](out)  # 26*c//64 x H/s x W/s
        bns_2 = F.relu(self.bns[2](out))  # 26*c//64 x H/s x W/s
        out = F.avg_pool2d(bn13, 3, stride=self.s, padding=1) if self.first else bn13  # 26*c//64 x H/s x W/s
        out = self.conv3(torch.cat([bns_0, bns_1, bns_2, out], dim=1))  # 4*c x H/s x W/s
        bn3 = self.bn3(out)  # 4*c x H/s x W/s
        if self.downsample is not None:
            x = self.downsample(x)  # 4*c x H/s x W/s
        return F.relu(bn3 + x)  # 4*c x H/s x W/s


class Res2Net(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Bottle2neck(64, 64, first=True), Bottle2neck(256, 64), Bottle2neck(256, 64))
        self.layer2 = nn.Sequential(Bottle2neck(256, 128, s=2, first=True), *[Bottle2neck(512, 128) for _ in range(3)])
        self.layer3 = nn.Sequential(Bottle2neck(512, 256, s=2, first=True), *[Bottle2neck(1024, 256) for _ in range(5)])
        self.layer4 = nn.Sequential(
            Bottle2neck(1024, 512, s=2, first=True),
            Bottle2neck(2048, 512),
            Bottle2neck(2048, 512),
        )
        self.fc = nn.Linear(2048, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):  # 3 x 224 x 224
        x = self.conv1(x)  # 64 x 112 x 112
        x = F.max_pool2d(F.relu(self.bn1(x)), 3, stride=2, padding=1)  # 64 x 56 x 56
        x = self.layer1(x)  # 256 x 56 x 56
        x = self.layer2(x)  # 512 x 28 x 28
        x = self.layer3(x)  # 1024 x 14 x 14
        x = self.layer4(x)  # 2048 x 7 x 7
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))  # classes
