"""Sizes that only the run decides: in expressions by their letters, and as multiples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import netspec
from netspec.errors import NetspecError

UNET = """\
input: 3x4*Hx4*W
layers:
  a: conv 4 k3 same
  b: [maxpool 2, conv 4 k3 same]
  c: [maxpool 2, conv 4 k3 same]
  up: conv_transpose 4 k2 s2
  cat: concat(up b)
  size: interpolate $(4 * H)x$(4 * W)
  last: concat(size a)
"""


def test_inputs_may_be_multiples_of_what_the_run_decides() -> None:
    spec = netspec.loads(UNET)
    end = spec.graph.root.steps[-1].value.tensor
    assert str(end) == "B x 12 x 4*H x 4*W"
    assert "size=(x.shape[2], x.shape[3])" in spec.source()
    net = spec.build()
    for height, width in ((8, 12), (16, 4)):
        assert net(torch.rand(2, 3, height, width)).shape == (2, 12, height, width)
    with pytest.raises(netspec.SpecError, match=r"differ|not known to be equal"):
        netspec.loads(UNET.replace("4*H", "2*H"))


def test_data_whose_size_is_no_multiple_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 3, 10, 12), np.float32), y=np.zeros((4, 12, 10, 12), np.float32))
    rest = "data: {source: npz d.npz x y, split: {val: 1}}\ntrain: {loss: mse, optimizer: sgd lr=0.1, epochs: 1}\n"
    (tmp_path / "net.yaml").write_text(UNET + rest)
    with pytest.raises(NetspecError, match=r"3 x 10 x 12.* 3 x 4\*H x 4\*W"):
        netspec.load(tmp_path / "net.yaml").train(tmp_path / "run")


@pytest.mark.parametrize("shape", ["3x4*hx8", "3x0*Hx8", "3x4*4x8", "3xHx4*", "*H", "4*4*H"])
def test_other_products_are_no_shapes(shape: str) -> None:
    with pytest.raises(netspec.SpecError, match="is not a shape"):
        netspec.loads(f"input: '{shape}'\nlayers: [relu]\n")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("3x$(size)x$size", "B x 3 x 12 x 12"),
        ("int $(size - 2)", "B x 10"),
        ("$(2 * size)xTx$( (size + 1) * (2 + (1)) )", "B x 24 x T x 39"),
        ("$sizexT", "there is nothing called 'sizexT' here"),
        ("$(size)x4*Hx$size", "B x 12 x 4*H x 12"),
        ("4*Hx$(2*size)", "B x 4*H x 24"),
        ("$(size) x 3", "is not a shape"),
        ("$(size / 0)", "zero"),
        ("3x$(-size)", "-12 is not a size"),
        ("$(" + "$(1)" * 40 + " ", "a bracket that is never closed"),
    ],
)
def test_inputs_may_have_sizes_that_params_tell(text: str, shape: str) -> None:
    spec = f"inputs: {{x: '{text}'}}\nparams: {{size: 12}}\nlayers: [mul 2]\n"
    if shape.startswith("B "):
        assert str(netspec.loads(spec).graph.inputs["x"]) == shape
        return
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(spec)
    assert shape in str(caught.value)


def test_a_size_of_the_input_that_the_network_insists_on_is_printed() -> None:
    """The sizes are those of params, and the network with others of them another one."""
    net = netspec.loads("input: 3x$(size)x$size\nparams: {size: 8}\nlayers: [conv 4 k$(in.h) same=false, fc 2]\n")
    assert net.build()(torch.zeros(2, 3, 8, 8)).shape == (2, 2)
    head = "input: 3x$(size)x$size\nparams: {size: 8}\n"
    text = head + "layers: {a: 'pad 0 0 0 $(-in.h % 3)', p: adaptive_avgpool $(in.h)}\n"
    assert netspec.loads(text).build()(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("spec", "size", "expected"),
    [
        ("input: int T\nlayers: [embedding 10 8, slice 1 0 $(T // 2)]", "B x (T // 2) x 8", (2, 4, 8)),
        (
            "input: int T\nblocks: {half: 'slice 1 0 $(T // 2)'}\nlayers: [embedding 10 8, half]",
            "B x (T // 2) x 8",
            (2, 4, 8),
        ),
    ],
)
def test_expressions_know_the_letters_of_inputs(spec: str, size: str, expected: tuple[int, ...]) -> None:
    made = netspec.loads(spec)
    assert str(made.graph.root.steps[-1].value.tensor) == size
    assert made.build()(torch.zeros(2, 9, dtype=torch.long)).shape == expected


def test_other_letters_and_decisions_by_them_are_refused() -> None:
    with pytest.raises(netspec.SpecError, match="there is nothing called 'S' here"):
        netspec.loads("input: int T\nlayers: [embedding 10 8, slice 1 0 $(S // 2)]")
    with pytest.raises(netspec.SpecError, match="cannot be decided before the run: H is known only then"):
        netspec.loads("input: 4xHxW\nlayers: [conv $(8 if H > 3 else 2) k3]")
