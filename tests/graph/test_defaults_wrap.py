"""`wrap` in `defaults` holds for a kind of layer, and a call may say otherwise."""

from __future__ import annotations

import pytest

import netspec


def names(text: str) -> list[str]:
    return list(netspec.loads(f"input: 3x8x8\n{text}").graph.parameters())


@pytest.mark.parametrize(
    "line", ["conv: wrap=weight_norm", "conv: bias=false wrap=weight_norm", "conv: {wrap: weight_norm}"]
)
def test_every_layer_of_a_kind_is_wrapped(line: str) -> None:
    found = names(f"defaults: {{{line}}}\nlayers: {{a: conv 4 k3, b: [conv 2 k3, flatten], c: fc 3}}\n")
    assert [name for name in found if "original0" in name] == [
        "a.parametrizations.weight.original0",
        "b.0.parametrizations.weight.original0",
    ]
    assert "c.weight" in found


def test_a_call_says_otherwise() -> None:
    layers = "layers: {a: conv 4 k3 wrap=none, b: conv 2 k3 wrap=spectral_norm, c: conv 2 k3, d: {conv: {LONG}}}"
    layers = layers.replace("LONG", "out_channels: 2, kernel_size: 3, wrap: none")
    found = names(f"defaults: {{conv: same wrap=weight_norm}}\n{layers}\n")
    assert {"a.weight", "b.parametrizations.weight.original", "d.weight"} <= set(found)
    assert "c.parametrizations.weight.original0" in found


def test_the_first_line_wins() -> None:
    lines = "defaults: {conv2d: wrap=spectral_norm, conv: wrap=weight_norm}"
    found = names(f"{lines}\nlayers: {{a: conv 4 k3, b: [flatten 2, conv1d 3 k3]}}\n")
    assert "a.parametrizations.weight.original" in found
    assert "b.1.parametrizations.weight.original0" in found


@pytest.mark.parametrize(
    ("line", "layers", "told"),
    [
        ("conv: wrap=wieght_norm", "conv 4 k3", "Did you mean 'weight_norm'?"),
        ("relu: wrap=weight_norm", "relu", "only an operation with a weight can be wrapped"),
        ("conv: wrap=weight_norm", "conv 4 k3 wrap=none", "conv: wrap never holds"),
        ("fc: wrap=weight_norm", "conv 4 k3", "the network has no fc that takes wrap"),
    ],
)
def test_a_line_that_cannot_hold_is_told(line: str, layers: str, told: str) -> None:
    with pytest.raises(netspec.SpecError, match="2:") as caught:
        names(f"defaults: {{{line}}}\nlayers: [{layers}]\n")
    assert told in str(caught.value)


def test_a_list_of_one_repeated_call_has_its_rounds() -> None:
    spec = netspec.loads(
        "input: 3x8x8\nblocks: {u c: [conv $c k3 same, relu]}\nlayers: {body: [u 4 x3], out: concat(body.* body)}\n"
    )
    assert spec.graph.root.steps[-1].value.tensor is not None
    assert spec.graph.root.steps[-1].value.tensor.shape[1] == 16
    with pytest.raises(netspec.SpecError, match="body is not repeated"):
        netspec.loads("input: 3x8x8\nlayers: {body: [relu, conv 3 k3 same x3], out: concat(body.*)}\n")
