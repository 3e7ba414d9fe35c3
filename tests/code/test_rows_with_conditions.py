"""A list with conditions is made in the constructor of the class that it stands in, unless that takes a class."""

from __future__ import annotations

import pytest

from netspec import loads
from netspec.runtime.network.printed import module_class
from tests.code.meaning import disagreement
from tests.code.style import assert_source_formatted


def classes(text: str) -> dict[str, str]:
    """The printed classes of a spec, by name; what is built from them computes what the graph says."""
    spec = loads(text)
    assert disagreement(spec) == ""
    assert_source_formatted(spec.source())
    return {body.partition("(")[0]: body for body in spec.source().split("\n\n\nclass ")[1:]}


def test_the_constructor_around_a_row_puts_its_modules_in_a_list() -> None:
    found = classes(
        """
        input: 8x8x8
        blocks:
          b c t=1:
            block: [conv $(t * in.c) k1 when t != 1, relu when t != 1, conv $c k3 same]
            out: add(block in) when in.c == c
        layers: [b 8, b 16 t=2, b 16]
        """
    )
    assert list(found) == ["B", "Net"]
    assert """
        layers = []
        if t != 1:
            layers.append(nn.Conv2d(in_channels, t * in_channels, 1))
            layers.append(nn.ReLU())
""" in found["B"]
    assert "        self.block = nn.Sequential(*layers)\n" in found["B"]


def test_what_stands_first_in_every_use_stands_in_the_list_from_the_start() -> None:
    found = classes(
        """
        input: 8x8x8
        blocks:
          b c t=1:
            block: [bn, relu, conv $c k1 when t != 1]
            out: relu
        layers: [b 8, b 16 t=2]
        """
    )
    assert "layers = [nn.BatchNorm2d(in_channels), nn.ReLU()]\n        if t != 1:\n" in found["B"]


def test_each_row_of_a_class_has_its_own_list() -> None:
    found = classes(
        """
        input: 8x8x8
        blocks:
          b layers se=false:
            a: [relu when se, conv $layers k1]
            c: {when: layers > 8, layers: [tanh when se, conv $layers k1]}
            out: relu
        layers: [b 8, b 16 true, b 32, b 8 true]
        """
    )
    assert list(found) == ["B", "Net"]
    assert found["B"].count("layers2 = []") == 2
    assert "        if layers > 8:\n            layers2 = []\n            if se:\n" in found["B"]
    assert "            self.c = nn.Sequential(*layers2)\n" in found["B"]


def test_a_condition_that_holds_in_every_use_needs_no_list() -> None:
    found = classes(
        """
        input: 8x8x8
        blocks:
          b c:
            a: {x: conv $c k1 when c > 4, y: bn}
            out: [[relu when c > 4, conv $c k1], relu]
        layers: [b 8, b 16]
        """
    )
    assert list(found) == ["B", "Net"]
    assert "self.a = nn.Sequential(OrderedDict(x=nn.Conv2d(in_channels, c, 1), y=nn.BatchNorm2d(c)))" in found["B"]
    assert "self.out = nn.Sequential(nn.Sequential(nn.ReLU(), nn.Conv2d(c, c, 1)), nn.ReLU())" in found["B"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("{out: [[conv $c k1 when t, tanh], relu]}", "Out0"),
        ("{a: {x: [conv $c k1 when t, tanh], y: bn when c > 4}, out: relu}", "X"),
        ('{"a.0": [conv $c k1 when t, tanh], out: relu}', "A0"),
        ('{"0": [conv $c k1 when t, tanh], "1": relu}', "B0"),
        ('{many: {repeat: 3, layers: {"a$(i)": [conv $c k1 when t, tanh]}}, out: relu}', "A0"),
        ("[{repeat: $n, layers: [[conv $c k1 when t, tanh]]}]", "B0"),
        ("{a: {x: conv $c k1 when t, y: bn}, out: relu}", "A"),
    ],
)
def test_a_row_that_stands_in_a_row_a_list_or_a_loop_is_a_class(body: str, name: str) -> None:
    found = classes(
        f"""
        input: 8x8x8
        blocks: {{b c t=false n=1: {body}}}
        layers: [b 8, b 8 true n=2, b 8 true, b 8 n=2]
        """
    )
    assert name in found


def test_a_declared_block_stays_a_class() -> None:
    found = classes(
        """
        input: 8x8x8
        blocks:
          cba c act=true: [conv $c k1, relu when act]
          b c act=true: {a: cba $c act=$act, out: add(prev in)}
        layers: [b 8, b 8 false]
        """
    )
    assert list(found) == ["Cba", "B", "Net"]


def test_a_module_of_a_row_is_initialised_at_its_place_in_each_use() -> None:
    spec = loads(
        """
        input: 8x8x8
        blocks:
          b c t=1:
            a: [tanh when t != 1, conv $c k1, relu]
            out: relu
        layers: [b 8, b 8 t=2]
        init: {b1.a.0: {bias: ones}, b2.a.1: {bias: zeros}}
        """
    )
    state = spec.build().state_dict()
    assert list(state) == ["b1.a.0.weight", "b1.a.0.bias", "b2.a.1.weight", "b2.a.1.bias"]
    assert state["b1.a.0.bias"].tolist() == [1.0] * 8
    assert state["b2.a.1.bias"].tolist() == [0.0] * 8


def test_a_row_is_run_again_as_it_was_made() -> None:
    found = classes(
        """
        inputs: {x: 8x8x8, y: 8x4x4}
        blocks:
          b c t=1:
            a: [tanh when t != 1, conv $c k1]
            out: relu
        layers: {one: b(x) 8 t=2, two: b 8, again: use(y) one, flat: gap, out: add(two flat)}
        """
    )
    assert list(found) == ["B", "Net"]


def test_a_parameter_of_the_network_may_decide_what_is_in_a_row() -> None:
    spec = loads(
        """
        input: 8x8x8
        params: {wide: 8}
        blocks:
          b c t:
            a: [conv $c k1 when t > 8, relu]
            out: relu
        layers: [b 8 8, b 8 $wide, b 8 16]
        """
    )
    net = module_class(spec.source(), spec.name)
    assert list(net().state_dict()) == ["b3.a.0.weight", "b3.a.0.bias"]
    assert list(net(wide=9).state_dict())[:2] == ["b2.a.0.weight", "b2.a.0.bias"]
