"""Writes a network to an ONNX file from its graph and its weights. Needs no torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from netspec.emit.onnx.writer import Wire, Writer
from netspec.errors import UsageError
from netspec.runtime.export.emission import Ahead, Array, Emission
from netspec.runtime.export.report import Written
from netspec.views.onnx import around, emit, save, scope
from netspec.views.onnx.file import ONE_FILE

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Half = Literal["keep", "all"]
"""Whether inputs and outputs stay float32 where all else is float16."""

HALVED: Final = 10
"""ONNX's number of float16."""
NO_HALF: Final = ("LSTM", "GRU", "RNN", "Celu")
"""Operators that ONNX Runtime has for float32 alone."""


def write_emitted(of: Emission, opset: int, file: Path, half: Half | None = None) -> Written:
    """Write the file, and what is too large for one beside it. Raises Unwritable and UsageError."""
    _need_known(opset)
    if half is not None:
        need_one_file(sum(array.nbytes for array in of.weights.values()), "float16")
    arrays: dict[str, Array] | None = {} if half is None else None
    results = list(of.graph.outputs.values())
    gives = {place: tensor for place, end in of.ends.items() if (tensor := end.gives(results[place])) is not None}
    about: dict[str, Any] = {"outputs": of.outputs, "metadata": of.metadata, "gives": gives, "apart": arrays}
    about["behind"] = {place: list(end.operators()) for place, end in of.ends.items()}
    about["ahead"] = {name: (x.tensor, partial(_taken, x)) for name, x in of.ahead.items()}
    model = emit(of.graph, of.weights, opset=opset, **about)
    if half is not None:
        model = halved(model, half == "keep")
    taken, given = ({x.name: _read(x) for x in values} for values in (model.graph.input, model.graph.output))
    facts = {"opset": opset, "nodes": len(model.graph.node)}
    with writing(file):
        save(model, arrays or {}, file)
    return Written(taken, given, facts)


def need_one_file(size: int, dtype: str) -> None:
    """Refuse to make a file of another dtype of weights of so many bytes, which lie beside it. Raises UsageError."""
    if size >= ONE_FILE:
        text = f"its weights have {size:,} bytes, and what makes files in {dtype} takes less than {ONE_FILE:,}"
        raise UsageError(f"{text}. Keep dtype: float32.")


def _need_known(opset: int) -> None:
    """Refuse an opset that is younger than what writes it. Raises UsageError."""
    import onnx

    if opset > onnx.defs.onnx_opset_version():
        known = f"onnx {onnx.__version__} knows opsets up to {onnx.defs.onnx_opset_version()}"
        raise UsageError(f"{known}, not {opset}. Write an older one, or get a newer onnx and onnxruntime.")


def _taken(of: Ahead, w: Writer, x: Wire) -> str:
    """What the network takes of an input of the file."""
    from netspec.emit.onnx.transforms import taken  # most files begin with the network

    return taken(w, x, of.steps, of.peak, of.cells, of.fills)


def halved(model: ModelProto, keep: bool) -> ModelProto:
    """A model that computes in float16, its inputs and outputs as they were where they are to `keep` that.

    What is done to samples before the network, and to answers behind it, stays in float32, for numbers in units of the
    data may be of any size; and so does all of a step with an operator that has no other form.
    """
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    whole = {scope(node) for node in model.graph.node if node.op_type in NO_HALF}  # or the runtime ends the process
    apart = [*around(model), *(node.name for node in model.graph.node if scope(node) in whole)]
    kept = {"op_block_list": [*DEFAULT_OP_BLOCK_LIST, *NO_HALF], "node_block_list": apart}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that float16 rounds to 0 or cuts; the comparison judges them
        found: ModelProto = convert_float_to_float16(model, keep_io_types=keep, **kept)
    _straighten(found)
    return found


def _straighten(model: ModelProto) -> None:
    """Let what stays in float32 be read as it is made, where it would be halved and made whole again in between."""
    graph = model.graph
    casts = [node for node in graph.node if node.op_type == "Cast"]
    halves = {node.output[0]: node.input[0] for node in casts if node.attribute[0].i == HALVED}
    again = {node.output[0]: halves[node.input[0]] for node in casts if node.input[0] in halves}
    ends = {whole: made for made, whole in again.items() if made in {x.name for x in graph.output}}
    taken = {x.name for x in graph.input}
    names = {made: whole for made, whole in again.items() if made not in ends.values()}
    names |= {whole: made for whole, made in ends.items() if whole not in taken}
    names = {name: names.get(other, other) for name, other in names.items()}
    straight = {*again} - {made for whole, made in ends.items() if whole in taken}
    kept = [node for node in graph.node if node.op_type != "Cast" or node.output[0] not in straight]
    for node in kept:
        for own in (node.input, node.output):
            for i, name in enumerate(own):
                own[i] = names.get(name, name)
    read = {name for node in kept for name in node.input} | {x.name for x in graph.output}
    del graph.node[:]
    graph.node.extend(node for node in kept if node.op_type != "Cast" or node.output[0] in read)


def _read(value: ValueInfoProto) -> str:
    """The shape of a value, as a person reads it: `batch x 1 x 8 x 8`."""
    return " x ".join(str(size.dim_param or size.dim_value) for size in value.type.tensor_type.shape.dim)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Let a file that cannot be written be the user's to mend. Raises UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{file.name} cannot be written: {error.strerror or error}") from None
