"""UNet2DModel: 3 x 16 x 16, a single number in, 3 x 16 x 16 out, 253,123 parameters."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class TimeEmbedding(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.linear_1 = nn.Linear(widths[0], 4 * widths[0])
        self.linear_2 = nn.Linear(4 * widths[0], 4 * widths[0])

    def forward(self, x):
        x = F.silu(self.linear_1(x))  # 4*widths[0]
        return self.linear_2(x)  # 4*widths[0]


class ResnetBlock2D(nn.Module):
    def __init__(self, in_channels, temb_features, c, groups, eps):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=eps)
        self.conv1 = nn.Conv2d(in_channels, c, 3, padding=1)
        self.time_emb_proj = nn.Linear(temb_features, c)
        self.norm2 = nn.GroupNorm(groups, c, eps=eps)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1)
        self.conv_shortcut = None
        if in_channels != c:
            self.conv_shortcut = nn.Conv2d(in_channels, c, 1)

    def forward(self, x, temb):
        out = F.silu(self.norm1(x))  # in_channels x H x W
        conv1 = self.conv1(out)  # c x H x W
        time_emb_proj = self.time_emb_proj(F.silu(temb)).unsqueeze(-1).unsqueeze(-1)  # c x 1 x 1
        out = F.silu(self.norm2(conv1 + time_emb_proj))  # c x H x W
        conv2 = self.conv2(out)  # c x H x W
        if self.conv_shortcut is not None:
            x = self.conv_shortcut(x)  # c x H x W
        return x + conv2  # c x H x W


class Downsample2D(nn.Module):
    def __init__(self, in_channels, corner):
        super().__init__()
        self.corner = corner
        self.conv = nn.Conv2d(in_channels, in_channels, 3, stride=2, padding=0 if corner else 1)

    def forward(self, x):  # in_channels x 16 x 16
        if self.corner:
            x = F.pad(x, (0, 1, 0, 1))  # in_channels x 17 x 17
        return self.conv(x)  # in_channels x 8 x 8


class DownBlock2D(nn.Module):
    def __init__(self, in_channels, temb_features, c, groups, eps, corner):
        super().__init__()
        self.resnets = nn.ModuleList(
            [
                ResnetBlock2D(in_channels, temb_features, c, groups, eps),
                ResnetBlock2D(in_channels, temb_features, c, groups, eps),
            ]
        )
        self.downsamplers = nn.ModuleList([Downsample2D(in_channels, corner)])

    def forward(self, x, temb):
        resnets_0 = self.resnets[0](x, temb)  # in_channels x 16 x 16
        resnets_1 = self.resnets[1](resnets_0, temb)  # in_channels x 16 x 16
        out = self.downsamplers[0](resnets_1)  # in_channels x 8 x 8
        return out, resnets_0, resnets_1, x


class SpatialAttention(nn.Module):
    def __init__(self, in_channels, groups, head, eps):
        super().__init__()
        self.head = head
        self.group_norm = nn.GroupNorm(groups, in_channels, eps=eps)
        self.to_q = nn.Linear(in_channels, in_channels)
        self.to_k = nn.Linear(in_channels, in_channels)
        self.to_v = nn.Linear(in_channels, in_channels)
        self.to_out = nn.Sequential(nn.Linear(in_channels, in_channels))

    def forward(self, x):  # in_channels x 8 x 8
        group_norm = self.group_norm(torch.flatten(x, 2)).transpose(1, 2)  # 64 x in_channels
        to_q = self.to_q(group_norm)  # 64 x in_channels
        to_k = self.to_k(group_norm)  # 64 x in_channels
        to_v = self.to_v(group_norm)  # 64 x in_channels
        out = attend(to_q, to_k, to_v, x.shape[1] // self.head if self.head else 1)  # 64 x in_channels
        out = self.to_out(out)  # 64 x in_channels
        out = out.transpose(1, 2).unflatten(2, (x.shape[-2], x.shape[-1]))  # in_channels x 8 x 8
        return out + x  # in_channels x 8 x 8


class DownBlock2D2(nn.Module):
    def __init__(self, in_channels, temb_features, c, groups, head, eps):
        super().__init__()
        self.attentions = nn.ModuleList(
            [SpatialAttention(c, groups, head, eps), SpatialAttention(c, groups, head, eps)]
        )
        self.resnets = nn.ModuleList(
            [ResnetBlock2D(in_channels, temb_features, c, groups, eps), ResnetBlock2D(c, temb_features, c, groups, eps)]
        )

    def forward(self, x, temb):
        attentions = []
        out = x
        for resnet, attention in zip(self.resnets, self.attentions):
            y = resnet(out, temb)  # c x 8 x 8
            out = attention(y)  # c x 8 x 8
            attentions.append(out)
        return out, *attentions, x


class MidBlock(nn.Module):
    def __init__(self, widths, groups, head, eps):
        super().__init__()
        self.attentions = nn.ModuleList([SpatialAttention(widths[1], groups, head, eps)])
        self.resnets = nn.ModuleList(
            [
                ResnetBlock2D(widths[1], 4 * widths[0], widths[-1], groups, eps),
                ResnetBlock2D(widths[1], 4 * widths[0], widths[-1], groups, eps),
            ]
        )

    def forward(self, x, time_embedding):
        x = self.resnets[0](x, time_embedding)  # widths[1] x 8 x 8
        x = self.attentions[0](x)  # widths[1] x 8 x 8
        return self.resnets[1](x, time_embedding)  # widths[1] x 8 x 8


class Upsample2D(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, in_channels, 3, padding=1)

    def forward(self, x):  # in_channels x 8 x 8
        return self.conv(F.interpolate(x, scale_factor=2))  # in_channels x 16 x 16


class UpBlock2D(nn.Module):
    def __init__(
        self,
        in_channels,
        second_channels,
        first_channels,
        entry_channels,
        temb_features,
        c,
        groups,
        head,
        eps,
    ):
        super().__init__()
        self.attentions = nn.ModuleList([SpatialAttention(c, groups, head, eps) for _ in range(3)])
        self.resnets = nn.ModuleList(
            [
                ResnetBlock2D(in_channels + second_channels, temb_features, c, groups, eps),
                ResnetBlock2D(c + first_channels, temb_features, c, groups, eps),
                ResnetBlock2D(c + entry_channels, temb_features, c, groups, eps),
            ]
        )
        self.upsamplers = nn.ModuleList([Upsample2D(c)])

    def forward(self, x, second, first, entry, temb):
        x = torch.cat([x, second], dim=1)
        x = self.resnets[0](x, temb)  # c x 8 x 8
        x = self.attentions[0](x)  # c x 8 x 8
        x = torch.cat([x, first], dim=1)  # c+first_channels x 8 x 8
        x = self.resnets[1](x, temb)  # c x 8 x 8
        x = self.attentions[1](x)  # c x 8 x 8
        x = torch.cat([x, entry], dim=1)  # c+entry_channels x 8 x 8
        x = self.resnets[2](x, temb)  # c x 8 x 8
        x = self.attentions[2](x)  # c x 8 x 8
        return self.upsamplers[0](x)  # c x 16 x 16


class UpBlock2D2(nn.Module):
    def __init__(self, in_channels, second_channels, first_channels, entry_channels, temb_features, c, groups, eps):
        super().__init__()
        self.resnets = nn.ModuleList(
            [
                ResnetBlock2D(in_channels + second_channels, temb_features, c, groups, eps),
                ResnetBlock2D(c + first_channels, temb_features, c, groups, eps),
                ResnetBlock2D(c + entry_channels, temb_features, c, groups, eps),
            ]
        )

    def forward(self, x, second, first, entry, temb):
        x = torch.cat([x, second], dim=1)
        resnets_0 = self.resnets[0](x, temb)  # c x 16 x 16
        x = torch.cat([resnets_0, first], dim=1)  # c+first_channels x 16 x 16
        resnets_1 = self.resnets[1](x, temb)  # c x 16 x 16
        x = torch.cat([resnets_1, entry], dim=1)  # c+entry_channels x 16 x 16
        return self.resnets[2](x, temb)  # c x 16 x 16


class UNet2DModel(nn.Module):
    def __init__(self, channels=3, widths=(16, 32), groups=8, head=8, eps=1e-5, shift=0, flip=True, corner=False):
        super().__init__()
        if len(widths) != 2:
            raise ValueError("widths takes 2 values")
        self.end = widths[0] // 2
        self.divisor = widths[0] // 2 - shift
        self.flip = flip
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths)
        self.down_blocks = nn.ModuleList(
            [
                DownBlock2D(widths[0], 4 * widths[0], widths[0], groups, eps, corner),
                DownBlock2D2(widths[0], 4 * widths[0], widths[1], groups, head, eps),
            ]
        )
        self.up_blocks = nn.ModuleList(
            [
                UpBlock2D(widths[1], widths[1], widths[1], widths[0], 4 * widths[0], widths[-1], groups, head, eps),
                UpBlock2D2(widths[-1], widths[0], widths[0], widths[0], 4 * widths[0], widths[-2], groups, eps),
            ]
        )
        self.mid_block = MidBlock(widths, groups, head, eps)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-2], eps=eps)
        self.conv_out = nn.Conv2d(widths[-2], channels, 3, padding=1)

    def forward(self, sample, timestep):
        x = torch.arange(self.end, device=sample.device)  # widths[0]//2
        x = x.to(next(self.parameters()).dtype) * -math.log(10000) / self.divisor  # widths[0]//2
        rates = torch.exp(x)  # widths[0]//2
        angles = timestep.unsqueeze(1) * rates  # widths[0]//2
        cosines = torch.cos(angles)  # widths[0]//2
        x = torch.sin(angles)  # widths[0]//2
        x = torch.cat([x, cosines], dim=-1)  # widths[0]
        if self.flip:
            x = x.roll(self.end, -1)  # widths[0]
        time_embedding = self.time_embedding(x)  # 4*widths[0]
        x = self.conv_in(sample)  # widths[0] x 16 x 16
        out, first, second, entry = self.down_blocks[0](x, time_embedding)  # widths[0] x 8 x 8
        out, first2, second2, entry2 = self.down_blocks[1](out, time_embedding)  # widths[1] x 8 x 8
        x = self.mid_block(out, time_embedding)  # widths[1] x 8 x 8
        x = self.up_blocks[0](x, second2, first2, entry2, time_embedding)  # widths[-1] x 16 x 16
        x = self.up_blocks[1](x, second, first, entry, time_embedding)  # widths[-2] x 16 x 16
        x = F.silu(self.conv_norm_out(x))  # widths[-2] x 16 x 16
        return self.conv_out(x)  # channels x 16 x 16
