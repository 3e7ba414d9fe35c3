"""DenseNet: 3 x 224 x 224 in, 1000 out, 7,978,856 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


class Dense(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 128, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(128)
        self.conv2 = nn.Conv2d(128, 32, 3, padding=1, bias=False)

    def forward(self, x):  # in_channels x H x W
        out = F.relu(self.norm1(x))  # in_channels x H x W
        out = self.conv1(out)  # 128 x H x W
        out = F.relu(self.norm2(out))  # 128 x H x W
        out = self.conv2(out)  # 32 x H x W
        return torch.cat([x, out], dim=1)


class Transition(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)

    def forward(self, x):  # in_channels x H x W
        x = F.relu(self.norm(x))  # in_channels x H x W
        return F.avg_pool2d(self.conv(x), 2)  # in_channels//2 x H/2 x W/2


class DenseNet(nn.Module):
    def __init__(self):
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
                            denselayer1=Dense(64),
                            denselayer2=Dense(96),
                            denselayer3=Dense(128),
                            denselayer4=Dense(160),
                            denselayer5=Dense(192),
                            denselayer6=Dense(224),
                        )
                    ),
                    "transition1": Transition(256),
                    "denseblock2": nn.Sequential(
                        OrderedDict(
                            denselayer1=Dense(128),
                            denselayer2=Dense(160),
                            denselayer3=Dense(192),
                            denselayer4=Dense(224),
                            denselayer5=Dense(256),
                            denselayer6=Dense(288),
                            denselayer7=Dense(320),
                            denselayer8=Dense(352),
                            denselayer9=Dense(384),
                            denselayer10=Dense(416),
                            denselayer11=Dense(448),
                            denselayer12=Dense(480),
                        )
                    ),
                    "transition2": Transition(512),
                    "denseblock3": nn.Sequential(
                        OrderedDict(
                            denselayer1=Dense(256),
                            denselayer2=Dense(288),
                            denselayer3=Dense(320),
                            denselayer4=Dense(352),
                            denselayer5=Dense(384),
                            denselayer6=Dense(416),
                            denselayer7=Dense(448),
                            denselayer8=Dense(480),
                            denselayer9=Dense(512),
                            denselayer10=Dense(544),
                            denselayer11=Dense(576),
                            denselayer12=Dense(608),
                            denselayer13=Dense(640),
                            denselayer14=Dense(672),
                            denselayer15=Dense(704),
                            denselayer16=Dense(736),
                            denselayer17=Dense(768),
                            denselayer18=Dense(800),
                            denselayer19=Dense(832),
                            denselayer20=Dense(864),
                            denselayer21=Dense(896),
                            denselayer22=Dense(928),
                            denselayer23=Dense(960),
                            denselayer24=Dense(992),
                        )
                    ),
                    "transition3": Transition(1024),
                    "denseblock4": nn.Sequential(
                        OrderedDict(
                            denselayer1=Dense(512),
                            denselayer2=Dense(544),
                            denselayer3=Dense(576),
                            denselayer4=Dense(608),
                            denselayer5=Dense(640),
                            denselayer6=Dense(672),
                            denselayer7=Dense(704),
                            denselayer8=Dense(736),
                            denselayer9=Dense(768),
                            denselayer10=Dense(800),
                            denselayer11=Dense(832),
                            denselayer12=Dense(864),
                            denselayer13=Dense(896),
                            denselayer14=Dense(928),
                            denselayer15=Dense(960),
                            denselayer16=Dense(992),
                        )
                    ),
                    "norm5": nn.BatchNorm2d(1024),
                }
            )
        )
        self.classifier = nn.Linear(1024, 1000)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x):  # 3 x 224 x 224
        x = self.features(x)  # 1024 x 7 x 7
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(F.relu(x), 1), 1))  # 1000
