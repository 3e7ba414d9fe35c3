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
        self.features = nn.Sequential(
            OrderedDict(
                {
                    "conv0": nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
                    "norm0": nn.BatchNorm2d(64),
                    "0": nn.ReLU(),
                    "1": nn.MaxPool2d(3, stride=2, padding=1),
                    "denseblock1": nn.Sequential(
                        OrderedDict(
                            denselayer1=Dense(64, growth),
                            denselayer2=Dense(64 + growth, growth),
                            denselayer3=Dense(64 + 2 * growth, growth),
                            denselayer4=Dense(64 + 3 * growth, growth),
                            denselayer5=Dense(64 + 4 * growth, growth),
                            denselayer6=Dense(64 + 5 * growth, growth),
                        )
                    ),
                    "transition1": Transition(64 + 6 * growth),
                    "denseblock2": nn.Sequential(
                        OrderedDict(
                            denselayer1=Dense(32 + 3 * growth, growth),
                            denselayer2=Dense(32 + 4 * growth, growth),
                            denselayer3=Dense(32 + 5 * growth, growth),
                            denselayer4=Dense(32 + 6 * growth, growth),
                            denselayer5=Dense(32 + 7 * growth, growth),
                            denselayer6=Dense(32 + 8 * growth, growth),
                            denselayer7=Dense(32 + 9 * growth, growth),
                            denselayer8=Dense(32 + 10 * growth, growth),
                            denselayer9=Dense(32 + 11 * growth, growth),
                            denselayer10=Dense(32 + 12 * growth, growth),
                            denselayer11=Dense(32 + 13 * growth, growth),
                            denselayer12=Dense(32 + 14 * growth, growth),
                        )
                    ),
                    "transition2": Transition(32 + 15 * growth),
                    "denseblock3": nn.Sequential(
                        OrderedDict(
                            denselayer1=Dense((32 + 15 * growth) // 2, growth),
                            denselayer2=Dense((32 + 15 * growth) // 2 + growth, growth),
                            denselayer3=Dense((32 + 15 * growth) // 2 + 2 * growth, growth),
                            denselayer4=Dense((32 + 15 * growth) // 2 + 3 * growth, growth),
                            denselayer5=Dense((32 + 15 * growth) // 2 + 4 * growth, growth),
                            denselayer6=Dense((32 + 15 * growth) // 2 + 5 * growth, growth),
                            denselayer7=Dense((32 + 15 * growth) // 2 + 6 * growth, growth),
                            denselayer8=Dense((32 + 15 * growth) // 2 + 7 * growth, growth),
                            denselayer9=Dense((32 + 15 * growth) // 2 + 8 * growth, growth),
                            denselayer10=Dense((32 + 15 * growth) // 2 + 9 * growth, growth),
                            denselayer11=Dense((32 + 15 * growth) // 2 + 10 * growth, growth),
                            denselayer12=Dense((32 + 15 * growth) // 2 + 11 * growth, growth),
                            denselayer13=Dense((32 + 15 * growth) // 2 + 12 * growth, growth),
                            denselayer14=Dense((32 + 15 * growth) // 2 + 13 * growth, growth),
                            denselayer15=Dense((32 + 15 * growth) // 2 + 14 * growth, growth),
                            denselayer16=Dense((32 + 15 * growth) // 2 + 15 * growth, growth),
                            denselayer17=Dense((32 + 15 * growth) // 2 + 16 * growth, growth),
                            denselayer18=Dense((32 + 15 * growth) // 2 + 17 * growth, growth),
                            denselayer19=Dense((32 + 15 * growth) // 2 + 18 * growth, growth),
                            denselayer20=Dense((32 + 15 * growth) // 2 + 19 * growth, growth),
                            denselayer21=Dense((32 + 15 * growth) // 2 + 20 * growth, growth),
                            denselayer22=Dense((32 + 15 * growth) // 2 + 21 * growth, growth),
                            denselayer23=Dense((32 + 15 * growth) // 2 + 22 * growth, growth),
                            denselayer24=Dense((32 + 15 * growth) // 2 + 23 * growth, growth),
                        )
                    ),
                    "transition3": Transition((32 + 15 * growth) // 2 + 24 * growth),
                    "denseblock4": nn.Sequential(
                        OrderedDict(
                            denselayer1=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2, growth),
                            denselayer2=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + growth, growth),
                            denselayer3=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 2 * growth, growth),
                            denselayer4=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 3 * growth, growth),
                            denselayer5=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 4 * growth, growth),
                            denselayer6=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 5 * growth, growth),
                            denselayer7=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 6 * growth, growth),
                            denselayer8=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 7 * growth, growth),
                            denselayer9=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 8 * growth, growth),
                            denselayer10=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 9 * growth, growth),
                            denselayer11=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 10 * growth, growth),
                            denselayer12=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 11 * growth, growth),
                            denselayer13=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 12 * growth, growth),
                            denselayer14=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 13 * growth, growth),
                            denselayer15=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 14 * growth, growth),
                            denselayer16=Dense(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 15 * growth, growth),
                        )
                    ),
                    "norm5": nn.BatchNorm2d(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 16 * growth),
                }
            )
        )
        self.classifier = nn.Linear(((32 + 15 * growth) // 2 + 24 * growth) // 2 + 16 * growth, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(F.relu(x), 1), 1))  # classes
