"""What the network is called with: shapes and dtypes from `input` and `inputs`."""

from __future__ import annotations

import re
from typing import Any

from netspec.dims import BATCH, named
from netspec.errors import At, Path, Problem
from netspec.language import rows
from netspec.language.calls import Lookup, Refused, compute
from netspec.language.rows import RowError, Word
from netspec.layers.base import Dtype, Tensor

_DTYPES: dict[str, Dtype] = {"float": "float32", "int": "int64", "bool": "bool"}
_INPUT = re.compile(r"(?:(?P<dtype>[a-z]+)\s+)?(?P<shape>\S+)|(?P<alone>[a-z]+)")
HINT = "Write sizes with x between them, as 1x32x32; letters such as T are sizes known only at run time."


def read_input(value: Any, path: Path, lookup: Lookup) -> Tensor:
    """The tensor that an input's text describes: `3x224x224`, `int T`, `int TxB`. Raises Refused."""
    match = _INPUT.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return _tensor((value,), "float32", At(path))
    if not match:
        raise Refused(Problem("input", f"{value!r} is not a shape", At(path), HINT))
    word = match["dtype"] or "float"
    if word not in _DTYPES:
        raise Refused(Problem("input", f"there is no dtype {word!r}", At(path), f"There are: {', '.join(_DTYPES)}."))
    offset = match.start("shape")
    at = At(path, (offset, match.end("shape")))
    try:
        parsed = rows.parse_value(match["shape"])
        sizes = compute(parsed, lookup, At(path), symbols=True)
    except RowError as error:
        raise Refused(Problem("input", error.message, at, HINT)) from None
    if isinstance(parsed, Word) and isinstance(sizes, str):
        if sizes in _DTYPES:
            return _tensor((), _DTYPES[sizes], at)
        raise Refused(Problem("input", f"{match['shape']!r} is not a shape", at, HINT))
    return _tensor(sizes if isinstance(sizes, tuple) else (sizes,), _DTYPES[word], at)


def _tensor(sizes: tuple[Any, ...], dtype: Dtype, at: At) -> Tensor:
    for size in sizes:
        if isinstance(size, int | float) and (not isinstance(size, int) or not 1 <= size <= 2**31):
            raise Refused(Problem("input", f"{size} is not a size", at, HINT))
        if isinstance(size, str):
            raise Refused(Problem("input", f"{size!r} is not a size", at, HINT))
    shape = sizes if named("B") in sizes else (BATCH, *sizes)
    return Tensor(shape, dtype)
