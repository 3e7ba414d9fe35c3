"""Examples of the reference: the row of a record in its short and its long form, and what the real rules make of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

import yaml

from netspec.dims import Dim
from netspec.graph.expand import expand
from netspec.graph.model import Graph, Step, flat
from netspec.language import rows
from netspec.language.calls import arguments, nothing, read_entry
from netspec.layers.base import Op
from netspec.python.literals import literal
from netspec.records import Entry
from netspec.schedulers.base import Scheduler
from netspec.sections.document import read_document
from netspec.tensors import Tensor, show
from netspec.text.reader import read_text
from netspec.views.reference.kinds import Kind
from netspec.vocabulary import WRAPS

RESULT: Final = "layer"
"""The name of the step that an example of an operation is about."""
STEPS: Final = 1000
"""The length of the run that the example of a scheduler is for."""


@dataclass(frozen=True, slots=True)
class Example:
    """An example: `short` is empty where only the long form can be written."""

    short: str
    long: str
    torch: tuple[str, ...] = ()
    """Torch's own lines for it."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    count: int = 0
    """The numbers that all parameters hold."""


def example(cls: type[Entry], kind: Kind) -> Example:
    """The example of a record."""
    if issubclass(cls, Op):
        return _operation(cls)
    given = yaml.safe_load(cls.example)
    entry, found = read_entry(given, (), kind.catalogue)
    long = {cls.__name__: found.values} if isinstance(given, str) else given
    return Example(given if isinstance(given, str) else "", flow(long), _torch(entry, kind))


def _torch(entry: Entry, kind: Kind) -> tuple[str, ...]:
    """An entry as torch has it, in lines of Python."""
    call = getattr(entry, "call", None)
    if kind.noun == "initialiser" and call is not None:
        return (call("tensor"),) if getattr(entry, "function", "") else ()
    values = {name: value for name, value in entry.given.items() if entry.fields[name].torch}
    if isinstance(entry, Scheduler):
        values = entry.keywords(STEPS)
    if not kind.torch or "schedulers" in values or entry.origin or not getattr(entry, "torchs", True):
        return ()
    options = [f"{name}={literal(value)}" for name, value in values.items()]
    return (f"{kind.torch}{type(entry).__name__}({', '.join([*kind.first, *options])})",)


# --- operations: a network of one step ----------------------------------------------------------


def _operation(cls: type[Op]) -> Example:
    """The example of an operation, with what it makes of an input."""
    (call,) = rows.parse(cls.example)
    names = [".".join(given.path) for given in call.inputs or ()]
    values = dict(arguments(call, cls, nothing, ()).values)
    long = {cls.__name__: {"inputs": names, **values} if names else values}
    if not cls.example_input and not cls.source:  # a plugin's that names no input
        return Example(cls.example, flow(long))
    return _counted(cls.example, long, network(cls))


def wrapped(word: str) -> Example:
    """The example of what wraps a weight."""
    (cls,) = WRAPS.find(word)
    row = f"linear 4 wrap={cls.example}"
    given = read_entry(cls.example, (), WRAPS)[0].given
    long = {"Linear": {"out_features": 4, "wrap": word, **given}}
    return _counted(row, long, _network({"x": "8"}, {RESULT: row}))


def _counted(short: str, long: dict[str, Any], graph: Graph) -> Example:
    """What the real rules say of the one step that matters."""
    step = next(step for step in graph.root.steps if step.name == RESULT)
    shapes = {**step.parameters(), **step.buffers()}
    return Example(
        short,
        flow(long),
        _lines(graph),
        tuple(_shape(value.tensor) for value in step.inputs),
        tuple(_made(step)),
        tuple(f"{name} {show(shape)}".strip() for name, shape in shapes.items()),
        graph.parameter_count,
    )


def network(cls: type[Op], written: str = "") -> Graph:
    """The network that the example of an operation makes, by itself; `written` is another form of the same row."""
    (call,) = rows.parse(cls.example)
    names = [".".join(given.path) for given in call.inputs or ()]
    text = cls.example_input or "int T"
    given = yaml.safe_load(text) if text.startswith("{") else dict.fromkeys(names or ["x"], text)
    steps = {name: row for name, row in given.items() if str(row).startswith(("parameter", "buffer"))}
    inputs = {name: shape for name, shape in given.items() if name not in steps} or {"input": "1"}
    return _network(inputs, {**steps, RESULT: yaml.safe_load(written or cls.example)})


def _network(inputs: dict[str, Any], steps: dict[str, Any]) -> Graph:
    """A network of a few steps over these inputs."""
    spec = {"inputs": inputs, "layers": steps, "outputs": RESULT}
    document, problems = read_document(read_text(yaml.safe_dump(spec, sort_keys=False)))
    graph, found = expand(document)
    assert not problems, problems
    assert not found, found
    return graph


def _lines(graph: Graph) -> tuple[str, ...]:
    """Torch's lines for the step, as `netspec build` prints them: what makes the module, and what runs it."""
    from netspec.python.layout import INDENT
    from netspec.views.code.module import source

    printed = [line.removeprefix(INDENT * 2).partition("  #")[0] for line in source(graph).splitlines()]
    heads = (f"self.{RESULT} = ", f'self.register_buffer("{RESULT}"')
    made = next((at for at, line in enumerate(printed) if line.startswith(heads)), len(printed))
    rest = takewhile(lambda line: line.startswith((INDENT, ")")), printed[made + 1 :])
    start = max(at for at, line in enumerate(printed) if line.lstrip().startswith("def forward"))
    run = (line for line in printed[start + 1 :] if line and line != f"return {RESULT}")
    return (*printed[made : made + 1], *rest, *run)


def _made(step: Step) -> list[str]:
    """The shapes that a step gives, by name where they are several."""
    values = [value for value in flat(step.results) if value.tensor is not None]
    if len(values) == 1:
        return [_shape(values[0].tensor)]
    return [f".{name} {_shape(value.tensor)}" for name, value in step.value.parts.items()]


def _shape(tensor: Tensor | None) -> str:
    """A shape with its batch, and its dtype where that is not float."""
    assert tensor is not None
    kind = "" if tensor.dtype == "float32" else f"{tensor.dtype.removesuffix('64')} "
    return kind + show(tensor.shape)


def flow(value: Any) -> str:
    """Plain data as YAML on one line."""
    return yaml.safe_dump(_plain(value), default_flow_style=True, sort_keys=False, width=10_000).strip()


def _plain(value: Any) -> Any:
    """A value as YAML takes it, tuples as lists."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Dim) else value
