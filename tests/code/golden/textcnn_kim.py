"""Net: T in, 2 out, 794,502 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Convs(nn.ModuleList):
    def __init__(self):
        super().__init__([nn.Conv2d(1, 100, (3, 128)), nn.Conv2d(1, 100, (4, 128)), nn.Conv2d(1, 100, (5, 128))])

    def forward(self, x):
        return [F.relu(conv(x)).squeeze(3).amax(2) for conv in self]  # 100


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5000, 128, padding_idx=0)
        self.convs = Convs()
        self.fc1 = nn.Linear(300, 2)

    def forward(self, x):  # T
        x = self.embed(x).unsqueeze(1)  # 1 x T x 128
        convs = self.convs(x)  # 100
        return self.fc1(F.dropout(torch.cat(convs, dim=1), 0.5, self.training))  # 2
