"""`same` of a pool pads as that of a convolution does."""

from __future__ import annotations

import pytest

import netspec


@pytest.mark.parametrize(
    ("row", "size", "printed"),
    [
        ("maxpool 3 s1 same", 9, "nn.MaxPool2d(3, stride=1, padding=1)"),
        ("maxpool 3 s2 same", 5, "nn.MaxPool2d(3, stride=2, padding=1)"),
        ("avgpool 5 s1 same", 9, "nn.AvgPool2d(5, stride=1, padding=2)"),
        ("avgpool 3x5 s1 same", 9, "nn.AvgPool2d((3, 5), stride=1, padding=(1, 2))"),
    ],
)
def test_it_pads_evenly(row: str, size: int, printed: str) -> None:
    spec = netspec.loads(f"input: 2x9x9\nlayers: [{row}, conv 3 k1]\n")
    assert spec.graph.root.steps[0].value.tensor is not None
    assert spec.graph.root.steps[0].value.tensor.shape[2:] == (size, size)
    assert printed in spec.source().replace("F.max_pool2d(x", "nn.MaxPool2d(").replace(
        "F.avg_pool2d(x", "nn.AvgPool2d("
    ).replace("(, ", "(")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("maxpool 2 same", "cannot pad an even kernel of 2 equally on both sides"),
        ("maxpool 3 s1 d2 same", "has a padding of 2, which must not be larger than half of the window's 3"),
        ("avgpool 3 p1 same", "sets the padding twice, by same and by padding"),
    ],
)
def test_what_cannot_be_is_told(row: str, told: str) -> None:
    with pytest.raises(netspec.SpecError, match=told):
        netspec.loads(f"input: 2x9x9\nlayers: [{row}]\n")


def test_a_pool_of_keras_says_it() -> None:
    with pytest.raises(netspec.SpecError, match="Write maxpool k3 s1 same"):
        netspec.loads("input: 2x9x9\nlayers: ['MaxPooling2D(3, strides=1, padding=\"same\")']\n")
