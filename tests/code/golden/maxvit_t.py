"""MaxVit: 3 x 224 x 224 in, 1000 out, 30,919,624 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


def relative_index(height, width):
    """For each two places of a window, the row of a (2 height - 1) x (2 width - 1) table that they share."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x = y.flatten(), x.flatten()
    return (y[:, None] - y + height - 1) * (2 * width - 1) + x[:, None] - x + width - 1


def drop_path(x, p, training):
    """Stochastic depth: in training, zero whole samples with probability `p` and scale up the others."""
    if p == 0 or not training:
        return x
    kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(1 - p)
    return x * (kept / (1 - p))


class Conv2dNormActivation(nn.Sequential):
    def __init__(self, in_channels, c, k=3, s=1, g=1):
        super().__init__(
            nn.Conv2d(in_channels, c, k, stride=s, padding=(k - 1) // 2, groups=g, bias=False),
            nn.BatchNorm2d(c, eps=0.001, momentum=0.01),
            nn.GELU(),
        )


class SqueezeExcitation(nn.Module):
    def __init__(self, in_channels, squeeze):
        super().__init__()
        self.fc1 = nn.Conv2d(in_channels, squeeze, 1)
        self.fc2 = nn.Conv2d(squeeze, in_channels, 1)

    def forward(self, x):  # in_channels x H x W
        out = F.silu(self.fc1(F.adaptive_avg_pool2d(x, 1)))  # squeeze x 1 x 1
        return torch.sigmoid(self.fc2(out)) * x  # in_channels x H x W


class MBConv(nn.Module):
    def __init__(self, in_channels, c, s, p):
        super().__init__()
        self.p = p
        self.proj = None
        if s != 1 or in_channels != c:
            self.proj = nn.Sequential(nn.AvgPool2d(3, stride=s, padding=1), nn.Conv2d(in_channels, c, 1))
        self.layers = nn.Sequential(
            OrderedDict(
                pre_norm=nn.BatchNorm2d(in_channels, eps=0.001, momentum=0.01),
                conv_a=Conv2dNormActivation(in_channels, 4 * c, k=1),
                conv_b=Conv2dNormActivation(4 * c, 4 * c, s=s, g=4 * c),
                squeeze_excitation=SqueezeExcitation(4 * c, c // 4),
                conv_c=nn.Conv2d(4 * c, c, 1),
            )
        )

    def forward(self, x):  # in_channels x H x W
        proj = self.proj(x) if self.proj is not None else x  # c x H/s x W/s
        x = self.layers(x)  # c x H/s x W/s
        return proj + drop_path(x, self.p, self.training)  # c x H/s x W/s


class RelativePositionalMultiHeadAttention(nn.Module):
    def __init__(self, in_channels, window, head_dim):
        super().__init__()
        self.head_dim = head_dim
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, in_channels // head_dim))
        self.register_buffer("relative_position_index", relative_index(window, window))
        self.to_qkv = nn.Linear(in_channels, 3 * in_channels)
        self.merge = nn.Linear(in_channels, in_channels)

    def forward(self, x):  # H x W x in_channels
        out = F.embedding(self.relative_position_index, self.relative_position_bias_table)
        bias = out.permute(2, 0, 1)  # in_channels//head_dim x window*window x window*window
        out = self.to_qkv(x)  # H x W x 3*in_channels
        out = out.unflatten(-1, (3, x.shape[-1] // self.head_dim, self.head_dim))
        to_qkv0, to_qkv1, to_qkv2 = out.permute(3, 0, 1, 4, 2, 5).unbind(0)  # H x in_channels//head_dim x W x head_dim
        x = F.scaled_dot_product_attention(to_qkv0, to_qkv1, to_qkv2, attn_mask=bias, scale=x.shape[-1] ** -0.5)
        return self.merge(torch.flatten(x.transpose(2, 3), 3))  # H x W x in_channels


class PartitionAttentionLayer(nn.Module):
    def __init__(self, in_channels, in_height, in_width, size, p, window, head_dim, grid=False):
        super().__init__()
        self.height = in_height // size
        self.size = size
        self.width = in_width // size
        self.grid = grid
        self.p = p
        self.attn_layer = nn.Sequential(
            nn.LayerNorm(in_channels),
            RelativePositionalMultiHeadAttention(in_channels, window, head_dim),
            nn.Dropout(p=0),
        )
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(in_channels),
            nn.Linear(in_channels, 4 * in_channels),
            nn.GELU(),
            nn.Linear(4 * in_channels, in_channels),
            nn.Dropout(p=0),
        )

    def forward(self, x):  # in_channels x in_height x in_width
        out = x.reshape(x.shape[0], x.shape[1], self.height, self.size, self.width, self.size)
        out = torch.flatten(torch.flatten(out.permute(0, 2, 4, 3, 5, 1), 3, 4), 1, 2)
        partitions = out.transpose(1, 2) if self.grid else out
        out = self.attn_layer(partitions)
        attended = partitions + drop_path(out, self.p, self.training)
        out = self.mlp_layer(attended)
        out = attended + drop_path(out, self.p, self.training)
        if self.grid:
            out = out.transpose(1, 2)
        x = out.reshape(out.shape[0], self.height, self.width, self.size, self.size, x.shape[1])
        return torch.flatten(torch.flatten(x.permute(0, 5, 1, 3, 2, 4), 4, 5), 2, 3)


class MaxVitLayer(nn.Module):
    def __init__(self, in_channels, in_height, in_width, c, s, p, window, head_dim):
        super().__init__()
        self.layers = nn.Sequential(
            OrderedDict(
                MBconv=MBConv(in_channels, c, s, p),
                window_attention=PartitionAttentionLayer(
                    c,
                    (in_height - 1) // s + 1,
                    (in_width - 1) // s + 1,
                    window,
                    p,
                    window,
                    head_dim,
                ),
                grid_attention=PartitionAttentionLayer(
                    c,
                    (in_height - 1) // s + 1,
                    (in_width - 1) // s + 1,
                    ((in_height - 1) // s + 1) // window,
                    p,
                    window,
                    head_dim,
                    grid=True,
                ),
            )
        )

    def forward(self, x):  # in_channels x in_height x in_width
        return self.layers(x)  # c x (in_height-1)//s+1 x (in_width-1)//s+1


class MaxVit(nn.Module):
    def __init__(self, classes=1000, window=7, head_dim=32):
        super().__init__()
        self.stem = nn.Sequential(Conv2dNormActivation(3, 64, s=2), nn.Sequential(nn.Conv2d(64, 64, 3, padding=1)))
        layers = []
        in_channels = 64
        in_height = 112
        in_width = 112
        for c, n, b in [(64, 2, 0), (128, 2, 2), (256, 5, 4), (512, 2, 9)]:
            stage = []
            for i in range(n):
                stage.append(
                    MaxVitLayer(
                        in_channels,
                        in_height,
                        in_width,
                        c,
                        2 if i == 0 else 1,
                        0.2 * (b + i) / 10,
                        window,
                        head_dim,
                    )
                )
                in_height = (in_height - 1) // (2 if i == 0 else 1) + 1
                in_width = (in_width - 1) // (2 if i == 0 else 1) + 1
                in_channels = c
            layers.append(nn.Sequential(OrderedDict(layers=nn.Sequential(*stage))))
        self.blocks = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.LayerNorm(512),
            nn.Linear(512, 512),
            nn.Tanh(),
            nn.Linear(512, classes, bias=False),
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith(".relative_position_bias_table"):
                nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, x):  # 3 x 224 x 224
        if x.shape[-2:] != (224, 224):
            raise ValueError("expected an input of 3 x 224 x 224")
        x = self.stem(x)  # 64 x 112 x 112
        x = self.blocks(x)  # 512 x 7 x 7
        return self.classifier(x)  # classes
