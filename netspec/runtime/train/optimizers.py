"""Optimizers and parameter groups of torch's, from a spec's words.

Building any torch.optim optimizer imports torch._dynamo, more than a second and 800 modules, only
because some of its methods are wrapped to hide them from torch.compile. The training loop never
compiles an optimizer, so it takes the functions inside the wrappers; the arithmetic is torch's own.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, cast

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.optimizers.base import Optimizer
from netspec.optimizers.descent import Muon
from netspec.sections.param_groups import OTHER, SCHEDULE, Group, options_of
from netspec.tensors import show
from netspec.views.meaning import worded

WRAPPED: Final = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
NONE_LATER: Final[Mapping[str, str]] = {}
HOW: Final = ("foreach", "fused", "capturable")
"""Options that say how all parameters are updated at once."""


@cache
def light(cls: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """`cls` without the wrappers that import torch._dynamo when they are first called."""
    bare = inspect.unwrap(cls.step)

    def step(self: Any, closure: Callable[[], Any] | None = None) -> Any:
        with torch.no_grad():
            return bare(self, closure)

    methods = {name: inspect.unwrap(getattr(cls, name)) for name in WRAPPED}
    return type(cls.__name__, (cls,), {**methods, "step": step, "__doc__": cls.__doc__})


class Several(torch.optim.Optimizer):
    """Optimizers that update parameters of their own, as one: with the groups of all, one after the other."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        """All know their parameters. Torch's own constructor would take these for its own, and is not called."""
        self.parts = parts
        self.defaults = dict(parts[0].defaults)

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The groups of all, which a schedule moves."""
        return [group for part in self.parts for group in part.param_groups]

    @property
    def state(self) -> Any:  # type: ignore[override]
        """What all hold of their parameters; what a parameter has none of is not there."""
        return defaultdict(dict, {p: held for part in self.parts for p, held in part.state.items()})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all."""
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all, in order, behind `closure` where there is one; what that gives."""
        with torch.enable_grad():
            found = closure() if closure is not None else None
        for part in self.parts:
            part.step()
        return found

    def state_dict(self) -> dict[str, Any]:
        """That of one optimizer over all parameters, which are counted through."""
        held, groups, begin = dict[int, Any](), list[dict[str, Any]](), 0
        for part in self.parts:
            own = part.state_dict()
            held |= {begin + number: value for number, value in own["state"].items()}
            groups += [{**group, "params": [begin + n for n in group["params"]]} for group in own["param_groups"]]
            begin += sum(len(group["params"]) for group in own["param_groups"])
        return {"state": held, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up such a state."""
        left, begin = list(state_dict["param_groups"]), 0
        for part in self.parts:
            groups = [left.pop(0) for _ in part.param_groups]
            count = sum(len(group["params"]) for group in groups)
            held = {n - begin: x for n, x in state_dict["state"].items() if begin <= n < begin + count}
            own = [{**group, "params": [n - begin for n in group["params"]]} for group in groups]
            part.load_state_dict({"state": held, "param_groups": own})
            begin += count


def make_optimizer(
    entry: Optimizer,
    parameters: Iterable[tuple[str, nn.Parameter]],
    groups: Sequence[Group] = (),
    *,
    sparse: bool = False,
    capturable: bool = False,
    later: Mapping[str, str] = NONE_LATER,
) -> torch.optim.Optimizer:
    """The torch optimizer that `entry` names, over all parameters that are trained. Raises UsageError.

    Parameters with the same options of `groups` make one of torch's groups; those without come first, and those with
    an optimizer of their own last.
    `sparse` says that some gradients will be sparse, which rules out torch's fused updates; `capturable` that steps may
    be recorded, for which torch keeps on the device what an update depends on, where it can; `later` which parameters
    are trained from a later time on. They have groups of their own: fused SGD begins the momentum of a whole group.
    """
    trained = [(path, p) for path, p in parameters if p.requires_grad]
    if not trained:
        raise UsageError("the network has no parameter to train. Unfreeze one, or add a layer that learns.")
    taken: dict[Optimizer, list[tuple[str, nn.Parameter]]] = {}
    for path, p in trained:
        taken.setdefault(options_of(path, groups).get(OTHER, entry), []).append((path, p))
    own = [each for each in (entry, *taken) if each in taken]
    made = [
        _make_one(each, taken[each], groups, later, sparse=sparse, capturable=capturable) for each in dict.fromkeys(own)
    ]
    return made[0] if len(made) == 1 else Several(made)


def _make_one(
    entry: Optimizer,
    trained: Sequence[tuple[str, nn.Parameter]],
    groups: Sequence[Group],
    later: Mapping[str, str],
    *,
    sparse: bool,
    capturable: bool,
) -> torch.optim.Optimizer:
    """The torch optimizer that `entry` names, over parameters that are its own. Raises UsageError."""
    name = type(entry).__name__
    cls = getattr(torch.optim, name, None)
    if cls is None:
        raise UsageError(f"this torch ({torch.__version__}) has no optimizer {name}. Install a newer one.")
    for path, p in trained:
        if entry.ranks and p.dim() not in entry.ranks:
            text = f"{entry.said} takes matrices and filters only, {path} is {show(tuple(p.shape))}"
            way = f'Give it another optimizer, as in groups: {{"{path}": adamw lr=1e-3}}.'
            if path.startswith("loss."):  # which no line of groups matches
                way = f"What a loss learns goes to the optimizer itself: take adamw, and {entry.said} under groups."
            raise UsageError(f"{text}. {way}")
    keywords = entry.keywords()
    if all(keywords.get(word) is None for word in HOW):
        keywords |= _update_kind(entry, [p for _, p in trained], sparse)
    if capturable and keywords.get("foreach") is not False and "capturable" in inspect.signature(cls).parameters:
        keywords |= {"capturable": True} | ({} if keywords.get("fused") else {"foreach": True})
    made = list(param_groups(trained, groups, later))
    if isinstance(entry, Muon):
        return muon(made, keywords, entry.rescaled)
    optimizer: Any = light(cls)(made, **keywords)
    optimizer._warned_capturable_if_run_uncaptured = True  # torch warns of speed, and here bits matter more
    return cast("torch.optim.Optimizer", optimizer)


def muon(groups: Sequence[dict[str, Any]], keywords: Mapping[str, Any], rescaled: bool) -> torch.optim.Optimizer:
    """Torch's Muon, which takes matrices only, over filters too.

    `rescaled`, or that option of a group, brings them to a norm before each step.
    """
    groups = [{"rescaled": True, **group} for group in groups] if rescaled else groups
    flat = [{**group, "params": [nn.Parameter(_matrix(p)) for p in group["params"]]} for group in groups]
    made: Any = _flattening()(flat, **keywords)
    made.defaults["rescaled"] = rescaled
    for own, group in zip(made.param_groups, groups, strict=True):
        own["params"] = group["params"]
    return cast("torch.optim.Optimizer", made)


@cache
def _flattening() -> type[torch.optim.Optimizer]:
    """Torch's Muon over parameters of more axes, each updated as the matrix whose memory it is."""
    base: Any = light(torch.optim.Muon)

    class Muon(base):  # type: ignore[misc]  # which class it is, is known when it runs
        def _init_group(self, group: Any, parameters: list[Any], gradients: list[Any], momenta: list[Any]) -> bool:
            for p in group["params"]:
                if p.grad is not None and "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            complex_ones: bool = super()._init_group(group, parameters, gradients, momenta)
            for n, p in enumerate(parameters):
                parameters[n], momenta[n] = _matrix(p), _matrix(momenta[n])
                gradients[n] = gradients[n].permute(_order(p)).reshape(len(p), -1)
                if group.get("rescaled"):
                    parameters[n].mul_(len(p) ** 0.5 / parameters[n].norm().clamp(min=group["eps"]))
            return complex_ones

    return Muon


def _order(p: torch.Tensor) -> list[int]:
    """The axes of a parameter as they lie in memory, its first axis first."""
    rest = range(1, p.dim())
    return [0, *(rest if p.is_contiguous() else sorted(rest, key=p.stride().__getitem__, reverse=True))]


def _matrix(p: torch.Tensor) -> torch.Tensor:
    """The memory of a parameter as a matrix, (outputs, all else); orthogonalising knows no order of columns."""
    return p.detach() if p.dim() == 2 else p.detach().permute(_order(p)).view(len(p), -1)


def param_groups(
    parameters: Iterable[tuple[str, nn.Parameter]], groups: Sequence[Group], later: Mapping[str, str] = NONE_LATER
) -> Iterator[dict[str, Any]]:
    """The parameters as torch's groups: first those that no line matches, then the others as they come."""
    found: dict[tuple[str, tuple[tuple[str, Any], ...]], list[nn.Parameter]] = {("", ()): []}
    for name, parameter in parameters:
        options = {key: value for key, value in options_of(name, groups).items() if key != OTHER}
        if SCHEDULE in options:  # by its text, as a saved state has it
            options[SCHEDULE] = worded(options[SCHEDULE])
        found.setdefault((later.get(name, ""), tuple(sorted(options.items()))), []).append(parameter)
    return ({"params": members, **dict(options)} for (_, options), members in found.items() if members)


def gives_sparse(module: nn.Module) -> bool:
    """Whether the gradients of a module's own weights are sparse, as those of `embedding sparse`."""
    return getattr(module, "sparse", False) is True


def _update_kind(entry: Optimizer, parameters: Sequence[nn.Parameter], sparse: bool) -> dict[str, bool]:
    """How all parameters are updated at once: by one kernel where torch has one, which passes over the memory once.

    Elsewhere the CPU takes foreach if it gives the same bits with less Python; an accelerator takes torch's choice.
    """
    device = parameters[0].device.type
    # A DTensor, of which each process holds a part, is of another type; torch fuses only some updates of it.
    plain = all(type(p) is nn.Parameter and p.is_floating_point() for p in parameters)
    if "fused" in entry.fields and device in entry.fused_on and plain and not sparse:
        return {"fused": True}
    return {"foreach": True} if device == "cpu" and "foreach" in entry.fields and entry.foreach_is_exact else {}


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take up a saved state. How updates are computed suits where they are, and is not taken from it."""
    groups = zip(state["param_groups"], optimizer.param_groups, strict=True)
    kept = [{**saved, **{word: own[word] for word in HOW if word in own}} for saved, own in groups]
    optimizer.load_state_dict({**state, "param_groups": kept})
    for parameter, held in optimizer.state.items():
        for name, value in held.items():
            held[name] = _laid_out(value, parameter)


def _laid_out(value: Any, like: torch.Tensor) -> Any:
    """A tensor as large as a parameter, its numbers in the same order in memory, as torch's fused kernels take it."""
    if not isinstance(value, torch.Tensor) or value.shape != like.shape or value.stride() == like.stride():
        return value
    return torch.empty_like(like, dtype=value.dtype).copy_(value)
