"""A forward pass in symbols: the functions of torch, what each gives, and what its backward pass will read.

torch keeps a tensor where a gradient is wanted that is computed from it (derivatives.yaml in torch's sources). What is
made and not kept is gone when the next function has read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netspec.dims import Size, product
from netspec.saved.held import BYTES, Held, Shape, Storage, alike, dense, pixelwise
from netspec.tensors import Tensor


def _unknown(name: str) -> Held:
    """Of an operation that owns nothing."""
    raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Made:
    """A tensor that was made."""

    storage: Storage
    of: tuple[Storage, ...]
    """What it is computed from."""
    back: tuple[Storage, ...]
    """Those of them that want gradients."""
    work: Storage | None = None
    """What it is computed in, forward and backward, and is gone then."""


@dataclass
class Tape:
    """What is kept of all that was computed so far."""

    short: bool = False
    """Whether torch computes in bfloat16 where its autocast does."""
    cuda: bool = False
    """Whether on a GPU of NVIDIA, whose kernels keep other things than those of the CPU."""
    pixelwise: bool = False
    """Whether the weights of convolutions over maps are stored pixel by pixel."""
    unrolls: bool = False
    """Whether convolutions in bfloat16 first write out all windows of their input, for want of a kernel."""
    own: Callable[[str], Held] = _unknown
    """The parameters and buffers of the operation at hand, by name."""
    saved: dict[Storage, Size] = field(default_factory=dict)
    """How often each piece of memory is there that backward reads; parameters and buffers apart."""
    made: list[Made] = field(default_factory=list)
    """All tensors that were made, in order."""
    first_kept: dict[Storage, int] = field(default_factory=dict)
    """How many had been made when each piece of memory was kept first: backward frees it when it comes back there."""
    unknown: dict[str, None] = field(default_factory=dict)
    """The operations of which it is not known what they keep."""
    times: Size = 1
    """How often what is made now is made."""
    made_storages: dict[Storage, Size] = field(default_factory=dict)
    """All memory that was made, and how often."""
    _casts: dict[str, Held] = field(default_factory=dict)

    @property
    def bytes(self) -> Size:
        """Of all that is kept."""
        total: Size = 0
        for storage, times in self.saved.items():
            total = total + storage.bytes * times
        return total

    def keep(self, *tensors: Held | None) -> None:
        """Keep tensors until backward has read them."""
        for each in tensors:
            if each is not None and not each.storage.lasting:
                self.saved.setdefault(each.storage, self.made_storages.get(each.storage, 1))
                self.first_kept.setdefault(each.storage, len(self.made))

    def new(self, shape: Sequence[Size], of: Sequence[Held] = (), dtype: str = "", like: Held | None = None) -> Held:
        """A tensor in memory of its own that is computed from others.

        Its dtype is theirs where none is said. Its numbers lie as those of `like` do, else of the first of them with
        its shape, in their order where there is none.
        """
        shape = tuple(shape)
        dtype = dtype or self.promoted(of)
        if like is None:
            like = next((each for each in of if each.shape == shape), None)
        strides = dense(shape) if like is None or len(like.shape) != len(shape) else alike(shape, like.strides)
        storage = Storage(product(shape) * BYTES[dtype])
        self.made_storages[storage] = self.times
        self.made.append(
            Made(storage, tuple(each.storage for each in of), tuple(each.storage for each in of if each.grad))
        )
        floats = dtype in ("float32", "bfloat16")
        return Held(storage, shape, strides, dtype, floats and any(each.grad for each in of))

    def promoted(self, tensors: Sequence[Held]) -> str:
        """The dtype that torch gives tensors of these."""
        found = {each.dtype for each in tensors if each.shape} or {each.dtype for each in tensors}
        return next((dtype for dtype in ("float32", "bfloat16", "int64") if dtype in found or not found), "bool")

    # --- autocast -------------------------------------------------------------------------------

    def low(self, *tensors: Held) -> tuple[Held, ...]:
        """Tensors as a matrix product takes them: in bfloat16 under autocast. Casts of weights are made once."""
        return tuple(self._cast(each, "bfloat16") for each in tensors) if self.short else tensors

    def full(self, *tensors: Held) -> tuple[Held, ...]:
        """Tensors as functions take them that autocast computes in float32."""
        return tuple(self._cast(each, "float32") for each in tensors) if self.short else tensors

    def full_in_volumes(self, x: Held) -> Held:
        """A tensor as pools take it: in float32 over volumes."""
        return self.full(x)[0] if len(x.shape) == 5 else x

    def full_on_gpu(self, *tensors: Held) -> tuple[Held, ...]:
        """The same for functions that are computed in float32 on GPUs alone."""
        return self.full(*tensors) if self.cuda else tensors

    def _cast(self, x: Held, dtype: str) -> Held:
        """A tensor in another dtype. Nothing is kept of a cast, and a trained weight is cast once in a step."""
        if not x.floats or x.dtype == dtype:
            return x
        numbers = product(x.shape) * BYTES[x.dtype]
        whole = (x.contiguous or x.channels_last) and x.storage.bytes == numbers  # each cast of a view is made anew
        once = x.storage.lasting and x.grad and whole and x.storage.name
        if once and once in self._casts:
            return self._casts[once]
        made = self.new(x.shape, [x], dtype)
        if once:
            self._casts[once] = made
        return made

    # --- functions of torch ---------------------------------------------------------------------

    def each(self, x: Held, keeps: str = "", dtype: str = "") -> Held:
        """A function of each number, whose backward reads its input, its result or nothing."""
        made = self.new(x.shape, [x], dtype)
        if made.grad:
            self.keep(*([x] if "input" in keeps else []), *([made] if "result" in keeps else []))
        return made

    def add(self, *tensors: Held, dtype: str = "") -> Held:
        """A sum, or a difference; nothing is kept."""
        total = tensors[0]
        for each in tensors[1:]:
            total = self.new(stretched(total.shape, each.shape), [total, each], dtype)
        return total

    def mul(self, x: Held, y: Held) -> Held:
        """A product: for the gradient of each factor the other is kept."""
        made = self.new(stretched(x.shape, y.shape), [x, y])
        self.keep(y if x.grad else None, x if y.grad else None)
        return made

    def div(self, x: Held, y: Held) -> Held:
        """A quotient: the divisor is kept, and for its gradient both."""
        made = self.new(stretched(x.shape, y.shape), [x, y], "" if x.floats or y.floats else "float32")
        self.keep(y if made.grad else None, x if y.grad else None)
        return made

    def reshape(self, x: Held, shape: Sequence[Size]) -> Held:
        """Another shape: a view where that can be, else a copy."""
        viewed = x.viewed(tuple(shape))
        return viewed if viewed is not None else self.new(shape, [x], x.dtype)

    def flatten(self, x: Held, first: int = 0, last: int = -1) -> Held:
        """Several axes as one."""
        if not x.shape:
            return self.reshape(x, (1,))
        a, b = x.at(first), x.at(last)
        return self.reshape(x, (*x.shape[:a], product(x.shape[a : b + 1]), *x.shape[b + 1 :]))

    def contiguous(self, x: Held) -> Held:
        """Its numbers in their order: a copy where they are not."""
        return x if x.contiguous else replace(self.new(x.shape, [x], x.dtype), strides=dense(x.shape))

    def mapped(self, x: Held) -> Held:
        """The same; a map that is stored pixel by pixel stays so."""
        return x if x.channels_last else self.contiguous(x)

    def mm(self, x: Held, y: Held, shape: Shape) -> Held:
        """A matrix product, or several: for the gradient of each factor the other is kept."""
        made = replace(self.new(shape, [x, y]), strides=dense(shape))
        self.keep(x if y.grad else None, y if x.grad else None)
        return made

    def linear(self, x: Held, weight: Held, bias: Held | None = None) -> Held:
        """x times the transposed weight, which acts on the last axis. An input that is no matrix is seen as one."""
        given = [*self.low(x, weight), *(self.low(bias) if bias is not None else ())]
        x, weight = given[:2]
        rows = self.flatten(x, 0, -2) if len(x.shape) > 2 else x
        out = weight.shape[0]
        made = self.mm(rows, weight, (*rows.shape[:-1], out))
        made = replace(made, grad=any(each.grad for each in given))
        return replace(made, shape=(*x.shape[:-1], out), strides=dense((*x.shape[:-1], out)))

    def linear_cross_entropy(self, x: Held, owned: Sequence[Held], stretch: int) -> Held:
        """The loss of the scores that a last layer with these parameters gives, so many of them at a time.

        Their gradients are made beside it, and are no tensors that backward reads.
        """
        given = [each for each in (x, *owned) if each.grad]
        beside = [self.new(each.shape, dtype=each.dtype) for each in given]
        scores = [self.new((stretch,), dtype="float32") for _ in range(2)]  # and their probabilities
        loss = self.new((), [x, *owned, *beside, *scores], "float32")
        return replace(loss, grad=bool(given))

    def matmul(self, x: Held, y: Held) -> Held:
        """A product of matrices, or of batches of them, which become one batch: a copy where they lie otherwise."""
        x, y = self.low(x, y)
        if len(x.shape) == 1 or len(y.shape) == 1:
            return self._vector(x, y)
        if len(x.shape) == 2 and len(y.shape) == 2:
            return self.mm(x, y, (x.shape[0], y.shape[1]))
        if len(y.shape) == 2:
            made = self.mm(self.flatten(x, 0, -2), y, (product(x.shape[:-1]), y.shape[1]))
            return self.reshape(made, (*x.shape[:-1], y.shape[1]))
        if len(x.shape) == 2:
            turned = y.transpose(-1, -2)
            self.mm(self.flatten(turned, 0, -2), x, (product(turned.shape[:-1]), x.shape[0]))
            shape = (*turned.shape[:-1], x.shape[0])
            return self.new(shape, [x, y]).transpose(-1, -2)
        batch = stretched(x.shape[:-2], y.shape[:-2])
        first = self.reshape(x.expand((*batch, *x.shape[-2:])), (product(batch), *x.shape[-2:]))
        second = self.reshape(y.expand((*batch, *y.shape[-2:])), (product(batch), *y.shape[-2:]))
        shape = (*batch, x.shape[-2], y.shape[-1])
        return replace(self.mm(first, second, (product(batch), *shape[-2:])), shape=shape, strides=dense(shape))

    def _vector(self, x: Held, y: Held) -> Held:
        """A product with a vector."""
        shape = (*x.shape[:-1], *(y.shape[:-2] + y.shape[-1:] if len(y.shape) > 1 else ()))
        made = self.new(shape, [x, y])
        self.keep(x if y.grad else None, y if x.grad else None)
        return made

    def softmax(self, x: Held) -> Held:
        """softmax or its logarithm; the result is kept."""
        (x,) = self.full_on_gpu(x)
        made = replace(self.new(x.shape, [x]), strides=dense(x.shape))
        self.keep(made if made.grad else None)
        return made

    def dropout(self, x: Held, p: Any, noise: Shape | None = None) -> Held:
        """Numbers switched off in training: the noise that they are multiplied by is kept, on a GPU a mask of bytes."""
        if p == 0:
            return x
        made = self.new(x.shape, [x])
        if not made.grad:
            return made
        if p == 1 and not self.cuda:  # which multiplies by a single 0
            self.keep(self.new((), dtype=x.dtype))
        elif self.cuda and noise is None:
            self.keep(self.new(x.shape, dtype="bool"))
        else:
            self.keep(self.new(x.shape if noise is None else noise, dtype=x.dtype))
        return made

    def norm(self, x: Held, *weights: Held | None, groups: Shape, mapped: bool = False) -> Held:
        """A norm in one kernel: its input is kept, and mean and deviation of each group, in float32."""
        (x,) = self.full_on_gpu(x)
        given = [x, *(w for w in weights if w is not None)]
        made = replace(self.new(x.shape, given, x.dtype), strides=x.strides if mapped else dense(x.shape))
        if made.grad:
            full = self.cuda or any(w.dtype == "float32" for w in given[1:])
            self.keep(x, *(self.new(groups, dtype="float32" if full else x.dtype) for _ in range(2)))
        return made

    def batch_norm(self, x: Held, *weights: Held | None) -> Held:
        """A norm over the batch: its input is kept, and mean and deviation of each channel."""
        given = [x, *(w for w in weights if w is not None)]
        made = self.new(x.shape, given, x.dtype)
        if made.grad:
            self.keep(x, *(self.new((x.shape[1],), dtype="float32") for _ in range(2)))
        return made

    def rms_norm(self, x: Held, weight: Held | None, axes: int) -> Held:
        """A norm by the root of the mean square: one kernel on a GPU, several functions on the CPU."""
        one = x.shape[: len(x.shape) - axes] + (1,) * axes
        if self.cuda:
            given = [x, *([weight] if weight is not None else [])]
            made = self.new(x.shape, given, x.dtype)
            if made.grad:
                self.keep(x, self.new(one, dtype="float32"))
            return made
        dtype = x.dtype
        x = self._cast(x, "float32")
        square = self.new(one, [self.each(x, "input")])
        made = self.mul(x, self.each(square, "result"))
        if weight is not None:
            made = self.mul(made, weight)
        return self._cast(made, dtype)

    def conv(
        self, x: Held, weight: Held, bias: Held | None, shape: Sequence[Size], windows: Sequence[Size] = (0,)
    ) -> Held:
        """A convolution; its input and its weight are kept. `windows` is the shape of those written out."""
        given = [*self.low(x, weight), *(self.low(bias) if bias is not None else ())]
        x, weight = given[:2]
        made = self.new(shape, given)
        owned = self.pixelwise and weight.storage.lasting
        if len(shape) == 4 and (x.channels_last or weight.channels_last or owned):
            made = replace(made, strides=pixelwise(tuple(shape)))
        else:
            made = replace(made, strides=dense(shape))
        self.keep(x if made.grad else None, weight if made.grad else None)
        if self.short and self.unrolls:
            self.work(product(windows) * BYTES["bfloat16"])
        elif weight.grad and not self.short and not self.cuda:
            # The gradient of the weight in the order in which oneDNN makes it, and brought back into torch's.
            self.work(product(weight.shape) * (2 * BYTES["float32"]))
        return made

    def work(self, size: Size) -> None:
        """Bytes in which the newest tensor is computed, forward and backward."""
        work = Storage(size)
        self.made_storages[work] = self.times
        self.made[-1] = replace(self.made[-1], work=work)

    def attention(
        self,
        query: Held,
        key: Held,
        value: Held,
        mask: Held | None = None,
        dropout: Any = 0,
        shared: bool = False,
    ) -> Held:
        """Scaled dot product attention by the kernel that torch chooses.

        Fused, all inputs are kept, the result and a number for each query; else the scores too.
        """
        query, key, value = self.low(query, key, value)
        shape = (*query.shape[:-1], value.shape[-1])
        if mask is not None and mask.dtype == "bool":
            mask = self.new(mask.shape, dtype=query.dtype)
        fused = len(query.shape) == 4 and query.shape[-1] == value.shape[-1] and (mask is None or not mask.grad)
        steps = all(1 in (x.strides[-1], x.shape[-1]) for x in (query, key, value))
        if fused and steps and (self.cuda or dropout == 0):
            made = self.new(shape, [query, key, value], like=query)
            if made.grad:
                self.keep(query, key, value, mask, made, self.new(query.shape[:-1], dtype="float32"))
            return made
        if shared:
            key, value = (self.new((*query.shape[:-2], *x.shape[-2:]), [x]) for x in (key, value))
        dtype, short = query.dtype, self.short
        self.short = False  # the steps of this kernel are below autocast, and are computed in float32
        query, key, value = (self._cast(x, "float32") for x in (query, key, value))
        scores = self.matmul(self.each(query), self.each(key.transpose(-1, -2)))
        if mask is not None:
            scores = self.add(scores, mask)
        made = self.matmul(self.dropout(self.each(scores, "result"), dropout), value)
        self.short = short
        return self._cast(made, dtype)

    def padded(self, x: Held, shape: Sequence[Size], mode: str) -> Held:
        """More places at the ends of axes: where they are copied by a function of torch, the input is kept."""
        if mode == "replicate" or (mode == "reflect" and len(x.shape) < 5):
            (x,) = self.full(x)
        made = self.new(shape, [x], x.dtype)
        if len(made.shape) == 4 and x.channels_last and mode != "circular":
            made = replace(made, strides=pixelwise(made.shape))
        self.keep(x if made.grad and mode in ("reflect", "replicate") else None)
        return made

    def averaged(self, x: Held, shape: Sequence[Size]) -> Held:
        """Means over windows that make this shape; of a single window, which is a mean, nothing is kept."""
        single = all(size == 1 for size in shape[2:])
        x = x if single else self.full_in_volumes(x)
        made = self.new(shape, [x], x.dtype)
        if len(made.shape) == 4 and x.channels_last:
            made = replace(made, strides=pixelwise(made.shape))
        self.keep(x if made.grad and not single else None)
        return made

    def normalized(self, x: Held, dim: int = 1) -> Held:
        """Vectors divided by their lengths."""
        one = tuple(1 if d == x.at(dim) else size for d, size in enumerate(x.shape))
        length = self.new(one, [x])
        self.keep(*((x, length) if x.grad else ()))
        return self.div(x, self.each(length, "input").expand(x.shape))

    # --- losses ---------------------------------------------------------------------------------

    def picked(self, x: Held, target: Held) -> Held:
        """The negative of the numbers that a target picks, and what all of them count for, which is kept too."""
        if len(x.shape) not in (2, 4):
            x, target = self.contiguous(x), self.contiguous(target)
        made = self.new((), [x])
        if made.grad:
            self.keep(x, target, self.new(()))
        return made

    def compared(self, x: Held, target: Held) -> Held:
        """A loss of each number and its target, which are kept."""
        made = self.new((), [x, target])
        if made.grad:
            self.keep(x, target)
        return made

    def unread_loss(self, said: str, given: Sequence[Held]) -> Held:
        """A loss of which it is not known what it keeps."""
        self.unknown.setdefault(said)
        return self.new((), given)

    # --- operations -----------------------------------------------------------------------------

    def plain(self, op: Any, inputs: Sequence[Held], keeps: str = "") -> Any:
        """An operation that gives new tensors, and whose backward reads what `keeps` names.

        That is its first `input`, the `second`, the `third` or all `inputs`, its `result`, or of two results the
        second, the `places` where it found the first.
        """
        made = self.shaped(op.shape(*(x.tensor for x in inputs)), inputs)
        results = _flat(made)
        known = {
            "input": inputs[:1],
            "second": inputs[1:2],
            "third": inputs[2:3],
            "inputs": inputs,
            "result": results,
            "places": results[1:],
        }
        if any(each.grad for each in results):
            for word in keeps.split():
                self.keep(*known[word])
        return made

    def shaped(self, shapes: Tensor | tuple[Any, ...], inputs: Sequence[Held]) -> Any:
        """New tensors of these shapes, which are computed from the inputs."""
        if isinstance(shapes, tuple):
            return tuple(self.shaped(each, inputs) for each in shapes)
        dtype = shapes.dtype
        floats = [x for x in inputs if x.floats]
        made = self.new(shapes.shape, inputs, self.promoted(floats) if dtype == "float32" and floats else dtype)
        pixels = [x.channels_last for x in inputs if x.shape != made.shape and len(x.shape) == len(made.shape) == 4]
        return replace(made, strides=pixelwise(made.shape)) if pixels and all(pixels) else made

    def unread(self, op: Any, inputs: Sequence[Held], layer: Any = None) -> Any:
        """An operation, or a layer that it wraps, of which it is not known what it keeps."""
        self.unknown.setdefault(op.said)
        return _graded(self.shaped((layer or op).shape(*(x.tensor for x in inputs)), inputs))


def _flat(made: Any) -> list[Held]:
    """All tensors of a result, nested or not."""
    return [held for each in made for held in _flat(each)] if isinstance(made, tuple) else [made]


def _graded(made: Any) -> Any:
    """Tensors for which gradients are wanted wherever they are floats."""
    if isinstance(made, tuple):
        return tuple(map(_graded, made))
    return replace(made, grad=made.floats)


def stretched(one: Shape, other: Shape) -> Shape:
    """The shape that two broadcast to."""
    length = max(len(one), len(other))
    first, second = ((1,) * (length - len(s)) + tuple(s) for s in (one, other))
    return tuple(b if a == 1 else a for a, b in zip(first, second, strict=True))
