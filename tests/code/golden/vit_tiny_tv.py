"""VisionTransformer: 3 x 32 x 32 in, 10 out, 67,594 parameters."""

from collections import OrderedDict
from fnmatch import fnmatch

import torch
from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(d, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(d, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(d, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(d, 2 * d),
            nn.GELU(),
            nn.Dropout(p=0),
            nn.Linear(2 * d, d),
            nn.Dropout(p=0),
        )

    def forward(self, x):  # M x d
        out = self.ln_1(x)  # M x d
        output, _ = self.self_attention(out, out, out, need_weights=False)  # M x d
        x = output + x  # M x d
        out = self.ln_2(x)  # M x d
        return self.mlp(out) + x  # M x d


class Encoder(nn.Module):
    def __init__(self, in_length, d, heads, depth):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(1, in_length, d))
        self.layers = nn.Sequential(OrderedDict({f"encoder_layer_{i}": EncoderBlock(d, heads) for i in range(depth)}))
        self.ln = nn.LayerNorm(d, eps=1e-6)

    def forward(self, x):  # in_length x d
        x = self.layers(x + self.pos_embedding)  # in_length x d
        return self.ln(x)  # in_length x d


class VisionTransformer(nn.Module):
    def __init__(self, p=8, d=48, heads=4, depth=3, classes=10):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, d))
        self.conv_proj = nn.Conv2d(3, d, p, stride=p)
        self.encoder = Encoder(1 + (32 // p) ** 2, d, heads, depth)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(d, classes)))
        nn.init.trunc_normal_(self.conv_proj.weight, std=(3 * p * p) ** -0.5)
        nn.init.zeros_(self.conv_proj.bias)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and fnmatch(name, "*.mlp.*"):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)
        nn.init.normal_(self.encoder.pos_embedding, std=0.02)

    def forward(self, x):  # 3 x 32 x 32
        conv_proj = torch.flatten(self.conv_proj(x), 2).transpose(1, 2)  # (32//p)**2 x d
        x = self.class_token.expand(x.shape[0], -1, -1)  # 1 x d
        x = torch.cat([x, conv_proj], dim=1)  # 1+(32//p)**2 x d
        x = self.encoder(x)[:, 0]  # d
        return self.heads(x)  # classes
