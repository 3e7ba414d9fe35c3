"""How many files a row goes through from its text to its printed line."""

from __future__ import annotations

import ast
from pathlib import Path
from sys import setprofile
from types import FrameType

import netspec
from netspec.graph.model import Step
from netspec.graph.rows import Short
from netspec.language.rows import Call, parse
from netspec.layers.convolution import Conv2d
from netspec.sections.document import read_document
from netspec.text.reader import read_text
from netspec.views.code import root_arguments, source

ROW = "conv 6 k5"
LINE = "nn.Conv2d(3, 6, 5)"
MOST = 33
"""The files that handle one row, at most; each has a part of its own in what becomes of it."""


def is_made(node: object) -> bool:
    """Whether a node is the call that the row is printed as, or the statement around it."""
    if isinstance(node, ast.Assign):
        return is_made(node.value)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "Conv2d"


def is_the_row(value: object) -> bool:
    """Whether a value is the row, in any of the forms that it takes on its way."""
    match value:
        case str():
            return value == ROW or (LINE in value and "class " not in value)
        case Call():
            return value.op == "conv"
        case Step():
            return isinstance(getattr(value, "op", None), Conv2d)
    return isinstance(value, Short | Conv2d) or is_made(value)


def test_a_row_goes_through_few_files() -> None:
    """Those whose functions take the row, or give it: its text, its call, its operation, its step, its printed node."""
    root, seen = str(Path(netspec.__file__).parent), set()

    def note(frame: FrameType, event: str, result: object) -> None:
        file = frame.f_code.co_filename
        if event in ("call", "return") and file.startswith(root) and file not in seen:
            values = frame.f_locals.values() if event == "call" else (result,)
            if any(map(is_the_row, values)):
                seen.add(file)

    def printed() -> str:
        document, problems = read_document(read_text(f"netspec: 1\ninput: 3x8x8\nlayers: [{ROW}]\n"))
        assert not problems
        return source(document)

    assert LINE in printed()  # what is imported or read only once is there, and is no part of the road
    parse.cache_clear()
    root_arguments._source.cache_clear()
    setprofile(note)
    try:
        printed()
    finally:
        setprofile(None)
    files = sorted(file.removeprefix(root) for file in seen)
    assert {"/text/reader.py", "/language/rows.py", "/graph/walk.py", "/layers/convolution.py"} <= {*files}
    assert {"/emit/torch/modules.py", "/python/layout.py", "/views/code/constructors.py"} <= {*files}
    assert len(files) <= MOST, files
