"""The loop that fills parameters: the tests that a person would write, and no module filled that no rule names."""

from __future__ import annotations

import torch

from netspec import loads


def constructor(layers: str, init: str) -> str:
    """The statements behind the registrations, of a network that also builds."""
    spec = loads(f"input: 3x8x8\nlayers: {layers}\ninit: {init}\n")
    spec.build()
    body = spec.source().rpartition("class ")[2].partition("    def forward")[0]
    start = "        for " if "        for " in body else "        nn.init."
    return body[body.index(start) :].rstrip()


def test_classes_that_are_filled_alike_share_a_test() -> None:
    assert constructor("[conv 4 k3, bn, gap, fc 2]", "{conv: normal std=0.1, linear: normal std=0.1}") == (
        "        for module in self.modules():\n"
        "            if isinstance(module, (nn.Conv2d, nn.Linear)):\n"
        "                nn.init.normal_(module.weight, std=0.1)"
    )


def test_what_is_left_alone_is_excepted_where_one_class_is_filled() -> None:
    layers = "{a: [conv 4 k3, bn, conv 4 k3], b: [conv 4 k1, bn]}"
    assert constructor(layers, '{"a.*": default, conv: normal std=0.1}') == (
        "        for name, module in self.named_modules():\n"
        '            if isinstance(module, nn.Conv2d) and not name.startswith("a."):\n'
        "                nn.init.normal_(module.weight, std=0.1)"
    )


def test_what_is_left_alone_is_passed_over_where_more_is_filled() -> None:
    layers = "{a: [conv 4 k3, bn, conv 4 k3], b: [conv 4 k1, bn]}"
    assert constructor(layers, '{"a.*": default, conv: normal std=0.1, bn: ones}').startswith(
        "        for name, module in self.named_modules():\n"
        '            if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)) and name.startswith("a."):\n'
        "                continue\n"
        "            if isinstance(module, nn.Conv2d):\n"
    )


def test_parameters_are_filled_and_tied_whatever_their_names_are() -> None:
    text = """
    input: 5
    layers: {a-0: parameter 5, c: {d-1: parameter 5, e: add(in d-1)}, f: add(c a-0)}
    init: {c.d-1: constant 3}
    tie: {a-0: c.d-1}
    """
    spec = loads(text)
    net = spec.build()
    assert 'nn.init.constant_(getattr(self.c, "d-1"), 3)' in spec.source()
    assert 'setattr(self, "a-0", getattr(self.c, "d-1"))' in spec.source()
    assert torch.equal(net(torch.zeros(1, 5)), torch.full((1, 5), 6.0))


def test_modules_are_reached_by_number_where_they_are_called_by_number() -> None:
    source = loads(
        """
        input: 5x8
        layers:
          a: TransformerEncoderLayer 2
          b: [linear 4, [linear 4, relu]]
          m.0: linear 4
          o: [linear 4, flip 1, linear 4]
          q: [linear 4, slice 1 -1, linear 4]
        init: {linear: normal std=0.1}
        """
    ).source()
    for path in ("self.b[0]", "self.b[1][0]", "self.m[0]", 'self.o["0"]', 'self.o["2"]', "self.q[2]"):
        assert f"nn.init.normal_({path}.weight, std=0.1)" in source


def test_a_module_inside_one_of_torch_is_not_filled_with_its_kind() -> None:
    text = "input: 5x8\nlayers: {a: TransformerEncoderLayer 2, l: linear 4}\ninit: {linear: constant 3}\n"
    net = loads(text).build()
    filled = [name for name, tensor in net.named_parameters() if torch.equal(tensor, torch.full_like(tensor, 3))]
    assert filled == ["l.weight"]


def test_parameters_that_stand_alone_are_filled_in_a_loop_over_names() -> None:
    scaled = "{g: parameter 3x1x1, b: parameter 3x1x1, y: 'mul(prev g), add(prev b)'}"
    layers = f"{{a: {scaled}, c: {{g: parameter 3x1x1, y: mul(a g)}}, d: {scaled}, e: [conv 2 k1]}}"
    assert constructor(layers, '{"*.g": constant 0.1, "*.b": normal std=0.02}') == (
        "        for name, parameter in self.named_parameters():\n"
        '            if name.endswith(".g"):\n'
        "                nn.init.constant_(parameter, 0.1)\n"
        '            elif name.endswith(".b"):\n'
        "                nn.init.normal_(parameter, std=0.02)"
    )


def test_a_pattern_that_fits_others_too_is_not_a_test_of_names() -> None:
    layers = (
        "{a: {g: parameter 3x1x1, h: parameter 3x1x1, k: parameter 3x1x1, y: 'mul(in g), mul(prev h), mul(prev k)'}}"
    )
    text = constructor(layers, '{"a.h": default, "a.*": constant 0.1}')
    assert "named_parameters" not in text
    assert text.count("nn.init.constant_") == 2


ENCODER = """
    inputs: {input: Tx8}
    params: {depth: 2}
    blocks: {layer: {attn: "attention 2, add(prev in)", norm: layernorm, mlp: "linear 8, relu", out: add(mlp norm)}}
    layers: {stack: [layer x$depth], head: linear 4}
    init: {attention: {in_proj_weight: normal std=0.5}, linear: normal std=0.1, layernorm: {weight: ones}}
    """


def test_linear_layers_are_told_from_the_projections_of_attention() -> None:
    spec = loads(ENCODER)
    assert "if type(module) is nn.Linear:" in spec.source()
    assert "def __init__(self, depth=2):" in spec.source()
    torch.manual_seed(0)
    found = spec.build()
    by_rule = {name: tensor.std().item() for name, tensor in found.named_parameters() if name.endswith("mlp.weight")}
    assert len(by_rule) == 2
    assert all(0.07 < std < 0.13 for std in by_rule.values())
    assert all(tensor.abs().max() < 0.36 for name, tensor in found.named_parameters() if "out_proj.weight" in name)
