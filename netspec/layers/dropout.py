"""Dropout: numbers or whole channels that are switched off at random while training."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from netspec.layers.base import Layer
from netspec.layers.windows import AXES
from netspec.records import Bool, Float
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, need_float, need_rank


class Dropping(Layer):
    """What all dropouts share."""

    family = "dropout"
    drops = keeps_numbers = keeps_axes = True
    rule = "The shape of the input stays."
    functional = True
    only_in_training = True
    overwrites: ClassVar[bool] = True
    """Whether torch's function takes `inplace`; the modules of the others ignore it."""

    p = Float("probability of being switched off", 0.5, ge=0, le=1)
    inplace = Bool("overwrite the input, which saves memory", False)

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        return self

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


class Dropout(Dropping):
    """Sets numbers to 0 at random while training and scales the others up."""

    example, example_input = "dropout 0.1", "128"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The noise, or on a GPU a mask."""
        return tape.dropout(inputs[0], self.p)


class AlphaDropout(Dropping):
    """Sets numbers to SELU's lower limit at random, keeping mean and variance."""

    overwrites = False
    words = ("alpha_dropout",)
    example, example_input = "alpha_dropout 0.1", "128"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The noise of each number, which on a GPU is no mask either."""
        return tape.each(tape.dropout(inputs[0], self.p, inputs[0].shape)) if self.p else inputs[0]


class FeatureAlphaDropout(Dropping):
    """Sets whole channels to SELU's lower limit at random, keeping mean and variance."""

    overwrites = False
    words = ("feature_alpha_dropout",)
    example, example_input = "feature_alpha_dropout 0.1", "16x32x32"

    def fitted(self, *inputs: Tensor) -> Self:
        if len(inputs[0].shape) < 2:
            raise Misfit("takes channels, its input has none", code="rank")
        return super().fitted(*inputs)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The noise of each channel."""
        x = inputs[0]
        return tape.dropout(x, self.p, (*x.shape[:2], *(1,) * (len(x.shape) - 2)))


class ChannelDropout(Dropping):
    """Dropout1d, 2d and 3d."""

    dims: ClassVar[int]
    general = ("channel_dropout",)

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], self.dims + 2, what=AXES[self.dims])
        return super().fitted(*inputs)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The noise of each channel."""
        x = inputs[0]
        return tape.dropout(x, self.p, (*x.shape[:2], *(1,) * self.dims))


class Dropout1d(ChannelDropout):
    """Sets whole channels of a sequence to 0 at random while training."""

    dims, rank = 1, 3
    example, example_input = "dropout1d 0.1", "16x100"


class Dropout2d(ChannelDropout):
    """Sets whole channels of a map to 0 at random while training."""

    dims, rank = 2, 4
    example, example_input = "dropout2d 0.1", "16x32x32"


class Dropout3d(ChannelDropout):
    """Sets whole channels of a volume to 0 at random while training."""

    dims, rank = 3, 5
    example, example_input = "dropout3d 0.1", "16x8x8x8"
