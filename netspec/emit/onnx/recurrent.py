"""Recurrent layers by ONNX's operators, whose gates stand in another order than torch's."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from netspec.emit.onnx.parts import Made, Results, Wires
from netspec.emit.onnx.writer import Unwritable, Writer

ORDER: Final = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""Where each gate of ONNX stands in torch's weights: reset, update, new become update, reset, new, and so on."""


def _rows(w: Writer, weight: str, kind: str, size: int) -> str:
    """A weight with its gates in ONNX's order."""
    order = ORDER[kind]
    if len(order) == 1:
        return weight
    places = np.concatenate([np.arange(gate * size, (gate + 1) * size) for gate in order])
    return w.node("Gather", weight, w.constant(places), axis=0)


def _stacked(w: Writer, parts: list[str]) -> str:
    """The weights of one direction or two, on an axis of their own."""
    each = [w.node("Unsqueeze", part, w.ints(0)) for part in parts]
    return each[0] if len(each) == 1 else w.node("Concat", *each, axis=0)


def _layer(w: Writer, op: Any, kind: str, x: str, number: int, states: list[str], how: dict[str, Any]) -> list[str]:
    """One layer: its outputs, time x directions x batch x width, and its last states."""
    ends = ("", "_reverse")[: op.directions]

    def weights(name: str) -> list[str]:
        return [_rows(w, w.own(f"{name}_l{number}{end}"), kind, op.hidden_size) for end in ends]

    bias = ""
    if op.bias:
        pairs = zip(weights("bias_ih"), weights("bias_hh"), strict=True)
        bias = _stacked(w, [w.node("Concat", *pair, axis=0) for pair in pairs])
    first = [_of_layer(w, op, state, number) for state in states]
    given = [x, _stacked(w, weights("weight_ih")), _stacked(w, weights("weight_hh")), bias, "", *first]
    way = "bidirectional" if op.bidirectional else "forward"
    count = 3 if kind == "LSTM" else 2
    return w.nodes_of(kind, *given, outputs=count, hidden_size=op.hidden_size, direction=way, **how)


def _of_layer(w: Writer, op: Any, state: str, number: int) -> str:
    """The part of a first state that one layer begins with."""
    if op.num_layers == 1:
        return state
    return w.sliced(state, 0, number * op.directions, (number + 1) * op.directions)


def _recurrent(w: Writer, op: Any, x: Wires, kind: str, **how: Any) -> Made:
    """All layers, each reading what the one before it gave: its outputs, and its last states by layer and direction.

    ONNX has time x directions x batch x width, torch time x batch x both widths side by side; the number of steps
    stays open. `how` are attributes of the operator. Raises Unwritable for an output that is projected.
    """
    if op.projected:
        raise Unwritable("projects its output (proj_size)")
    source = w.swapped(x[0], 1, 0, 2) if op.batch_first else x[0].name
    ends: list[list[str]] = []
    for number in range(op.num_layers):
        found, *last = _layer(w, op, kind, source, number, [each.name for each in x[1:]], how)
        ends.append(last)
        if op.bidirectional:
            source = w.node("Reshape", w.swapped(found, 0, 2, 1, 3), w.ints(0, 0, -1))
        else:
            source = w.node("Squeeze", found, w.ints(1))
    output = w.swapped(source, 1, 0, 2) if op.batch_first else source
    states = [each[0] if len(each) == 1 else w.node("Concat", *each, axis=0) for each in zip(*ends, strict=True)]
    return [output, *states]


def rnn(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`RNN`."""
    return _recurrent(w, op, x, "RNN", activations=[op.nonlinearity.title()] * op.directions)


def gru(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GRU`, whose reset gate comes behind the product, as in cuDNN."""
    return _recurrent(w, op, x, "GRU", linear_before_reset=1)


def lstm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`LSTM`."""
    return _recurrent(w, op, x, "LSTM")


def _products(w: Writer, op: Any, x: str, name: str) -> str:
    """W x + b of a cell, for the input or for the state."""
    bias = w.own(f"bias_{name}") if op.bias else ""
    return w.node("Gemm", x, w.own(f"weight_{name}"), bias, transB=1)


def _state(w: Writer, op: Any, x: Wires, number: int) -> str:
    """A state that a cell begins with: zeros where none is given."""
    if len(x) > number:
        return x[number].name
    return w.filled((x[0].shape[0], op.hidden_size), 0.0, "float32")


def rnn_cell(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`RNNCell`."""
    total = w.node("Add", _products(w, op, x[0].name, "ih"), _products(w, op, _state(w, op, x, 1), "hh"))
    return w.node(op.nonlinearity.title(), total)


def gru_cell(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GRUCell`."""
    state = _state(w, op, x, 1)
    given = w.split(_products(w, op, x[0].name, "ih"), 3, axis=1)
    held = w.split(_products(w, op, state, "hh"), 3, axis=1)
    reset, update = (w.node("Sigmoid", w.node("Add", given[i], held[i])) for i in (0, 1))
    new = w.node("Tanh", w.node("Add", given[2], w.node("Mul", reset, held[2])))
    return w.node("Add", new, w.node("Mul", update, w.node("Sub", state, new)))


def lstm_cell(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`LSTMCell`."""
    held = _products(w, op, _state(w, op, x, 1), "hh")
    total = w.node("Add", _products(w, op, x[0].name, "ih"), held)
    enter, forget, new, leave = w.split(total, 4, axis=1)
    kept = w.node("Mul", w.node("Sigmoid", forget), _state(w, op, x, 2))
    memory = w.node("Add", kept, w.node("Mul", w.node("Sigmoid", enter), w.node("Tanh", new)))
    return [w.node("Mul", w.node("Sigmoid", leave), w.node("Tanh", memory)), memory]
