"""TCN: 1 x 784 in, 10 out, 66,910 parameters."""

from collections import OrderedDict
from fnmatch import fnmatch

import torch.nn.functional as F
from torch import nn


class Slice(nn.Module):
    """Takes a stretch of an axis: `x[:, :, start:stop]`."""

    def __init__(self, dim, start=0, stop=None, step=1):
        super().__init__()
        self.dim, self.start, self.stop, self.step = dim, start, stop, step

    def forward(self, x):
        places = [slice(None)] * x.ndim
        places[self.dim] = slice(self.start, self.stop, self.step)
        return x[tuple(places)]


class Temporal(nn.Module):
    def __init__(self, in_channels, c, d, k=7, p=0.05):
        super().__init__()
        net = nn.Sequential(
            nn.utils.weight_norm(nn.Conv1d(in_channels, c, k, padding=(k - 1) * d, dilation=d)),
            Slice(2, stop=-(k - 1) * d),
            nn.ReLU(),
            nn.Dropout(p=p),
            nn.utils.weight_norm(nn.Conv1d(c, c, k, padding=(k - 1) * d, dilation=d)),
            Slice(2, stop=-(k - 1) * d),
            nn.ReLU(),
            nn.Dropout(p=p),
        )
        self.conv1 = net[0]
        self.conv2 = net[4]
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
            OrderedDict(network=nn.Sequential(Temporal(1, 25, 1), *[Temporal(25, 25, 2**i) for i in range(1, 8)]))
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
