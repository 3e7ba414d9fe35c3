"""The example of each layer, read as a spec would read it."""

from __future__ import annotations

from netspec import layers
from netspec.catalogue import Catalogue
from netspec.errors import At
from netspec.graph.inputs import read_input
from netspec.language import calls, rows
from netspec.layers.base import Layer
from netspec.tensors import Tensor

LAYERS: Catalogue[Layer] = Catalogue(
    "layer", Layer, {f"netspec.layers.{file}": words for file, words in layers.FAMILIES.items()}
)
CLASSES: list[type[Layer]] = LAYERS.classes()


def example_values(cls: type[Layer]) -> dict[str, object]:
    """The arguments of the example."""
    (call,) = rows.parse(cls.example)
    return calls.arguments(call, cls, calls.nothing, ()).values


def example_inputs(cls: type[Layer]) -> list[Tensor]:
    """The inputs of the example: one text, or `{name: text, ...}` for several."""
    text = cls.example_input
    texts = [pair.split(": ")[1] for pair in text[1:-1].split(", ")] if text.startswith("{") else [text]
    return [read_input(int(t) if t.isdecimal() else t, (), calls.nothing) for t in texts]


def example(cls: type[Layer]) -> tuple[Layer, list[Tensor]]:
    """The example, fitted to its inputs, and those inputs."""
    inputs = example_inputs(cls)
    op = calls.construct(cls, calls.Arguments(values=example_values(cls)), At())
    return op.fitted(*inputs), inputs
