"""What writes nodes: names them after the steps they come from, keeps weights and constants, computes open sizes.

Rules get a `Writer`, wires that name tensors, and give wires back. What ONNX has no form for is `Unwritable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.dims import Dim, Name, Quotient, Size
from netspec.tensors import Dtype, Tensor

if TYPE_CHECKING:
    from onnx import NodeProto

Array = np.ndarray[Any, Any]
WHOLE: Final = 2**63 - 1
"""The end of a slice that goes to the end of its axis."""
FLOATS: Final = ("alpha", "beta", "bias", "epsilon", "lambd")
"""Attributes that ONNX takes as floats alone."""
NAMESPACE: Final = "namespace"
"""Under which word torch's own exporter says the modules around a node, and viewers look for them."""
AXES_READ: Final = 18
"""The first opset in which reductions read their axes as they read tensors, and a split has to say its parts."""
KINDS: Final[Mapping[str, int]] = {"float32": 1, "uint8": 2, "int64": 7, "string": 8, "bool": 9}
"""Dtypes by ONNX's numbers for them: TensorProto.DataType. Bytes and texts only go in and come out."""


class Unwritable(Exception):
    """What has no form in ONNX, or none yet: the message goes on behind the name of the step."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A tensor of the file: its name, and what is known of it.

    Rules ask it for its rank, its dtype and its sizes, as the shape rules found them; they never look at numbers.
    """

    name: str
    tensor: Tensor

    @property
    def shape(self) -> tuple[Size, ...]:
        """Its sizes, batch first; those that only the run knows by their letters."""
        return self.tensor.shape

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.tensor.shape)

    @property
    def dtype(self) -> Dtype:
        """By torch's name."""
        return self.tensor.dtype

    def axis(self, dim: int) -> int:
        """An axis counted from the front."""
        return dim % self.rank if self.rank else 0


class Writer:
    """Collects the nodes of one graph, in order.

    A rule writes for the step that `at` names: what it makes is called after that, `body.0/Conv`, and `own` finds the
    step's weights by the names that they have in the state_dict. Constants that are equal are kept once.

    Sizes that only the run decides are computed in the graph, each once, from the shape of the input that tells them:
    `size` gives one as a row of a single whole number, which is what most operators take, `scalar` without an axis,
    and `sizes` a whole shape.
    """

    def __init__(
        self, weights: Mapping[str, Array], inputs: Mapping[str, Tensor], opset: int, ties: Mapping[str, str]
    ) -> None:
        """`weights` are all tensors that the network owns, by their names in the state_dict.

        `ties` tell, for a name of a tensor that is another's, the name under which the file keeps it.
        """
        self.weights = weights
        self.ties = ties
        self.opset = opset
        self.nodes: list[NodeProto] = []
        """Those of the graph that is being written: the whole one, or one that is run along an axis."""
        self._whole = self.nodes
        self.initializers: dict[str, Array] = {}
        self.scope = ""
        """The path of the step that is being written."""
        self.levels = ""
        """The levels around it, as viewers that fold them read it: `: Net/body: block/body.conv: Conv2d/`."""
        self._names: dict[str, int] = dict.fromkeys(inputs, 1)
        self._constants: dict[tuple[Any, ...], str] = {}
        self._sizes: dict[Size, str] = {}
        self._turned: dict[str, str] = {}
        self._origins = dict(_letters(inputs))

    @contextmanager
    def at(self, path: str) -> Iterator[None]:
        """Write for the step at this path."""
        around, self.scope = self.scope, path
        yield
        self.scope = around

    @contextmanager
    def within(self, path: str, kind: str) -> Iterator[None]:
        """Write for a level or a step, which viewers fold: its path, and what it is."""
        around, self.levels = self.levels, f"{self.levels}{path}: {kind}/"
        yield
        self.levels = around

    @contextmanager
    def inside(self) -> Iterator[list[NodeProto]]:
        """Write nodes that stand in a graph of their own, which may read what stands around it; gives their list."""
        around, self.nodes = self.nodes, []
        yield self.nodes
        self.nodes = around

    @contextmanager
    def _around(self) -> Iterator[None]:
        """Write for the whole graph, whose nodes are seen everywhere."""
        inner, self.nodes = self.nodes, self._whole
        levels, self.levels = self.levels, ""
        yield
        self.nodes, self.levels = inner, levels

    def unique(self, name: str) -> str:
        """A name, with a number behind it from the second time on."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else self.unique(f"{name}_{count}")

    def nodes_of(self, kind: str, *inputs: str | Wire, outputs: int = 1, **attributes: Any) -> list[str]:
        """Write a node and give the names of what it makes, `outputs` of them.

        An input of "" is left out, as ONNX has it. Attributes are the operator's own, by its names for them.
        """
        from onnx import helper

        name = self.unique(f"{self.scope}/{kind}" if self.scope else kind)
        made = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        given = [x.name if isinstance(x, Wire) else x for x in inputs]
        while given and not given[-1]:
            given.pop()
        attributes |= {each: float(attributes[each]) for each in FLOATS if each in attributes}
        node = helper.make_node(kind, given, made, name=name, **attributes)
        if self.levels:
            node.metadata_props.add(key=NAMESPACE, value=f"{self.levels}{kind}")
        self.nodes.append(node)
        return made

    def node(self, kind: str, *inputs: str | Wire, **attributes: Any) -> str:
        """Write a node with one result, and give its name."""
        return self.nodes_of(kind, *inputs, **attributes)[0]

    def own(self, part: str) -> str:
        """The name of a weight of the step that is being written."""
        return self.weight(f"{self.scope}.{part}" if part else self.scope)

    def has(self, part: str) -> bool:
        """Whether the step that is being written owns this weight."""
        return f"{self.scope}.{part}" in self.weights

    def given(self, part: str) -> str:
        """The name of a weight of the step that is being written, empty where it has none."""
        return self.own(part) if self.has(part) else ""

    def weight(self, path: str) -> str:
        """The name of a weight, which stands in the file from now on."""
        path = self.ties.get(path, path)
        if path not in self.weights:
            raise Unwritable(f"has no weight {path} that could be written")
        self.initializers.setdefault(path, self.weights[path])
        return path

    def turned(self, weight: str) -> str:
        """A matrix with its axes exchanged; the file keeps it as the network has it."""
        if weight not in self._turned:
            with self._around():
                self._turned[weight] = self.node("Transpose", weight, perm=[1, 0])
        return self._turned[weight]

    def constant(self, value: Any, dtype: str = "") -> str:
        """The name of an array of numbers that are the same in every run."""
        array = np.asarray(value, np.dtype(dtype) if dtype else None)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = name = self.unique("constant")
            self.initializers[name] = array
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """The name of a row of whole numbers."""
        return self.constant(np.array(values, np.int64))

    def number(self, value: float | bool, dtype: str) -> str:
        """The name of a single number of a dtype."""
        return self.constant(value, dtype)

    # Sizes that only the run knows.

    def size(self, size: Size) -> str:
        """The name of a size, as a row of one whole number."""
        if not isinstance(size, Dim):
            return self.ints(size)
        if size not in self._sizes:
            with self.at(""), self._around():
                self._sizes[size] = self._computed(size)
        return self._sizes[size]

    def scalar(self, size: Size) -> str:
        """The same as a single number without an axis."""
        if not isinstance(size, Dim):
            return self.constant(np.array(size, np.int64))
        return self.node("Squeeze", self.size(size), self.ints(0))

    def sizes(self, shape: Sequence[Size]) -> str:
        """The name of a row of sizes."""
        if known := [size for size in shape if not isinstance(size, Dim)]:
            if len(known) == len(shape):
                return self.ints(*known)
        elif not shape:
            return self.constant(np.zeros(0, np.int64))
        return self.node("Concat", *map(self.size, shape), axis=0)

    def _computed(self, size: Dim) -> str:
        """A size by its arithmetic, term by term: a sum of products of letters and quotients, each with a factor."""
        total = ""
        for monomial, factor in size.terms.items():
            part = self.ints(factor) if factor != 1 or not monomial else ""
            for atom in monomial:
                known = self._letter(atom) if isinstance(atom, Name) else self._quotient(atom)
                part = self.node("Mul", part, known) if part else known
            total = self.node("Add", total, part) if total else part
        return total

    def _letter(self, atom: Name) -> str:
        """A letter, read from the input that has it in its shape."""
        if atom.text not in self._origins:
            raise Unwritable(f"needs the size {atom.text}, which no input tells")
        size = Dim({(atom,): 1})
        if size not in self._sizes:
            source, at, factor = self._origins[atom.text]
            found = self.node("Shape", source, start=at, end=at + 1)
            self._sizes[size] = self.node("Div", found, self.ints(factor)) if factor != 1 else found
        return self._sizes[size]

    def _quotient(self, atom: Quotient) -> str:
        """A quotient rounded down: ONNX rounds towards 0, which is another for what is below 0."""
        top, bottom = self.size(atom.top), self.size(atom.bottom)
        rest = self.node("Mod", top, bottom)  # with the sign of the divisor, as Python's
        return self.node("Div", self.node("Sub", top, rest), bottom)

    # What many rules need.

    def shaped(self, x: Wire | str, shape: Sequence[Size], source: Sequence[Size] = ()) -> str:
        """A tensor in another shape; `source` are the sizes that it has, where these are known.

        An open size that stays in its place is copied, and one more is left to be found, so that files read easily.
        """
        before = source or (x.shape if isinstance(x, Wire) else ())
        entries: list[Size] = [
            0 if isinstance(size, Dim) and at < len(before) and before[at] == size else size
            for at, size in enumerate(shape)
        ]
        open_sizes = [at for at, size in enumerate(entries) if isinstance(size, Dim)]
        if len(open_sizes) == 1 and 0 not in [size for size in shape if not isinstance(size, Dim)]:
            entries[open_sizes[0]] = -1
        return self.node("Reshape", x, self.sizes(entries))

    def cast(self, x: Wire | str, dtype: Dtype, source: Dtype | None = None) -> str:
        """A tensor in another dtype; the same where it has that."""
        known = source or (x.dtype if isinstance(x, Wire) else None)
        if known == dtype:
            return x.name if isinstance(x, Wire) else x
        return self.node("Cast", x, to=KINDS[dtype])

    def swapped(self, x: Wire | str, *order: int) -> str:
        """A tensor with its axes in another order; the same where it is theirs."""
        if list(order) == sorted(order):
            return x.name if isinstance(x, Wire) else x
        return self.node("Transpose", x, perm=list(order))

    def sliced(self, x: Wire | str, axis: int, start: Size, stop: Size | None, step: int = 1) -> str:
        """Places of an axis, from `start` up to `stop`, which is not among them; to the end where that is None.

        Both may be sizes that only the run knows; negative ones count from the end.
        """
        end = self.ints(WHOLE) if stop is None else self.size(stop)
        return self.node("Slice", x, self.size(start), end, self.ints(axis), self.ints(step))

    def reduced(self, kind: str, x: Wire | str, axes: Sequence[int], keep: bool = False) -> str:
        """One number for all along these axes."""
        if self.opset < AXES_READ and kind != "ReduceSum":
            return self.node(kind, x, keepdims=int(keep), **({"axes": list(axes)} if axes else {}))
        return self.node(kind, x, self.ints(*axes), keepdims=int(keep))

    def split(self, x: Wire | str, parts: int, axis: int) -> list[str]:
        """A tensor in so many equal parts along an axis."""
        told = {"num_outputs": parts} if self.opset >= AXES_READ else {}
        return self.nodes_of("Split", x, outputs=parts, axis=axis, **told)

    def filled(self, shape: Sequence[Size], value: float | bool, dtype: str) -> str:
        """A tensor of one number."""
        if all(isinstance(size, int) for size in shape):
            return self.constant(np.full([int(str(size)) for size in shape], value, dtype))
        return self.filled_like(self.sizes(shape), value, dtype)

    def filled_like(self, shape: str, value: float | bool, dtype: str) -> str:
        """A tensor of one number, in the shape that a row of sizes says."""
        from onnx import numpy_helper

        return self.node("ConstantOfShape", shape, value=numpy_helper.from_array(np.array([value], dtype)))

    def hidden(self, size: Size) -> str:
        """A square that is minus infinity above its diagonal and 0 elsewhere: what a causal sequence may not see."""
        if isinstance(size, int):
            return self.constant(np.triu(np.full((size, size), -np.inf, np.float32), 1))
        whole = self.filled((size, size), float("-inf"), "float32")
        return self.node("Trilu", whole, self.constant(np.array(1, np.int64)), upper=1)


def _letters(inputs: Mapping[str, Tensor]) -> Iterator[tuple[str, tuple[str, int, int]]]:
    """Each letter that an input tells, with the input, the axis and what the size there is a multiple of it by."""
    for name, x in reversed([*inputs.items()]):
        for at, size in enumerate(x.shape):
            if isinstance(size, Dim) and len(size.terms) == 1:
                (monomial, factor), *_ = size.terms.items()
                if len(monomial) == 1 and isinstance(monomial[0], Name):
                    yield monomial[0].text, (name, at, factor)
