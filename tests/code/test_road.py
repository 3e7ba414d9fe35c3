"""How many files a row goes through from its text to its printed line, and an override from its text to its record."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from sys import setprofile
from types import FrameType

import netspec
from netspec.graph.model import Step
from netspec.graph.rows import Short
from netspec.language.rows import Arg, Call, parse
from netspec.layers.convolution import Conv2d
from netspec.optimizers.adam import AdamW
from netspec.sections.document import read_document
from netspec.spec import Spec
from netspec.text.reader import read_text
from netspec.views.code import root_arguments, source

ROW = "conv 6 k5"
LINE = "nn.Conv2d(3, 6, 5)"
MADE = 18
"""The files that make of the row its next form, or hand one on, at most."""
LOOKED_AT = 13
"""Those besides which only look at it, at most: for names, flow, sizes, how its line breaks, what it may call."""
OVERRIDE = "train.optimizer.lr=0.003"
OVERRIDDEN = 6
"""The files from an override to the record with its value, at most; the lexer of rows is one of them."""
TRAINED = """
input: 1x28x28
layers: [fc 10]
data: mnist data/mnist
train: {epochs: 1, loss: cross_entropy, optimizer: adamw lr=0.1 weight_decay=0.02}
"""


@dataclass
class Road:
    """The files of netspec whose functions take a value of one kind, and those whose functions give one."""

    taking: set[str] = field(default_factory=set)
    giving: set[str] = field(default_factory=set)


def road(travel: Callable[[], object], is_meant: Callable[[object], bool]) -> Road:
    """Where a value that is meant goes through; what is imported or read only once is no part of it."""
    travel()
    parse.cache_clear()
    root_arguments._source.cache_clear()
    root, found = str(Path(netspec.__file__).parent), Road()

    def note(frame: FrameType, event: str, result: object) -> None:
        file = frame.f_code.co_filename
        if event in ("call", "return") and file.startswith(root):
            taken = event == "call"
            files = found.taking if taken else found.giving
            if any(map(is_meant, frame.f_locals.values() if taken else (result,))):
                files.add(file.removeprefix(root))

    setprofile(note)
    try:
        travel()
    finally:
        setprofile(None)
    return found


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
    """Its text, its call, its operation, its step, its printed node: few files make one of the other."""

    def printed() -> str:
        document, problems = read_document(read_text(f"netspec: 1\ninput: 3x8x8\nlayers: [{ROW}]\n"))
        assert not problems
        return source(document)

    assert LINE in printed()
    found = road(printed, is_the_row)
    made, looked = sorted(found.giving), sorted(found.taking - found.giving)
    assert {"/text/reader.py", "/language/rows.py", "/graph/walk.py", "/layers/convolution.py"} <= {*made}
    assert {"/emit/torch/modules.py", "/python/nodes.py", "/views/code/constructors.py"} <= {*made}
    assert len(made) <= MADE, made
    assert len(looked) <= LOOKED_AT, looked


def is_the_override(value: object) -> bool:
    """Whether a value is the override, what it sets, or the row or the call that it is set in."""
    match value:
        case str():
            return value in (OVERRIDE, "0.003") or ("lr=0.003" in value and "\n" not in value)
        case float():
            return value == 0.003
        case Arg():
            return value.name == "lr" and value.value == 0.003
    return isinstance(value, Call) and value.op == "adamw"


def test_an_override_of_an_argument_goes_through_few_files() -> None:
    """Its text, the row that it changes, the call of that, the record with its value."""

    def trained() -> object:
        train = Spec.loads(TRAINED, [OVERRIDE]).experiment.train
        return train and train.optimizer

    assert trained() == AdamW(lr=0.003, weight_decay=0.02)
    found = road(trained, is_the_override)
    files = sorted(found.taking | found.giving)
    assert {"/sections/overrides.py", "/language/rows.py", "/sections/train.py", "/records.py"} <= {*files}
    assert len(files) <= OVERRIDDEN, files
