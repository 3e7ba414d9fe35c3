"""Wav2Vec2Model: L in, ((L + 10) // 20 - 1) x 32, ((L + 10) // 20 - 1) x 16 out, 21,320 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class Bit(nn.Module):
    def __init__(self, in_channels, i, widths, kernels, strides):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, widths[i], kernels[i], stride=strides[i], bias=False)
        self.layer_norm = None
        if i == 0:
            self.layer_norm = nn.GroupNorm(widths[i], widths[i])

    def forward(self, x):  # in_channels x L
        x = self.conv(x)
        if self.layer_norm is not None:
            x = self.layer_norm(x)  # widths[i] x (L // 5 - 1)
        return F.gelu(x)


class FeatureExtractor(nn.Module):
    def __init__(self, widths, kernels, strides):
        super().__init__()
        self.conv_layers = nn.Sequential(
            Bit(1, 0, widths, kernels, strides),
            Bit(widths[0], 1, widths, kernels, strides),
            Bit(widths[1], 2, widths, kernels, strides),
        )

    def forward(self, x):
        x = x.unsqueeze(1)  # 1 x L
        return self.conv_layers(x)


class FeatureProjection(nn.Module):
    def __init__(self, d, widths):
        super().__init__()
        self.layer_norm = nn.LayerNorm(widths[2])
        self.projection = nn.Linear(widths[2], d)

    def forward(self, x):
        layer_norm = self.layer_norm(x.transpose(1, 2))  # L x widths[2]
        x = self.projection(layer_norm)  # L x d
        return x, layer_norm


class PosConvEmbed(nn.Module):
    def __init__(self, d, reach, groups):
        super().__init__()
        self.use_slice = reach % 2 == 0
        self.conv = nn.utils.parametrizations.weight_norm(
            nn.Conv1d(d, d, reach, padding=reach // 2, groups=groups),
            dim=2,
        )

    def forward(self, x):
        x = self.conv(x.transpose(1, 2))
        if self.use_slice:
            x = x[..., :-1]  # d x M
        return F.gelu(x).transpose(1, 2)  # M x d


class SelfAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(d, d)
        self.v_proj = nn.Linear(d, d)
        self.q_proj = nn.Linear(d, d)
        self.out_proj = nn.Linear(d, d)

    def forward(self, x):  # M x d
        k_proj = self.k_proj(x)  # M x d
        v_proj = self.v_proj(x)  # M x d
        q_proj = self.q_proj(x)  # M x d
        x = attend(q_proj, k_proj, v_proj, self.heads)  # M x d
        return self.out_proj(x)  # M x d


class FeedForward(nn.Module):
    def __init__(self, d, hidden):
        super().__init__()
        self.intermediate_dense = nn.Linear(d, hidden)
        self.output_dense = nn.Linear(hidden, d)

    def forward(self, x):  # M x d
        x = F.gelu(self.intermediate_dense(x))  # M x hidden
        return self.output_dense(x)  # M x d


class EncoderLayer(nn.Module):
    def __init__(self, d, heads, hidden):
        super().__init__()
        self.attention = SelfAttention(d, heads)
        self.layer_norm = nn.LayerNorm(d)
        self.feed_forward = FeedForward(d, hidden)
        self.final_layer_norm = nn.LayerNorm(d)

    def forward(self, x):  # M x d
        x = x + self.attention(x)  # M x d
        layer_norm = self.layer_norm(x)  # M x d
        x = layer_norm + self.feed_forward(layer_norm)  # M x d
        return self.final_layer_norm(x)  # M x d


class Encoder(nn.Module):
    def __init__(self, d, depth, heads, hidden, reach, groups):
        super().__init__()
        self.pos_conv_embed = PosConvEmbed(d, reach, groups)
        self.layer_norm = nn.LayerNorm(d)
        self.layers = nn.Sequential(*[EncoderLayer(d, heads, hidden) for _ in range(depth)])

    def forward(self, x):
        out = self.pos_conv_embed(x)  # M x d
        x = self.layer_norm(x + out)  # M x d
        return self.layers(x)  # M x d


class Wav2Vec2Model(nn.Module):
    def __init__(
        self,
        d=32,
        depth=2,
        heads=4,
        hidden=64,
        widths=(16, 16, 16),
        kernels=(10, 3, 2),
        strides=(5, 2, 2),
        reach=8,
        groups=4,
    ):
        super().__init__()
        self.masked_spec_embed = nn.Parameter(nn.init.uniform_(torch.empty(d)))
        self.feature_extractor = FeatureExtractor(widths, kernels, strides)
        self.feature_projection = FeatureProjection(d, widths)
        self.encoder = Encoder(d, depth, heads, hidden, reach, groups)

    def forward(self, x):  # L
        x = self.feature_extractor(x)
        out, normed = self.feature_projection(x)
        x = self.encoder(out)
        return {"hidden": x, "features": normed}
