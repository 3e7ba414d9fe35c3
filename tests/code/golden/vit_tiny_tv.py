"""VisionTransformer: 3 x 32 x 32 in, 10 out, 67,594 parameters."""

from collections import OrderedDict
from fnmatch import fnmatch

import torch
import torch.nn.functional as F
from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.ln_1 = nn.LayerNorm(in_features, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(in_features, 4, batch_first=True)
        self.ln_2 = nn.LayerNorm(in_features, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(in_features, 96),
            nn.GELU(),
            nn.Dropout(p=0),
            nn.Linear(96, 48),
            nn.Dropout(p=0),
        )

    def forward(self, x):  # 17 x 48
        out = self.ln_1(x)  # 17 x in_features
        output, _ = self.self_attention(out, out, out, need_weights=False)  # 17 x in_features
        out = F.dropout(output, 0, self.training)  # 17 x in_features
        x2 = out + x  # 17 x in_features
        x = self.ln_2(x2)  # 17 x in_features
        x = self.mlp(x)  # 17 x 48
        return x + x2  # 17 x 48


class Encoder(nn.Module):
    def __init__(self, in_length, in_features):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(1, in_length, 48))
        self.layers = nn.Sequential(
            OrderedDict(
                encoder_layer_0=EncoderBlock(in_features),
                encoder_layer_1=EncoderBlock(48),
                encoder_layer_2=EncoderBlock(48),
            )
        )
        self.ln = nn.LayerNorm(48, eps=1e-6)

    def forward(self, x):  # 17 x 48
        x = F.dropout(x + self.pos_embedding, 0, self.training)  # in_length x in_features
        x = self.layers(x)  # in_length x 48
        return self.ln(x)  # in_length x 48


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        return self.head(x[:, 0])  # 10


class VisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, 48))
        self.conv_proj = nn.Conv2d(3, 48, 8, stride=8)
        self.encoder = Encoder(17, 48)
        self.heads = Heads()
        for name, module in self.named_modules():
            if name == "conv_proj":
                nn.init.trunc_normal_(module.weight, std=0.07216878364870322)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear) and fnmatch(name, "*.mlp.*"):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)
            elif name == "heads.head":
                nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.encoder.pos_embedding, std=0.02)

    def forward(self, x):  # 3 x 32 x 32
        conv_proj = torch.flatten(self.conv_proj(x), 2).transpose(1, 2)  # 16 x 48
        x = self.class_token.expand(x.shape[0], -1, -1)  # 1 x 48
        x = torch.cat([x, conv_proj], dim=1)  # 17 x 48
        x = self.encoder(x)  # 17 x 48
        return self.heads(x)  # 10
