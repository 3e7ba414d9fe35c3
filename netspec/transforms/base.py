"""What every transform is: fields, its rule for shapes, and what it does to a whole batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from netspec.catalogue import Entry
from netspec.layers.base import Misfit, Tensor, show

if TYPE_CHECKING:
    import torch
    from numpy.random import RandomState


class Step(Entry):
    """One step on the way from the source to the network."""

    takes_bytes: ClassVar[bool] = False
    """Whether bytes may stay bytes, because points only move. Otherwise they become 0.0 to 1.0 first."""

    def shape(self, x: Tensor) -> Tensor:
        """What comes out for this input, batch first. Raises Misfit."""
        return x


class Transform(Step):
    """One step for all data, the same each time. Batches are tensors with the batch as axis 0."""

    learns: ClassVar[bool] = False
    """Whether it must be fitted to the training data."""
    before_augment: ClassVar[bool] = False
    """Whether it comes before augmentation. From the first step that does not, all come after it."""

    def fitted(self, pieces: Iterable[torch.Tensor]) -> Transform:
        """The step to take, for one that depends on the training data, which comes in `pieces`."""
        return self

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The transformed batch: floats, or bytes too where `takes_bytes`."""
        raise NotImplementedError(type(self).__name__)


class Random(Step):
    """One step that chance has a part in. Only training data takes it."""


class Chance:
    """Random numbers for the samples of a batch, which follow from the state of `generator`.

    They are drawn for all `count` samples of the batch, also where only those at `places` are at hand: a sample
    meets the same chance however many processes share the batch.
    """

    def __init__(self, generator: torch.Generator, count: int, places: slice | torch.Tensor = slice(None)) -> None:
        self.generator, self.count, self.places = generator, count, places

    def uniform(self) -> torch.Tensor:
        """A number from 0 to 1 for each sample at hand."""
        import torch

        drawn = torch.rand(self.count, generator=self.generator, device=self.generator.device)
        return drawn[self.places]

    def below(self, end: int) -> torch.Tensor:
        """A whole number from 0 to `end` - 1 for each sample at hand."""
        import torch

        drawn = torch.randint(end, (self.count,), generator=self.generator, device=self.generator.device)
        return drawn[self.places]


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
