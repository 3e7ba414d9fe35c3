"""DenseNet: 3 x 224 x 224 in, 1000 out, 7,978,856 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


class Dense(nn.Module):
    def __init__(self, in_channels, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):  # in_channels x H x W
        out = F.relu(self.norm1(x))  # in_channels x H x W
        out = self.conv1(out)  # 4*growth x H x W
        out = F.relu(self.norm2(out))  # 4*growth x H x W
        out = self.conv2(out)  # growth x H x W
        return torch.cat([x, out], dim=1)  # in_channels+growth x H x W


class Transition(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)

    def forward(self, x):  # in_channels x H x W
        x = F.relu(self.norm(x))  # in_channels x H x W
        return F.avg_pool2d(self.conv(x), 2)  # in_channels//2 x H/2 x W/2


class DenseNet(nn.Module):
    def __init__(self, growth=32, classes=1000):
        super().__init__()
        layers = OrderedDict(
            {
                "conv0": nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
                "norm0": nn.BatchNorm2d(64),
                "0": nn.ReLU(),
                "1": nn.MaxPool2d(3, stride=2, padding=1),
            }
        )
        in_channels = 64
        for i, n in enumerate([6, 12, 24, 16]):
            stage = OrderedDict()
            for j in range(n):
                stage[f"denselayer{j + 1}"] = Dense(in_channels, growth)
                in_channels += growth
            layers[f"denseblock{i + 1}"] = nn.Sequential(stage)
            if i < 3:
                layers[f"transition{i + 1}"] = Transition(in_channels)
                in_channels //= 2
        layers["norm5"] = nn.BatchNorm2d(in_channels)
        self.features = nn.Sequential(layers)
        self.classifier = nn.Linear(in_channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(F.relu(x), 1), 1))  # classes
