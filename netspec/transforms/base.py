"""What every transform is: fields, its rule for shapes, and what it does to a whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from netspec.dims import Size
from netspec.errors import UsageError
from netspec.layers.windows import channels_last
from netspec.records import Entry, Field, Int, Maybe
from netspec.tensors import Misfit, Tensor, show

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.random import RandomState


class Step(Entry):
    """One step on the way from the source to the network."""

    takes_bytes: ClassVar[bool] = False
    """Whether bytes may stay bytes, because points only move. Otherwise they become 0.0 to 1.0 first."""
    moves: ClassVar[bool | None] = None
    """Whether points change places, so that a target on the image's grid must go along; None where nobody says."""

    def shape(self, x: Tensor) -> Tensor:
        """What comes out for this input, batch first. Raises Misfit."""
        return x

    def reaches(self, x: Tensor, target: Tensor) -> bool:
        """Whether a target lies on the grid of an input, as a mask lies on its image."""
        return 3 <= len(target.shape) <= 4 and len(x.shape) == 4 and target.shape[-2:] == x.shape[-2:]


@dataclass(frozen=True, slots=True)
class Maps:
    """How a target that lies on an image's grid is moved; it follows from the loss."""

    classes: bool = True
    """Whether floats stand for classes, or yes and no, which have nothing in between. Whole numbers always do."""
    fill: int | None = -100
    """The class that comes in from outside, which the loss skips; None where it skips none."""

    def near(self, dtype: Any) -> bool:
        """Whether each point is taken from the nearest one, and none is mixed."""
        return self.classes or "float" not in str(dtype)


TORCHS: Final = Maps()
"""The same where no loss is known: torch's losses of classes skip -100."""


class Moving(Step):
    """Moves the points of images, and with them those of a target on the same grid."""

    moves = True
    mask_fill: Any = None

    @property
    def frames(self) -> bool:
        """Whether points come in from outside."""
        return False

    def fill(self, maps: Maps, dtype: Any) -> int | None:
        """What comes in at the border of a map of this dtype; None where nobody has said. Floats get 0."""
        if self.mask_fill is not None:
            return int(self.mask_fill)
        return maps.fill if "int" in str(dtype) else 0

    def carried(self, target: Tensor, maps: Maps) -> Tensor:
        """What `carry` makes of a target. Raises Misfit."""
        if self.frames and maps.near(target.dtype) and self.fill(maps, target.dtype) is None:
            hint = "Write mask_fill= and the class that they are."
            raise Misfit("brings points into the target from outside, and the loss skips no class", hint)
        lone = len(target.shape) == 3
        image = Tensor((target.shape[0], 1, *target.shape[1:]) if lone else target.shape)
        moved = self.shape(image).shape
        return replace(target, shape=(moved[0], *moved[2:]) if lone else moved)

    def carry(self, target: torch.Tensor, maps: Maps, *chance: Chance) -> torch.Tensor:
        """A target as its image was moved: numbers as the image's points, classes from the nearest point."""
        image = target[:, None] if target.ndim == 3 else target
        if maps.near(target.dtype):
            moved = self.apply_map(image, self.fill(maps, target.dtype) or 0, *chance)
        else:
            moved = self.apply_image(image, *chance)
        return moved[:, 0] if target.ndim == 3 else moved

    def carry_array(self, target: np.ndarray[Any, Any], maps: Maps) -> np.ndarray[Any, Any]:
        """The same of an array, outside training. Raises UsageError where there is no such way."""
        image = target[:, None] if target.ndim == 3 else target
        if maps.near(target.dtype):
            moved = self.map_array(image, self.fill(maps, target.dtype) or 0)
        else:
            moved = self.apply_array(image)  # type: ignore[attr-defined]
        found: np.ndarray[Any, Any] = moved[:, 0] if target.ndim == 3 else moved
        return found

    def map_array(self, x: np.ndarray[Any, Any], fill: int) -> np.ndarray[Any, Any]:
        """What `apply_map` does, of an array."""
        moved: np.ndarray[Any, Any] = self.apply_array(x)  # type: ignore[attr-defined]
        return moved

    def apply_image(self, x: torch.Tensor, *chance: Chance) -> torch.Tensor:
        """The step as it is for images."""
        moved: torch.Tensor = self.apply(x, *chance)  # type: ignore[attr-defined]
        return moved

    def apply_map(self, x: torch.Tensor, fill: int, *chance: Chance) -> torch.Tensor:
        """The same for maps whose points are never mixed, and are `fill` where they come in from outside."""
        return self.apply_image(x, *chance)


def MaskFill() -> Field[int | None]:
    """What comes in at the border of a mask."""
    sentence = "what comes in at the border of a target of classes; by default the class that the loss skips"
    return Maybe(Int(sentence, None, keyword=True))


class Transform(Step):
    """One step for all data, the same each time. Batches are tensors with the batch as axis 0."""

    learns: ClassVar[bool] = False
    """Whether it must be fitted to the training data."""
    before_augment: ClassVar[bool] = False
    """Whether it comes before augmentation. From the first step that does not, all come after it."""

    def bounds(self, low: float, high: float) -> tuple[float, float] | None:
        """The least and the largest value that it makes of such values; None where that cannot be told."""
        return None

    def fitted(self, pieces: Iterable[torch.Tensor]) -> Transform:
        """The step to take, for one that depends on the training data, which comes in `pieces`."""
        return self

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The transformed batch: floats, or bytes too where `takes_bytes`."""
        raise NotImplementedError(type(self).__name__)

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The same of an array, without torch. Raises UsageError where there is no such way."""
        raise UsageError(
            f"the transform {self.said} is only done with torch: predict from the run, and not from a file"
        )


class Random(Step):
    """One step that chance has a part in. Only training data takes it."""


class Chance:
    """Random numbers for the samples of a batch, which follow from the state of `generator`.

    They are drawn for all `count` samples of the batch, also where only those at `places` are at hand: a sample
    meets the same chance however many processes share the batch.
    """

    def __init__(
        self,
        generator: torch.Generator,
        count: int,
        places: slice | torch.Tensor = slice(None),
        samples: torch.Tensor | None = None,
        epoch: int = 0,
    ) -> None:
        """Numbers for `count` samples, of which those at `places` are at hand: these `samples`, in this `epoch`."""
        self.generator, self.count, self.places = generator, count, places
        self.samples, self.epoch = samples, epoch
        self._drawn: list[torch.Tensor] = []
        self._given = 0

    def again(self) -> None:
        """Give the numbers since `onward` once more, in their order: what moves together meets one chance."""
        self._given = 0

    def onward(self) -> None:
        """Give new numbers from here."""
        self._drawn.clear()
        self._given = 0

    def uniform(self) -> torch.Tensor:
        """A number from 0 to 1 for each sample at hand."""
        import torch

        return self._next(lambda: torch.rand(self.count, generator=self.generator, device=self.generator.device))

    def below(self, end: int) -> torch.Tensor:
        """A whole number from 0 to `end` - 1 for each sample at hand."""
        import torch

        return self._next(
            lambda: torch.randint(end, (self.count,), generator=self.generator, device=self.generator.device)
        )

    def alternating(self) -> torch.Tensor:
        """Whether it is a sample's turn: in every other epoch, for half of all samples in the first.

        Which half follows from the numbers of the samples, by the last step of Steele et al.'s SplitMix (2014).
        """
        import torch

        samples = torch.arange(self.count)[self.places] if self.samples is None else self.samples
        mixed = (samples.to(self.generator.device) + 1) * 0x1CE4E5B9
        mixed = ((mixed ^ (mixed >> 13)) & 0x7FFFFFFF) * 0x133111EB
        return ((mixed >> 16) + self.epoch) % 2 == 1

    def _next(self, draw: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The next number, drawn now or, after `again`, the one that was drawn before."""
        if self._given == len(self._drawn):
            self._drawn.append(draw()[self.places])
        self._given += 1
        return self._drawn[self._given - 1]


class Augmentation(Random):
    """Changes each sample of a batch by itself."""

    def apply(self, x: torch.Tensor, chance: Chance) -> torch.Tensor:
        """The changed batch: floats, or bytes too where `takes_bytes`."""
        raise NotImplementedError(type(self).__name__)


class Mixing(Random):
    """Mixes each sample of a batch with another one. It meets finished batches, after all other steps.

    The target is mixed in the same proportion: numbers as they are, class numbers as a probability for each class.
    """

    def fit(self, inputs: Sequence[Tensor]) -> None:
        """Refuse inputs that cannot be mixed. Raises Misfit."""
        raise NotImplementedError(type(self).__name__)

    def mixed_target(self, target: Tensor, classes: Size) -> Tensor:
        """What becomes of the target: numbers stay numbers, a class becomes a share for each class. Raises Misfit."""
        if target.dtype == "float32":
            return target
        if target.dtype != "int64" or len(target.shape) != 1:
            text = f"mixes numbers, or one class number a sample, the target is {show(target.shape)} of {target.dtype}"
            raise Misfit(text)
        return Tensor((*target.shape, classes))

    def mix(self, inputs: Sequence[torch.Tensor], draw: RandomState) -> tuple[tuple[torch.Tensor, ...], float]:
        """The mixed inputs, and the share that each sample keeps of itself; the rest is its `partner`'s."""
        raise NotImplementedError(type(self).__name__)


def partner(x: torch.Tensor) -> torch.Tensor:
    """For each sample of a batch the one that it is mixed with: the one before it, and the last for the first."""
    return x.roll(1, 0)


def need_image(x: Tensor) -> tuple[int, int]:
    """Height and width of images. Raises Misfit for anything else."""
    height, width = x.shape[-2:] if len(x.shape) == 4 else (None, None)
    if not isinstance(height, int) or not isinstance(width, int):
        raise Misfit(f"takes images of channels x height x width, the data is {show(x.shape[1:])}", code="rank")
    if channels_last(x.shape[1:]):
        text = f"takes images of channels x height x width, the data is {show(x.shape[1:])}, with the channels last"
        raise Misfit(text, "Write the transform channels_first before it.")
    return height, width


def need_floats(x: Tensor) -> None:
    """Refuse whole numbers, which cannot become the values in between. Raises Misfit."""
    if x.dtype != "float32":
        hint = "Whole numbers become floats by the transform scale 1; numbers of words or categories stay as they are."
        raise Misfit(f"takes floats, the data is {x.dtype}", hint, code="dtype")


def pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """Height and width from one number or two."""
    height, width = (value, value) if isinstance(value, int) else value
    return height, width
