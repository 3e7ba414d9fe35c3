"""Formatting changes how a spec is written, never what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings

from netspec import SpecError, loads
from netspec.layers.base import Op
from netspec.text.reader import read_text
from netspec.views.format import formatted
from netspec.vocabulary import OPERATIONS
from tests.drawn import MORE, documents

ROOT = Path(__file__).parents[2]
READY = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "netspec" / "templates").glob("*.yaml"))]
SPECS = [path for path in READY if "extends: " not in path.read_text()]
"""Those that are whole by themselves; a text in memory extends nothing."""


def meaning(text: str) -> tuple[Any, ...]:
    """What a spec is, whatever its form."""
    spec = loads(text)
    return spec.source(), spec.graph.parameters(), spec.graph.macs(), [problem.code for problem in spec.warnings]


def keeps(text: str) -> None:
    """Both forms, and each of the other, are the same network, and formatted they stay as they are."""
    meant = meaning(text)
    for long in (False, True):
        once = formatted(read_text(text), long=long)
        assert meaning(once) == meant, once
        assert formatted(read_text(once), long=long) == once
        back = formatted(read_text(once), long=not long)
        assert meaning(back) == meant, back


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_ready_specs(path: Path) -> None:
    keeps(path.read_text())


def example(cls: type[Op]) -> dict[str, Any]:
    """A spec around the example of an operation."""
    text = cls.example_input or "int T"
    names = [text.partition(":")[0] for text in cls.example.partition("(")[2].partition(")")[0].split()]
    given = yaml.safe_load(text) if text.startswith("{") else dict.fromkeys(names or ["x"], text)
    steps = {name: row for name, row in given.items() if str(row).startswith(("parameter", "buffer"))}
    inputs = {name: shape for name, shape in given.items() if name not in steps} or {"x": "1"}
    return {"inputs": inputs, "layers": {**steps, "step": yaml.safe_load(cls.example)}, "outputs": "step"}


@pytest.mark.parametrize("cls", OPERATIONS.classes(), ids=lambda cls: cls.__name__)
def test_the_example_of_every_operation(cls: type[Op]) -> None:
    keeps(yaml.safe_dump(example(cls), sort_keys=False))


@given(documents)
@settings(max_examples=50 * MORE)
def test_drawn_specs(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, sort_keys=False)
    try:
        loads(text)
    except SpecError:
        assume(False)
    keeps(text)


@pytest.mark.parametrize(
    "text",
    [
        "inputs: {x: 5x8, m: bool 5}\nlayers: [attention(x key_padding_mask=m) 2]",
        "inputs: {x: 5x8, y: 7x8}\nlayers: {m: buffer 5x7, a: attention(x y attn_mask=m) 2}",
        "inputs: {x: 8, y: 8}\nblocks: {join(a b) c: 'add(a b), fc $c'}\nlayers: [join(x b=y) 4]",
        "input: 8\nlayers: {r: {repeat: 3, layers: {a$i: linear 8}}, b: concat(r.* in)}",
        "input: 8\nblocks: {wide inputs wrap=1 between=2: 'fc $inputs, fc $(wrap + between)'}\nlayers: [wide 4 wrap=3]",
        "input: 3x8x8\nblocks: {down s: {a: {conv: {out_channels: 4, kernel_size: 1}, when: s > 1}}}\nlayers: relu",
        "input: 3x8x8\nblocks: {spare: {layers: {a: conv 4 k3}, repeat: 2}}\nlayers: [relu]",
        "input: 3x8x8\nlayers: conv 4 k3, relu, fc 10",
        "input: 3x8x8\nlayers: {layers: conv 4 k3 same, repeat: 2}",
        "input: 3x8x8\nblocks: {cell: conv 4 k3}\nlayers: [cell]",
        "input: 3x8x8\nlayers: [avgpool 2 divisor_override=2, avgpool 2]",
        "input: 3x8x8\ndefaults: {avgpool: divisor_override=3}\nlayers: [avgpool 2]",
        "input: 4\nlayers: {attention: {dropout: dropout 0.5}, b: {LayerNorm: linear 2}}",
    ],
    ids=lambda text: text.partition("\n")[2],
)
def test_corners(text: str) -> None:
    keeps(text)


def test_the_inputs_of_a_source_of_data_are_an_argument() -> None:
    text = "data: npz a.npz inputs=left\n"
    assert formatted(read_text(text), long=True) == "data: {npz: {path: a.npz, inputs: left}}\n"
    assert formatted(read_text(formatted(read_text(text), long=True))) == text
