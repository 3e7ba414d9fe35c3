"""ResNet: 3 x 224 x 224 in, 1000 out, 11,689,512 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Basic(nn.Module):
    def __init__(self, in_channels, c, s=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, c, 3, stride=s, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)
        self.downsample = None
        if s != 1 or in_channels != c:
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, c, 1, stride=s, bias=False), nn.BatchNorm2d(c))

    def forward(self, x):  # in_channels x H x W
        out = self.conv1(x)  # c x H/s x W/s
        out = F.relu(self.bn1(out), inplace=True)  # c x H/s x W/s
        out = self.conv2(out)  # c x H/s x W/s
        bn2 = self.bn2(out)  # c x H/s x W/s
        if self.downsample is not None:
            x = self.downsample(x)  # c x H/s x W/s
        return F.relu(bn2 + x, inplace=True)  # c x H/s x W/s


class ResNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Basic(64, 64), Basic(64, 64))
        self.layer2 = nn.Sequential(Basic(64, 128, s=2), Basic(128, 128))
        self.layer3 = nn.Sequential(Basic(128, 256, s=2), Basic(256, 256))
        self.layer4 = nn.Sequential(Basic(256, 512, s=2), Basic(512, 512))
        self.fc = nn.Linear(512, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):  # 3 x 224 x 224
        x = self.conv1(x)  # 64 x 112 x 112
        x = F.max_pool2d(F.relu(self.bn1(x), inplace=True), 3, stride=2, padding=1)  # 64 x 56 x 56
        x = self.layer1(x)  # 64 x 56 x 56
        x = self.layer2(x)  # 128 x 28 x 28
        x = self.layer3(x)  # 256 x 14 x 14
        x = self.layer4(x)  # 512 x 7 x 7
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))  # classes
