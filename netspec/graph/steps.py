"""One call becomes one operation: the class chosen, its arguments bound, its shapes inferred."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from netspec.dims import Dim, names
from netspec.errors import At, Problem
from netspec.graph import wrapping
from netspec.graph.blocks import space_of
from netspec.graph.declared import Declared
from netspec.graph.defaults import Default, fill, wrap_of
from netspec.graph.draft import Results, Step, Value
from netspec.graph.measured import measures
from netspec.graph.members import Members, base_word, module_only, owns, registers
from netspec.graph.model import flat
from netspec.graph.references import values_and_masks
from netspec.graph.report import Report
from netspec.graph.scope import Scope
from netspec.graph.size import impossible, impossible_parameters
from netspec.graph.written import Written
from netspec.language.calls import Arguments, Lookup, construct, first_taking
from netspec.language.refusals import Refused, Unknown
from netspec.layers.base import Layer, Op
from netspec.tensors import Misfit, Tensor, sample
from netspec.vocabulary import OPERATIONS
from netspec.words import command

Construct = Callable[[type[Op], Arguments, At], Op]
"""Checks arguments and makes an operation of them. Raises Refused."""


class Operations:
    """Makes the steps of operations."""

    def __init__(self, declared: Declared, report: Report, members: Members) -> None:
        self.declared = declared
        self.report = report
        self.members = members

    def step(self, word: str, written: Written, scope: Scope, name: str, row: object) -> Step:
        """The step of a call of an operation. Raises Refused."""
        at = written.at
        self.report.count(at)
        self.declared.walked.add(written.op_at)
        classes = OPERATIONS.find(word)
        inputs, named = values_and_masks(written, scope, classes[0])
        self.report.count_named(len(inputs), at)
        if classes[0].source and written.inputs is None:
            inputs = ()
        op, given = self.make(word, written, inputs, scope)
        if named:
            op = op.replace(named=named)
        label = name or scope.flow.next_name(base_word(type(op), word), scope.level.members)
        value = Value(label, None, scope.level)
        step = Step(label, scope.level, inputs, value, at, op, row=row)
        step.written = given.written
        step.measures = measures(given.sources, {n: getattr(op, n) for n in given.sources}, scope)
        asked = written.wrap(type(op), scope.lookup)
        if asked is not None:
            self.declared.wrapping.add(step)
        wrap = wrap_of(type(op), asked, self.declared.defaults, space_of(written.path))
        value.step = step
        takes = tuple(given_by.step.at for given_by in inputs if given_by.step is not None)
        for problem in infer(step, given, written):
            self.report.add(replace(problem, takes=takes))
        if wrap is not None and step.value.tensor is not None and not (wrap.beside and self.declared.folded):
            step.wrap = wrap
            wrapping.need_fit(step, at)
        scope.level.steps.append(step)
        if not name:
            op = step.op or op
            listed = scope.flow.naming == "list" and isinstance(op, Layer)
            if listed or owns(op) or registers(op) or module_only(step):
                self.members.register(step, label, scope)
            self.members.bind(label, step.value, scope, at)
        scope.flow.prev = step.value
        return step

    def make(self, word: str, written: Written, inputs: tuple[Value, ...], scope: Scope) -> tuple[Op, Arguments]:
        """The operation of a call, not yet fitted to shapes. Raises Refused."""
        return make(word, written, inputs, scope.lookup, self.declared.defaults)


def choose(word: str, inputs: Sequence[Value], at: At) -> tuple[type[Op], ...]:
    """The class that a word means for these inputs; several where the first input is unknown. Raises Refused."""
    classes = OPERATIONS.find(word)
    x = inputs[0].tensor if inputs else None
    if len(classes) == 1 or x is None:
        return classes
    fitting = tuple(c for c in classes if c.takes_rank(len(x.shape)))
    if not fitting:
        text = f"{word} takes channels and one to three more axes, {inputs[0].name} gives {sample(x.shape)}"
        raise Refused(Problem("rank", text, at, _rank_hint(word, len(x.shape))))
    return fitting[:1]


def _rank_hint(word: str, rank: int) -> str:
    """What to do about an input of a rank that no class of this word takes."""
    if word.startswith("conv") and rank == 2:
        return "A convolution cannot follow a flat vector; use fc, or unflatten before it."
    if word.startswith("conv") and rank == 3:
        return "Unsqueeze the missing axis, or declare the input with channels."
    example = OPERATIONS.find(word)[0]
    return f"For example, {example.example} takes {example.example_input}."


def make(
    word: str,
    written: Written,
    inputs: Sequence[Value],
    lookup: Lookup,
    defaults: list[Default],
    construct: Construct = construct,
) -> tuple[Op, Arguments]:
    """The operation with its arguments, not yet fitted to shapes. Raises Refused."""
    classes = choose(word, inputs, written.at)
    return first_taking(classes, lambda cls: _made(cls, word, written, inputs, lookup, defaults, construct))


def _made(
    cls: type[Op],
    word: str,
    written: Written,
    inputs: Sequence[Value],
    lookup: Lookup,
    defaults: list[Default],
    construct: Construct,
) -> tuple[Op, Arguments]:
    """One operation of the class with its arguments, as `make` wants it. Raises Refused."""
    given = written.arguments(cls, lookup)
    fill(given, cls, defaults, space_of(written.path))
    low, high = cls.inputs
    if not low <= len(inputs) <= high:
        count = str(low) if low == high else f"{low} to {high}" if high < 99 else f"at least {low}"
        text = f"{word} takes {count} input{'s' if count != '1' else ''}, here it has {len(inputs)}"
        hint = (
            f"Name them in brackets: {word}(a b)" if inputs else f"Without brackets it takes what is before it: {word}"
        )
        raise Refused(Problem("inputs", text, written.at, hint))
    try:
        return construct(cls, given, written.at), given
    except Refused:
        if any(line.values is None and cls in line.classes for line in defaults):
            raise Unknown from None  # a default that cannot be read may be what is missing
        raise


def infer(step: Step, given: Arguments, written: Written) -> list[Problem]:
    """Fit the step's operation to its inputs and fill in the shapes of its results."""
    tensors = [value.tensor for value in step.inputs]
    if step.op is None or any(t is None for t in tensors):
        return []
    known: list[Tensor] = [t for t in tensors if t is not None]
    unheard = _unheard(step)
    if unheard:
        text = f"{step.name} asks for the size {unheard}, which no input of the network has"
        return [Problem("unknown-size", text, written.at, "Sizes of the run are named in `input`, as in: int T")]
    try:
        step.op = step.op.fitted(*known)
        shapes = step.op.shape(*known)
    except Misfit as misfit:
        return [_problem(misfit, step, given, written)]
    except OverflowError:
        text = f"{step.name} gives a size with too many terms that only the run knows"
        return [Problem("too-large", text, written.at, "Give some axes numbers in `input`.")]
    step.results = _results(step, shapes)
    problem = next(impossible_parameters(step.name, step.parameters() | step.buffers(), written.at), None)
    for value in flat(step.results):
        if problem is None and value.tensor is not None and value.tensor not in known:
            problem = next(impossible(value.tensor, f"{step.name} gives", written.at), None)
    if problem is None:
        return []
    for value in flat(step.results):
        value.tensor = None
    return [problem]


def _unheard(step: Step) -> str:
    """A size among the arguments that only the run could know, and does not."""
    assert step.op is not None
    asked = {n for name, f in step.op.fields.items() if f.symbols for n in _names(getattr(step.op, name))}
    if not asked:
        return ""
    root = step.level
    while root.parent is not None:
        root = root.parent
    given = {n for value in root.inputs.values() if value.tensor for n in _names(value.tensor.shape)}
    return min(asked - given, default="")


def _names(value: Any) -> frozenset[str]:
    """The names of the sizes of the run in a size or a shape."""
    if isinstance(value, tuple | list):
        return frozenset().union(*map(_names, value))
    return names(value) if isinstance(value, Dim) else frozenset()


def _problem(misfit: Misfit, step: Step, given: Arguments, written: Written) -> Problem:
    """A misfit at its argument, or at the call where it has none, with what may help."""
    at = given.places.get(misfit.field or "", written.at)
    if step.op and misfit.field == (step.op.arrow or ("",))[0]:
        at = written.narrowed(at)
    source = step.inputs[0].name if step.inputs else "the input"
    hint = misfit.hint.replace("{source}", source) or _help(misfit, step)
    return Problem(misfit.code, f"{step.name} {misfit.message}", at, hint)


def _help(misfit: Misfit, step: Step) -> str:
    """What may help where an operation itself says nothing: what its argument means, or an input that it takes."""
    assert step.op is not None
    if misfit.field in step.op.fields:
        return f"{misfit.field}: {step.op.fields[misfit.field].sentence}."
    if step.op.example_input:
        return f"For example, {step.op.example} takes {step.op.example_input}."
    return f"{command('ops', type(step.op).__name__)} tells what it takes."


def _results(step: Step, shapes: Any) -> Results:
    """Values for what a shape rule gave, named by the operation's own names for its parts."""
    value = step.value
    if isinstance(shapes, Tensor):
        value.tensor = shapes
        return value
    assert step.op is not None
    results = _nested(step, shapes, step.op.results, ())
    parts = {v.name.removeprefix(f"{step.name}."): v for v in flat(results)}
    for part in parts.values():
        part.parts = parts
    return results


def _nested(step: Step, shapes: Any, names: Any, index: tuple[int, ...]) -> Results:
    """Values for nested shapes, each named by the operation, or by its place."""
    if shapes is None or isinstance(shapes, Tensor):
        name = names if isinstance(names, str) else ".".join(map(str, index))
        return Value(f"{step.name}.{name}", shapes, step.level, step)
    assert isinstance(shapes, tuple)
    inner = names if isinstance(names, tuple) and len(names) == len(shapes) else [None] * len(shapes)
    return tuple(_nested(step, s, n, (*index, i)) for i, (s, n) in enumerate(zip(shapes, inner, strict=True)))
