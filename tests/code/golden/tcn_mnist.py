"""TCN: 1 x 784 in, 10 out, 66,910 parameters."""

from collections import OrderedDict
from fnmatch import fnmatch

import torch.nn.functional as F
from torch import nn


class Net(nn.ModuleDict):
    def __init__(self, in_channels, c, d, k, p):
        super().__init__(
            {
                "0": nn.utils.weight_norm(nn.Conv1d(in_channels, c, k, padding=(k - 1) * d, dilation=d)),
                "2": nn.ReLU(),
                "3": nn.Dropout(p=p),
                "4": nn.utils.weight_norm(nn.Conv1d(c, c, k, padding=(k - 1) * d, dilation=d)),
                "6": nn.ReLU(),
                "7": nn.Dropout(p=p),
            }
        )
        self.stop = -(k - 1) * d

    def forward(self, x):
        x = self["0"](x)
        x = x[:, :, : self.stop]  # c x 784
        x = self["2"](x)  # c x 784
        x = self["3"](x)  # c x 784
        x = self["4"](x)
        x = x[:, :, : self.stop]  # c x 784
        x = self["6"](x)  # c x 784
        return self["7"](x)  # c x 784


class Temporal(nn.Module):
    def __init__(self, in_channels, c, d, k=7, p=0.05):
        super().__init__()
        net = Net(in_channels, c, d, k, p)
        self.conv1 = net["0"]
        self.conv2 = net["4"]
        self.net = net
        self.downsample = None
        if in_channels != c:
            self.downsample = nn.Conv1d(in_channels, c, 1)

    def forward(self, x):  # in_channels x 784
        net = self.net(x)  # c x 784
        if self.downsample is not None:
            x = self.downsample(x)  # c x 784
        return F.relu(net + x)  # c x 784


class TCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.tcn = nn.Sequential(
            OrderedDict(
                network=nn.Sequential(
                    Temporal(1, 25, 1),
                    Temporal(25, 25, 2),
                    Temporal(25, 25, 4),
                    Temporal(25, 25, 8),
                    Temporal(25, 25, 16),
                    Temporal(25, 25, 32),
                    Temporal(25, 25, 64),
                    Temporal(25, 25, 128),
                )
            )
        )
        self.linear = nn.Linear(25, 10)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv1d) and fnmatch(name, "*.net.*"):
                nn.init.normal_(module.weight_v, std=0.01)
            elif isinstance(module, nn.Conv1d) and name.endswith(".downsample"):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, x):  # 1 x 784
        x = self.tcn(x)  # 25 x 784
        return F.log_softmax(self.linear(x[:, :, -1]), dim=1)  # 10
