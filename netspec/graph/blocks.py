"""Blocks: their headers, `up(x skip) c s=1`, and the arguments that a use of one gives."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.language import rows
from netspec.language.calls import Arguments, Lookup, compute, long_value, one_call, plain_value, source_of
from netspec.language.refusals import Refused
from netspec.language.rows import Arg, Call, Word
from netspec.sections.blocks import block_name
from netspec.sections.params import check_param_name
from netspec.words import FEW, did_you_mean

HEADER: Final = "A header is a name, inputs in brackets, and parameters with spaces between: up(x skip) c s=1"
TWICE: Final = "Give one of them another name."


@dataclass(frozen=True, slots=True)
class Block:
    """One entry of `blocks`: its name, inputs, parameters with defaults, and body."""

    name: str
    inputs: tuple[str, ...]
    params: dict[str, Any]
    """Each parameter's default as it is written; `...` where there is none."""
    body: Any
    path: Path

    @property
    def space(self) -> str:
        """The name that its file was brought in under; empty for a block of the spec itself."""
        return self.name.rpartition(".")[0]

    @property
    def word(self) -> str:
        """What it is called in its own file."""
        return self.name.rpartition(".")[2]

    @property
    def usage(self) -> str:
        given = [n if d is ... else f"{n}={_default(d)}" for n, d in islice(self.params.items(), FEW)]
        more = ["..."] if len(self.params) > FEW else []
        inputs = f"({' '.join(self.inputs[:FEW])})" if self.inputs != ("in",) else ""
        return " ".join([f"{self.name}{inputs}", *given, *more])


def space_of(path: Path) -> str:
    """The name that the file of what stands at a path was brought in under; empty where the spec has it itself."""
    return block_name(str(path[1])).rpartition(".")[0] if path[:1] == ("blocks",) and len(path) > 1 else ""


def read_block(header: str, body: Any, path: Path) -> Block:
    """A block from its header and body. Raises Refused."""
    try:
        call = one_call(header, path, on_key=True)
    except Refused as refused:
        raise Refused(*(replace(problem, hint=HEADER) for problem in refused.problems)) from None
    assert isinstance(call.op, str)
    if call.times is not None or call.when is not None:
        text = "a header has no repetition and no condition"
        hint = "The row that uses the block may have one, or the body: {repeat: 3, layers: [...]}"
        raise Refused(Problem("header", text, At(path, on_key=True), hint))
    params: dict[str, Any] = {}
    for arg in call.args:
        place = At(path, arg.span, on_key=True)
        name = arg.name
        default: Any = arg.value
        if arg.kind in ("word", "positional") and isinstance(arg.value, Word):
            name, default = arg.value.text, ...
        elif arg.kind != "keyword":
            text = "a parameter is a name, perhaps with =default"
            hint = HEADER
            if arg.kind == "letter":
                hint = "A letter and a number, as in k3, sets the argument k; a name has two letters before its digits."
            raise Refused(Problem("header", text, place, hint))
        if name in params:
            raise Refused(Problem("header", f"{name} is defined twice", place, TWICE))
        check_param_name(name, place)
        params[name] = default
    for i, given in enumerate(call.inputs or ()):
        name, place = given.path[0], At(path, given.span, on_key=True)
        if len(given.path) > 1 or given.keyword or "$" in name or name == "prev":
            raise Refused(Problem("header", "an input is a plain name", place, HEADER))
        if name in params or name in [other.path[0] for other in (call.inputs or ())[:i]]:
            raise Refused(Problem("header", f"{name} is defined twice", place, TWICE))
    inputs = tuple(i.path[0] for i in call.inputs) if call.inputs else ("in",)
    return Block(call.op, inputs, params, body, path)


def bind(block: Block, call: Call, lookup: Lookup, path: Path) -> Arguments:
    """What a row's call gives for a block's parameters, without their defaults. Raises Refused."""
    given = Arguments()
    for arg in call.args:
        name, value = parameter_of(arg, block, given.values, path)
        computed = value if isinstance(value, bool) else compute(value, lookup, At(path, arg.span))
        given.put(name, computed, At(path, arg.span), value)
    return given


def parameter_of(arg: Arg, block: Block, given: Container[str], path: Path) -> tuple[str, Any]:
    """The parameter that an argument of a row sets, with its value; `given` are those set before. Raises Refused."""
    at = At(path, arg.span)
    name = arg.name
    value: Any = arg.value
    if arg.kind == "arrow":
        raise Refused(
            Problem("bad-argument", f"the block {block.name} takes no arrow", at, f"It is declared as: {block.usage}")
        )
    if arg.kind == "word":
        assert isinstance(value, Word)
        if isinstance(block.params.get(value.text), Word) and value.text not in given:
            name, value = value.text, True
    if not name and arg.kind in ("positional", "word"):
        name = next((n for n in block.params if n not in given), "")
    if name not in block.params:
        raise Refused(_unknown(block, arg.name, at))
    if name in given:
        raise Refused(Problem("twice", f"{name} is given twice", at, "Keep one of them."))
    return name, value


def bind_long(block: Block, options: Mapping[str, Any], lookup: Lookup, path: Path) -> Arguments:
    """The same for the long form."""
    for name in options:
        if name not in block.params:
            raise Refused(_unknown(block, name, At((*path, name), on_key=True)))
    given = Arguments()
    for name, value in options.items():
        at = At((*path, name))
        given.put(name, long_value(plain_value(value, name, at), lookup, at), at, source_of(value))
    return given


def complete(block: Block, given: Mapping[str, Any], lookup: Lookup, at: At) -> dict[str, Any]:
    """All parameters in the header's order, defaults computed over the earlier ones. Raises Refused."""
    values: dict[str, Any] = {}

    def see(name: str) -> Any:
        return values[name] if name in values else lookup(name)

    for name, default in block.params.items():
        if name in given:
            values[name] = given[name]
        elif default is ...:
            text = f"the block {block.name} needs {name}"
            raise Refused(Problem("missing-argument", text, at, f"It is declared as: {block.usage}"))
        else:
            values[name] = compute(default, see, At(block.path, on_key=True))
    return values


def _default(value: Any) -> str:
    return "x".join(rows.written(part) for part in value) if isinstance(value, tuple) else rows.written(value)


def _unknown(block: Block, name: str, at: At) -> Problem:
    hint = did_you_mean(name, block.params) if name else ""
    text = (
        f"the block {block.name} has no parameter {name!r}" if name else f"the block {block.name} takes no more values"
    )
    return Problem("unknown-argument", text, at, hint or f"It is declared as: {block.usage}")
