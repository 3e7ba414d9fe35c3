"""Conformer: T x 144 in, T x 144 out, 7,771,392 parameters."""

import torch.nn.functional as F
from torch import nn


class Transpose(nn.Module):
    """Exchanges two axes."""

    def __init__(self, dim0, dim1):
        super().__init__()
        self.dim0, self.dim1 = dim0, dim1

    def forward(self, x):
        return x.transpose(self.dim0, self.dim1)


class FeedForwardModule(nn.Module):
    def __init__(self, in_features, ffn, p):
        super().__init__()
        self.sequential = nn.Sequential(
            nn.LayerNorm(in_features),
            nn.Linear(in_features, ffn),
            nn.SiLU(),
            nn.Dropout(p=p),
            nn.Linear(ffn, in_features),
            nn.Dropout(p=p),
        )

    def forward(self, x):  # T x in_features
        return self.sequential(x)  # T x in_features


class ConvolutionModule(nn.Module):
    def __init__(self, in_features, kernel, p):
        super().__init__()
        self.layer_norm = nn.LayerNorm(in_features)
        self.sequential = nn.Sequential(
            Transpose(1, 2),
            nn.Conv1d(in_features, 2 * in_features, 1),
            nn.GLU(dim=1),
            nn.Conv1d(in_features, in_features, kernel, padding=(kernel - 1) // 2, groups=in_features),
            nn.BatchNorm1d(in_features),
            nn.SiLU(),
            nn.Conv1d(in_features, in_features, 1),
            nn.Dropout(p=p),
            Transpose(1, 2),
        )

    def forward(self, x):  # T x in_features
        out = self.layer_norm(x)  # T x in_features
        return x + self.sequential(out)  # T x in_features


class ConformerLayer(nn.Module):
    def __init__(self, in_features, heads, ffn, kernel, p):
        super().__init__()
        self.p = p
        self.ffn1 = FeedForwardModule(in_features, ffn, p)
        self.self_attn_layer_norm = nn.LayerNorm(in_features)
        self.self_attn = nn.MultiheadAttention(in_features, heads, dropout=p, batch_first=True)
        self.conv_module = ConvolutionModule(in_features, kernel, p)
        self.ffn2 = FeedForwardModule(in_features, ffn, p)
        self.final_layer_norm = nn.LayerNorm(in_features)

    def forward(self, x):  # T x in_features
        ffn1 = x + self.ffn1(x) * 0.5  # T x in_features
        x = self.self_attn_layer_norm(ffn1)  # T x in_features
        output, _ = self.self_attn(x, x, x, need_weights=False)  # T x in_features
        conv_module = self.conv_module(F.dropout(output, self.p, self.training) + ffn1)  # T x in_features
        x = conv_module + self.ffn2(conv_module) * 0.5  # T x in_features
        return self.final_layer_norm(x)  # T x in_features


class Conformer(nn.Module):
    def __init__(self, heads=4, ffn=576, layers=16, kernel=31, p=0.1):
        super().__init__()
        self.conformer_layers = nn.Sequential(*[ConformerLayer(144, heads, ffn, kernel, p) for _ in range(layers)])

    def forward(self, x):  # T x 144
        return self.conformer_layers(x)  # T x 144
