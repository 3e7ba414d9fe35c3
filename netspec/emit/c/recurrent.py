"""Recurrent layers: a product for all steps at once, and then a loop over the steps.

What the input gives to the gates does not wait for the state, so it is one linear map over all steps before the loop;
inside it is only the product of the state. Gates stand in torch's order: enter, forget, fresh, leave of an LSTM;
reset, update, fresh of a GRU, whose reset gate comes behind the product of the state, as in cuDNN. A layer in both
directions is two loops, and of several layers each runs over all steps before the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from netspec.emit.c.code import Code, index
from netspec.emit.c.elements import copied, joined
from netspec.emit.c.parts import Made, Results, Wires
from netspec.emit.c.products import linear
from netspec.emit.c.writer import Array, Call, Names, Unwritable, Wire, Writer

SIGMOID: Final = "1.0f / (1.0f + expf(-({})))"


def _update(code: Code, kind: str, width: int, nonlinearity: str) -> None:
    """From the products of a step to its state `h`, for the place `o`; `a` is of the input, `s` of the state."""
    both = [f"a[{index([('o', 1)], gate * width)}] + s[{index([('o', 1)], gate * width)}]" for gate in range(4)]
    if kind == "RNN":
        found = f"tanhf({both[0]})" if nonlinearity == "tanh" else f"{both[0]}"
        code.add(f"const float v = {found};")
        code.add("h[o] = v;" if nonlinearity == "tanh" else "h[o] = v < 0.0f ? 0.0f : v;")
    elif kind == "GRU":
        code.add(f"const float reset = {SIGMOID.format(both[0])};")
        code.add(f"const float update = {SIGMOID.format(both[1])};")
        code.add(f"const float fresh = tanhf(a[o + {2 * width}] + reset * s[o + {2 * width}]);")
        code.add("h[o] = fresh + update * (h[o] - fresh);")
    else:
        code.add(f"const float enter = {SIGMOID.format(both[0])};")
        code.add(f"const float forget = {SIGMOID.format(both[1])};")
        code.add(f"const float fresh = tanhf({both[2]});")
        code.add(f"const float leave = {SIGMOID.format(both[3])};")
        code.add("cell[o] = forget * cell[o] + enter * fresh;")
        code.add("h[o] = leave * tanhf(cell[o]);")


def _steps(
    w: Writer,
    kind: str,
    products: Wire,
    weight: Array,
    bias: Array | None,
    states: Sequence[Wire],
    reverse: bool,
    nonlinearity: str,
) -> list[Wire]:
    """All steps of one direction: what each gives, and the states behind the last.

    `products` are steps x gates of what the input adds to each, `weight` is gates x width, of the state.
    """
    steps, gates = products.shape
    width = weight.shape[1]
    names_of = ["h", "cell"][: 2 if kind == "LSTM" else 1]
    made = [w.made((steps, width)), *(w.made((1, width)) for _ in names_of)]
    scratch = w.made((gates,))
    shift = np.zeros(gates, np.float32) if bias is None else bias
    constants = {"weight": (np.ascontiguousarray(weight.T), "float32"), "bias": (shift, "float32")}

    def body(code: Code, names: Names) -> None:
        y, *ends, products_of = names.y
        code.add(f"float *s = {products_of};")
        for name, end, at in zip(names_of, ends, range(1, 3), strict=False):
            code.add(f"float *{name} = {end};")
            start = f"{names.x[at]}[o]" if states else "0.0f"
            with code.loop("o", width):
                code.add(f"{name}[o] = {start};")
        with code.loop("t", steps):
            place = f"({steps} - 1 - t)" if reverse else "t"
            code.add(f"const float *a = {names.x[0]} + {place} * {gates};")
            with code.loop("o", gates):
                code.add(f"s[o] = {names['bias']}[o];")
            with code.loop("i", width):
                code.add(f"const float *row = {names['weight']} + i * {gates};")
                with code.loop("o", gates):
                    code.add("s[o] += h[i] * row[o];")
            with code.loop("o", width):
                _update(code, kind, width, nonlinearity)
            with code.loop("o", width):
                code.add(f"{y}[{place} * {width} + o] = h[o];")

    w.calls.append(Call(w.step, kind.lower(), [products, *states], [*made, scratch], body, constants))
    return made


def _recurrent(w: Writer, op: Any, x: Wires, kind: str) -> Made:
    """All layers, each reading what the one before it gave: the outputs, and the last states by layer and direction."""
    if op.projected:
        raise Unwritable("projects its output (proj_size)")
    source = x[0].viewed(x[0].size // x[0].shape[-1], x[0].shape[-1])
    if x[0].shape[0 if op.batch_first else 1] != 1:
        raise Unwritable("runs over several sequences at once")
    width, ends = op.hidden_size, []
    for layer in range(op.num_layers):
        given = []
        for direction in range(op.directions):
            end = f"_l{layer}{'_reverse' if direction else ''}"
            bias = w.own(f"bias_ih{end}") if op.bias else None
            products = linear(w, source, w.own(f"weight_ih{end}"), bias, kind=f"{kind.lower()}_input")
            place = layer * op.directions + direction
            states = [copied(w, "state", each, lambda p, i=place: p[i]) for each in x[1:]]  # type: ignore[misc]
            again = w.own(f"bias_hh{end}") if op.bias else None
            how = getattr(op, "nonlinearity", "tanh")
            found = _steps(w, kind, products, w.own(f"weight_hh{end}"), again, states, bool(direction), how)
            given.append(found[0])
            ends.append(found[1:])
        source = joined(w, "join", given, 1)
    output = source.viewed(*x[0].shape[:-1], op.directions * width)
    together = [joined(w, "join", each, 0) for each in zip(*ends, strict=True)]
    return [output, *(each.viewed(each.shape[0], 1, width) for each in together)]


def rnn(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`RNN`."""
    return _recurrent(w, op, x, "RNN")


def gru(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GRU`, whose reset gate comes behind the product, as in cuDNN."""
    return _recurrent(w, op, x, "GRU")


def lstm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`LSTM`."""
    return _recurrent(w, op, x, "LSTM")


def _cell(w: Writer, op: Any, x: Wires, kind: str) -> list[Wire]:
    """One step of a cell: its states."""
    if x[0].size != x[0].shape[-1]:
        raise Unwritable("runs over several sequences at once")
    bias, again = (w.own(f"bias_{name}") if op.bias else None for name in ("ih", "hh"))
    products = linear(w, x[0].viewed(1, x[0].size), w.own("weight_ih"), bias, kind=f"{kind.lower()}_input")
    how = getattr(op, "nonlinearity", "tanh")
    states = [each.viewed(each.size) for each in x[1:]]
    return _steps(w, kind, products, w.own("weight_hh"), again, states, reverse=False, nonlinearity=how)[1:]


def rnn_cell(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`RNNCell`."""
    return _cell(w, op, x, "RNN")[0].viewed(*(int(str(n)) for n in out[0].shape))


def gru_cell(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GRUCell`."""
    return _cell(w, op, x, "GRU")[0].viewed(*(int(str(n)) for n in out[0].shape))


def lstm_cell(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`LSTMCell`."""
    shape = [int(str(n)) for n in out[0].shape]
    return [each.viewed(*shape) for each in _cell(w, op, x, "LSTM")]
