"""Recurrences as torch computes them on a CPU, step by step: what each step keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netspec.dims import Size
from netspec.saved.held import Held
from netspec.saved.tape import Tape


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plain recurrence (one gate), a GRU (three) or an LSTM (four), with its parameters by name."""

    tape: Tape
    gates: int
    own: Mapping[str, Held]

    def __call__(self, given: Held, states: Sequence[Held]) -> list[Held]:
        """The states after a step; `given` is what the step's input makes for all gates."""
        hidden = self.tape.linear(states[0], self.own["weight_hh"], self.own.get("bias_hh"))
        grad = hidden.grad or given.grad
        if self.gates == 1:
            return [self.tape.each(self.tape.add(given, hidden), "result")]
        return self._gru(hidden, grad, states[0]) if self.gates == 3 else self._lstm(hidden, grad, *states)

    def _gru(self, hidden: Held, grad: bool, state: Held) -> list[Held]:
        """Two gates lie where the hidden part was; what is multiplied in its place is copied before."""
        tape, (batch, width) = self.tape, state.shape
        part = replace(tape.new((batch, width), dtype=hidden.dtype), grad=grad)
        tape.keep(*((hidden, part) if grad else ()))
        fresh = tape.each(part, "result")
        change = tape.new((batch, width), [state, fresh])
        if grad:
            tape.keep(tape.new((batch, width), dtype=change.dtype))
        return [change]

    def _lstm(self, hidden: Held, grad: bool, _: Held, cell: Held) -> list[Held]:
        """All gates lie where the hidden part was."""
        tape, (batch, width) = self.tape, cell.shape
        tape.keep(*((hidden, cell) if grad else ()))
        gate = replace(hidden.narrow(-1, width), grad=grad)
        kept, new = (tape.new((batch, width), of) for of in ([gate, cell], [gate]))
        after = tape.add(kept, new)
        out = tape.mul(gate, tape.each(after, "result"))
        if "weight_hr" in self.own:
            out = tape.matmul(out, self.own["weight_hr"].transpose(0, 1))
        return [out, after]


def along(tape: Tape, gates: int, x: Held, states: Sequence[Held], own: Mapping[str, Held]) -> Held:
    """The outputs for a sequence of places x batch x width: the first step, one for all between, and the last."""
    given = tape.linear(x, own["weight_ih"], own.get("bias_ih"))
    step, places, times = Step(tape, gates, own), x.shape[0], tape.times
    few = isinstance(places, int) and places < 3
    counts: tuple[Size, ...] = (1,) * int(places) if few else (1, places - 2, 1)  # type: ignore[arg-type]
    for count in counts:
        tape.times = times * count
        states = step(given.without(0), states)
    tape.times = times
    return tape.new((*x.shape[:2], states[0].shape[-1]), [*states[:1], given])
