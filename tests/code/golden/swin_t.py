"""SwinTransformer: 3 x 32 x 32 in, 10 out, 35,942 parameters."""

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
    def __init__(self, in_features, in_height, in_width, heads, shift, window):
        super().__init__()
        self.window = window
        self.heads = heads
        self.unflattened_size = window**2
        self.shift = shift
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_index(window, window).flatten())
        self.qkv = nn.Linear(in_features, 3 * in_features)
        self.register_buffer("attn_mask", None, persistent=False)
        if shift > 0:
            self.register_buffer(
                "attn_mask",
                shift_mask(
                    (in_height + -in_height % window, in_width + -in_width % window),
                    (window, window),
                    (shift, shift),
                ),
                persistent=False,
            )
        self.proj = nn.Linear(in_features, in_features)

    def forward(self, x):  # in_height x in_width x in_features
        padded = F.pad(x, (0, 0, 0, -x.shape[2] % self.window, 0, -x.shape[1] % self.window))  # H x W x in_features
        out = padded.roll((-self.shift, -self.shift), (1, 2)) if self.shift > 0 else padded  # H x W x in_features
        out = out.reshape(
            out.shape[0],
            padded.shape[1] // self.window,
            self.window,
            padded.shape[2] // self.window,
            self.window,
            x.shape[-1],
        )
        out = torch.flatten(torch.flatten(out.permute(0, 1, 3, 2, 4, 5), 1, 2), 2, 3)
        out = self.qkv(out).unflatten(-1, (3, self.heads, x.shape[-1] // self.heads))
        qkv0, qkv1, qkv2 = out.permute(3, 0, 4, 1, 2, 5).unbind(0)
        out = F.embedding(self.relative_position_index, self.relative_position_bias_table)  # (window*window)**2 x heads
        out = out.unflatten(0, (self.unflattened_size, self.unflattened_size))  # window**2 x window**2 x heads
        mask = out.permute(2, 0, 1).unsqueeze(1)  # heads x 1 x window**2 x window**2
        if self.attn_mask is not None:
            mask = mask + self.attn_mask
        out = F.scaled_dot_product_attention(qkv0, qkv1, qkv2, attn_mask=mask)
        out = torch.flatten(out.permute(0, 2, 3, 1, 4), 3)
        out = self.proj(out)
        out = out.reshape(
            out.shape[0],
            padded.shape[1] // self.window,
            padded.shape[2] // self.window,
            self.window,
            self.window,
            x.shape[-1],
        )  # H/window x W/window x window x window x in_features
        out = torch.flatten(torch.flatten(out.permute(0, 1, 3, 2, 4, 5), 3, 4), 1, 2)  # H x W x in_features
        if self.shift > 0:
            out = out.roll((self.shift, self.shift), (1, 2))  # H x W x in_features
        return out[:, : x.shape[1]][:, :, : x.shape[2]]  # in_height x in_width x in_features


class SwinTransformerBlock(nn.Module):
    def __init__(self, in_features, in_height, in_width, heads, shift, p, window):
        super().__init__()
        self.p = p
        self.norm1 = nn.LayerNorm(in_features)
        self.attn = ShiftedWindowAttention(
            in_features,
            in_height,
            in_width,
            heads,
            shift if in_height > window else 0,
            window,
        )
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
        attn = x + drop_path(self.attn(out), self.p, self.training)  # in_height x in_width x in_features
        x = self.norm2(attn)  # in_height x in_width x in_features
        x = self.mlp(x)  # in_height x in_width x in_features
        return attn + drop_path(x, self.p, self.training)  # in_height x in_width x in_features


class PatchMerging(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.reduction = nn.Linear(4 * d, 2 * d, bias=False)
        self.norm = nn.LayerNorm(4 * d)

    def forward(self, x):  # H x W x d
        padded = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))  # H x W x d
        rows = padded[:, ::2]  # H/2 x W x d
        other_rows = padded[:, 1::2]  # H/2 x W x d
        x0 = rows[:, :, ::2]  # H/2 x W/2 x d
        x1 = other_rows[:, :, ::2]  # H/2 x W/2 x d
        x2 = rows[:, :, 1::2]  # H/2 x W/2 x d
        x3 = other_rows[:, :, 1::2]  # H/2 x W/2 x d
        x = self.norm(torch.cat([x0, x1, x2, x3], dim=-1))  # H/2 x W/2 x 4*d
        return self.reduction(x)  # H/2 x W/2 x 2*d


class SwinTransformer(nn.Module):
    def __init__(self, classes=10, size=32, d=16, depths=(2, 2), heads=(2, 4), window=4, p=0.2):
        super().__init__()
        if len(depths) != 2:
            raise ValueError("depths takes 2 values")
        self.size = size
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, d, 4, stride=4), Permute(0, 2, 3, 1), nn.LayerNorm(d)),
            nn.Sequential(
                *[
                    SwinTransformerBlock(
                        d,
                        size // 4,
                        size // 4,
                        heads[0],
                        i % 2 * (window // 2),
                        p * i / (sum(depths) - 1),
                        window,
                    )
                    for i in range(depths[0])
                ]
            ),
            PatchMerging(d),
            nn.Sequential(
                *[
                    SwinTransformerBlock(
                        2 * d,
                        (size // 4 + size // 4 % 2) // 2,
                        (size // 4 + size // 4 % 2) // 2,
                        heads[1],
                        i % 2 * (window // 2),
                        p * (sum(depths[:1]) + i) / (sum(depths) - 1),
                        window,
                    )
                    for i in range(depths[1])
                ]
            ),
        )
        self.norm = nn.LayerNorm(2 * d)
        self.head = nn.Linear(2 * d, classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith(".relative_position_bias_table"):
                nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, x):  # 3 x size x size
        if x.shape[-2:] != (self.size, self.size):
            raise ValueError(f"expected an input of 3 x {self.size} x {self.size}")
        x = self.features(x)
        x = self.norm(x)
        x = torch.flatten(F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1), 1)  # 2*d
        return self.head(x)  # classes
