"""Calls as Python has them, read as rows: `torch.optim.Adam(net.parameters(), lr=3e-4)` is `adam lr=0.0003`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

from netspec.catalogue import Catalogue
from netspec.language import expressions, rows
from netspec.language.habits import MEANT
from netspec.language.refusals import Refused
from netspec.records import Entry
from netspec.words import command

CALL: Final = re.compile(r"(?:(?:self\.(?P<name>\w+)|\w+) *= *)?(?P<call>[A-Za-z_][\w.]*\(.*\))[,;]?", re.DOTALL)
_WORDS: Final = re.compile(r"[A-Za-z_]\w*")
CALLED: Final = {
    "units": "out_features", "filters": "out_channels", "strides": "stride", "dilation_rate": "dilation",
    "use_bias": "bias", "pool_size": "kernel_size", "rate": "p", "epsilon": "eps", "input_dim": "num_embeddings",
    "output_dim": "embedding_dim", "size": "scale_factor", "interpolation": "mode", "padding": "pad",
    "kernel": "kernel_size", "alpha": "negative_slope",
}  # fmt: skip
"""Arguments by what Keras and others call them."""
UNNEEDED: Final = {
    "name", "input_shape", "batch_input_shape", "dtype", "data_format", "kernel_initializer", "bias_initializer",
    "device", "input_length", "inplace", "rngs", "key",
}  # fmt: skip
"""Arguments that say nothing of what is computed, or what stands elsewhere in a spec."""

Make = Callable[[str, type[Entry]], None]
"""Makes the entry that a row means. Raises Refused."""


class Unsure(Exception):
    """A call whose meaning here is not known for sure."""


def fail() -> NoReturn:
    """Raises Unsure, where an expression is wanted."""
    raise Unsure


@contextmanager
def sure() -> Iterator[None]:
    """Ends what is inside, without a word, at a call that cannot be read or has no sure meaning."""
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError, Unsure, Refused, rows.RowError):
        yield


def statement(text: str) -> tuple[str, ast.Call] | None:
    """The name that a statement gives to a call, as `self.conv1 = nn.Conv2d(3, 6, 5)` does, and the call itself.

    None for any other text. Raises SyntaxError.
    """
    parts = CALL.fullmatch(text.strip())
    if parts is None:
        return None
    node = expressions.read(parts["call"])
    return (parts["name"] or "", node) if isinstance(node, ast.Call) else None


def entry_for(text: str, catalogue: Catalogue[Any], make: Make) -> str:
    """The row of a catalogue that a Python call means, from which the entry is made; empty where that is not sure.

    What comes first of its arguments, `net.parameters()`, `optimizer`, `m.weight`, is what a spec gives by itself.
    """
    with sure():
        if (found := statement(text)) is None:
            return ""
        _, node = found
        word = catalogue.meant(ast.unparse(node.func).rpartition(".")[2]) or ast.unparse(node.func).rpartition(".")[2]
        classes = catalogue.find(word)
        args = list(node.args)
        while args and isinstance(args[0], ast.Name | ast.Attribute | ast.Call):
            del args[0]
        if classes:
            cls = classes[0]
            given = torch_arguments(cls, args, node.keywords)
            return checked(cls.written(), cls, given, make, kept=given.keys())
    return ""


def how(text: str, catalogue: Catalogue[Any]) -> str:
    """What to write for a call of Python's that has no sure meaning; empty for a text that is no such call."""
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        if (found := statement(text)) is not None:
            word = ast.unparse(found[1].func)
            classes = catalogue.find(catalogue.meant(word) or word)
            if classes:
                ending = word[-2:].lower()
                cls = next((each for each in classes if each.__name__.lower().endswith(ending)), classes[0])
                return f"It is written as in: {cls.example}"
            return catalogue.unknown(word, f"{command('ops', word.rpartition('.')[2])} searches for it.")
    return ""


def torch_arguments(
    cls: type[Entry], args: Sequence[ast.expr], keywords: Sequence[ast.keyword], order: Sequence[str] | None = None
) -> dict[str, Any]:
    """The arguments of a call by torch's names, in torch's order or another. Raises Unsure."""
    order = order or [name for name, described in cls.fields.items() if described.torch]
    values = [value(arg) for arg in args]
    if order and cls.fields[order[-1]].rest and len(values) >= len(order):
        values[len(order) - 1 :] = [tuple(values[len(order) - 1 :])]
    if len(values) > len(order):
        raise Unsure
    given = dict(zip(order, values, strict=False))
    for keyword in keywords:
        if keyword.arg in UNNEEDED:
            continue
        name = field_called(keyword.arg or "", cls)
        if name in given:
            raise Unsure
        given[name] = value(keyword.value)
    given.pop("inplace", None)
    others = {name: described for name, described in cls.fields.items() if name in order and name not in given}
    return given | {n: f.torch_default for n, f in others.items() if f.default != f.torch_default and not f.required}


def field_called(name: str, cls: type[Entry]) -> str:
    """The field of a class by its own name, its letter, or what others call it. Raises Unsure."""
    known = (name, cls.letters.get(name, ""), *MEANT.get(name, ()), CALLED.get(name, ""))
    found = next((each for each in known if each in cls.fields), None)
    if found is None:
        raise Unsure
    return found


def value(node: ast.expr) -> Any:
    """A constant, a tuple of such, or the expression as a row has it. Raises Unsure."""
    match node:
        case ast.Constant():
            return node.value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as number)):
            return -number
        case ast.Tuple() | ast.List() if node.elts:
            items = tuple(value(item) for item in node.elts)
            return items if len(items) > 1 else items[0]
        case ast.Name():
            return rows.Expr(node.id, (0, 0))
        case ast.BinOp():
            return rows.Expr(ast.unparse(node), (0, 0))
    raise Unsure


def checked(word: str, cls: type[Entry], values: Mapping[str, Any], make: Make, kept: Collection[str] = ()) -> str:
    """The row, once it has been read and `make` has made the entry of its arguments. Raises Unsure and Refused.

    Of `kept` what is the default is written too.
    """
    if not values.keys() <= cls.fields.keys():
        raise Unsure
    told = {n: v for n, v in values.items() if v is not None and (n in (*kept, "p") or v != cls.fields[n].default)}
    row = " ".join([word, *_written(cls, told)])
    rows.parse(row)
    if "$" not in row:
        make(row, cls)
    return row


def _written(cls: type[Entry], values: dict[str, Any]) -> Iterator[str]:
    """Arguments as good style has them: an arrow, bare values, letters, flags, names."""
    first, second = cls.arrow or ("", "")
    if first in values and second in values:
        yield f"{_text(values.pop(first))}->{_text(values.pop(second))}"
    letters = {name: letter for letter, name in cls.letters.items()}
    for name in cls.positional()[: _bare(cls)]:
        if name in values and cls.fields[name].rest:
            items = values.pop(name)
            yield from map(_text, items if isinstance(items, tuple) else (items,))
        elif name in values and name not in letters:
            yield _text(values.pop(name))
        else:
            break
    for name, given in values.items():
        if cls.fields[name].axis is not None and not isinstance(given, tuple):  # one size, which is inferred
            continue
        flag = next((word for word, meant in cls.flags.items() if meant == (name, given)), "")
        if flag or given is True:
            yield flag or name
        elif name in letters and not isinstance(given, str):
            yield f"{letters[name]}{_text(given)}"
        else:
            yield f"{name}={_text(given)}"


def _bare(cls: type[Entry]) -> int:
    """How many values good style gives without their names."""
    if cls.bare is not None or not cls.example:
        return cls.bare or 0
    return sum(arg.kind == "positional" for arg in rows.parse(cls.example)[0].args)


def _text(given: Any) -> str:
    """A value of Python's call as a row has it: `(3, 5)` is `3x5`."""
    if isinstance(given, tuple) and len(given) > 1:
        return "x".join(map(_text, given))
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, rows.Expr):
        return f"${given.text}" if _WORDS.fullmatch(given.text) else f"$({given.text})"
    if isinstance(given, int | float | str):
        return str(given)
    raise Unsure
