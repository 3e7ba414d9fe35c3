"""SwinTransformer: 3 x 224 x 224 in, 1000 out, 28,288,354 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def shift_mask(size, window, shift):
    """For each window of a map that was rolled by `shift`: -100 between places from different sides, else 0."""
    y, x = ((torch.arange(n) >= n - w).int() + (torch.arange(n) >= n - s) for n, w, s in zip(size, window, shift))
    sides = (3 * y[:, None] + x).view(size[0] // window[0], window[0], size[1] // window[1], window[1])
    sides = sides.transpose(1, 2).reshape(-1, 1, window[0] * window[1])
    return (sides != sides.mT) * -100.0


def drop_path(x, p, training):
    """Stochastic depth: in training, zero whole samples with probability `p` and scale up the others."""
    if p == 0 or not training:
        return x
    kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(1 - p)
    return x * (kept / (1 - p))


def relative_index(height, width):
    """For each two places of a window, the row of a (2 height - 1) x (2 width - 1) table that they share."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x = y.flatten(), x.flatten()
    return (y[:, None] - y + height - 1) * (2 * width - 1) + x[:, None] - x + width - 1


class Permute(nn.Module):
    """Puts the axes into another order."""

    def __init__(self, *dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(self.dims)


class ShiftedWindowAttention(nn.Module):
    def __init__(self, in_features, in_height, in_width, heads, shift):
        super().__init__()
        self.use_shifted = shift > 0
        self.shifts = -shift
        self.heads = heads
        self.shift = shift
        self.relative_position_bias_table = nn.Parameter(torch.zeros(169, heads))
        self.register_buffer("relative_position_index", relative_index(7, 7).flatten())
        self.qkv = nn.Linear(in_features, 3 * in_features)
        self.register_buffer("attn_mask", None, persistent=False)
        if shift > 0:
            self.register_buffer(
                "attn_mask",
                shift_mask((in_height, in_width), (7, 7), (shift, shift)),
                persistent=False,
            )
        self.proj = nn.Linear(in_features, in_features)

    def forward(self, x):  # in_height x in_width x in_features
        out = x.roll((self.shifts, self.shifts), (1, 2)) if self.use_shifted else x
        out = out.reshape(out.shape[0], x.shape[1] // 7, 7, x.shape[2] // 7, 7, x.shape[-1])
        out = torch.flatten(torch.flatten(out.permute(0, 1, 3, 2, 4, 5), 1, 2), 2, 3)
        out = self.qkv(out).unflatten(-1, (3, self.heads, x.shape[-1] // self.heads))
        qkv0, qkv1, qkv2 = out.permute(3, 0, 4, 1, 2, 5).unbind(0)
        out = F.embedding(self.relative_position_index, self.relative_position_bias_table)  # 2401 x heads
        out = out.unflatten(0, (49, 49))  # 49 x 49 x heads
        mask = out.permute(2, 0, 1).unsqueeze(1)  # heads x 1 x 49 x 49
        if self.attn_mask is not None:
            mask = mask + self.attn_mask
        out = F.scaled_dot_product_attention(qkv0, qkv1, qkv2, attn_mask=mask)
        out = torch.flatten(out.permute(0, 2, 3, 1, 4), 3)
        out = self.proj(out)
        x = out.reshape(out.shape[0], x.shape[1] // 7, x.shape[2] // 7, 7, 7, x.shape[-1])
        x = torch.flatten(torch.flatten(x.permute(0, 1, 3, 2, 4, 5), 3, 4), 1, 2)  # in_height x in_width x in_features
        if self.use_shifted:
            x = x.roll((self.shift, self.shift), (1, 2))  # in_height x in_width x in_features
        return x


class SwinTransformerBlock(nn.Module):
    def __init__(self, in_features, in_height, in_width, heads, shift, p):
        super().__init__()
        self.p = p
        self.norm1 = nn.LayerNorm(in_features)
        self.attn = ShiftedWindowAttention(in_features, in_height, in_width, heads, shift if in_height > 7 else 0)
        self.norm2 = nn.LayerNorm(in_features)
        self.mlp = nn.Sequential(
            nn.Linear(in_features, 4 * in_features),
            nn.GELU(),
            nn.Dropout(p=0),
            nn.Linear(4 * in_features, in_features),
            nn.Dropout(p=0),
        )

    def forward(self, x):  # in_height x in_width x in_features
        out = self.norm1(x)  # in_height x in_width x in_features
        out = drop_path(self.attn(out), self.p, self.training)  # in_height x in_width x in_features
        attn = x + out  # in_height x in_width x in_features
        x = self.norm2(attn)  # in_height x in_width x in_features
        x = self.mlp(x)  # in_height x in_width x in_features
        x = drop_path(x, self.p, self.training)  # in_height x in_width x in_features
        return attn + x  # in_height x in_width x in_features


class PatchMerging(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.norm = nn.LayerNorm(4 * in_channels)
        self.reduction = nn.Linear(4 * in_channels, 2 * in_channels, bias=False)

    def forward(self, x):  # H x W x in_channels
        rows = x[:, ::2]  # H/2 x W x in_channels
        other_rows = x[:, 1::2]  # H/2 x W x in_channels
        x0 = rows[:, :, ::2]  # H/2 x W/2 x in_channels
        x1 = other_rows[:, :, ::2]  # H/2 x W/2 x in_channels
        x2 = rows[:, :, 1::2]  # H/2 x W/2 x in_channels
        x3 = other_rows[:, :, 1::2]  # H/2 x W/2 x in_channels
        x = self.norm(torch.cat([x0, x1, x2, x3], dim=-1))  # H/2 x W/2 x 4*in_channels
        return self.reduction(x)  # H/2 x W/2 x 2*in_channels


class SwinTransformer(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, 96, 4, stride=4), Permute(0, 2, 3, 1), nn.LayerNorm(96))]
        in_channels = 96
        in_height = 56
        in_width = 56
        for i, (n, heads, b) in enumerate([(2, 3, 0), (2, 6, 2), (6, 12, 4), (2, 24, 10)]):
            if i > 0:
                layers.append(PatchMerging(in_channels))
                in_channels *= 2
                in_height //= 2
                in_width //= 2
            layers.append(
                nn.Sequential(
                    *[
                        SwinTransformerBlock(in_channels, in_height, in_width, heads, 3 * (j % 2), 0.2 * (b + j) / 11)
                        for j in range(n)
                    ]
                )
            )
        self.features = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(768)
        self.head = nn.Linear(768, classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith(".relative_position_bias_table"):
                nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, x):  # 3 x 224 x 224
        if x.shape[-2:] != (224, 224):
            raise ValueError("expected an input of 3 x 224 x 224")
        x = self.features(x)  # 7 x 7 x 768
        x = self.norm(x)  # 7 x 7 x 768
        x = torch.flatten(F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1), 1)  # 768
        return self.head(x)  # classes
