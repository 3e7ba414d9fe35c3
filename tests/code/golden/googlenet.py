"""GoogLeNet: 3 x 224 x 224 in, 1000 out, 6,624,904 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Basic(nn.Module):
    def __init__(self, in_channels, c, k=1, s=1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, c, k, stride=s, padding=(k - 1) // 2, bias=False)
        self.bn = nn.BatchNorm2d(c, eps=0.001)

    def forward(self, x):  # in_channels x H x W
        x = self.conv(x)  # c x H/s x W/s
        return F.relu(self.bn(x))  # c x H/s x W/s


class Inception(nn.Module):
    def __init__(self, in_channels, a, b, c, d, e, f):
        super().__init__()
        self.branch1 = Basic(in_channels, a)
        self.branch2 = nn.Sequential(Basic(in_channels, b), Basic(b, c, k=3))
        self.branch3 = nn.Sequential(Basic(in_channels, d), Basic(d, e, k=3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), Basic(in_channels, f))

    def forward(self, x):  # in_channels x H x W
        branch1 = self.branch1(x)  # a x H x W
        branch2 = self.branch2(x)  # c x H x W
        branch3 = self.branch3(x)  # e x H x W
        branch4 = self.branch4(x)  # f x H x W
        return torch.cat([branch1, branch2, branch3, branch4], dim=1)  # a+c+e+f x H x W


class GoogLeNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = Basic(3, 64, k=7, s=2)
        self.conv2 = Basic(64, 64)
        self.conv3 = Basic(64, 192, k=3)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.fc = nn.Linear(1024, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.01, a=-2, b=2)

    def forward(self, x):  # 3 x 224 x 224
        x = F.max_pool2d(self.conv1(x), 3, stride=2, ceil_mode=True)  # 64 x 56 x 56
        x = self.conv2(x)  # 64 x 56 x 56
        x = F.max_pool2d(self.conv3(x), 3, stride=2, ceil_mode=True)  # 192 x 28 x 28
        x = self.inception3a(x)  # 256 x 28 x 28
        x = F.max_pool2d(self.inception3b(x), 3, stride=2, ceil_mode=True)  # 480 x 14 x 14
        x = self.inception4a(x)  # 512 x 14 x 14
        x = self.inception4b(x)  # 512 x 14 x 14
        x = self.inception4c(x)  # 512 x 14 x 14
        x = self.inception4d(x)  # 528 x 14 x 14
        x = F.max_pool2d(self.inception4e(x), 2, ceil_mode=True)  # 832 x 7 x 7
        x = self.inception5a(x)  # 832 x 7 x 7
        x = self.inception5b(x)  # 1024 x 7 x 7
        x = F.dropout(F.adaptive_avg_pool2d(x, 1), 0.2, self.training)  # 1024 x 1 x 1
        return self.fc(torch.flatten(x, 1))  # classes
