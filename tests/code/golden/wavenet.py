"""WaveNet: 256 x T in, 256 x T out, 284,640 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, dilation, residual, gate, skip):
        super().__init__()
        self.dilation = dilation
        self.conv = nn.Conv1d(residual, gate, 2, dilation=dilation)
        self.conv_skip = nn.Conv1d(gate // 2, skip, 1)
        self.conv_res = nn.Conv1d(gate // 2, residual, 1)

    def forward(self, x):  # residual x T
        conv0, conv1 = self.conv(F.pad(x, (self.dilation, 0))).chunk(2, dim=1)  # gate//2 x T
        filter_ = torch.tanh(conv0)  # gate//2 x T
        gated = filter_ * torch.sigmoid(conv1)  # gate//2 x T
        conv_skip = self.conv_skip(gated)  # skip x T
        x = self.conv_res(gated) + x  # residual x T
        return x, conv_skip


class WaveNet(nn.Module):
    def __init__(self, residual=32, gate=64, skip=256, classes=256, depth=10):
        super().__init__()
        self.causal_conv = nn.Conv1d(256, residual, 2)
        self.blocks = nn.ModuleList([ResidualBlock(2**i, residual, gate, skip) for i in range(depth)])
        self.end_conv1 = nn.Conv1d(skip, skip, 1)
        self.end_conv2 = nn.Conv1d(skip, classes, 1)

    def forward(self, x):  # 256 x T
        x = self.causal_conv(F.pad(x, (1, 0)))  # residual x T
        skips = []
        for block in self.blocks:
            x, skip = block(x)  # residual x T
            skips.append(skip)
        x = F.relu(self.end_conv1(F.relu(sum(skips))))  # skip x T
        return self.end_conv2(x)  # classes x T
