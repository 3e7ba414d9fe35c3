"""What is known of tensors before anything runs, and how an operation refuses what does not fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from netspec.dims import BATCH, Dim, Size

Shape = tuple[Size, ...]
Dtype = Literal["float32", "int64", "bool"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is known of a tensor before anything runs: its shape, batch first, and its dtype."""

    shape: Shape
    """Numbers, and names for sizes that only the run knows: B is the batch."""
    dtype: Dtype = "float32"
    """By torch's name; all floats count as float32."""

    def __str__(self) -> str:
        return show(self.shape)

    def with_shape(self, *shape: Size) -> Tensor:
        """The same kind of tensor in another shape."""
        return replace(self, shape=shape)


def show(shape: Sequence[Size]) -> str:
    """A shape as people write it: `16 x 5 x 5`."""
    return " x ".join(f"({s})" if " " in str(s) else str(s) for s in shape) or "a single number"


def sample(shape: Sequence[Size]) -> str:
    """A shape without the batch, as a spec and its summary have it; whole where the batch does not come first."""
    return show(without_batch(shape))


def without_batch(shape: Sequence[Size]) -> Sequence[Size]:
    """A shape without the batch, where that comes first."""
    return shape[1:] if len(shape) and shape[0] == BATCH else shape


class Misfit(Exception):
    """An operation that does not fit its inputs or its own arguments.

    The message goes on where the operation's name leaves off: "declares 256 inputs, its
    input has 400". In the hint, `{source}` stands for the step that gave the input.
    `field` names the argument to point at; without it the whole call is meant.
    """

    def __init__(self, message: str, hint: str = "", *, field: str | None = None, code: str = "shape-mismatch") -> None:
        super().__init__(message)
        self.message, self.hint, self.field, self.code = message, hint, field, code


def axis_size(x: Tensor, axis: int) -> Size:
    """The size of one axis. Raises Misfit where the input has too few axes."""
    if not -len(x.shape) <= axis < len(x.shape):
        raise Misfit(f"needs an axis {axis}, its input is {x}, batch first", code="rank")
    return x.shape[axis]


def need_rank(x: Tensor, *ranks: int, what: str) -> None:
    """Refuse an input of another rank, batch included; `what` says what is taken: `channels x length`."""
    if len(x.shape) not in ranks:
        raise Misfit(f"takes {what}, its input is {sample(x.shape)}", code="rank")


def need_float(x: Tensor) -> None:
    """Refuse an input of whole numbers or booleans."""
    if x.dtype != "float32":
        raise Misfit(
            f"takes floats, its input is {x.dtype}",
            "Write `to float32` before it, or look whole numbers up in an embedding.",
            code="dtype",
        )


SIZED: Final = "Give that axis a number in `input`."
BACK: Final = "The batch is moved there: move it back before, to the first axis, where layers have it."
TOKENS: Final = f"If it counts tokens, write transpose 1 2 before: axis 1 holds the channels. Else g{SIZED[1:]}"


def need_known(size: Size, axis: int, hint: str = SIZED) -> int:
    """Refuse a size that only the run decides."""
    if isinstance(size, Dim):
        hint = BACK if size == BATCH else hint
        raise Misfit(f"must know the size of axis {axis}, which is {size}", hint, code="unknown-size")
    return size
