"""Skipped initialisation: a network is made without drawing the weights that it is about to be given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

DRAWS: Final = {Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_}
"""What torch's initialisers come down to, as far as a mode can see them."""


class Undrawn(TorchFunctionMode):
    """Within it, parameters are made but hold whatever the memory held; no random number is drawn for them.

    The meta device would leave buffers without values too, and its first random fill imports sympy, which takes
    longer than the drawing that it saves. Memory that nobody has written to costs nothing until then.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if func in DRAWS:
            filled = args[0] if args else named["tensor"]
            if isinstance(filled, nn.Parameter):
                return filled
        return func(*args, **named)
