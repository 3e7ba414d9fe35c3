"""Inception3: 3 x 299 x 299 in, 1000 out, 23,834,568 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class BasicConv2d(nn.Module):
    def __init__(self, in_channels, c, k=1, s=1, p=0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, c, k, stride=s, padding=p, bias=False)
        self.bn = nn.BatchNorm2d(c, eps=0.001)

    def forward(self, x):  # in_channels x H x W
        x = self.conv(x)
        return F.relu(self.bn(x))


class InceptionA(nn.Module):
    def __init__(self, in_channels, pool):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, 64)
        self.branch5x5_1 = BasicConv2d(in_channels, 48)
        self.branch5x5_2 = BasicConv2d(48, 64, k=5, p=2)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, 64)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, k=3, p=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, k=3, p=1)
        self.branch_pool = BasicConv2d(in_channels, pool)

    def forward(self, x):  # in_channels x 35 x 35
        branch1x1 = self.branch1x1(x)  # 64 x 35 x 35
        out = self.branch5x5_1(x)  # 48 x 35 x 35
        branch5x5_2 = self.branch5x5_2(out)  # 64 x 35 x 35
        out = self.branch3x3dbl_1(x)  # 64 x 35 x 35
        out = self.branch3x3dbl_2(out)  # 96 x 35 x 35
        branch3x3dbl_3 = self.branch3x3dbl_3(out)  # 96 x 35 x 35
        branch_pool = self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1))  # pool x 35 x 35
        return torch.cat([branch1x1, branch5x5_2, branch3x3dbl_3, branch_pool], dim=1)  # 224+pool x 35 x 35


class InceptionB(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.branch3x3 = BasicConv2d(in_channels, 384, k=3, s=2)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, 64)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, k=3, p=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, k=3, s=2)

    def forward(self, x):  # in_channels x 35 x 35
        branch3x3 = self.branch3x3(x)  # 384 x 17 x 17
        out = self.branch3x3dbl_1(x)  # 64 x 35 x 35
        out = self.branch3x3dbl_2(out)  # 96 x 35 x 35
        branch3x3dbl_3 = self.branch3x3dbl_3(out)  # 96 x 17 x 17
        branch_pool = F.max_pool2d(x, 3, stride=2)  # in_channels x 17 x 17
        return torch.cat([branch3x3, branch3x3dbl_3, branch_pool], dim=1)  # 480+in_channels x 17 x 17


class InceptionC(nn.Module):
    def __init__(self, in_channels, width):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, 192)
        self.branch7x7_1 = BasicConv2d(in_channels, width)
        self.branch7x7_2 = BasicConv2d(width, width, k=(1, 7), p=(0, 3))
        self.branch7x7_3 = BasicConv2d(width, 192, k=(7, 1), p=(3, 0))
        self.branch7x7dbl_1 = BasicConv2d(in_channels, width)
        self.branch7x7dbl_2 = BasicConv2d(width, width, k=(7, 1), p=(3, 0))
        self.branch7x7dbl_3 = BasicConv2d(width, width, k=(1, 7), p=(0, 3))
        self.branch7x7dbl_4 = BasicConv2d(width, width, k=(7, 1), p=(3, 0))
        self.branch7x7dbl_5 = BasicConv2d(width, 192, k=(1, 7), p=(0, 3))
        self.branch_pool = BasicConv2d(in_channels, 192)

    def forward(self, x):  # in_channels x 17 x 17
        branch1x1 = self.branch1x1(x)  # 192 x 17 x 17
        out = self.branch7x7_1(x)  # width x 17 x 17
        out = self.branch7x7_2(out)  # width x 17 x 17
        branch7x7_3 = self.branch7x7_3(out)  # 192 x 17 x 17
        out = self.branch7x7dbl_1(x)  # width x 17 x 17
        out = self.branch7x7dbl_2(out)  # width x 17 x 17
        out = self.branch7x7dbl_3(out)  # width x 17 x 17
        out = self.branch7x7dbl_4(out)  # width x 17 x 17
        branch7x7dbl_5 = self.branch7x7dbl_5(out)  # 192 x 17 x 17
        branch_pool = self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1))  # 192 x 17 x 17
        return torch.cat([branch1x1, branch7x7_3, branch7x7dbl_5, branch_pool], dim=1)  # 768 x 17 x 17


class InceptionD(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.branch3x3_1 = BasicConv2d(in_channels, 192)
        self.branch3x3_2 = BasicConv2d(192, 320, k=3, s=2)
        self.branch7x7x3_1 = BasicConv2d(in_channels, 192)
        self.branch7x7x3_2 = BasicConv2d(192, 192, k=(1, 7), p=(0, 3))
        self.branch7x7x3_3 = BasicConv2d(192, 192, k=(7, 1), p=(3, 0))
        self.branch7x7x3_4 = BasicConv2d(192, 192, k=3, s=2)

    def forward(self, x):  # in_channels x 17 x 17
        out = self.branch3x3_1(x)  # 192 x 17 x 17
        branch3x3_2 = self.branch3x3_2(out)  # 320 x 8 x 8
        out = self.branch7x7x3_1(x)  # 192 x 17 x 17
        out = self.branch7x7x3_2(out)  # 192 x 17 x 17
        out = self.branch7x7x3_3(out)  # 192 x 17 x 17
        branch7x7x3_4 = self.branch7x7x3_4(out)  # 192 x 8 x 8
        branch_pool = F.max_pool2d(x, 3, stride=2)  # in_channels x 8 x 8
        return torch.cat([branch3x3_2, branch7x7x3_4, branch_pool], dim=1)  # 512+in_channels x 8 x 8


class InceptionE(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, 320)
        self.branch3x3_1 = BasicConv2d(in_channels, 384)
        self.branch3x3_2a = BasicConv2d(384, 384, k=(1, 3), p=(0, 1))
        self.branch3x3_2b = BasicConv2d(384, 384, k=(3, 1), p=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(in_channels, 448)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, k=3, p=1)
        self.branch3x3dbl_3a = BasicConv2d(384, 384, k=(1, 3), p=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(384, 384, k=(3, 1), p=(1, 0))
        self.branch_pool = BasicConv2d(in_channels, 192)

    def forward(self, x):  # in_channels x 8 x 8
        branch1x1 = self.branch1x1(x)  # 320 x 8 x 8
        branch3x3_1 = self.branch3x3_1(x)  # 384 x 8 x 8
        branch3x3_2a = self.branch3x3_2a(branch3x3_1)  # 384 x 8 x 8
        branch3x3_2b = self.branch3x3_2b(branch3x3_1)  # 384 x 8 x 8
        branch3x3 = torch.cat([branch3x3_2a, branch3x3_2b], dim=1)  # 768 x 8 x 8
        out = self.branch3x3dbl_1(x)  # 448 x 8 x 8
        branch3x3dbl_2 = self.branch3x3dbl_2(out)  # 384 x 8 x 8
        branch3x3dbl_3a = self.branch3x3dbl_3a(branch3x3dbl_2)  # 384 x 8 x 8
        branch3x3dbl_3b = self.branch3x3dbl_3b(branch3x3dbl_2)  # 384 x 8 x 8
        branch3x3dbl = torch.cat([branch3x3dbl_3a, branch3x3dbl_3b], dim=1)  # 768 x 8 x 8
        branch_pool = self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1))  # 192 x 8 x 8
        return torch.cat([branch1x1, branch3x3, branch3x3dbl, branch_pool], dim=1)  # 2048 x 8 x 8


class Inception3(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, k=3, s=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, k=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, k=3, p=1)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, k=3)
        self.Mixed_5b = InceptionA(192, 32)
        self.Mixed_5c = InceptionA(256, 64)
        self.Mixed_5d = InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, 128)
        self.Mixed_6c = InceptionC(768, 160)
        self.Mixed_6d = InceptionC(768, 160)
        self.Mixed_6e = InceptionC(768, 192)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.fc = nn.Linear(2048, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.1, a=-2, b=2)

    def forward(self, x):  # 3 x 299 x 299
        x = self.Conv2d_1a_3x3(x)  # 32 x 149 x 149
        x = self.Conv2d_2a_3x3(x)  # 32 x 147 x 147
        x = self.Conv2d_2b_3x3(x)  # 64 x 147 x 147
        x = F.max_pool2d(x, 3, stride=2)  # 64 x 73 x 73
        x = self.Conv2d_3b_1x1(x)  # 80 x 73 x 73
        x = self.Conv2d_4a_3x3(x)  # 192 x 71 x 71
        x = F.max_pool2d(x, 3, stride=2)  # 192 x 35 x 35
        x = self.Mixed_5b(x)  # 256 x 35 x 35
        x = self.Mixed_5c(x)  # 288 x 35 x 35
        x = self.Mixed_5d(x)  # 288 x 35 x 35
        x = self.Mixed_6a(x)  # 768 x 17 x 17
        x = self.Mixed_6b(x)  # 768 x 17 x 17
        x = self.Mixed_6c(x)  # 768 x 17 x 17
        x = self.Mixed_6d(x)  # 768 x 17 x 17
        x = self.Mixed_6e(x)  # 768 x 17 x 17
        x = self.Mixed_7a(x)  # 1280 x 8 x 8
        x = self.Mixed_7b(x)  # 2048 x 8 x 8
        x = self.Mixed_7c(x)  # 2048 x 8 x 8
        x = F.dropout(F.adaptive_avg_pool2d(x, 1), 0.5, self.training)  # 2048 x 1 x 1
        return self.fc(torch.flatten(x, 1))  # classes
