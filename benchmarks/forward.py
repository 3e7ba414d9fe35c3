"""What the printed code's forward costs, as a share of a module that a person wrote by hand.

LeNet is that of PyTorch's tutorial, ResNet-18 that of torchvision. Both of a pair hold the same weights, in evaluation
mode and without gradients, on two threads.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import netspec
from benchmarks.ratios import Row, pairs, report, timed

SPECS = Path(__file__).parent.parent / "specs"


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


class BasicBlock(nn.Module):
    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out: Tensor = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        out = self.relu(out)
        return out  # noqa: RET504  as in torchvision


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64), BasicBlock(64, 64))
        self.layer2 = self._layer(64, 128)
        self.layer3 = self._layer(128, 256)
        self.layer4 = self._layer(256, 512)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512, 1000)

    def _layer(self, inplanes: int, planes: int) -> nn.Sequential:
        downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, 2, bias=False), nn.BatchNorm2d(planes))
        return nn.Sequential(BasicBlock(inplanes, planes, 2, downsample), BasicBlock(planes, planes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = self.bn1(x)
        x = self.relu(x)
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        x = self.fc(x)
        return x  # noqa: RET504  as in torchvision


def compare(name: str, hand: nn.Module, x: Tensor, count: int, times: int) -> Row:
    """Both forwards of `x` in `count` pairs, each of them `times` over."""
    printed = netspec.load(SPECS / f"{name}.yaml").build()
    hand.load_state_dict(printed.state_dict())
    hand.eval(), printed.eval()
    with torch.inference_mode():
        torch.testing.assert_close(printed(x), hand(x), rtol=0, atol=0)
        found = pairs(timed(lambda: printed(x), times), timed(lambda: hand(x), times), count)
    return Row(f"{name}, batch {len(x)}: printed / by hand", found.ratio, at_most=1.02, note=str(found))


def measure(count: int, times: int = 300) -> list[Row]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        return [
            compare("lenet5_tutorial", LeNet(), torch.randn(1, 1, 32, 32), count, times),
            compare("resnet18", ResNet(), torch.randn(1, 3, 224, 224), count, max(1, times // 100)),
        ]
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=41)
    report(measure(parser.parse_args().pairs))
