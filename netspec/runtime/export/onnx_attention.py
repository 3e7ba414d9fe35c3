"""Attention over any number of axes as ONNX takes it, which has it over batch x heads x length x width alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

AXES: Final = 4


class FourAxes(TorchFunctionMode):
    """Within it, attention over more axes folds the first ones into one, and over fewer gets axes of 1.

    A mask is stretched over what is folded. The results are the same numbers.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if func is functional.scaled_dot_product_attention and max(x.ndim for x in args[:3]) != AXES:
            return _folded(*args, **named)
        return func(*args, **named)


def _folded(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
    """scaled_dot_product_attention over batch x heads x length x width."""
    whole = (*query.shape[:-1], value.shape[-1])
    if attn_mask is not None:
        attn_mask = _four(attn_mask.expand(*query.shape[:-1], key.shape[-2]))
    found = functional.scaled_dot_product_attention(
        _four(query), _four(key), _four(value), attn_mask=attn_mask, **options
    )
    return found.reshape(whole)


def _four(x: Tensor) -> Tensor:
    """The same numbers over four axes, the last three of them as they are."""
    return x.flatten(0, -AXES) if x.ndim > AXES else x.reshape((1,) * (AXES - x.ndim) + tuple(x.shape))
