"""Makes a record of a plain nn.Module: its arguments from its constructor, its shapes from a rule or by measuring."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from netspec.layers.base import Layer
from netspec.losses.base import Loss
from netspec.records import REQUIRED, Bool, Entry, Field, Float, Int, Maybe, Text
from netspec.tensors import Tensor

KINDS: Final[dict[type, Callable[..., Field[Any]]]] = {int: Int, float: Float, bool: Bool, str: Text}
"""The arguments that a spec can write."""


def described(
    module: Any,
    *,
    words: Sequence[str] = (),
    inferred: Mapping[str, int] | None = None,
    shape: Callable[..., Tensor] | None = None,
    example: str = "",
    example_input: str = "",
    loss: bool = False,
) -> type[Entry]:
    """The record of a class of nn.Module. Raises TypeError where it is none, or takes what no spec can say."""
    from torch import nn

    if not (isinstance(module, type) and issubclass(module, nn.Module)):
        raise TypeError(f"{getattr(module, '__name__', module)} is not a class of nn.Module")
    own: dict[str, Any] = {
        "__doc__": inspect.getdoc(module) or f"Runs {module.__name__}.",
        "__module__": module.__module__,
        "words": tuple(words),
        "example": example or module.__name__.lower(),
        **_fields(module, inferred or {}),
    }
    if loss:
        own |= {"build": lambda self: module(**self.keywords()), "fit": lambda self, predictions, target: None}
        return type(module.__name__, (Loss,), own)
    own |= {
        "rule": "" if shape else "Whatever it gives for zeros of the input's shape: it is measured.",
        "example_input": example_input,
        "inputs": _inputs(module),
        "module": module,
        **_measured(shape),
    }
    return type(module.__name__, (Layer,), own)


def _measured(shape: Callable[..., Tensor] | None) -> dict[str, Any]:
    """The rules of a layer whose module is made and run to find them."""
    from netspec.plugins.measuring import buffers, measured, parameters

    return {
        "shape": (lambda self, *inputs: shape(self, *inputs)) if shape else measured,
        "parameters": parameters,
        "buffers": buffers,
        "macs": lambda self, inputs, output: None,
    }


def _inputs(module: Any) -> tuple[int, int]:
    """How few and how many tensors its forward takes."""
    taken = list(inspect.signature(module.forward).parameters.values())[1:]
    least = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in taken)
    most = 99 if any(p.kind is p.VAR_POSITIONAL for p in taken) else len(taken)
    return max(1, least), max(1, most)


def _fields(module: Any, inferred: Mapping[str, int]) -> dict[str, Field[Any]]:
    """A field for each argument of a module's constructor, by its annotations and defaults. Raises TypeError."""
    from torch import nn

    takes_none = module.__init__ is nn.Module.__init__
    hints = {} if takes_none else get_type_hints(module.__init__)
    parameters = [] if takes_none else list(inspect.signature(module.__init__).parameters.values())[1:]
    unknown = set(inferred) - {parameter.name for parameter in parameters}
    if unknown:
        raise TypeError(f"{module.__name__} has no argument {', '.join(sorted(unknown))} to infer")
    return {
        parameter.name: _field(module.__name__, parameter, hints.get(parameter.name), inferred.get(parameter.name))
        for parameter in parameters
    }


def _field(owner: str, parameter: inspect.Parameter, hint: Any, axis: int | None) -> Field[Any]:
    """The field of one argument of the constructor. Raises TypeError."""
    given = parameter.default is not inspect.Parameter.empty
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    plain = [kind for kind in kinds if kind is not type(None)] if hint else [type(parameter.default)]
    if (
        len(plain) != 1
        or plain[0] not in KINDS
        or parameter.kind
        not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        )
    ):
        text = f"{owner}({parameter.name}) needs one of these types, or a default of one: int, float, bool, str"
        raise TypeError(text)
    sentence = f"{parameter.name} of {owner}"
    if axis is not None:
        return Int(f"size of axis {axis} of the input", None, ge=1, axis=axis)
    default = parameter.default if given else REQUIRED
    field = KINDS[plain[0]](sentence, default, keyword=parameter.kind is parameter.KEYWORD_ONLY)
    return Maybe(field) if type(None) in kinds and default is not None else field
