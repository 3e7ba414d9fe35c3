"""Random layers: arguments and inputs, some that fit and some that do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from netspec.layers.base import Layer
from netspec.records import MAX_INT
from netspec.tensors import Dtype, Tensor
from tests.layers.examples import CLASSES, example_inputs, example_values

Draw = Callable[[st.SearchStrategy[Any]], Any]
CHANNELS = (1, 2, 3, 4, 4, 6, 8, 8, 9, 12, 16)
SPACE = (1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10)
FLOATS = (-1, 0, 0.1, 0.25, 0.5, 1, 1.5, 2, 3.0)
OPTIONS = {"dim_feedforward": 8, "num_layers": 2, "num_encoder_layers": 1, "num_decoder_layers": 1, "num_embeddings": 7}
"""Values that keep the tensors small."""
often = st.sampled_from((True, True, True, True, True, True, False))
seldom = st.sampled_from((False, False, False, False, False, False, True))
sometimes = st.sampled_from((False, False, True))


@dataclass(frozen=True)
class Case:
    """One layer with arguments and inputs."""

    cls: type[Layer]
    values: dict[str, Any]
    inputs: tuple[Tensor, ...]

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{self.cls.__name__}({values}) on {', '.join(f'{t.dtype} {t}' for t in self.inputs)}"


@st.composite
def cases(draw: Draw, cls: type[Layer]) -> Case:
    """Random arguments and inputs for one layer."""
    values = draw_values(draw, cls)
    make = INPUTS.get(cls.__name__, any_inputs)
    inputs = make(draw, cls, {**defaults(cls), **values})
    if draw(seldom) and draw(seldom):
        inputs[0] = Tensor(inputs[0].shape, draw(st.sampled_from(("float32", "int64", "bool"))))
    return Case(cls, values, tuple(inputs))


def defaults(cls: type[Layer]) -> dict[str, Any]:
    return {name: None if field.required else field.default for name, field in cls.fields.items()}


def draw_values(draw: Draw, cls: type[Layer]) -> dict[str, Any]:
    """The example's arguments, some of them exchanged, left out or added."""
    values = example_values(cls)
    values |= {name: value for name, value in OPTIONS.items() if name in cls.fields}
    for name, field in cls.fields.items():
        if field.axis is not None:
            if draw(seldom):
                values[name] = draw(st.sampled_from(CHANNELS))
        elif draw(sometimes):
            values[name] = draw(STRATEGIES[cls.__name__, name])
    return values


def _strategy(cls: type[Layer], name: str) -> st.SearchStrategy[Any]:
    field = cls.fields[name]
    strategy = _of_schema(field.kind(cls)[1])
    return strategy | st.none() if field.default is None else strategy


def _of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a JSON Schema allows, and now and then one just outside."""
    if "anyOf" in schema:
        return st.one_of([_of_schema(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from([*schema["enum"] * 3, "nonsense"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_of_type(kind, schema) for kind in kinds])


def _of_type(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "integer":
            low = max(schema.get("minimum", -MAX_INT), -3)
            return st.integers(low, low + 5) | st.integers(low - 1, low + 5)
        case "number":
            return st.sampled_from([*(f for f in FLOATS if _within(f, schema)), *FLOATS])
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            low, high = schema.get("minItems", 1), schema.get("maxItems", 3)
            return st.lists(_of_schema(schema["items"]), min_size=low, max_size=high).map(tuple)
    raise AssertionError(schema)


def _within(value: float, schema: dict[str, Any]) -> bool:
    low, above = schema.get("minimum", -9), schema.get("exclusiveMinimum", -9)
    high, below = schema.get("maximum", 9), schema.get("exclusiveMaximum", 9)
    return bool(low <= value <= high and above < value < below)


STRATEGIES = {(cls.__name__, name): _strategy(cls, name) for cls in CLASSES for name in cls.fields}


# --- inputs -----------------------------------------------------------------------------------


def any_inputs(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """Inputs of the example's rank and dtype with random sizes, mostly alike where there are several."""
    like = example_inputs(cls)
    rank = len(like[0].shape)
    if isinstance(cls.rank, tuple):
        rank = draw(st.sampled_from(cls.rank))
    elif cls.rank is None and not hasattr(cls, "dims") and draw(sometimes):
        rank = draw(st.integers(2, 5))
    if draw(seldom) and draw(sometimes):
        rank = draw(st.integers(1, 5))
    first = draw_shape(draw, rank)
    count = draw(st.integers(*cls.inputs))
    shapes = [first, *(changed(draw, first) for _ in range(count - 1))]
    dtypes = [like[min(i, len(like) - 1)].dtype for i in range(count)]
    return [Tensor(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]


def draw_shape(draw: Draw, rank: int) -> tuple[int, ...]:
    sizes = [draw(st.integers(2, 3)), *(draw(st.sampled_from(SPACE)) for _ in range(rank - 1))]
    if rank > 1:
        sizes[1] = draw(st.sampled_from(CHANNELS))
    return tuple(sizes[:rank])


def changed(draw: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The same shape, or now and then another one."""
    if draw(often):
        return shape
    if draw(st.booleans()) and len(shape) > 1:
        return shape[1:]
    axis = draw(st.integers(0, len(shape) - 1))
    return (*shape[:axis], draw(st.sampled_from((1, 2, 3, 5))), *shape[axis + 1 :])


def numbers(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """Whole numbers for an embedding: any rank, or numbers and offsets for a bag."""
    if cls.inputs == (1, 2) and draw(st.booleans()):
        fewest = 2 if values["include_last_offset"] else 1  # torch crashes on one offset that is also the last
        return [Tensor((draw(st.integers(2, 9)),), "int64"), Tensor((draw(st.integers(fewest, 4)),), "int64")]
    rank = 2 if cls.inputs == (1, 2) and draw(often) else draw(st.integers(1, 3))
    return [Tensor(draw_shape(draw, rank), "int64")]


def pooled(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """Values and where they came from."""
    first, *_ = any_inputs(draw, cls, values)
    return [first, Tensor(changed(draw, tuple(int(str(s)) for s in first.shape)), "int64")]


def windows(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """The windows of a map: mostly as many as Fold needs."""
    each = {name: values[name] for name in ("output_size", "kernel_size", "stride", "padding", "dilation")}
    pairs = {name: v if isinstance(v, tuple) and len(v) == 2 else (v, v) for name, v in each.items()}
    count = points = 1
    for axis in range(2):
        size, k, s, p, d = (v[axis] for v in pairs.values())
        count *= max((size + 2 * p - d * (k - 1) - 1) // max(s, 1) + 1, 1)
        points *= max(k, 1)
    channels = points * draw(st.integers(1, 3)) if draw(often) else draw(st.sampled_from(CHANNELS))
    return [Tensor(changed(draw, (2, channels, count)))]


def merged(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """An axis that the sizes of Unflatten mostly multiply to."""
    shape = list(draw_shape(draw, draw(st.integers(2, 4))))
    sizes = values["unflattened_size"]
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    if draw(often) and -len(shape) <= values["dim"] < len(shape):
        total = draw(st.integers(1, 2)) if -1 in sizes else 1
        for size in sizes:
            total *= max(size, 1)
        shape[values["dim"]] = total
    return [Tensor(tuple(shape))]


def sequence(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """A sequence and perhaps its first states, mostly of the right shape."""
    rank = 3 if draw(often) else draw(st.integers(2, 4))
    shape = draw_shape(draw, rank)
    batch = shape[0 if values["batch_first"] else 1]
    hidden = max(values["hidden_size"], 1)
    first = (max(values["num_layers"], 1) * (2 if values["bidirectional"] else 1), batch)
    states = [(*first, values.get("proj_size") or hidden), (*first, hidden)]
    count = draw(st.sampled_from((0, 0, *range(1, cls.inputs[1]))))
    return [Tensor(shape), *(Tensor(changed(draw, state)) for state in states[:count])]


def step(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """One step for a cell and perhaps its states."""
    shape = draw_shape(draw, 2 if draw(often) else draw(st.integers(1, 3)))
    count = draw(st.sampled_from((0, 0, *range(1, cls.inputs[1]))))
    return [Tensor(shape), *(Tensor(changed(draw, (shape[0], max(values["hidden_size"], 1)))) for _ in range(count))]


def attended(draw: Draw, cls: type[Layer], values: dict[str, Any]) -> list[Tensor]:
    """Queries, keys, values and masks, mostly of one batch."""
    heads = values.get("nhead") or values.get("num_heads") or 1
    width = draw(st.integers(1, 3)) * max(heads, 1) if draw(often) else draw(st.sampled_from(CHANNELS))
    batch, queries, keys = draw(st.integers(2, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 5))

    def tokens(length: int, features: int) -> tuple[int, ...]:
        shape = (batch, length, features) if values["batch_first"] else (length, batch, features)
        return changed(draw, shape)

    def mask(rows: int, columns: int) -> Tensor:
        shape = (rows, columns) if draw(st.booleans()) else (batch * max(heads, 1), rows, columns)
        return Tensor(changed(draw, shape), draw(st.sampled_from(DTYPES)))

    if "Attention" in cls.__name__:
        count = draw(st.integers(1, 4))
        other = draw(st.sampled_from((width, width, 4)))
        found = [Tensor(tokens(queries, width)), *(Tensor(tokens(keys, other)) for _ in range(min(count, 3) - 1))]
        return [*found, mask(queries, keys)] if count == 4 else found
    lengths = {1: (queries,), 2: (keys, queries) if cls.__name__ == "Transformer" else (queries, keys)}[cls.inputs[0]]
    found = [Tensor(tokens(length, width)) for length in lengths]
    masks = {
        "Transformer": ((keys, keys), (queries, queries), (queries, keys)),
        "TransformerDecoder": ((queries, queries), (queries, keys)),
        "TransformerDecoderLayer": ((queries, queries), (queries, keys)),
    }.get(cls.__name__, ((queries, queries),))
    count = draw(st.sampled_from((0, 0, *range(1, len(masks) + 1))))
    return found + [mask(*sizes) for sizes in masks[:count]]


DTYPES: tuple[Dtype, ...] = ("float32", "float32", "bool", "int64")
INPUTS: dict[str, Callable[[Draw, type[Layer], dict[str, Any]], list[Tensor]]] = {
    **dict.fromkeys(("Embedding", "EmbeddingBag"), numbers),
    **dict.fromkeys(("MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"), pooled),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), sequence),
    **dict.fromkeys(("RNNCell", "GRUCell", "LSTMCell"), step),
    **{c.__name__: attended for c in CLASSES if c.__name__.startswith(("Transformer", "Multihead", "Attention"))},
    "Fold": windows,
    "Unflatten": merged,
}
"""How to draw inputs for the classes whose inputs depend on their arguments or on each other."""
