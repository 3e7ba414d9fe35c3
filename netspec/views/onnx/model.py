"""From a graph and its weights to a model of ONNX: each step by its rule, in the order of running."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.dims import Dim, names
from netspec.emit.onnx.cells import ML
from netspec.emit.onnx.layers import LAYERS
from netspec.emit.onnx.operations import OPERATIONS
from netspec.emit.onnx.writer import KINDS, Array, Unwritable, Wire, Writer
from netspec.graph.by_parts import ROUTED, Route, Scan
from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.layers.base import Layer
from netspec.tensors import Tensor
from netspec.views.walking import Walk

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

PRODUCER: Final = "netspec"
AHEAD: Final = "(preprocess)"
"""The scope of the nodes that make an input of what the file takes"""
BATCH_NAME: Final = "batch"
"""What the dimension B is called in a file."""
BEHIND: Final = "(output)"
"""The scope of the nodes that are put behind outputs."""
OTHERS: Final = {ML: 2}
"""Versions of further domains of operators."""
Behind = tuple[str, Sequence[Array | None], Mapping[str, Any]]
"""An operator that is put behind an output: its name, its operands, of which None is the output, its attributes."""
Ahead = tuple[Tensor, Callable[[Writer, Wire], str]]
"""What a file takes in place of an input, and what writes that input of it."""
NONE: Final[Mapping[Any, Any]] = MappingProxyType({})


def emit(
    graph: Graph,
    weights: Mapping[str, Array],
    *,
    opset: int,
    outputs: Sequence[str],
    metadata: Mapping[str, str],
    behind: Mapping[int, Sequence[Behind]] = NONE,
    ahead: Mapping[str, Ahead] = NONE,
    gives: Mapping[int, Tensor] = NONE,
    apart: dict[str, Array] | None = None,
) -> ModelProto:
    """The network as it is in use, with dimensions that only the run decides open, by their names.

    Its tensors are in it, or are left `apart`: there by name, in the model without their numbers, for `save`.

    `weights` are all tensors that it owns, by their names in the state_dict, those included that are not saved.
    `outputs` name what it gives, flattened, and `behind` says what is done to some of them, by their places, which may
    make something else of them that it `gives` then. `ahead` says what is done to inputs. Raises Unwritable for a step
    that has no form, named in the message.
    """
    inputs = {name: ahead[name][0] if name in ahead else x for name, x in graph.inputs.items()}
    writer = Writer(weights, inputs, opset, graph.ties)
    network = _Network(writer)
    network.held = {value: name for name, value in graph.root.inputs.items()}
    for name, (tensor, taken) in ahead.items():
        with writer.at(AHEAD):
            network.held[graph.root.inputs[name]] = taken(writer, Wire(name, tensor))
    network.level(graph.root, "")
    given = [value.actual for value in graph.results.values() if not graph.only_in_training(value)]
    if len(given) != len(outputs):
        raise Unwritable(f"the network gives {len(given)} values, and there are names for {len(outputs)}")
    wires = [network.wire(value) for value in given]
    for place, more in behind.items():
        for kind, operands, attributes in more:
            read = [wires[place].name if each is None else writer.constant(each) for each in operands]
            with writer.at(BEHIND):
                wires[place] = Wire(writer.node(kind, *read, **attributes), wires[place].tensor)
    wires = [Wire(wire.name, gives.get(place, wire.tensor)) for place, wire in enumerate(wires)]
    return network.finished(graph.name, inputs, wires, outputs, metadata, apart)


class _Network(Walk[str]):
    """Writes the nodes of a network, in one long row, and holds for each value its name in the file."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self.writer = writer
        self.shapes: dict[str, Tensor] = {}
        """What is known of the tensors that steps give, by their names."""
        self.paths: dict[Level, str] = {}
        """Under which path the members of each level lie that has been begun."""

    def wire(self, value: Value) -> Wire:
        """A value by its name in the file."""
        value = value.actual
        assert value.tensor is not None
        return Wire(self.held[value], value.tensor)

    def level(self, level: Level, path: str) -> None:
        """Write a level, by the name of its block, where it is one."""
        named = level.name if level.kind == "root" else level.header.name if level.header else level.kind
        with self.writer.within(path.removesuffix("."), named):
            super().level(level, path)

    def scan(self, step: Step, body: Level, scan: Scan, path: str) -> None:
        """Write a level that runs once for each place of an axis: a Scan, its steps in a graph of their own."""
        from onnx import helper

        w, given = self.writer, [self.wire(value) for value in step.inputs]
        places, states = given[: scan.over], given[scan.over :]
        taken = [(w.unique(f"{path}{value.name}"), value) for value in body.inputs.values()]
        with w.inside() as nodes:
            self.held |= {value: name for name, value in taken}
            self.level(body, path)
            last = [outer for outer in body.exports if outer in scan.last]
            each = [(outer, inner) for outer, inner in body.exports.items() if outer not in scan.last]
            ends = [self.wire(value) for value in scan.nexts] + [self.wire(inner) for _, inner in each]
            with w.at(path.removesuffix(".")):
                results = [Wire(w.node("Identity", wire), wire.tensor) for wire in ends]
        entering = [_described(name, _known(value)) for name, value in (*taken[scan.over :], *taken[: scan.over])]
        inner_graph = helper.make_graph(nodes, step.name, entering, [_described(x.name, x.tensor) for x in results])
        with w.at(path.removesuffix(".")):
            made = w.nodes_of(
                "Scan",
                *(*states, *places),
                outputs=max(len(results), 1),
                body=inner_graph,
                num_scan_inputs=len(places),
                scan_input_axes=[scan.axis] * len(places),
                scan_input_directions=[int(scan.reverse)] * len(places),
                scan_output_axes=[scan.axis] * len(each),
                scan_output_directions=[int(scan.reverse)] * len(each),
            )
        held = dict(zip((value.actual for value in scan.nexts), made, strict=False))
        self.held |= {outer: held[body.exports[outer].actual] for outer in last}
        self.held |= dict(zip((outer for outer, _ in each), made[len(states) :], strict=True))

    def route(self, step: Step, body: Level, route: Route, path: str) -> None:
        """Write experts, each for the tokens alone that are routed to it, whose results are added up by token."""
        w, given = self.writer, [self.wire(value) for value in step.inputs]
        tokens, to = given[0], given[-2 if route.weighted else -1]
        experts = [each for each in body.steps if not each.left_out]
        inputs, own = list(body.inputs.values()), path.removesuffix(".")
        with w.at(own):
            total = w.filled_like(w.node("Shape", tokens), 0.0, "float32")
        for number in range(route.experts):
            place = w.constant(np.array(number, np.int64))
            with w.at(own):
                hits = w.node("NonZero", w.node("Equal", to, place))  # token and place, of each that is routed here
                token = w.node("Gather", hits, w.constant(np.array(0, np.int64)), axis=0)
                self.held[inputs[0]] = w.node("Gather", tokens, token, axis=0)
                for value, of_all in zip(inputs[1:], given[1 : len(given) - 1 - route.weighted], strict=False):
                    self.held[value] = w.node("Gather", of_all, place, axis=0)
            if route.apart:
                self.run(experts[number], path)
            else:
                self.level(body, path)
            found = self.wire(route.ends[number if route.apart else 0]).name
            with w.at(own):
                if route.weighted:
                    weight = w.node("GatherND", given[-1], w.node("Transpose", hits, perm=[1, 0]))
                    found = w.node("Mul", found, w.node("Unsqueeze", weight, w.ints(*range(1, tokens.rank))))
                row = w.node("Unsqueeze", token, w.ints(1))
                total = w.node("ScatterND", total, row, found, reduction="add")
        self.held |= dict.fromkeys((step.value, *body.exports), total)

    def operation(self, step: Step, path: str) -> None:
        """Write an operation, and name what it makes."""
        assert step.op is not None
        results = [value for value in flat(step.results) if value is not None and value.tensor is not None]
        table = LAYERS if isinstance(step.op, Layer) else OPERATIONS
        with self.writer.at(path), self.writer.within(path, type(step.op).__name__):
            try:
                rule = table.of(type(step.op))
            except StopIteration:
                raise Unwritable(f"{step.path} ({step.op.said}) has no form in ONNX that is known") from None
            try:
                made = rule(self.writer, step.op, [self.wire(v) for v in step.inputs], [_known(v) for v in results])
            except Unwritable as error:
                raise Unwritable(f"{step.path} {error}") from None
        for value, name in zip(results, [made] if isinstance(made, str) else made, strict=False):
            self.held[value] = name
            self.shapes.setdefault(name, _known(value))

    def finished(
        self,
        title: str,
        inputs: Mapping[str, Tensor],
        wires: Sequence[Wire],
        outputs: Sequence[str],
        metadata: Mapping[str, str],
        apart: dict[str, Array] | None,
    ) -> ModelProto:
        """The model: the nodes, the tensors that they read, and what goes in and out by name."""
        from onnx import helper

        w = self.writer
        results = list(zip(outputs, wires, strict=True))
        self._name_outputs(outputs, [wire.name for wire in wires])
        read = {name for node in _all(w.nodes) for name in node.input}
        kept = [name for name in (*w.weights, *w.initializers) if name in read and name in w.initializers]
        owned = {name: w.initializers[name] for name in kept}
        tensors = [_tensor(name, array, apart is None) for name, array in owned.items()]
        if apart is not None:
            apart |= {name: array for name, array in owned.items() if array.dtype.kind != "U"}
        named = {*inputs, *outputs, *w.initializers}
        made = {name for node in w.nodes for name in node.output}
        told = {n: x for n, x in self.shapes.items() if not any(ROUTED in names(size) for size in x.shape)}
        between = [_described(n, x) for n, x in told.items() if n in made and n not in named]
        body = helper.make_graph(
            w.nodes,
            title,
            [_described(name, x) for name, x in inputs.items()],
            [_described(name, wire.tensor) for name, wire in results],
            tensors,
            value_info=between,
        )
        others = {node.domain for node in w.nodes} - {""}
        imports = [helper.make_opsetid("", w.opset), *(helper.make_opsetid(name, OTHERS[name]) for name in others)]
        model = helper.make_model(
            body,
            producer_name=PRODUCER,
            producer_version=metadata.get("netspec.version", ""),
            opset_imports=imports,
            ir_version=helper.find_min_ir_version_for(imports),
        )
        helper.set_model_props(model, dict(metadata))
        return model

    def _name_outputs(self, outputs: Sequence[str], wires: Sequence[str]) -> None:
        """Let what is given have the names of the outputs; a copy where it is an input, a weight, or given twice."""
        w = self.writer
        renamed: dict[str, str] = {}
        makers = {name: node for node in w.nodes for name in node.output}
        copies = []
        for output, wire in zip(outputs, wires, strict=True):
            if wire in makers and wire not in renamed:
                renamed[wire] = output
            else:
                copies.append((output, wire))
        for node in _all(w.nodes):
            for own in (node.input, node.output):
                for i, name in enumerate(own):
                    if name in renamed:
                        own[i] = renamed[name]
        for output, wire in copies:
            w.nodes_of("Identity", renamed.get(wire, wire))
            w.nodes[-1].output[0] = output


def _all(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """The nodes, and those of the graphs in them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _all(attribute.g.node)


def _known(value: Value) -> Tensor:
    """What is known of a value in a network without problems."""
    assert value.tensor is not None
    return value.tensor


def _described(name: str, x: Tensor) -> ValueInfoProto:
    """A tensor by its name, its dtype and its shape, with the names of open dimensions."""
    from onnx import helper

    shape = [dimension_name(str(size)) if isinstance(size, Dim) else size for size in x.shape]
    return helper.make_tensor_value_info(name, KINDS[x.dtype], shape)


def _tensor(name: str, array: Array, whole: bool) -> TensorProto:
    """A weight or a constant, `whole` or without its numbers."""
    from onnx import TensorProto, helper, numpy_helper

    if array.dtype.kind == "U":
        return TensorProto(name=name, dims=array.shape, data_type=KINDS["string"], string_data=_encoded(array))
    if whole:
        return numpy_helper.from_array(np.ascontiguousarray(array) if array.ndim else np.asarray(array), name)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return TensorProto(name=name, dims=array.shape, data_type=kind)


def _encoded(texts: Array) -> list[bytes]:
    """Texts as ONNX has them."""
    return [str(text).encode() for text in texts.reshape(-1)]


def scope(node: NodeProto) -> str:
    """The path of the step that a node is of, or AHEAD or BEHIND, whose names no step has."""
    return str(node.name).rpartition("/")[0]


def around(model: ModelProto) -> list[str]:
    """The names of the nodes before the network and behind it, which compute in the numbers of samples and answers."""
    return [node.name for node in model.graph.node if scope(node) in (AHEAD, BEHIND)]


def dimension_name(name: str) -> str:
    """What a dimension of the spec is called in a file."""
    return BATCH_NAME if name == "B" else name
