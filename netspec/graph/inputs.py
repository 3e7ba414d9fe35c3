"""What the network is called with: shapes and dtypes from `input` and `inputs`."""

from __future__ import annotations

import re
from typing import Any

from netspec.dims import BATCH, named
from netspec.errors import At, Path, Problem
from netspec.faults import shown
from netspec.language import rows
from netspec.language.calls import Lookup, compute
from netspec.language.habits import joined
from netspec.language.refusals import Refused
from netspec.language.rows import RowError, Word
from netspec.tensors import Dtype, Tensor

_DTYPES: dict[str, Dtype] = {"float": "float32", "int": "int64", "bool": "bool"}
_MEANT = {
    **dict.fromkeys(("long", "int32", "int64", "integer", "tokens", "uint8"), "int"),
    **dict.fromkeys(("float32", "double", "half", "float16", "float64", "real"), "float"),
    **dict.fromkeys(("boolean", "mask"), "bool"),
}
"""Dtypes by what others call them."""
_SEPARATED = re.compile(r"[\[({]?\s*-?\d+(\s*[,*xX\u00d7 ]\s*\d+)*\s*,?\s*[\])}]?")
"""Numbers with other things than an x between them."""
_COMPUTED = r"\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
"""`$(...)`, with up to two more brackets inside each other."""
_INPUT = re.compile(rf"(?:(?P<dtype>[a-z]+\d*)\s+)?(?P<shape>(?>{_COMPUTED}|\S)+)|(?P<alone>[a-z]+)")
_SIZE = re.compile(rf"(?>{_COMPUTED}|\$\w+|[^x])+")
_MULTIPLE = re.compile(r"(?P<number>\d{1,10})|(?:(?P<factor>[1-9]\d{0,5})\*)?(?P<letter>[A-Z][A-Z0-9_]*)")
HINT = "Write sizes with x between them, as 1x32x32; letters such as T are sizes known only at run time."


def read_input(value: Any, path: Path, lookup: Lookup) -> Tensor:
    """The tensor that an input's text describes: `3x224x224`, `int T`, `int TxB`, `3x$(size)x$size`. Raises Refused."""
    match = _INPUT.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return _tensor((value,), "float32", At(path))
    if not match:
        raise _no_shape(value, At(path))
    word = match["dtype"] or "float"
    if word not in _DTYPES:
        hint = f"Write {_MEANT[word]}." if word in _MEANT else f"There are: {', '.join(_DTYPES)}."
        raise Refused(Problem("input", f"there is no dtype {word!r}", At(path), hint))
    offset = match.start("shape")
    at = At(path, (offset, match.end("shape")))
    if "*" in re.sub(_COMPUTED, "", match["shape"]):
        return _tensor(_multiples(match["shape"], at, lookup), _DTYPES[word], at)
    parsed, sizes = _computed(match["shape"], at, lookup)
    if isinstance(parsed, Word) and isinstance(sizes, str):
        if sizes in _DTYPES:
            return _tensor((), _DTYPES[sizes], at)
        raise _no_shape(match["shape"], at)
    return _tensor(sizes if isinstance(sizes, tuple) else (sizes,), _DTYPES[word], at)


def _computed(text: str, at: At, lookup: Lookup) -> tuple[Any, Any]:
    """What a text of sizes says, and what it comes to. Raises Refused."""
    try:
        parsed = rows.parse_value(text)
        return parsed, compute(parsed, lookup, At(at.path), symbols=True)
    except RowError as error:
        raise Refused(Problem("input", error.message, at, HINT)) from None


def _multiples(text: str, at: At, lookup: Lookup) -> tuple[Any, ...]:
    """Sizes with multiples of letters among them: `3x16*Hx16*W`. Raises Refused."""
    found: list[Any] = []
    if not re.fullmatch(rf"{_SIZE.pattern}(?:x{_SIZE.pattern})*", text):
        raise _no_shape(text, at)
    for part in _SIZE.findall(text):
        if part.startswith("$"):
            found.append(_computed(part, at, lookup)[1])
            continue
        each = _MULTIPLE.fullmatch(part)
        if each is None:
            raise _no_shape(text, at)
        factor = int(each["factor"] or 1)
        found.append(factor * named(each["letter"]) if each["letter"] else int(each["number"]))
    return tuple(found)


def _no_shape(text: Any, at: At) -> Refused:
    """What is raised for a text that is no shape, with the shape that it may mean."""
    hint = HINT
    if isinstance(text, str) and _SEPARATED.fullmatch(text.strip()):
        hint = f"Write sizes with x between them: {joined(text)}"
    elif isinstance(text, str) and re.fullmatch(r"(None|\?|batch|b)x.+", text):
        hint = f"The batch is implied; leave it out: {text.partition('x')[2]}"
    elif isinstance(text, str) and text.isalpha() and text.islower():
        hint = "Sizes known only at run time are capital letters, as in TxD."
    return Refused(Problem("input", f"{shown(text)} is not a shape", at, hint))


def _tensor(sizes: tuple[Any, ...], dtype: Dtype, at: At) -> Tensor:
    """The tensor of these sizes, the batch before them. Raises Refused for what is no size."""
    for size in sizes:
        if isinstance(size, int | float) and (not isinstance(size, int) or not 1 <= size <= 2**31):
            hint = "The batch is implied; leave it out." if size == -1 else HINT
            raise Refused(Problem("input", f"{size} is not a size", at, hint))
        if isinstance(size, str):
            raise Refused(Problem("input", f"{size!r} is not a size", at, HINT))
    shape = sizes if named("B") in sizes else (BATCH, *sizes)
    return Tensor(shape, dtype)
