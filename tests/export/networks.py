"""Small networks of every kind that an export meets, each with its inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from netspec.dims import BATCH, named
from netspec.tensors import Tensor

T, H, W = named("T"), named("H"), named("W")


class Convolutional(nn.Module):
    """Convolution, batch norm with statistics of its own, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.bn1 = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Sequential(nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3))
        nn.init.uniform_(self.bn1.running_mean)  # type: ignore[arg-type]
        nn.init.uniform_(self.bn1.running_var, 0.5, 2)  # type: ignore[arg-type]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(image))), 2)
        x = functional.dropout(torch.flatten(x, 1), 0.5, self.training)
        result: torch.Tensor = self.head(self.drop(x))
        return result


class Recurrent(nn.Module):
    """An LSTM over sequences, with its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.fc = nn.LSTM(5, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output, (h, _) = self.rnn(x)
        return self.fc(output), h


class Mixing(nn.Module):
    """A GRU whose steps and samples end up in one axis, which tracing would fix."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(self.rnn(x)[0], 0, 1)


class Language(nn.Module):
    """Token numbers, positions counted at run time, and causal attention."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(50, 16), nn.Embedding(32, 16)
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 50)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        q, k, v = self.qkv(x).view(ids.shape[0], -1, 3, 4, 4).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        result: torch.Tensor = self.head(x + y.transpose(1, 2).reshape(x.shape))
        return result


class Encoder(nn.Module):
    """torch's own transformer, which has a faster way through for evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.encoder(x)
        return result


class TwoInputs(nn.Module):
    """An image and a row of numbers, together in one output. A member called `meta` is more than torch.export takes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.meta, self.head = nn.Conv2d(3, 4, 3), nn.Linear(12, 8), nn.Linear(12, 1)

    def forward(self, image: torch.Tensor, meta: torch.Tensor) -> torch.Tensor:
        both = torch.cat((self.conv(image).mean((2, 3)), functional.relu(self.meta(meta))), 1)
        result: torch.Tensor = self.head(both)
        return result


class Segmenting(nn.Module):
    """Down and up again, for maps of any size, with two named outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)
        self.up1, self.up2 = nn.ConvTranspose2d(4, 4, 2, 2), nn.ConvTranspose2d(8, 2, 2, 2)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        a = self.down1(x)
        b = functional.relu(self.down2(a))
        return {"mask": self.up2(torch.cat((a, self.up1(b)), 1)), "middle": b}


class Deciding(nn.Module):
    """Outputs that are no floats."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.argmax(1), x > 0


class Freezing(nn.Module):
    """A network that hides its batch from tracing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(3, -1) if x.shape[0] == 3 else x * 2


class Unwritable(nn.Module):
    """A step that ONNX does not have."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.linalg.eigvals(x).real
        return result


@dataclass(frozen=True)
class Case:
    """A network, what it takes, and the shapes that the file is to announce."""

    network: type[nn.Module]
    inputs: dict[str, Tensor]
    outputs: dict[str, str]


CASES = {
    "convolutional": Case(Convolutional, {"image": Tensor((BATCH, 1, 8, 8))}, {"scores": "batch x 3"}),
    "lstm": Case(Recurrent, {"x": Tensor((BATCH, 3, 5))}, {"scores": "batch x 3 x 3", "h": "1 x batch x 6"}),
    "open steps": Case(Mixing, {"x": Tensor((T, BATCH, 5))}, {"y": "? x 4"}),
    "language": Case(Language, {"ids": Tensor((BATCH, T), "int64")}, {"scores": "batch x T x 50"}),
    "encoder": Case(Encoder, {"x": Tensor((BATCH, T, 16))}, {"y": "batch x T x 16"}),
    "two inputs": Case(
        TwoInputs, {"image": Tensor((BATCH, 3, 8, 8)), "meta": Tensor((BATCH, 12))}, {"price": "batch x 1"}
    ),
    "deciding": Case(Deciding, {"x": Tensor((BATCH, 4))}, {"best": "batch", "positive": "batch x 4"}),
}
