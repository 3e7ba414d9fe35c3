"""A network as two C files: a header that says what is called how, and a source with the functions and the weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netspec.emit.c.activations import sigmoid
from netspec.emit.c.code import TYPES, Code, array, comment, identifier, literal
from netspec.emit.c.elements import elementwise
from netspec.emit.c.rows import softmax
from netspec.emit.c.writer import NUMPY, Array, Call, Names, Unwritable, Wire
from netspec.graph.model import Graph, Step, Value
from netspec.tensors import Tensor, show
from netspec.views.c.arena import Arena, overwrite, planned
from netspec.views.c.folding import folded
from netspec.views.c.network import Network, ints, one_sample
from netspec.views.c.quantising import quantised

MOST_WEIGHTS: Final = 8_000_000
"""Numbers above which no file is written: a compiler takes minutes and gigabytes for as many."""
MARK: Final = "netspec: "
"""What the comment begins with that says, as JSON, what the file computes."""
WIDTH: Final = 110
FAR: Final = "/* Volatile, for GCC 12 errs (-fivopts) where it knows how far apart arrays are. */"
Behind = tuple[str, Any]
"""What is put behind an output: `softmax` with its axis, `sigmoid`, or `scale` with factor and shift."""


@dataclass(frozen=True, slots=True)
class Program:
    """The two texts, and what is told of them."""

    header: str
    source: str
    function: str
    """The name of the function that runs the network."""
    memory: int
    """Bytes of static memory that it works in."""
    weights: int
    """Bytes of its constants."""
    steps: int
    """How many functions it calls."""
    integers: int
    """How many of these multiply whole numbers of 8 bits."""
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def emit(
    graph: Graph,
    weights: Mapping[str, Array],
    *,
    stem: str,
    outputs: Sequence[str],
    metadata: Mapping[str, str],
    behind: Mapping[int, Sequence[Behind]],
    line: Callable[[Step], str] = lambda step: "",
    scales: Mapping[str, float] | None = None,
) -> Program:
    """The network as it is in use, for one sample a call.

    `weights` are all tensors that it owns, by their names in the state_dict. `stem` is what both files are called but
    for their endings. `outputs` name what it gives, flattened, and `behind` says what is done to some of them, by their
    places. `line` says where a step stands in the spec. With `scales`, the size of one step of 8 bits for the input of
    each layer by its path, these layers multiply whole numbers. Raises Unwritable for a step that has no form, named in
    the message.
    """
    network = Network(graph, weights)
    network.level(graph.root, "")
    given = [value.actual for value in graph.results.values() if not graph.only_in_training(value)]
    if len(given) != len(outputs):
        raise Unwritable(f"the network gives {len(given)} values, and there are names for {len(outputs)}")
    results = [_ended(network, network.held[value], behind.get(at, ())) for at, value in enumerate(given)]
    results = _apart(network, results)
    calls = _needed(folded(network.writer.calls, [wire.storage for wire in results]), results)
    if sum(wire.storage.size for wire in _constants(calls)) + sum(map(_owned, calls)) > MOST_WEIGHTS:
        raise Unwritable(f"the network has more than {MOST_WEIGHTS:,} numbers of weights, and C is for small ones")
    calls = quantised(calls, scales or {})
    overwrite(calls)
    arguments = _arguments([*graph.inputs, *outputs])
    for name, value in graph.root.inputs.items():
        network.held[value].storage.name = arguments[name]
    for name, wire in zip(outputs, results, strict=True):
        wire.storage.name = arguments[name]
    printer = _Printer(graph, network, calls, planned(calls), line)
    takes = {name: one_sample(name, value) for name, value in graph.root.inputs.items()}
    gives = {name: Tensor(wire.shape, wire.dtype) for name, wire in zip(outputs, results, strict=True)}
    axes = [_batch(value) for value in given]
    said = {
        "function": printer.function,
        "inputs": [[n, x.dtype, ints(x), _batch(graph.root.inputs[n])] for n, x in takes.items()],
        "outputs": [[n, x.dtype, ints(x), axis] for (n, x), axis in zip(gives.items(), axes, strict=True)],
        "metadata": dict(metadata),
    }  # fmt: skip
    return printer.program(stem, arguments, takes, gives, said)


def _ended(network: Network, wire: Wire, behind: Sequence[Behind]) -> Wire:
    """An output with what is put behind it."""
    w = network.writer
    for kind, how in behind:
        with w.at("", "output"):
            if kind == "softmax":
                wire = softmax(w, wire, wire.axis(how))
            elif kind == "sigmoid":
                wire = elementwise(w, "sigmoid", [wire], sigmoid("v"))
            else:
                factor, shift = (w.constant(np.asarray(each, np.float32), "float32") for each in how)
                wire = elementwise(w, "scale", [wire, factor, shift], "a * b + c")
    return wire


def _apart(network: Network, results: Sequence[Wire]) -> list[Wire]:
    """The outputs, each in an array of its own."""
    found: list[Wire] = []
    for wire in results:
        if wire.storage.kind != "memory":
            with network.writer.at("", "output"):
                wire = elementwise(network.writer, "copy", [wire], "v", wire.dtype)
                network.writer.calls[-1].overwrites = ()
        wire.storage.kind = "output"
        found.append(wire)
    return found


def _needed(calls: Sequence[Call], results: Sequence[Wire]) -> list[Call]:
    """The calls without those of which nothing is read."""
    wanted = {wire.storage for wire in results}
    kept: list[Call] = []
    for call in reversed(calls):
        if any(wire.storage in wanted for wire in call.outputs) or call.fails:
            kept.append(call)
            wanted |= {wire.storage for wire in call.inputs}
    return kept[::-1]


def _constants(calls: Sequence[Call]) -> list[Wire]:
    """The constants that calls are given, each once."""
    found = {wire.storage: wire for call in calls for wire in call.inputs if wire.storage.kind == "constant"}
    return list(found.values())


def _owned(call: Call) -> int:
    """How many numbers only this call reads."""
    own = sum(values.size for values, _ in call.constants.values())
    return own + (call.product.weight.size + call.product.bias.size if call.product is not None else 0)


def _batch(value: Value) -> int | None:
    """The axis that the samples lie along, None where there is none."""
    from netspec.dims import names

    assert value.tensor is not None
    return next((at for at, size in enumerate(value.tensor.shape) if "B" in names(size)), None)


def _arguments(names: Sequence[str]) -> dict[str, str]:
    """What inputs and outputs are called in C: nothing that the language or a library has."""
    found: dict[str, str] = {}
    for name in names:
        plain = identifier(name)
        word = f"{plain}_" if plain and not plain[0].isdigit() else f"x_{plain}"
        word = plain if plain in ("input", "output") else word
        while word in found.values():
            word += "_"
        found[name] = word
    return found


class _Printer:
    """Writes the text of a program."""

    def __init__(
        self, graph: Graph, network: Network, calls: Sequence[Call], arena: Arena, line: Callable[[Step], str]
    ) -> None:
        self.name = comment(graph.name)
        plain = identifier(graph.name)
        self.prefix = plain if plain and not plain[0].isdigit() else f"net_{plain}".rstrip("_")
        self.function = f"{self.prefix}_run"
        self.calls = calls
        self.arena = arena
        self.line = line
        self.steps = network.steps
        self.inputs = [network.held[value].storage for value in graph.root.inputs.values()]
        self.weights = 0
        self.functions: list[str] = []
        """What each call calls."""
        self.written: dict[tuple[str, ...], str] = {}
        """The functions by what they do."""

    def program(
        self,
        stem: str,
        arguments: Mapping[str, str],
        takes: Mapping[str, Tensor],
        gives: Mapping[str, Tensor],
        said: Mapping[str, Any],
    ) -> Program:
        """Both texts."""
        self._place()
        constants = self._shared()
        functions = [text for number, call in enumerate(self.calls, 1) if (text := self._function(number, call))]
        declared = ", ".join(
            [f"const {TYPES[x.dtype]} *{arguments[name]}" for name, x in takes.items()]
            + [f"{TYPES[x.dtype]} *{arguments[name]}" for name, x in gives.items()]
        )
        run = self._run(declared)
        header = self._header(declared, takes, gives, _classes(said["metadata"]))
        memory = [f"static {TYPES[d]} {_memory(d)}[{n}];" for d, n in self.arena.sizes.items()]
        memory += [FAR] * bool(memory)
        memory += [f"static {TYPES[d]} *volatile {_memory(d)}_begin = {_memory(d)};" for d in self.arena.sizes]
        include = [f"/* {self.name}: see {comment(stem)}.h. */", f'#include "{stem}.h"', "", "#include <math.h>"]
        parts = [include, memory, *constants, *functions, run, spelled(MARK, said)]
        source = "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"
        integers = sum("weight" in c.constants and c.constants["weight"][1] == "int8" for c in self.calls)
        return Program(
            header, source, self.function, self.arena.bytes, self.weights, len(self.calls), integers, takes, gives
        )

    def _place(self) -> None:
        """Name the arrays in memory."""
        for storage, offset in self.arena.offsets.items():
            where = _short(storage.dtype)
            storage.name = f"{where} + {offset}" if offset else where

    def _shared(self) -> list[list[str]]:
        """The constants that are arguments of functions."""
        found = []
        for number, wire in enumerate(_constants(self.calls), 1):
            storage = wire.storage
            assert storage.values is not None
            storage.name = f"constant_{number}"
            found.append([f"/* {show(wire.shape)} */", *self._array(storage.name, storage.values, storage.dtype)])
        return found

    def _array(self, name: str, values: Array, dtype: str) -> list[str]:
        """An array of constants, which counts."""
        self.weights += values.size * NUMPY[dtype]().itemsize
        return array(name, values.astype(NUMPY[dtype]), dtype)

    def _function(self, number: int, call: Call) -> list[str]:
        """One function, behind the constants that only it reads; nothing where one that is there does the same."""
        name = self._called(number, call)
        constants = {part: f"{name}_{part}" for part in call.constants}
        lines = []
        for part, (values, dtype) in call.constants.items():
            lines += self._array(constants[part], values, dtype)
        results = [wire.storage.actual for wire in call.outputs]
        several = len(call.inputs) > 1
        x = [
            "y" if wire.storage.actual is results[0] else f"x{at}" if several else "x"
            for at, wire in enumerate(call.inputs)
        ]
        y = ["y" if len(results) == 1 else f"y{at}" for at in range(len(results))]
        code = Code()
        call.body(code, Names(x, y, constants))
        if call.fails:
            code.add("return 0;")
        taken = [
            f"const {TYPES[wire.storage.dtype]} *restrict {each}"
            for wire, each in zip(call.inputs, x, strict=True)
            if each != "y"
        ]
        made = [f"{TYPES[w.storage.dtype]} *restrict {each}" for w, each in zip(call.outputs, y, strict=True)]
        gives = "int" if call.fails else "void"
        same = (gives, *taken, *made, *code.lines)
        self.functions.append(self.written.setdefault(same, name))
        if self.functions[-1] != name:
            return []
        return [
            f"/* {self._said(call)} */",
            *lines,
            f"static {gives} {name}({', '.join([*taken, *made])})",
            "{",
            *code.lines,
            "}",
        ]

    def _called(self, number: int, call: Call) -> str:
        """The name of a function: no word of C and of no library begins so."""
        words = dict.fromkeys(part for part in (identifier(call.step), identifier(call.kind)) if part)
        return "_".join(["step", str(number), *words])

    def _said(self, call: Call) -> str:
        """What a function does, and for which line of the spec."""
        shapes = [" and ".join(_sample(wire) for wire in wires) for wires in (call.inputs, call.outputs)]
        step = self.steps.get(call.step)
        row = self.line(step) if step is not None else ""
        what = f"{call.step}: {call.kind}" if call.step else call.kind
        return comment(f"{what}{f', {row}' if row else ''}: {' -> '.join(shapes)}")

    def _run(self, declared: str) -> list[str]:
        """The function that calls all others in turn."""
        lines = [f"int {self.function}({declared})", "{"]
        read = {wire.storage for call in self.calls for wire in call.inputs}
        lines += [f"    {TYPES[d]} *const {_short(d)} = {_memory(d)}_begin;" for d in self.arena.sizes]
        lines += [f"    (void){storage.name};" for storage in self.inputs if storage not in read]
        for call, name in zip(self.calls, self.functions, strict=True):
            results = [wire.storage.actual for wire in call.outputs]
            given = [w.storage.actual.name for w in call.inputs if w.storage.actual is not results[0]]
            text = f"{name}({', '.join([*given, *(s.name for s in results)])})"
            shape = " and ".join(_sample(wire) for wire in call.outputs)
            told = comment(f"{call.step}: {shape}" if call.step else shape)
            lines.append(f"    {f'if ({text}) return 1;' if call.fails else f'{text};'} /* {told} */")
        return [*lines, "    return 0;", "}"]

    def _header(
        self, declared: str, takes: Mapping[str, Tensor], gives: Mapping[str, Tensor], classes: Sequence[str]
    ) -> str:
        """The header."""
        guard = f"NETSPEC_{self.prefix.upper()}_H"
        told = [f" *   {comment(name)}: {_shown(x)}, {_KINDS[x.dtype]}" for name, x in takes.items()]
        given = [f" *   {comment(name)}: {_shown(x)}, {_KINDS[x.dtype]}" for name, x in gives.items()]
        sizes = [
            f"#define {self.prefix}_{kind}_{at} {_count(x)} /* {comment(name)}: {_shown(x)} */"
            if len(each) > 1
            else f"#define {self.prefix}_{kind} {_count(x)} /* {_shown(x)} */"
            for kind, each in (("INPUT_SIZE", takes), ("OUTPUT_SIZE", gives))
            for at, (name, x) in enumerate(each.items())
        ]
        refuses = any(call.fails for call in self.calls)
        result = (
            "Gives 0, or 1 where a whole number of the input stands for no row of a table." if refuses else "Gives 0."
        )
        return "\n".join([
            "/*",
            f" * {self.name}: a network for one sample a call, in C99 that needs math.h alone.",
            " *",
            " * Inputs, their numbers in the order of their axes:",
            *told,
            " * Outputs:",
            *given,
            " *",
            f" * {self.arena.bytes:,} bytes of static memory, {self.weights:,} bytes of constants.",
            " * Since that memory is static, one call has to end before the next begins.",
            " */",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            "#include <stdint.h>",
            "",
            "#ifdef __cplusplus",
            'extern "C" {',
            "#endif",
            "",
            *sizes,
            f"#define {self.prefix}_MEMORY_BYTES {self.arena.bytes}",
            f"#define {self.prefix}_WEIGHT_BYTES {self.weights}",
            *self._named(classes),
            "",
            f"/* {result} Inputs and outputs must not overlap. */",
            f"int {self.function}({declared});",
            "",
            "#ifdef __cplusplus",
            "}",
            "#endif",
            "",
            "#endif",
            "",
        ])  # fmt: skip

    def _named(self, classes: Sequence[str]) -> list[str]:
        """The names of the classes, in their order, to begin an array with; nothing where there are none."""
        if not classes:
            return []
        first = f"#define {self.prefix}_CLASSES {len(classes)} /* static const char *const names[] = "
        rows = [f"    {literal(name)}, \\" for name in classes]
        return [f"{first}{self.prefix}_CLASS_NAMES; */", f"#define {self.prefix}_CLASS_NAMES {{ \\", *rows, "}"]


_KINDS: Final = {"float32": "float", "int64": "int32_t", "bool": "uint8_t, 0 or 1"}


def _memory(dtype: str) -> str:
    """The name of the memory for a dtype."""
    return "memory" if dtype == "float32" else f"memory_{TYPES[dtype].removesuffix('_t')}"


def _short(dtype: str) -> str:
    """What that memory is called where it is used."""
    return _memory(dtype).replace("memory", "m")


def _shown(x: Tensor) -> str:
    """A shape without the one sample in front."""
    shape = ints(x)
    return show(shape[1:] if len(shape) > 1 and shape[0] == 1 else shape)


def _sample(wire: Wire) -> str:
    """The same of an array."""
    return _shown(Tensor(wire.shape))


def _count(x: Tensor) -> int:
    """How many numbers there are."""
    return int(np.prod(ints(x)))


def _classes(metadata: Mapping[str, str]) -> Sequence[str]:
    """What the classes are called that the network tells apart, where the file says it."""
    found = json.loads(metadata.get("netspec.classes", "[]"))
    return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else ()


def spelled(mark: str, said: Mapping[str, Any]) -> list[str]:
    """What a file says as JSON in a comment, which nothing in it can end; lines break anywhere in it."""
    text = json.dumps(said)
    for sign in "*/?":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    text = f"{mark}{text}"
    return ["/*", *(text[i : i + WIDTH] for i in range(0, len(text), WIDTH)), "*/"]


def interface(source: str, mark: str = MARK) -> dict[str, Any]:
    """What the comment of a file says: its function, its inputs and outputs: a name, dtype, shape, axis of samples.

    Or what another comment says that `mark` begins. Raises ValueError for a file that has none.
    """
    _, found_mark, rest = source.rpartition(f"/*\n{mark}")
    if not found_mark:
        raise ValueError("no C file that netspec has written")
    found: dict[str, Any] = json.loads(rest.partition("\n*/")[0].replace("\n", ""))
    return found
