"""Every printed file is as the formatter leaves it at 120 characters, and the linter finds nothing in it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import netspec
from netspec import SpecError, loads
from netspec.python.layout import WIDTH, lines
from tests.code.style import assert_formatted, assert_source_formatted
from tests.layers import examples as layer_examples
from tests.ops import examples as op_examples

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))


def test_ready_specs_are_printed_as_the_formatter_leaves_them(tmp_path: Path) -> None:
    for path in SPECS:
        (tmp_path / f"{path.stem}.py").write_text(netspec.load(path).source())
    assert_formatted(tmp_path)


@pytest.mark.parametrize("examples", [layer_examples, op_examples], ids=["layers", "operations"])
def test_examples_are_printed_as_the_formatter_leaves_them(examples: Any, tmp_path: Path) -> None:
    """The example of every layer and operation, alone and as the module of a list."""
    printed = 0
    for cls in examples.CLASSES:
        given = cls.example_input or "8"
        document = f"inputs: {given}" if given.startswith("{") else f"input: {given}"
        row = cls.example.replace('"', '\\"')
        for name, layers in (("row", f'["{row}"]'), ("list", f'{{a: ["{row}"]}}')):
            try:
                source = loads(f"{document}\nlayers: {layers}\n").source()
            except SpecError:
                continue  # an operation that needs more than its example says, as a source needs a name
            (tmp_path / f"{cls.__name__}_{name}.py").write_text(source)
            printed += 1
    assert printed > len(examples.CLASSES)
    assert_formatted(tmp_path)


APART = ["relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "celu", "softplus", "softsign", "mish", "hardswish"]
"""Steps that differ, so that no loop makes them all."""


@pytest.mark.parametrize(("joins", "sign"), [("concat", ""), ("stack", ""), ("add", "+ ")])
def test_many_inputs_stand_below_each_other(joins: str, sign: str) -> None:
    names = [f"a_branch_of_the_network_{i}" for i in range(12)]
    rows = "".join(f"  {name}: {op}(x)\n" for name, op in zip(names, APART, strict=True))
    source = loads(f"inputs: {{x: 8}}\nlayers:\n{rows}  out: {joins}({' '.join(names)})\n").source()
    assert_source_formatted(source)
    assert all(f"    {sign}{name}" in source for name in names[1:-1])


def test_a_long_head_and_long_results_are_broken() -> None:
    names = [f"an_input_of_the_network_{i}" for i in range(9)]
    source = loads(
        f"inputs: {{{', '.join(f'{name}: 4' for name in names)}}}\n"
        f"blocks:\n  twice({' '.join(names)}):\n"
        f"    outputs: {{{', '.join(f'{name}_out: {name}_l' for name in names)}}}\n    layers:\n"
        + f"      {names[0]}_l: linear({names[0]}) 4\n"
        + "".join(f"      {name}_l: {op}({name})\n" for name, op in zip(names[1:], APART, strict=False))
        + f"layers: {{both: twice({' '.join(names)})}}\noutputs: [{', '.join(f'both.{name}_out' for name in names)}]\n"
    ).source()
    assert_source_formatted(source)
    assert f"    def forward(\n        self,\n        {names[0]},\n" in source
    assert f"        return self.both(\n            {names[0]},\n" in source
    assert "        return (\n" in source


def test_a_long_docstring_has_a_paragraph_for_each_side() -> None:
    inputs = ", ".join(f"image_{i}: 3x224x224" for i in range(12))
    source = loads(
        f"inputs: {{{inputs}}}\nlayers: {{out: add({' '.join(f'image_{i}' for i in range(12))})}}\n"
    ).source()
    assert_source_formatted(source)
    assert source.startswith('"""Net.\n\nIn: 3 x 224 x 224, ')
    assert '\nOut: 3 x 224 x 224.\n0 parameters.\n"""\n' in source


STATEMENTS = [
    "x = {0} + {1} + {2} + {3}",
    "x = {0} * F.conv2d({1}, {2}, {3})",
    "x = F.conv2d({0}, {1}, {2}) + {3}",
    "x = F.conv2d({0}, {1}) if {2} else {3}",
    "return {0}, {1}, {2}, {3}",
    'return {{"a": {0}, "b": {1}, "c": {2} + {3}}}',
    "{0}, {1}, {2} = self.net({3})",
    "{0}, {1}, {2}, _ = {3}.unbind(1)",
    "x = {0}.reshape({1}, 4, {2}).transpose(1, 2).flatten({3})",
    "x = {0}.reshape({1}, 4, {2} + {3}).transpose(1, 2)",
    "x = torch.cat([{0}, {1}, {2}, {3}], dim=1)",
    "x = torch.cat([{0}, {1}], dim=1)[:, {2}, {3}]",
    "x = F.interpolate({0}, size={1} + {2} - {3})",
    "x = F.interpolate({0}, size=({1}, {2} * {3}))",
    "x = -F.relu({0} + {1} + {2} * {3})",
    "self.register_buffer({0}, sincos({1}, {2}), persistent={3})",
    "self.get_submodule({0}).weight = self.get_submodule({1}).{2}.{3}",
    "self.get_submodule({0}).{1} = self.{2}.{3}",
    "nn.init.uniform_({0}, a={1}, b={2}, generator={3})",
    "self.a = nn.ModuleList([Block({0}, {1}, {2}, {3}) for _ in range(3)])",
    "self.a = nn.Sequential(nn.utils.weight_norm(nn.Conv1d({0}, {1})), Block({2}, {3}))",
]
NAMES = st.integers(1, 60).map(lambda n: "name_" + "abcdefghij" * (n // 10) + "k" * (n % 10))


@given(st.sampled_from(STATEMENTS), st.tuples(NAMES, NAMES, NAMES, NAMES), st.sampled_from(["", "64 x H x W"]))
@settings(max_examples=100, deadline=None)
def test_any_statement_is_broken_where_the_formatter_breaks_it(
    statement: str, names: tuple[str, ...], comment: str
) -> None:
    tree = ast.parse(f"def forward():\n    {statement.format(*names)}")
    inside = tree.body[0].body[0]  # type: ignore[attr-defined]
    found = lines([inside], {inside: comment}, 2)
    assume(all(len(line) <= WIDTH for line in found))
    source = "class Net(nn.Module):\n    def forward(self):\n" + "\n".join(found) + "\n"
    assert_source_formatted(source, lint=False)  # its names come from nowhere


def test_a_comment_that_does_not_fit_is_left_out() -> None:
    statement = ast.parse("x = " + "a" * 100).body[0]
    assert lines([statement], {statement: "64 x H x W, in training T x 64"}) == ["x = " + "a" * 100]
