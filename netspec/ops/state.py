"""Tensors that a level owns: free parameters and buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from netspec.language.formulas import fault
from netspec.layers.base import Op
from netspec.ops.axes import Number
from netspec.records import Bool, Checked, Field, refuse
from netspec.several import Several, whole
from netspec.tensors import Dtype, Misfit, Tensor, show
from netspec.words import did_you_mean

RANDOM: Final[dict[str, tuple[str, ...]]] = {
    "normal": ("mean", "std"),
    "trunc_normal": ("mean", "std", "a", "b"),
    "uniform": ("a", "b"),
    "xavier_uniform": (),
    "xavier_normal": (),
    "kaiming_uniform": (),
    "kaiming_normal": (),
    "orthogonal": (),
}
"""Random fillings, which are functions of torch.nn.init, and the numbers that each takes."""
PLAIN: Final = ("zeros", "ones", "eye")
TABLES: Final = ("arange", "causal", "tril", "sincos")
"""Fixed fillings that make sense for buffers."""


def Sizes(sentence: str) -> Field[tuple[int, ...]]:
    """Sizes that are known: `1x16x32`."""
    return Several(sentence, whole(1), "sizes that are known, such as 1x16x32", least=0)


def Filling(sentence: str, words: Sequence[str]) -> Field[Any]:
    """A number to fill with, or the word for another filling."""

    def check(value: Any) -> Any:
        if type(value) in (int, float) and abs(value) < float("inf"):
            return value
        if isinstance(value, str) and value in words:
            return value
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        raise refuse(f"a number or one of {', '.join(words)}" + (f". {hint}" if hint else ""))

    json = {"anyOf": [{"type": "number"}, {"enum": list(words)}]}
    return Checked(sentence, check, json, "zeros", keyword=True, textual=True)


def Formula(sentence: str) -> Field[str | None]:
    """A formula over the places of a tensor: `$(log(j + 1))`."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value:
            return value
        raise refuse("a formula over the places i, j, k on the axes, as in $(log(j + 1))")

    return Checked(sentence, check, {"type": "string"}, None, keyword=True, textual=True, places=True)


class State(Op):
    """What parameters and buffers share: they are made once, with their level, and stay."""

    rule = "The shape that is written, without a batch."
    inputs = (0, 0)
    source = True
    owned = True

    size = Sizes("sizes, without a batch")
    init: Any
    mean = Number("mean, for the fillings that have one", None, keyword=True)
    std = Number("standard deviation, for the fillings that have one", None, keyword=True)
    a = Number("lower bound, for the fillings that have one", None, keyword=True)
    b = Number("upper bound, for the fillings that have one", None, keyword=True)
    formula = Formula("what it is filled with, over the places i, j, k on its axes, in place of `init`")

    def shape(self, *inputs: Tensor) -> Tensor:
        if self.formula is not None:
            if "init" in self.given:
                text = "is filled by its formula, and by init too"
                raise Misfit(text, "Keep one of them.", field="formula", code="twice")
            if wrong := fault(self.formula, self.size):
                hint = "Places are counted from 0: i on the first axis, then j, k and l."
                raise Misfit(f"has a formula that {wrong}", hint, field="formula", code="formula")
        allowed = RANDOM.get(self.init, ())
        for name in ("mean", "std", "a", "b"):
            if getattr(self, name) is not None and name not in allowed:
                with_one = ", ".join(word for word, names in RANDOM.items() if name in names)
                text = f"has {name}, which init={self.init} does not take"
                raise Misfit(text, f"It belongs to {with_one}.", field=name, code="unused")
        self._need_matrix()
        return Tensor(self.size, self.result())

    def _need_matrix(self) -> None:
        """Refuse a way of filling that needs a matrix, where there is none. Raises Misfit."""
        matrix = str(self.init).startswith(("eye", "causal", "tril", "orthogonal", "xavier", "kaiming"))
        if (matrix and len(self.size) < 2) or (self.init == "eye" and len(self.size) != 2):
            text = f"is filled with {self.init}, which needs a matrix and not {show(self.size)}"
            raise Misfit(text, field="init", code="table")

    def result(self) -> Dtype:
        """The dtype of the tensor."""
        return "float32"

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {}

    def buffers(self) -> dict[str, tuple[int, ...]]:
        return {}


class Parameter(State):
    """A tensor that is learned and belongs to no layer: a class token, a position table, a scale."""

    example = "parameter 1x1x32 init=normal std=0.02"

    init: Any = Filling("what it is filled with at first: a number, or a word", (*PLAIN, *RANDOM))
    trainable = Bool("whether training changes it", True, keyword=True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"": self.size}


class Buffer(State):
    """A tensor that is not learned but moves, and is saved, with the network: a table, a mask."""

    example = "buffer 100x32 init=sincos"

    init: Any = Filling("what it is filled with: a number, or a word", (*PLAIN, *TABLES, *RANDOM))
    persistent = Bool("whether it is saved with the network", True, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        if self.init == "sincos":
            rows = [size for size in self.size[:-1] if size != 1]
            if len(self.size) < 2 or len(rows) > 1 or self.size[-1] % 2:
                text = f"is a position table of length x width with an even width, and not {show(self.size)}"
                raise Misfit(text, "Other axes must be 1.", field="init", code="table")
        return super().shape(*inputs)

    def result(self) -> Dtype:
        return "int64" if self.init == "arange" else "float32"

    def buffers(self) -> dict[str, tuple[int, ...]]:
        return {"": self.sizes()} if self.persistent else {}

    def sizes(self) -> tuple[int, ...]:
        return self.size
