"""MlpMixer: 3 x 32 x 32 in, 10 out, 68,866 parameters."""

from fnmatch import fnmatch

import torch
import torch.nn.functional as F
from torch import nn


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Conv2d(3, 48, 8, stride=8)

    def forward(self, x):
        return torch.flatten(self.proj(x), 2).transpose(1, 2)  # 16 x 48


class Mlp(nn.Module):
    def __init__(self, in_features, h):
        super().__init__()
        self.fc1 = nn.Linear(in_features, h)
        self.fc2 = nn.Linear(h, in_features)

    def forward(self, x):  # M x in_features
        x = F.gelu(self.fc1(x))  # M x h
        return self.fc2(x)  # M x in_features


class Mixer(nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.norm1 = nn.LayerNorm(in_features, eps=1e-6)
        self.mlp_tokens = Mlp(16, in_features // 2)
        self.norm2 = nn.LayerNorm(in_features, eps=1e-6)
        self.mlp_channels = Mlp(in_features, 4 * in_features)

    def forward(self, x):  # 16 x in_features
        out = self.norm1(x).transpose(1, 2)  # in_features x 16
        out = self.mlp_tokens(out)  # in_features x 16
        x = out.transpose(1, 2) + x  # 16 x in_features
        out = self.norm2(x)  # 16 x in_features
        return self.mlp_channels(out) + x  # 16 x in_features


class MlpMixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Stem()
        self.blocks = nn.Sequential(*[Mixer(48) for _ in range(3)])
        self.norm = nn.LayerNorm(48, eps=1e-6)
        self.head = nn.Linear(48, 10)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and fnmatch(name, "*.mlp*"):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):  # 3 x 32 x 32
        x = self.stem(x)  # 16 x 48
        x = self.blocks(x)  # 16 x 48
        x = self.norm(x)  # 16 x 48
        return self.head(x.mean(1))  # 10
