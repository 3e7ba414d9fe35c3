"""SqueezeNet: 3 x 224 x 224 in, 1000 out, 1,248,424 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Fire(nn.Module):
    def __init__(self, in_channels, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):  # in_channels x H x W
        squeeze = F.relu(self.squeeze(x))  # squeeze x H x W
        expand1x1 = F.relu(self.expand1x1(squeeze))  # expand x H x W
        expand3x3 = F.relu(self.expand3x3(squeeze))  # expand x H x W
        return torch.cat([expand1x1, expand3x3], dim=1)  # 2*expand x H x W


class SqueezeNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(96, 16, 64),
            Fire(128, 16, 64),
            Fire(128, 32, 128),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(256, 32, 128),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Conv2d(512, classes, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )
        for name, module in self.named_modules():
            if name == "classifier.1":
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)  # 512 x 13 x 13
        x = self.classifier(x)  # classes x 1 x 1
        return torch.flatten(x, 1)  # classes
