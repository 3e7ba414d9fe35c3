"""Makes torch's optimizers from a spec's words.

Building any torch.optim optimizer imports torch._dynamo, more than a second and 800 modules, only
because some of its methods are wrapped to hide them from torch.compile. The training loop never
compiles an optimizer, so it takes the functions inside the wrappers; the arithmetic is torch's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.language.groups import Group, options_of
from netspec.optimizers.base import Optimizer

WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


@cache
def light(cls: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """`cls` without the wrappers that import torch._dynamo when they are first called."""
    bare = inspect.unwrap(cls.step)

    def step(self: Any, closure: Callable[[], Any] | None = None) -> Any:
        with torch.no_grad():
            return bare(self, closure)

    methods = {name: inspect.unwrap(getattr(cls, name)) for name in WRAPPED}
    return type(cls.__name__, (cls,), {**methods, "step": step, "__doc__": cls.__doc__})


def make_optimizer(
    entry: Optimizer, parameters: Iterable[tuple[str, nn.Parameter]], groups: Sequence[Group] = ()
) -> torch.optim.Optimizer:
    """The torch optimizer that `entry` names, over all parameters that are trained. Raises UsageError.

    Parameters with the same options of `groups` make one of torch's groups; those without come first.
    """
    name = type(entry).__name__
    cls = getattr(torch.optim, name, None)
    if cls is None:
        raise UsageError(f"this torch ({torch.__version__}) has no optimizer {name}. Install a newer one.")
    trained = [(path, p) for path, p in parameters if p.requires_grad]
    if not trained:
        raise UsageError("the network has no parameter to train. Unfreeze one, or add a layer that learns.")
    for path, p in trained:
        if entry.ranks and p.dim() not in entry.ranks:
            shape = " x ".join(map(str, p.shape))
            raise UsageError(f"{name} takes matrices only, {path} is {shape}. Take adamw, or freeze {path}.")
    return light(cls)(list(param_groups(trained, groups)), **_keywords(entry, trained[0][1].device))


def param_groups(parameters: Iterable[tuple[str, nn.Parameter]], groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    """The parameters as torch's groups: first those that no line matches, then the others as they come."""
    found: dict[tuple[tuple[str, Any], ...], list[nn.Parameter]] = {(): []}
    for name, parameter in parameters:
        options = options_of(name, groups)
        found.setdefault(tuple(sorted(options.items())), []).append(parameter)
    return ({"params": members, **dict(options)} for options, members in found.items() if members)


def _keywords(entry: Optimizer, device: torch.device) -> dict[str, Any]:
    """The arguments; where nothing is said, the CPU takes foreach if it gives the same bits with less Python."""
    found = entry.keywords()
    said = any(found.get(word) is not None for word in ("foreach", "fused"))
    if device.type == "cpu" and "foreach" in entry.fields and entry.same_together and not said:
        found["foreach"] = True
    return found
