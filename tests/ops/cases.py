"""Random operations with random arguments and inputs, right ones and wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from random import Random
from typing import Any

from netspec.layers.base import Op
from netspec.tensors import Tensor

Inputs = list[Tensor]
SIZES = (1, 1, 2, 2, 3, 4, 6)
NUMBERS = (0, 1, 2, -1, 3, 0.5, -2.0, 1e-3)


@dataclass(frozen=True)
class Case:
    """One operation to be held against torch."""

    cls: type[Op]
    values: dict[str, Any]
    inputs: tuple[Tensor, ...]

    def __str__(self) -> str:
        shown = ", ".join(f"{x.dtype} {list(x.shape)}" for x in self.inputs)
        return f"{self.cls.__name__}({self.values}) of {shown or 'nothing'}"


def case(cls: type[Op], rng: Random) -> Case:
    """A random case of one class."""
    inputs = INPUTS.get(cls.__name__, alike)(rng, cls)
    values = {}
    for name, field in cls.fields.items():
        if not field.required and rng.random() < 0.4:
            continue
        draw = VALUES.get(f"{cls.__name__}.{name}") or VALUES.get(name)
        values[name] = draw(rng, inputs) if draw else of_schema(rng, field.kind(cls)[1])
    return Case(cls, {n: v for n, v in values.items() if v is not None}, tuple(inputs))


# --- inputs -----------------------------------------------------------------------------------


def shape(rng: Random, low: int = 0, high: int = 5) -> tuple[int, ...]:
    return tuple(rng.choice(SIZES) for _ in range(rng.randint(low, high)))


def changed(rng: Random, sizes: tuple[int, ...], often: float = 0.5) -> tuple[int, ...]:
    """The same sizes, or some that differ in one axis or in their number."""
    if rng.random() >= often or not sizes:
        return sizes
    at = rng.randrange(len(sizes))
    match rng.randrange(5):
        case 0 | 1:
            return (*sizes[:at], 1, *sizes[at + 1 :])
        case 2:
            return (*sizes[:at], rng.choice(SIZES), *sizes[at + 1 :])
        case 3:
            return sizes[1:]
    return (rng.choice(SIZES), *sizes)


def dtype(rng: Random) -> Any:
    return rng.choices(("float32", "int64", "bool"), (8, 1, 1))[0]


def floats(*shapes: tuple[int, ...]) -> Inputs:
    return [Tensor(sizes) for sizes in shapes]


def alike(rng: Random, cls: type[Op]) -> Inputs:
    """As many inputs as the class takes, of shapes that mostly broadcast."""
    low, high = cls.inputs
    first = shape(rng, 0 if rng.random() < 0.1 else 1)
    count = rng.randint(low, min(high, 3))
    return [Tensor(changed(rng, first) if i else first, dtype(rng)) for i in range(count)]


def joined(rng: Random, cls: type[Op]) -> Inputs:
    first = shape(rng, 1, 4)
    return [Tensor(changed(rng, first, 0.3), dtype(rng)) for _ in range(rng.randint(1, 4))]


def bools(rng: Random, cls: type[Op]) -> Inputs:
    """Booleans where the class wants them, most of the time."""
    inputs = alike(rng, cls)
    wanted = {"Where": inputs[:1], "MaskedFill": inputs[1:]}.get(cls.__name__, inputs)
    kind: Any = "bool" if rng.random() < 0.9 else "int64"
    return [Tensor(x.shape, kind) if any(x is w for w in wanted) else x for x in inputs]


def indexed(rng: Random, cls: type[Op]) -> Inputs:
    x = shape(rng, 1, 4)
    places = shape(rng, 0, 2) if cls.__name__ == "IndexSelect" else tuple(rng.randint(1, s + 1) for s in x)
    kind: Any = "int64" if rng.random() < 0.9 else "float32"
    return [Tensor(x, dtype(rng)), Tensor(places if rng.random() < 0.9 else shape(rng), kind)]


def whole(rng: Random, cls: type[Op]) -> Inputs:
    kind: Any = "int64" if rng.random() < 0.9 else dtype(rng)
    table = [Tensor(shape(rng, 2, 2 if rng.random() < 0.9 else 3))] if cls.__name__ == "Lookup" else []
    return [Tensor(shape(rng, 0, 3), kind), *table]


def matrices(rng: Random, cls: type[Op]) -> Inputs:
    """Two batches of matrices or points that mostly fit together."""
    n, m, k = (rng.choice(SIZES) for _ in range(3))
    batch = shape(rng, 1, 1) if cls.__name__ == "BMM" else shape(rng, 0, 2)
    other = changed(rng, batch, 0.4)
    second = (m, k) if cls.__name__ == "CDist" else (k, m)
    a, b = changed(rng, (*batch, n, k), 0.15), changed(rng, (*other, *second), 0.15)
    if rng.random() < 0.1:
        a, b = (a[-1:], b) if rng.random() < 0.5 else (a, (k,))
    kinds = [dtype(rng)] * 2 if rng.random() < 0.9 else [dtype(rng), dtype(rng)]
    return [Tensor(a, kinds[0]), Tensor(b, kinds[1])]


def attended(rng: Random, cls: type[Op]) -> Inputs:
    batch = shape(rng, 0, 2)
    n, m, d = (rng.choice((2, 4, 6)) for _ in range(3))
    e = d if rng.random() < 0.7 else 2 * d
    found = [changed(rng, sizes, 0.1) for sizes in ((*batch, n, d), (*batch, m, d), (*batch, m, e))]
    mask = [Tensor(changed(rng, (*batch, n, m), 0.6), rng.choice(("bool", "bool", "float32", "int64")))]
    return [*floats(*found), *(mask if rng.random() < 0.4 else [])]


def spatial(rng: Random, cls: type[Op]) -> Inputs:
    return [Tensor(tuple(rng.randint(1, 7) for _ in range(rng.choice((2, 3, 3, 4, 4, 4, 5)))), dtype(rng))]


def sampled(rng: Random, cls: type[Op]) -> Inputs:
    dims = rng.choice((2, 2, 3))
    x = tuple(rng.randint(1, 4) for _ in range(dims + 2))
    grid = (x[0], *(rng.randint(1, 4) for _ in range(dims)), dims)
    return floats(x, changed(rng, grid, 0.2))


def theta(rng: Random, cls: type[Op]) -> Inputs:
    dims = rng.choice((2, 2, 3))
    return floats(changed(rng, (rng.choice((1, 2)), dims, dims + 1), 0.2))


def weighted(rng: Random, cls: type[Op]) -> Inputs:
    """An input with a weight and a bias for its last axes, or its channels."""
    x = shape(rng, 2, 4)
    sizes = x[1:2] if cls.__name__ == "GroupNormFunction" else x[rng.randint(1, len(x) - 1) :]
    weights = [changed(rng, sizes, 0.15) for _ in range(rng.randint(cls.inputs[0], cls.inputs[1]) - 1)]
    return floats(x, *weights)


def lettered(rng: Random, cls: type[Op]) -> Inputs:
    """Inputs for the equations below: letters have sizes, which are seldom missed."""
    size = {letter: rng.choice((2, 3)) for letter in "abcd"}
    left = rng.choice(EQUATIONS).split("->")[0].split(",")
    dots = shape(rng, 0, 2)
    found = []
    for side in left:
        before, has, after = side.partition("...")
        part = changed(rng, dots, 0.7) if has else ()
        found.append(changed(rng, (*(size[c] for c in before), *part, *(size[c] for c in after)), 0.1))
    lettered.left = ",".join(left)  # type: ignore[attr-defined]
    return floats(*found)


def halves(rng: Random, cls: type[Op]) -> Inputs:
    """One or two parts of a complex tensor, mostly alike."""
    first = shape(rng, 1, 4)
    count = rng.randint(*cls.inputs)
    kind: Any = "float32" if rng.random() < 0.9 else dtype(rng)
    return [Tensor(changed(rng, first, 0.2) if i else first, kind) for i in range(count)]


def filtered(rng: Random, cls: type[Op]) -> Inputs:
    """A map with filters for it, for all samples or for each, and perhaps a bias."""
    dims, filters = rng.choice((1, 2, 2, 3)), rng.choice((1, 2, 4))
    x = (rng.choice((1, 2)), rng.choice((1, 2, 4)), *(rng.randint(1, 6) for _ in range(dims)))
    own = x[:1] if rng.random() < 0.4 else ()
    weight = (*own, filters, rng.choice((1, x[1])), *(rng.randint(1, 3) for _ in range(dims)))
    bias = [(filters,)] if rng.random() < 0.3 else []
    return floats(x, *(changed(rng, sizes, 0.1) for sizes in (weight, *bias)))


EQUATIONS = (
    "abc,acd->abd", "ab,bc->ac", "ab,ab->a", "a,b->ab", "ab->ba", "aab->ab", "aa->a", "ab,bc,cd->ad",
    "...ab,...bc->...ac", "...a->...", "ab...->b...", "abc,abd->cd", "ab,b->ab", "a...,a...->a", "abc->",
    "ab,cd->bc", "...a,ab->...b", "ab,c->b",
)  # fmt: skip

INPUTS: dict[str, Callable[[Random, type[Op]], Inputs]] = {
    **dict.fromkeys(("Concat", "Stack"), joined),
    **dict.fromkeys(("LogicalNot", "LogicalAnd", "LogicalOr", "Where", "MaskedFill"), bools),
    **dict.fromkeys(("Gather", "IndexSelect"), indexed),
    **dict.fromkeys(("OneHot", "Lookup"), whole),
    **dict.fromkeys(("MatMul", "BMM", "CDist"), matrices),
    **dict.fromkeys(("Pad", "Interpolate"), spatial),
    **dict.fromkeys(("LayerNormFunction", "RMSNormFunction", "GroupNormFunction"), weighted),
    **dict.fromkeys(("FFT", "IFFT", "RFFT", "IRFFT"), halves),
    "Convolve": filtered,
    "SDPA": attended,
    "GridSample": sampled,
    "AffineGrid": theta,
    "Einsum": lettered,
}

# --- arguments --------------------------------------------------------------------------------


def of_schema(rng: Random, schema: dict[str, Any]) -> Any:
    """A value that the JSON Schema of a field allows."""
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if schema.get("type") == "boolean":
        return rng.random() < 0.5
    if schema.get("type") == "integer":
        low = schema.get("minimum", -4)
        return rng.randint(low, max(low, 0) + 6)
    if schema.get("type") == "number":
        return rng.choice([v for v in (0, 0.1, 0.5, 1) if v >= schema.get("minimum", 0)])
    raise KeyError(schema)


def sizes(x: Tensor) -> list[int]:
    return [size for size in x.shape if isinstance(size, int)]


def axis(rng: Random, inputs: Inputs) -> int:
    rank = len(inputs[0].shape)
    return rng.randint(-rank, rank - 1) if rank and rng.random() < 0.9 else rng.randint(-rank - 2, rank + 1)


def axes(rng: Random, inputs: Inputs) -> list[int]:
    rank = len(inputs[0].shape)
    if rank and rng.random() < 0.8:
        return [at - rng.choice((0, rank)) for at in rng.sample(range(rank), rng.randint(1, rank))]
    return [axis(rng, inputs) for _ in range(rng.randint(1, 3))]


def ones(rng: Random, inputs: Inputs) -> list[int]:
    found = [at for at, size in enumerate(inputs[0].shape) if size == 1]
    return found[: rng.randint(1, 2)] if found and rng.random() < 0.7 else axes(rng, inputs)


def place(rng: Random, inputs: Inputs) -> int:
    size = max(sizes(inputs[0]), default=1)
    return rng.randint(-size, size - 1) if rng.random() < 0.8 else rng.choice((-7, 7, 3))


def order(rng: Random, inputs: Inputs) -> list[int]:
    found = rng.sample(range(len(inputs[0].shape)), len(inputs[0].shape))
    return axes(rng, inputs) if rng.random() < 0.2 or not found else found


def number(rng: Random, inputs: Inputs) -> Any:
    """A number, mostly where the operation has one input too few without it."""
    return rng.choice(NUMBERS) if len(inputs) == 1 or rng.random() < 0.1 else None


def parts(rng: Random, inputs: Inputs) -> Any:
    size = rng.choice(sizes(inputs[0])) if inputs[0].shape else 1
    if rng.random() < 0.4:
        return rng.randint(1, 7)
    first = rng.randint(1, max(1, size - 1))
    return [first, max(1, size - first + (rng.random() < 0.2))]


def target(rng: Random, inputs: Inputs) -> list[int]:
    """Sizes that hold as many elements as the input, mostly."""
    total = prod(sizes(inputs[0]))
    found: list[int] = []
    left = total
    while left > 1 and len(found) < 4:
        size = rng.choice([n for n in range(1, left + 1) if left % n == 0])
        found.append(size)
        left //= size
    found = [*found, left] if left > 1 or not found else found
    if rng.random() < 0.5:
        found[rng.randrange(len(found))] = -1
    if rng.random() < 0.15:
        found[rng.randrange(len(found))] = rng.choice((2, 3, -1, 5))
    return found


def stretched(rng: Random, inputs: Inputs) -> list[int]:
    x = sizes(inputs[0])
    found = [rng.choice((size, -1)) if size != 1 else rng.choice((1, 3, -1, 2)) for size in x]
    if rng.random() < 0.15 and found:
        found[rng.randrange(len(found))] = 5
    new = [rng.choice((1, 2, -1 if rng.random() < 0.2 else 3)) for _ in range(rng.choice((0, 0, 1, 2)))]
    return [*new, *found][rng.random() < 0.1 :] or [1]


def pads(rng: Random, inputs: Inputs) -> list[int]:
    count = rng.choice((1, 2, 2, 3)) if rng.random() < 0.3 else max(1, len(inputs[0].shape) - 2)
    odd = rng.random() < 0.05
    return [rng.randint(-2, 3) if rng.random() < 0.3 else rng.randint(0, 3) for _ in range(2 * count - odd)]


def per_axis(values: tuple[Any, ...]) -> Callable[[Random, Inputs], Any]:
    def draw(rng: Random, inputs: Inputs) -> Any:
        if rng.random() < 0.5:
            return rng.choice(values)
        count = max(1, len(inputs[0].shape) - 2 + (rng.random() < 0.1))
        return [rng.choice(values) for _ in range(count)]

    return draw


def one_of(*values: Any) -> Callable[[Random, Inputs], Any]:
    return lambda rng, inputs: rng.choice(values)


def several(low: int, high: int, most: int = 3) -> Callable[[Random, Inputs], Any]:
    return lambda rng, inputs: [rng.randint(low, high) for _ in range(rng.randint(1, most))]


def mode(rng: Random, inputs: Inputs) -> str:
    fitting = {3: ["nearest", "linear", "area"], 4: ["nearest", "bilinear", "bicubic", "area"], 5: ["trilinear"]}
    modes = ["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"]
    return rng.choice(fitting.get(len(inputs[0].shape), modes) if rng.random() < 0.9 else modes)


def extremes(rng: Random, inputs: Inputs) -> Any:
    return rng.choice([None, -1, 0.5, 1, 2.0])


def map_size(rng: Random, inputs: Inputs) -> list[int]:
    first, dims, *_ = sizes(inputs[0]) if len(inputs[0].shape) > 1 and rng.random() < 0.9 else [3, 2]
    return [first, 2, *(rng.randint(1, 4) for _ in range(dims))]


def equation(rng: Random, inputs: Inputs) -> str:
    left: str = lettered.left  # type: ignore[attr-defined]
    return rng.choice([e for e in EQUATIONS if e.split("->")[0] == left])


def nested(rng: Random, inputs: Inputs) -> Any:
    depth = rng.randint(0, 2)
    kind = rng.choice((lambda: rng.random(), lambda: rng.randint(0, 9), lambda: rng.random() < 0.5))
    lengths = [rng.randint(1, 3) for _ in range(depth)]

    def build(at: int) -> Any:
        return kind() if at == depth else [build(at + 1) for _ in range(lengths[at])]

    return build(0)


VALUES: dict[str, Callable[[Random, Inputs], Any]] = {
    "dim": axis,
    "dim0": axis,
    "dim1": axis,
    "source_dim": axis,
    "destination": axis,
    **{f"{name}.dim": axes for name in ("Mean", "Sum", "AMax", "AMin", "LogSumExp", "Var", "Std", "VectorNorm")},
    **dict.fromkeys(("FFT.dim", "IFFT.dim"), axes),
    **dict.fromkeys(("Convolve.dims", "Convolve.whose"), lambda rng, inputs: None),
    "Convolve.stride": per_axis((1, 1, 2)),
    "Convolve.padding": per_axis((0, 0, 1, 2)),
    "Convolve.dilation": per_axis((1, 1, 2)),
    "Convolve.groups": lambda rng, inputs: inputs[0].shape[1] if rng.random() < 0.7 else 2,
    "IRFFT.n": one_of(None, 1, 2, 5),
    "formula": lambda rng, inputs: None,
    "Permute.dims": order,
    "Flip.dims": axes,
    "Roll.dims": axes,
    "Roll.shifts": several(-3, 3),
    "Tile.dims": several(1, 3, 5),
    "other": number,
    "Squeeze.dim": ones,
    "index": place,
    "Narrow.start": one_of(0, 0, 0, -1, 1, -2),
    "length": one_of(1, 1, 1, 2, 3),
    "num_groups": lambda rng, inputs: rng.choice((1, 2, inputs[0].shape[1])),
    "DropPath.p": one_of(0, 0.1, 0.9),
    "weight": lambda rng, inputs: 0.3 if len(inputs) == 2 or rng.random() < 0.1 else None,
    "Where.other": lambda rng, inputs: rng.choice(NUMBERS) if len(inputs) == 2 or rng.random() < 0.1 else None,
    "min": extremes,
    "max": extremes,
    "split_size": parts,
    "sizes": target,
    "Expand.sizes": stretched,
    "pad": pads,
    "Interpolate.size": lambda rng, inputs: per_axis((1, 2, 5, 8))(rng, inputs) if rng.random() < 0.4 else None,
    "Interpolate.scale_factor": per_axis((1, 2, 2, 1.5, 0.3, 3)),
    "Interpolate.align_corners": one_of(None, None, None, None, True, False),
    "Interpolate.antialias": one_of(False, False, False, True),
    "Interpolate.mode": mode,
    "AffineGrid.size": map_size,
    "equation": equation,
    "value": one_of(*NUMBERS),
    "Constant.value": nested,
    "size": several(1, 4),
    "Causal.size": one_of(1, 3, 5),
    "end": one_of(1, 4, 7, 2),
    "Arange.start": one_of(0, 0, 1, 5, -3),
    "start": one_of(0, 0, 1, -1, 2, -3, 4),
    "stop": one_of(None, None, -1, 1, 3, -2, 9),
    "Linspace.end": one_of(1.0, 5),
    "n": one_of(1, 2, 5),
    "m": one_of(1, 4),
    "steps": one_of(1, 5),
    "scale": one_of(None, 0.5, 1),
    "heads": one_of(None, None, 1, 2, 3),
    "ord": one_of(1, 2, 3.0),
    "p": one_of(1, 2.0, 0.5),
    "init": one_of("zeros", "ones", "eye", "normal", "trunc_normal", "uniform", "orthogonal", "xavier_uniform", 0.5, 2),
    "Buffer.init": one_of("zeros", "arange", "sincos", "causal", "tril", 0.5, 3, "normal"),
    **dict.fromkeys(("mean", "std", "a", "b"), one_of(None, None, None, None, 0.5)),
    "window": one_of(1, 3, [2, 3]),
    "map": one_of(6, [6, 3], 4),
    "shift": one_of(0, 1, 1, [1, 2], 5),
}
"""How to draw an argument, by its name or by its class and name."""
