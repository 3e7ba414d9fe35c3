"""The form of a saved state, held against what the run itself would save: names, kinds of values, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import nn

from netspec.optimizers.adam import SparseAdam
from netspec.runtime.train.optimizers import make_optimizer
from netspec.sections.param_groups import options_of
from netspec.sections.train_record import Train

OPTIONAL: Final = {"NoneType", "number", "bool", "tensor"}
"""Kinds of values that may be there or not."""
SIZES: Final = (2, 3, 5, 7, 11, 13)
"""The axes of a small parameter: each has another size, so that what is as long is known to be so for its sake."""
Named = Sequence[tuple[str, nn.Parameter]]
Forms = Mapping[tuple[Any, ...], tuple[nn.Parameter, Mapping[str, Any]]]
"""Of each sort of parameters a small one, and what an optimizer holds of it."""


def need_alike(saved: Any, own: Any, name: str) -> None:
    """Refuse a saved value that is not of the form of the run's own: keys, kinds of values, lengths, shapes, dtypes.

    What is None in one of them may be a number or a tensor in the other. Raises ValueError.
    """
    kinds = {_kind(saved), _kind(own)}
    if isinstance(own, dict) and isinstance(saved, dict):
        for key in own.keys() ^ saved.keys():
            raise ValueError(f"{name} {'lacks' if key in own else 'has, beside what a run saves,'} {key!r}")
        for key, value in own.items():
            need_alike(saved[key], value, f"{name}.{key}")
    elif isinstance(own, tuple | list) and type(saved) is type(own) and len(own) == len(saved):
        for number, pair in enumerate(zip(saved, own, strict=True)):
            need_alike(*pair, f"{name}.{number}")
    elif isinstance(own, torch.Tensor) and isinstance(saved, torch.Tensor):
        need_tensor(saved, own.shape, own.dtype, name)
    elif isinstance(own, dict | tuple | list) or (len(kinds) > 1 and not ("NoneType" in kinds and kinds <= OPTIONAL)):
        raise ValueError(f"{name} is not what a run saves")


def need_tensor(saved: Any, shape: Sequence[int], dtype: torch.dtype, name: str) -> None:
    """Refuse what is no tensor of this shape and dtype, or holds NaN. Raises ValueError."""
    _need_shaped(saved, shape, dtype, name)
    if saved.is_floating_point() and bool(saved.isnan().any()):
        raise ValueError(f"{name} holds NaN")


def _need_shaped(saved: Any, shape: Sequence[int], dtype: torch.dtype, name: str) -> None:
    """Refuse what is no tensor of this shape and dtype. Raises ValueError."""
    if not isinstance(saved, torch.Tensor):
        raise ValueError(f"{name} is no tensor")
    if saved.shape != tuple(shape) or saved.dtype != dtype:
        raise ValueError(f"{name} is {_told(saved.shape, saved.dtype)}, and a run saves {_told(shape, dtype)}")


def need_tensors(saved: Any, own: Mapping[str, torch.Tensor], name: str) -> None:
    """Refuse what are not tensors with these names, shapes and dtypes. Raises ValueError."""
    if not isinstance(saved, dict) or saved.keys() != own.keys():
        names = ", ".join(sorted(map(str, own.keys() ^ saved.keys()))[:5]) if isinstance(saved, dict) else "all"
        raise ValueError(f"{name} has other names than the run's: {names}")
    for key, like in own.items():
        _need_shaped(saved[key], like.shape, like.dtype, f"{name}.{key}")


def need_held(saved: Any, optimizer: torch.optim.Optimizer, train: Train, named: Named) -> None:
    """Refuse what an optimizer holds of its parameters where it is not what `train`'s would. Raises ValueError.

    Which optimizer holds what is torch's to say, so it is asked: a few small parameters take some steps, and what is
    held of them then is the form, one of those for each stage. A parameter that no gradient has come to has none.
    """
    names = {id(parameter): name for name, parameter in named}
    ordered = [(names[id(p)], p) for group in optimizer.param_groups for p in group["params"]]
    if not isinstance(saved, dict) or not saved.keys() <= set(range(len(ordered))):
        raise ValueError("the optimizer's state is not of these parameters")
    stages = list(_stages(train, ordered))
    total = sum(p.numel() for _, p in ordered)
    for number, held in saved.items():
        name, parameter = ordered[number]
        if parameter.dim() > len(SIZES):
            continue
        faults = []
        for forms in stages:
            _, form = forms[_sort(name, parameter, train)]
            sizes = dict(zip(SIZES, parameter.shape, strict=False))
            whole = sum(p.numel() for p, _ in forms.values())
            try:
                _need_form(held, form, {1: 1, **sizes}, (whole, total), f"the optimizer's state of {name}")
            except ValueError as fault:
                faults.append(fault)
            else:
                break
        else:
            raise faults[0]


def _sort(name: str, parameter: nn.Parameter, train: Train) -> tuple[Any, ...]:
    """What parameters have in common of which an optimizer holds the same."""
    return (*sorted(options_of(name, train.groups).items()), parameter.dim(), parameter.dtype)


def _stages(train: Train, named: Named) -> Iterator[Forms]:
    """The forms after some steps, after one, and after one in which there was nothing to learn."""
    for begin, steps in ((1.0, 3), (1.0, 1), (0.0, 1)):
        small: dict[tuple[Any, ...], tuple[str, nn.Parameter]] = {}
        for name, p in named:
            if (sort := _sort(name, p, train)) not in small:
                made = torch.full(SIZES[: p.dim()], begin, dtype=p.dtype, device=p.device)
                small[sort] = name, nn.Parameter(made)
        optimizer = make_optimizer(train.optimizer, small.values(), train.groups, sparse=True)
        parameters = [p for _, p in small.values()]
        sparse = isinstance(train.optimizer, SparseAdam)

        def closure(parameters: list[nn.Parameter] = parameters, sparse: bool = sparse) -> torch.Tensor:
            for p in parameters:
                p.grad = p.detach().to_sparse(1) if sparse else p.detach().clone()
            return sum((p.detach().square().sum() / 2 for p in parameters), torch.zeros(()))

        for _ in range(steps):
            optimizer.step(closure)  # type: ignore[arg-type]  # torch's stub wants a float
        yield {sort: (p, optimizer.state.get(p, {})) for sort, (_, p) in small.items()}


def _need_form(saved: Any, form: Any, sizes: Mapping[int, int], whole: tuple[int, int], name: str) -> None:
    """Refuse what is not of a form that was found on a small parameter. Raises ValueError.

    `sizes` are those of the parameter for those of the small one, `whole` the numbers of all small ones and of all.
    """
    if isinstance(form, dict):
        if not isinstance(saved, dict) or saved.keys() != form.keys():
            has = ", ".join(map(str, saved)) if isinstance(saved, dict) and saved else "nothing"
            raise ValueError(f"{name} holds {has}, and a run saves {', '.join(form) or 'nothing'}")
        for key, inner in form.items():
            _need_form(saved[key], inner, sizes, whole, f"{name}: {key}")
    elif isinstance(form, list):
        if not isinstance(saved, list):
            raise ValueError(f"{name} is no list")
        for number, inner in enumerate(saved if form else ()):
            if inner is not None:
                _need_form(inner, next((f for f in form if f is not None), None), sizes, whole, f"{name}.{number}")
    elif isinstance(form, torch.Tensor) and form.dim():
        known = {whole[0]: whole[1], **sizes}
        need_tensor(saved, [known[size] for size in form.shape], form.dtype, name)
    elif form is not None and saved is not None:
        if isinstance(saved, torch.Tensor):
            need_tensor(saved, (), form.dtype if isinstance(form, torch.Tensor) else saved.dtype, name)
        elif type(saved) not in (int, float):
            raise ValueError(f"{name} is no number")


def _told(shape: Sequence[int], dtype: torch.dtype) -> str:
    """A shape and a dtype in words: `64 x 3 of float32`."""
    return f"{' x '.join(map(str, shape)) or 'a single number'} of {str(dtype).removeprefix('torch.')}"


def _kind(value: Any) -> str:
    """The kind of a value, a number for both of Python's."""
    if isinstance(value, torch.Tensor):
        return "tensor"
    return "number" if type(value) in (int, float) else type(value).__name__
