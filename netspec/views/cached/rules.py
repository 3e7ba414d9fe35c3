"""How each operation goes on from what was read before, by its class; what is missing here may mix places.

What works on each token by itself goes on as it is. Causal attention keeps the keys and values of the tokens before,
and only the new tokens ask; a recurrent layer keeps its last state; a causal convolution keeps as many tokens as its
window reaches back. An operation along the text that none of this describes is refused by its name, and the text is
then read anew for each token. Nothing is taken on trust: the network with the memory is tried beside the whole one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netspec.dims import named
from netspec.emit.table import Table
from netspec.graph.model import Step, Value
from netspec.tensors import Tensor
from netspec.views.cached.writing import Rule, Uncacheable, Writing, values_of


def _op(step: Step) -> Any:
    """The operation of a step, whose fields are its class's own."""
    return step.op


def _shape(value: Value) -> tuple[Any, ...]:
    """The sizes of a value."""
    assert value.tensor is not None
    return value.tensor.shape


def _need_plain(w: Writing, inputs: Sequence[Value]) -> None:
    """Refuse what begins before the new tokens or ends behind them."""
    if any(value in w.windows or value in w.tails for value in inputs):
        raise Uncacheable("takes padded places, which only a convolution may")


def _along(w: Writing, step: Step, value: Value, dims: Any) -> set[int]:
    """Which axes of the text an operation works along; all where it names none."""
    rank = len(_shape(value))
    given = range(rank) if dims is None else dims if isinstance(dims, tuple | list) else (dims,)
    return {dim % rank for dim in given} & set(w.axes(value))


def _meeting(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """An operation on each element, whose inputs stretch to one another."""
    _need_plain(w, inputs)
    made = w.result(step)
    rank, axes = len(_shape(made)), w.axes(made)
    taken = [w.aligned(value, rank, axes[0]) if axes else w.ref(value) for value in inputs]
    w.put(step, path, taken, w.fields(step))


def _each(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A layer that works on each place by itself, along the last axis."""
    _need_plain(w, inputs)
    x = inputs[0]
    if len(_shape(x)) - 1 in w.axes(x) and _op(step).family != "embedding":
        raise Uncacheable("works along the text")
    _meeting(w, step, inputs, path)


def _looked_up(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A layer that gives a vector for each number."""
    _need_plain(w, inputs)
    w.put(step, path, [w.ref(inputs[0])], w.fields(step))


def _normed(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A norm over the last axes."""
    x = inputs[0]
    given = _op(step).given.get("normalized_shape", (0,))
    count = len(given) if isinstance(given, tuple | list) else 1
    if {*range(len(_shape(x)) - count, len(_shape(x)))} & {*w.axes(x)}:
        raise Uncacheable("works along the text")
    _each(w, step, inputs, path)


def _along_axis(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A softmax, or what reduces axes: along what a token sees, never along the tokens."""
    _need_plain(w, inputs)
    x, axes = inputs[0], w.axes(inputs[0])
    worked = _along(w, step, x, getattr(step.op, "dim", None))
    if worked & {*axes[:1]}:
        raise Uncacheable("works along the text")
    w.put(step, path, [w.ref(x)], w.fields(step))


def _formed(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """What puts numbers into another form: the axes of the text stay as many."""
    _need_plain(w, inputs)
    x, made = inputs[0], w.result(step)
    if len(w.axes(x)) != len(w.axes(made)):
        raise Uncacheable("joins the text with another axis, or cuts it")
    if len(w.axes(x)) > 1 and any(w.letter in str(value) for value in w.fields(step).values()):
        raise Uncacheable("writes the length of the text into its form")
    w.put(step, path, [w.ref(x)], w.fields(step))


def _parted(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """What cuts an axis into parts."""
    if _along(w, step, inputs[0], _op(step).dim):
        raise Uncacheable("cuts the text")
    _need_plain(w, inputs)
    w.put(step, path, [w.ref(inputs[0])], w.fields(step))


def _taken(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A place or a stretch of an axis; of the text, its end."""
    x, op = inputs[0], _op(step)
    if x in w.tails and _along(w, step, x, op.dim):
        if w.result(step).tensor is None or _shape(w.result(step))[op.dim] != named(w.letter) or op.start != 0:
            raise Uncacheable("takes places behind the last token")
        w.refs[w.result(step)] = w.ref(x)
        return
    _need_plain(w, inputs)
    if _along(w, step, x, op.dim):
        place = op.index if hasattr(op, "index") else op.start
        whole = getattr(op, "stop", None) is None
        if not isinstance(place, int) or place >= 0 or not whole or place != -1 or len(w.axes(x)) > 1:
            raise Uncacheable("takes places of the text that are not its last")
    w.put(step, path, [w.ref(x)], w.fields(step))


def _joined(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """What puts its inputs beside one another."""
    _need_plain(w, inputs)
    made = w.result(step)
    rank, more = len(_shape(made)), len(_shape(made)) - len(_shape(inputs[0]))
    if not more and _op(step).dim % rank in w.axes(made):
        raise Uncacheable("joins texts")
    at = _op(step).dim % rank
    taken = []
    for value in inputs:
        axes = w.axes(value)
        rows = w.axes(made)[0] - (1 if more and at < w.axes(made)[0] else 0) if w.axes(made) else 0
        taken.append(w.aligned(value, len(_shape(value)), rows) if axes else w.ref(value))
    w.put(step, path, taken, w.fields(step))


def _product(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A product of matrices: queries with keys, their weights with values, or no text at all in one of them."""
    _need_plain(w, inputs)
    left, right = inputs
    rank = (len(_shape(left)), len(_shape(right)))
    rows, columns = w.axes(left), w.axes(right)
    last, before = rank[0] - 1, rank[1] - 2
    if last in rows and (len(rows) < 2 or before not in columns):
        raise Uncacheable("sums over the text")
    first = w.ref(left) if left not in w.fixed or not rows else w.cut(left, rows[0])
    second = w.ref(right)
    if columns and columns[-1] in (rank[1] - 1, before) and (rows or before in columns):
        second = w.ref(right) if right in w.fixed else w.whole(right, columns[-1])
    elif columns and right in w.fixed:
        second = w.cut(right, columns[0])
    w.put(step, path, [first, second], w.fields(step))


def _attended(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """Attention, whose keys and values are kept."""
    _need_plain(w, inputs)
    query, key, value, *masks = inputs
    fields, length = w.fields(step), len(_shape(key)) - 2
    taken = [w.aligned(query, len(_shape(query)), len(_shape(query)) - 2)]
    if not w.axes(key):
        taken += [w.ref(key), w.ref(value)]
        taken += [w.aligned(mask, len(_shape(mask)), len(_shape(mask)) - 2) for mask in masks]
    elif w.axes(key) != (length,) or w.axes(value) != (len(_shape(value)) - 2,):
        raise Uncacheable("has keys whose places are not those of the text")
    else:
        causal = fields.pop("is_causal", False)
        if not causal and not masks:
            raise Uncacheable("looks at what comes after each token")
        taken += [w.ref(x) if x in w.fixed else w.whole(x, len(_shape(x)) - 2) for x in (key, value)]
        taken += w.mask() if causal else [w.aligned(m, len(_shape(m)), len(_shape(m)) - 2) for m in masks]
    w.put(step, path, taken, fields)


def _multihead(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """Attention with projections of its own, for which what they are made of is kept."""
    _need_plain(w, inputs)
    op, fields = _op(step), w.fields(step)
    query, key, value, masks = op.spelled_out(list(inputs))
    axis = 1 if op.batch_first else 0
    if "key_padding_mask" in masks or op.add_bias_kv or op.add_zero_attn:
        raise Uncacheable("has places beside those of the text")
    if w.axes(query) != (axis,) or w.axes(key) != (axis,) or w.axes(value) != (axis,):
        raise Uncacheable("has keys whose places are not those of the text")
    causal, mask = fields.pop("is_causal", False), masks.get("attn_mask")
    if not causal and mask is None:
        raise Uncacheable("looks at what comes after each token")
    if op.need_weights:
        fields["need_weights"] = False
    seen = [w.ref(x) if x in w.fixed else w.whole(x, axis) for x in (key, value)]
    if mask is None:
        hidden: Sequence[str] = w.mask(hides=True)
    else:
        hidden = [w.aligned(mask, len(_shape(mask)), len(_shape(mask)) - 2)]
    w.put(step, path, [w.ref(query), *seen, *hidden], fields)


def _state(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A recurrent layer, whose states are kept."""
    op, (x, *states) = _op(step), inputs
    _need_plain(w, inputs)
    if op.bidirectional:
        raise Uncacheable("reads the text backwards too")
    if w.axes(x) != (1 if op.batch_first else 0,):
        raise Uncacheable("goes along another axis than the text")
    if any(state not in w.extra for state in states):
        raise Uncacheable("begins with a state that is computed")
    assert x.tensor is not None
    base = w.free(path)
    parts = ("h", "c")[: len(op.states(x.tensor))]
    kept = [w.remember(f"{base}.{part}", Tensor(s)) for part, s in zip(parts, op.states(x.tensor), strict=True)]
    name = w.put(step, path, [w.ref(x), *(m.past for m in kept)], w.fields(step))
    w.presents |= {m.present: f"{name}.{part}" for m, part in zip(kept, parts, strict=True)}


def _padded(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """Zeros before the text, in whose place what was read before stands."""
    x, op = inputs[0], _op(step)
    _need_plain(w, inputs)
    axes, rank = w.axes(x), len(_shape(x))
    pad = op.given.get("pad", op.given.get("padding"))
    pad = pad if isinstance(pad, tuple | list) else (pad, pad)
    text = {rank - 1 - i // 2 for i, amount in enumerate(pad) if amount} & {*axes}
    if not text:
        w.put(step, path, [w.ref(x)], w.fields(step))
        return
    zeros = op.given.get("mode", "constant") == "constant" and not op.given.get("value", 0)
    if axes != (rank - 1,) or not zeros or any(pad[1:]) or not isinstance(pad[0], int) or pad[0] < 0:
        raise Uncacheable("adds more than zeros before the text")
    w.refs[w.result(step)] = _window(w, x, rank - 1, pad[0])
    w.windows.add(w.result(step))


def _window(w: Writing, x: Value, axis: int, count: int) -> str:
    """The new tokens of a value behind so many of those before."""
    assert x.tensor is not None
    shape = list(_shape(x))
    if shape[axis] != named(w.letter):
        raise Uncacheable("is given other places than those of the text")
    shape[axis] = count
    return w.kept(w.ref(x), x.tensor.with_shape(*shape), axis, last=count)


def _convolved(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A convolution along the text, which sees nothing behind each token."""
    x, op, fields = inputs[0], _op(step), w.fields(step)
    if w.axes(x) != (2,):
        raise Uncacheable("goes along another axis than the text")
    each = {name: getattr(op, name) for name in ("kernel_size", "stride", "padding", "dilation")}
    kernel, stride, padding, dilation = (v[0] if isinstance(v, tuple | list) else v for v in each.values())
    size = _shape(w.result(step))[2]
    if stride != 1 or isinstance(padding, str) or op.given.get("padding_mode", "zeros") != "zeros":
        raise Uncacheable("has places that are not those of the text")
    reach = dilation * (kernel - 1)
    if x in w.windows and padding == 0 and size == named(w.letter):
        w.put(step, path, [w.ref(x)], fields)
    elif x not in w.windows and x not in w.tails and padding == reach:
        fields.pop("padding", None)
        w.put(step, path, [_window(w, x, 2, reach) if reach else w.ref(x)], fields)
        if reach:
            w.tails[w.result(step)] = reach
    else:
        raise Uncacheable("sees what comes after each token")


def _layers(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """A layer of a transformer's encoder, or a stack of them, whose attention keeps what it is made of."""
    _need_plain(w, inputs)
    op, x = _op(step), inputs[0]
    given = op.by_name(list(inputs))
    axis, mask = 1 if op.batch_first else 0, given.get(op.mask_name)
    if "src_key_padding_mask" in given:
        raise Uncacheable("has places beside those of the text")
    if not op.is_causal and mask is None:
        raise Uncacheable("looks at what comes after each token")
    if w.axes(x) != (axis,) or path in w.members:
        raise Uncacheable("goes along another axis than the text, or is used more than once")
    hidden = w.mask(hides=True) if mask is None else [w.aligned(mask, len(_shape(mask)), len(_shape(mask)) - 2)]
    w.members[path] = path
    rows, end = w.split.setdefault(id(step), {}), w.ref(x)
    for head in [""] if not hasattr(op, "num_layers") else [f"layers.{i}." for i in range(op.num_layers)]:
        end = _layer(w, op, x, axis, end, list(hidden), f"{path}.{head}", rows, head)
    if getattr(op, "norm", False):
        end = _row(w, f"{path}.norm", "LayerNorm", [end], _norm_of(op), rows, "norm")
    w.refs[w.result(step)] = end


def _layer(
    w: Writing, op: Any, x: Value, axis: int, end: str, hidden: list[str], path: str, rows: dict[str, str], head: str
) -> str:
    """One layer of them, of which each module is a row; gives the name of its end."""
    assert x.tensor is not None
    past = x.tensor.with_shape(*(named(w.past) if place == axis else size for place, size in enumerate(_shape(x))))
    bias: dict[str, Any] = {} if op.bias else {"bias": False}

    def module(name: str, word: str, taken: list[str], **fields: Any) -> str:
        return _row(w, f"{path}{name}", word, taken, fields, rows, f"{head}{name}")

    def attended(value: str) -> str:
        seen = w.kept(value, past, axis)
        fields = {"num_heads": op.nhead, "batch_first": op.batch_first, **bias}
        return module("self_attn", "MultiheadAttention", [value, seen, seen, *hidden], **fields)

    def fed(value: str) -> str:
        inner = module("linear1", "Linear", [value], out_features=op.dim_feedforward, **bias)
        acted = w.row(w.free(f"{path}{op.activation}"), {"relu": "ReLU", "gelu": "GELU"}[op.activation], [inner], {})
        return module("linear2", "Linear", [acted], out_features=op.d_model, **bias)

    def normed(number: int, value: str) -> str:
        return module(f"norm{number}", "LayerNorm", [value], **_norm_of(op))

    def added(one: str, other: str) -> str:
        return w.row(w.free(f"{path}sum"), "Add", [one, other], {})

    if op.norm_first:
        middle = added(end, attended(normed(1, end)))
        return added(middle, fed(normed(2, middle)))
    middle = normed(1, added(end, attended(end)))
    return normed(2, added(middle, fed(middle)))


def _norm_of(op: Any) -> dict[str, Any]:
    """The fields of the norms of a transformer."""
    return {"eps": op.layer_norm_eps, **({} if op.bias else {"bias": False})}


def _row(
    w: Writing, path: str, word: str, inputs: list[str], fields: Mapping[str, Any], rows: dict[str, str], part: str
) -> str:
    """Write the row of a module that is a part of another one; gives its name."""
    rows[part] = w.row(w.free(path), word, inputs, fields)
    return rows[part]


def _passed(w: Writing, step: Step, inputs: Sequence[Value], path: str) -> None:
    """What does nothing in use, and is left out."""
    for value in values_of(step):
        w.origins[value] = inputs[0]


RULES: Table[Rule] = Table(
    {
        **dict.fromkeys(("Activation", "Elementwise", "Arithmetic", "Lerp", "Where", "MaskedFill"), _meeting),
        **dict.fromkeys(("LogicalNot", "LogicalAnd", "LogicalOr"), _meeting),
        **dict.fromkeys(("Dropping", "Identity"), _passed),
        **dict.fromkeys(("Linear",), _each),
        **dict.fromkeys(("Embedding", "OneHot"), _looked_up),
        **dict.fromkeys(("TrailingNorm", "LastAxesNorm"), _normed),
        **dict.fromkeys(("AlongAxis", "GLU", "Reduction", "Normalize", "TopK", "Sort"), _along_axis),
        **dict.fromkeys(("Reshape", "Permute", "Transpose", "MoveDim", "Squeeze", "Unsqueeze", "Expand"), _formed),
        **dict.fromkeys(("Flatten", "Unflatten", "RepeatInterleave"), _formed),
        **dict.fromkeys(("Cut", "Unbind"), _parted),
        **dict.fromkeys(("Select", "Slice"), _taken),
        **dict.fromkeys(("Concat", "Stack"), _joined),
        **dict.fromkeys(("MatMul", "BMM"), _product),
        "SDPA": _attended,
        "MultiheadAttention": _multihead,
        **dict.fromkeys(("RNN", "GRU", "LSTM"), _state),
        **dict.fromkeys(("Pad", "ConstantPad1d"), _padded),
        "Conv1d": _convolved,
        **dict.fromkeys(("TransformerEncoderLayer", "TransformerEncoder"), _layers),
    }
)
