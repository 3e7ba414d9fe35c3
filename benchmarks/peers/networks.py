"""Networks of several kinds as a person writes them, each with the very layers of a spec that it is compared with."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Attention(nn.Module):
    """Heads of causal attention, as in nanoGPT."""

    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.c_attn = nn.Linear(width, 3 * width, bias=bias)
        self.c_proj = nn.Linear(width, width, bias=bias)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        size, length, width = x.size()
        q, k, v = self.c_attn(x).split(width, dim=2)
        q, k, v = (y.view(size, length, self.heads, width // self.heads).transpose(1, 2) for y in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        found: Tensor = self.c_proj(y.transpose(1, 2).contiguous().view(size, length, width))
        return found


class Block(nn.Module):
    """A layer of a GPT."""

    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, bias=bias)
        self.attn = Attention(width, heads, bias)
        self.ln_2 = nn.LayerNorm(width, bias=bias)
        self.c_fc = nn.Linear(width, 4 * width, bias=bias)
        self.c_proj = nn.Linear(4 * width, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        found: Tensor = x + self.c_proj(F.gelu(self.c_fc(self.ln_2(x))))
        return found


class GPT(nn.Module):
    """A GPT whose head and embedding share a matrix; its loss is that of nanoGPT."""

    def __init__(self, vocab: int, context: int, width: int, heads: int, depth: int, bias: bool = False) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads, bias) for _ in range(depth))
        self.ln_f = nn.LayerNorm(width, bias=bias)
        self.lm_head = nn.Linear(width, vocab, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.size(1), device=tokens.device))
        for block in self.h:
            x = block(x)
        scores: Tensor = self.lm_head(self.ln_f(x))
        return scores


class Recurrent(nn.Module):
    """An LSTM over a series, whose last state says the class."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(16, 128, batch_first=True)
        self.out = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.rnn(x)[0][:, -1])
        return found


class Encoder(nn.Module):
    """A small encoder of texts, as DistilBERT is a large one."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(2000, 128), nn.Embedding(64, 128)
        layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.1, activation="gelu", batch_first=True)
        self.layers = nn.ModuleList([layer, nn.TransformerEncoderLayer(128, 4, 512, 0.1, "gelu", batch_first=True)])
        self.out = nn.Linear(128, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.place(torch.arange(tokens.size(1)))
        for layer in self.layers:
            x = layer(x)
        found: Tensor = self.out(x[:, 0])
        return found


def perceptron() -> nn.Module:
    """Numbers of a table to two classes."""
    sizes = (32, 256, 256, 256)
    hidden = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(256, 2))


class Residual(nn.Module):
    """A block of the ResNets for images of 32 x 32."""

    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or given != width:
            self.downsample = nn.Sequential(nn.Conv2d(given, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + kept)


def residual() -> nn.Module:
    """A small ResNet for images of 32 x 32."""
    head = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    blocks = [Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)]
    return nn.Sequential(*head, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def _twice(given: int, width: int) -> nn.Sequential:
    """Two convolutions, each with its norm."""
    norm, first = nn.BatchNorm2d, nn.Conv2d(given, width, 3, padding=1, bias=False)
    second = nn.Conv2d(width, width, 3, padding=1, bias=False)
    return nn.Sequential(first, norm(width), nn.ReLU(inplace=True), second, norm(width), nn.ReLU(inplace=True))


class UNet(nn.Module):
    """Two steps down and up again, a class for each point."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.low = _twice(3, 8), _twice(8, 16), _twice(16, 32)
        self.up2, self.up1 = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.both2, self.both1 = _twice(32, 16), _twice(16, 8)
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        x = self.up2(self.low(F.max_pool2d(two, 2)))
        x = self.up1(self.both2(torch.cat((x, two), 1)))
        found: Tensor = self.out(self.both1(torch.cat((x, one), 1)))
        return found


class Bottleneck(nn.Module):
    """A block of ResNet-50, as in torchvision."""

    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(given, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or given != 4 * width:
            pieces = nn.Conv2d(given, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            self.downsample = nn.Sequential(*pieces)

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        found: Tensor = self.relu(self.bn3(self.conv3(x)) + kept)
        return found


def resnet50() -> nn.Module:
    """ResNet-50."""
    pieces: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    pieces.append(nn.MaxPool2d(3, 2, 1))
    given = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for number in range(count):
            pieces.append(Bottleneck(given, 64 * 2**stage, 2 if stage and not number else 1))
            given = 256 * 2**stage
    return nn.Sequential(*pieces, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))
