"""Recurrent layers: sequences read step by step, and the cells that make one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self

from netspec.dims import Size, product
from netspec.layers.base import Layer
from netspec.records import Bool, Choice, Field, Float, Int
from netspec.saved import Held, Tape
from netspec.saved.recurrent import Step, along
from netspec.tensors import Misfit, Shape, Tensor, need_float, need_known

NONLINEARITIES = ("tanh", "relu")


class Recurrent(Layer):
    """What RNN, GRU and LSTM share. The first state may be given as further inputs; it is zeros if not."""

    family = "recurrent"
    gives_tokens = True
    rule = (
        "length x batch x width become length x batch x hidden_size, twice that if bidirectional; batch comes "
        "first with batch_first."
    )
    inputs = (1, 2)
    takes: ClassVar[tuple[str, ...]] = ("input", "h")
    results: ClassVar[tuple[Any, ...]] = ("output", "h")
    flags = {"nobias": ("bias", False)}
    gates: ClassVar[int]
    """How many matrices of hidden_size rows are stacked in each weight."""
    projected = 0
    """Size that the output is projected to; 0 leaves it at hidden_size."""

    input_size = Int("size of the input's last axis", None, ge=1, axis=-1)
    hidden_size = Int("size of the state", ge=1)
    num_layers = Int("layers, each reading the outputs of the one before", 1, ge=1)
    bias = Bool("whether learned numbers are added", True)
    batch_first = Bool("read batch x time x features, not time x batch x features", False)
    dropout = Float("probability of dropping an output between layers", 0.0, ge=0, le=1)
    bidirectional = Bool("read the sequence backwards too, and join both outputs", False)

    def fitted(self, *inputs: Tensor) -> Self:
        x, *states = inputs
        if len(x.shape) != 3:
            order = "batch x time" if self.batch_first else "time x batch"
            raise Misfit(f"takes {order} x features, its input is {x}, batch included", code="rank")
        for each in inputs:
            need_float(each)
        fitted = super().fitted(x)
        check_states(states, fitted.states(x))
        return fitted

    @property
    def directions(self) -> int:
        """2 where the sequence is read from both ends."""
        return 2 if self.bidirectional else 1

    def states(self, x: Tensor) -> list[Shape]:
        """The shapes of the states after the last step: h, and for LSTM c."""
        batch = x.shape[0 if self.batch_first else 1]
        return [(self.num_layers * self.directions, batch, self.projected or self.hidden_size)]

    def shape(self, *inputs: Tensor) -> tuple[Any, ...]:
        x = inputs[0]
        width = self.directions * (self.projected or self.hidden_size)
        states = tuple(Tensor(shape) for shape in self.states(x))
        return x.with_shape(*x.shape[:2], width), states[0] if len(states) == 1 else states

    def parameters(self) -> dict[str, tuple[int, ...]]:
        rows, out = self.gates * self.hidden_size, self.projected or self.hidden_size
        found: dict[str, tuple[int, ...]] = {}
        for layer in range(self.num_layers):
            width = out * self.directions if layer else self.input_size
            for end in ("", "_reverse")[: self.directions]:
                each: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, out)}
                each |= {"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {}
                each |= {"weight_hr": (out, self.hidden_size)} if self.projected else {}
                found |= {f"{name}_l{layer}{end}": shape for name, shape in each.items()}
        return found

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What each step of each layer keeps. What the kernels of a GPU keep is theirs alone to know."""
        if tape.cuda:
            return tape.unread(self, inputs)
        x = inputs[0].transpose(0, 1) if self.batch_first else inputs[0]
        begin = inputs[1:] or [tape.new(shape, dtype=x.dtype) for shape in self.states(inputs[0].tensor)]
        for layer in range(self.num_layers):
            parts = []
            for direction in range(self.directions):
                first = [each.without(0) for each in begin]
                parts.append(along(tape, self.gates, x, first, self._owned(tape, layer, direction)))
            x = parts[0] if len(parts) == 1 else tape.new((*x.shape[:2], 2 * parts[0].shape[-1]), parts)
            if layer < self.num_layers - 1:
                x = tape.dropout(x, self.dropout)
        dtypes = [x.dtype, *(each.dtype for each in begin[1:])]
        ends = [tape.new(each, [x], d) for each, d in zip(self.states(inputs[0].tensor), dtypes, strict=True)]
        return (x.transpose(0, 1) if self.batch_first else x), ends[0] if len(ends) == 1 else tuple(ends)

    def _owned(self, tape: Tape, layer: int, direction: int) -> dict[str, Held]:
        """The parameters of a layer in one direction, by the names that they have without these."""
        ending = f"_l{layer}{'_reverse' * direction}"
        names = (name for name in self.parameters() if name.endswith(ending))
        return {name.removesuffix(ending): tape.own(name) for name in names}

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        steps = product(inputs[0].shape[:2])
        return steps * sum(product(shape) for shape in self.parameters().values() if len(shape) == 2)


def check_states(given: Sequence[Tensor], wanted: Sequence[Shape]) -> None:
    """Refuse first states of another number or shape."""
    if given and len(given) != len(wanted):
        raise Misfit(f"takes {len(wanted)} states next to its input, or none, not {len(given)}", code="inputs")
    for state, shape in zip(given, wanted, strict=False):
        if state.shape != shape:
            raise Misfit(f"takes a state of {Tensor(shape)}, it is {state}")


class RNN(Recurrent):
    """Reads a sequence with a plain recurrence: h = tanh(W x + U h + b)."""

    gates = 1
    example, example_input = "rnn 32", "TxBx16"

    nonlinearity = Choice("function of the recurrence: tanh or relu", NONLINEARITIES, "tanh")

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        first = ("input_size", "hidden_size", "num_layers", "nonlinearity")
        return {**{name: fields[name] for name in first}, **fields}


class GRU(Recurrent):
    """Reads a sequence with gates that keep or replace the state."""

    gates = 3
    example, example_input = "gru 32", "TxBx16"


class LSTM(Recurrent):
    """Reads a sequence with gates and a memory that is added to, so that it lasts."""

    gates = 4
    inputs = (1, 3)
    takes = ("input", "h", "c")
    results = ("output", ("h", "c"))
    example, example_input = "lstm 32 num_layers=2", "TxBx16"

    proj_size = Int("size that each output is projected to; 0 does not project", 0, ge=0)

    def fitted(self, *inputs: Tensor) -> Self:
        if self.proj_size >= self.hidden_size:
            text = f"projects to {self.proj_size}, which is not smaller than its state of {self.hidden_size}"
            raise Misfit(text, field="proj_size", code="bad-argument")
        return super().fitted(*inputs)

    @property
    def projected(self) -> int:  # type: ignore[override]
        return self.proj_size

    def states(self, x: Tensor) -> list[Shape]:
        h, *_ = super().states(x)
        return [h, (*h[:2], self.hidden_size)]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Inputs, outputs and states of each layer, and the room that oneDNN works in."""
        if self.projected or tape.cuda:
            return super().kept(tape, *inputs)
        if tape.short:
            return tape.unread(self, inputs)
        x = tape.contiguous(inputs[0].transpose(0, 1) if self.batch_first else inputs[0])
        begin = inputs[1:] or [tape.new(shape) for shape in self.states(inputs[0].tensor)]
        places, batch, _ = x.shape
        for layer in range(self.num_layers):
            parts = []
            for direction in range(self.directions):
                ending = f"l{layer}{'_reverse' * direction}"
                own = [tape.own(f"{name}_{ending}") for name in ("weight_ih", "weight_hh")]
                width = need_known(x.shape[-1], -1)
                size = workspace(places, batch, width, self.hidden_size)
                beside = [tape.new((batch, self.hidden_size)) for _ in range(2)]  # the last states
                beside += [tape.new((size,), dtype="uint8")]
                beside += [tape.new(each.shape) for each in own if not self.bias]  # zeros in place of biases
                out = tape.new((places, batch, self.hidden_size), [x, *own, *begin])
                gates = self.gates * self.hidden_size  # their gradients, and those of weights in oneDNN's order
                tape.work(places * batch * (4 * gates) + 8 * gates * (width + self.hidden_size))
                tape.keep(*((x, *begin, out, *beside) if out.grad else ()))
                parts.append(out)
            x = parts[0] if len(parts) == 1 else tape.new((places, batch, 2 * self.hidden_size), parts)
            if layer < self.num_layers - 1:
                x = tape.dropout(x, self.dropout)
        states = tuple(tape.new(shape, [x]) for shape in self.states(inputs[0].tensor))
        return (x.transpose(0, 1) if self.batch_first else x), states


class Cell(Layer):
    """What the cells share: one step for a batch of vectors. The state may be given; it is zeros if not."""

    family = "recurrent"
    rule = "batch x width become batch x hidden_size."
    inputs = (1, 2)
    takes: ClassVar[tuple[str, ...]] = ("input", "h")
    flags = {"nobias": ("bias", False)}
    gates: ClassVar[int]
    state_count: ClassVar[int] = 1

    input_size = Int("size of the input's last axis", None, ge=1, axis=-1)
    hidden_size = Int("size of the state", ge=1)
    bias = Bool("whether learned numbers are added", True)

    def fitted(self, *inputs: Tensor) -> Self:
        x, *states = inputs
        if len(x.shape) != 2:
            raise Misfit(f"takes batch x features, its input is {x}, batch included", code="rank")
        for each in inputs:
            need_float(each)
        check_states(states, [(x.shape[0], self.hidden_size)] * self.state_count)
        return super().fitted(x)

    def shape(self, *inputs: Tensor) -> Tensor | tuple[Any, ...]:
        state = Tensor((inputs[0].shape[0], self.hidden_size))
        return state if self.state_count == 1 else (state,) * self.state_count

    def parameters(self) -> dict[str, tuple[int, ...]]:
        rows = self.gates * self.hidden_size
        found: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, self.input_size),
            "weight_hh": (rows, self.hidden_size),
        }
        return found | ({"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {})

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What its one step keeps. What the kernels of a GPU keep is theirs alone to know."""
        if tape.cuda:
            return tape.unread(self, inputs)
        x, *states = inputs
        states = states or [tape.new((x.shape[0], self.hidden_size), dtype=x.dtype)] * self.state_count
        own = {name: tape.own(name) for name in self.parameters()}
        given = tape.linear(x, own["weight_ih"], own.get("bias_ih"))
        made = Step(tape, self.gates, own)(given, states)
        return made[0] if len(made) == 1 else tuple(made)

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        weights = self.gates * self.hidden_size * (self.input_size + self.hidden_size)
        return inputs[0].shape[0] * weights


class RNNCell(Cell):
    """Makes one step of a plain recurrence: h = tanh(W x + U h + b)."""

    gates = 1
    words = ("rnn_cell",)
    example, example_input = "rnn_cell 32", "16"

    nonlinearity = Choice("function of the recurrence: tanh or relu", NONLINEARITIES, "tanh")


class GRUCell(Cell):
    """Makes one step with gates that keep or replace the state."""

    gates = 3
    words = ("gru_cell",)
    example, example_input = "gru_cell 32", "16"


class LSTMCell(Cell):
    """Makes one step with gates and a memory that is added to."""

    gates, state_count = 4, 2
    inputs = (1, 3)
    takes = ("input", "h", "c")
    results = ("h", "c")
    words = ("lstm_cell",)
    example, example_input = "lstm_cell 32", "16"


def workspace(places: Size, batch: Size, width: int, hidden: int) -> Size:
    """Bytes that oneDNN keeps of one layer of an LSTM: gates, outputs and states of all places, each on own pages.

    oneDNN, src/cpu/rnn/rnn_utils.hpp: `set_workspace_sizes` and `get_good_ld`.
    """
    entry = _spaced(max(width, hidden))
    rows = [(places * _spaced(4 * hidden), 1), (places * _spaced(hidden), 1)]
    rows += [((places + 1) * (2 * entry), 3), ((places + 1) * (2 * hidden), 2)]
    total: Size = 0
    for row, count in rows:
        pages = (row * batch * 4 + (_PAGE - 1)) // _PAGE
        total = total + pages * (_PAGE * count)
    return total


_PAGE: Final = 4096
"""Bytes of a page of memory."""


def _spaced(width: int) -> int:
    """A width with room behind it, so that rows begin where the processor reads them best."""
    found = -(-width // 16) * 16
    return found + 16 if found % 256 == 0 else found
