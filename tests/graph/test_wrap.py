"""What wraps layers by patterns of names, and small matrices beside a weight."""

from __future__ import annotations

import pytest

from netspec import SpecError, loads
from netspec.text.reader import read_text
from netspec.views.format import formatted

LAYERS = """\
netspec: 1
inputs: {img: 4x8x8, ids: int 5}
layers:
  conv: conv(img) 6 k3 same
  dw: conv 6 k3 same g6, gap, flatten
  emb: embedding(ids) 11 6
  attn: attention 2
  m: mean 1
  sum: add(dw m)
  head: [linear 12, relu, linear 3]
"""


def adapters(more: str, layers: str = LAYERS) -> dict[str, tuple[int, ...]]:
    graph = loads(layers + more).graph
    return {name: shape for name, shape in graph.parameters().items() if name in graph.weights.freeze.adapters}


@pytest.mark.parametrize(
    ("lines", "shapes"),
    [
        ("conv: lora rank=2", {"conv.lora_A.weight": (2, 4, 3, 3), "conv.lora_B.weight": (6, 2, 1, 1)}),
        ("emb: {lora: {rank: 3}}", {"emb.lora_embedding_A": (3, 11), "emb.lora_embedding_B": (6, 3)}),
        ('"head.*": lora rank=2, "*": none', None),
        ('"*.2": lora rank=1 alpha=2 rslora', {"head.2.lora_A.weight": (1, 12), "head.2.lora_B.weight": (3, 1)}),
        (
            "attn: lora rank=2",
            {
                "attn.out_proj.lora_A.weight": (2, 6),
                "attn.out_proj.lora_B.weight": (6, 2),
                "attn.lora_A.weight": (2, 6),
                "attn.lora_B.weight": (18, 2),
            },
        ),
    ],
)
def test_a_pattern_wraps_what_it_means(lines: str, shapes: dict[str, tuple[int, ...]] | None) -> None:
    found = adapters(f"wrap: {{{lines}}}\n")
    assert found == shapes if shapes is not None else {name.split(".")[1] for name in found} == {"0", "2"}


def test_the_first_line_wins_and_a_call_before_all() -> None:
    steps = "{a: linear 8 wrap=none, b: linear 8, c: linear 8 wrap=lora rank=1, d: linear 8}"
    layers = f"netspec: 1\ninput: 8\nlayers: {steps}\n"
    found = adapters('wrap: {b: none, "[abcd]": lora rank=2}\ndefaults: {linear: wrap=weight_norm}\n', layers)
    assert found == {
        "c.lora_A.weight": (1, 8),
        "c.lora_B.weight": (8, 1),
        "d.lora_A.weight": (2, 8),
        "d.lora_B.weight": (8, 2),
    }


def test_other_wraps_are_said_by_pattern_too() -> None:
    graph = loads(LAYERS + 'wrap: {"head.*": weight_norm, conv: spectral_norm}\n').graph
    assert "head.0.parametrizations.weight.original0" in graph.parameters()
    assert "conv.parametrizations.weight.original" in graph.parameters()
    assert not graph.weights.freeze


def test_lengths_may_differ_along_another_axis_of_the_weight() -> None:
    long = "{Conv1d: {out_channels: 6, kernel_size: 4, wrap: weight_norm, dim: 1}}"
    layers = f"{{a: conv 6 k4 g2 wrap=weight_norm dim=2, b: {long}}}"
    shapes = loads(f"netspec: 1\ninput: 4x16\nlayers: {layers}\n").graph.parameters()
    assert shapes["a.parametrizations.weight.original0"] == (1, 1, 4)
    assert shapes["a.parametrizations.weight.original1"] == (6, 2, 4)
    assert shapes["b.parametrizations.weight.original0"] == (1, 6, 1)


def test_all_else_is_frozen_but_what_is_named() -> None:
    spec = loads(LAYERS + "wrap: {attn: lora rank=2}\nweights: {train: [head.2], freeze: [head.2.bias]}\n")
    own = {name for name in spec.graph.parameters() if "lora" in name}
    assert set(spec.graph.trained()) == own | {"head.2.weight"}


def test_what_is_trained_alone_is_named_without_small_matrices_too() -> None:
    spec = loads(LAYERS + 'weights: {train: [head, "*.bias"], unfreeze: {conv: {epoch: 2}}}\n')
    frozen = spec.graph.weights.freeze
    held = {name for name in spec.graph.parameters() if frozen.frozen([name])}
    assert held == {"conv.weight", "dw.weight", "emb.weight", "attn.in_proj_weight", "attn.out_proj.weight"} | {
        "attn.in_proj_bias"
    }
    assert {name for name in held if not frozen.frozen([name], 2)} == {"conv.weight"}


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ("wrap: {dw: lora}", "conv2d has 6 groups", "Leave it out there"),
        ('wrap: {"*": lora}', "dw: conv2d has 6 groups", "{dw: none} above it"),
        ("wrap: {attn.out_proj: lora}", "'attn.out_proj' means a part of attn", "have lora together, as in peft"),
        ('wrap: {"*.in_proj_weight": lora}', "means a part of attn", "write attn."),
        ("wrap: {conv.weight: lora}", "means a part of conv, and a wrap is that of a whole layer", "Write conv."),
        ("wrap: {m: lora}", "'m' matches no layer that lora is for", "conv"),
        ("wrap: {hed: lora}", "'hed' matches no layer that lora is for", "head"),
        ('wrap: {"head.*": lora, "head.0": lora rank=2}', "'head.0' never holds", "first line that matches wins"),
        ("wrap: {emb: lora dropout=0.1}", "dropout of lora is for linear layers and convolutions", "Leave out dropout"),
        ("wrap: {conv: lorra}", "there is no wrap 'lorra'", "Did you mean 'lora'?"),
        ("wrap: {conv: lora rank=0}", "expected a number of at least 1", "rank"),
        ("wrap: {conv: lora r=4}", "no argument 'r'", "rank"),
        ("wrap: {attn: weight_norm}", "weight_norm wraps one weight", "Leave the wrap out"),
        ("wrap: {emb: lora}\ntie: {other.weight: emb.weight}", "there is no parameter 'other.weight'", ""),
        ("weights: {train: [hed]}", "'hed' matches no parameter", "head"),
        ("weights: {train: 3}", "train is a list of names and patterns", "train: [head]"),
    ],
)
def test_a_line_that_cannot_hold_is_refused(more: str, message: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(LAYERS + more + "\n")
    assert message in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("conv_transpose 4 k3 wrap=lora", "lora has no form beside a transposed convolution, as in peft"),
        ("batchnorm2d wrap=lora", "lora is for linear layers, convolutions, embeddings and attention"),
        ("linear 4 rank=2", "linear has no argument 'rank'"),
        ("relu wrap=lora", "only an operation with a weight can be wrapped"),
        ("linear 4 wrap=lora dropout=1", "dropout is 1"),
        ("conv 4 k3 wrap=weight_norm dim=4", "has 4 axes, and none with the number 4"),
        ("conv 4 k3 wrap=spectral_norm dim=1", "spectral_norm has no argument 'dim'"),
        ("conv 4 k3 dim=1", "conv has no argument 'dim'"),
    ],
)
def test_a_call_that_cannot_have_it_is_refused(layers: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        loads(f"netspec: 1\ninput: 4x8x8\nlayers: [{layers}]\n")


def test_a_tied_weight_is_not_changed_beside_it() -> None:
    layers = "netspec: 1\ninput: int 5\nlayers: {e: embedding 10 8, h: linear 10 nobias}\ntie: {h.weight: e.weight}\n"
    with pytest.raises(SpecError, match=r"h\.weight is changed by lora beside it"):
        loads(layers + "wrap: {h: lora}\n")


def test_both_forms_mean_the_same() -> None:
    text = LAYERS.replace("same\n", "same wrap=lora rank=2 alpha=4 rslora\n", 1)
    long = formatted(read_text(text, "x"), long=True)
    assert "wrap: lora, rank: 2, alpha: 4, rslora: true" in long
    assert loads(long).graph.parameters() == loads(text).graph.parameters()
    assert loads(formatted(read_text(long, "x"), long=False)).graph.parameters() == loads(text).graph.parameters()


def test_options_may_be_params_and_what_is_laid_over() -> None:
    spec = loads("netspec: 1\ninput: 8\nparams: {r: 2}\nlayers: {a: linear 4}\nwrap: {a: lora rank=$r}\n")
    assert spec.graph.parameters()["a.lora_A.weight"] == (2, 8)
    assert spec.over(["params.r=5"]).graph.parameters()["a.lora_A.weight"] == (5, 8)
    assert spec.over(["wrap.a=lora rank=3"]).graph.parameters()["a.lora_A.weight"] == (3, 8)


def test_what_it_costs_is_counted() -> None:
    plain, with_lora = loads(LAYERS), loads(LAYERS + 'wrap: {"head.*": lora rank=2}\n')
    assert with_lora.graph.macs() - plain.graph.macs() == 2 * (6 + 12) + 2 * (12 + 3)  # type: ignore[operator]
