"""The catalogues of training hold what the installed torch has, and explain it."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest
import torch
import yaml
from torch import nn
from torch.optim import lr_scheduler

from netspec import losses, metrics, optimizers, schedulers
from netspec.catalogue import Catalogue
from netspec.language.calls import read_entry
from netspec.records import Entry
from netspec.vocabulary import LOSSES, METRICS, OPTIMIZERS, SCHEDULERS

Table = tuple[Catalogue[Any], ModuleType]
TABLES: list[Table] = [(LOSSES, losses), (OPTIMIZERS, optimizers), (SCHEDULERS, schedulers), (METRICS, metrics)]
ENTRIES = [(catalogue, cls) for catalogue, _ in TABLES for cls in catalogue.classes()]


def torch_losses() -> dict[str, type]:
    found = {
        n: c for n, c in vars(nn).items() if isinstance(c, type) and "Loss" in n and n != "LinearCrossEntropyOptions"
    }
    return found | {"AdaptiveLogSoftmaxWithLoss": nn.AdaptiveLogSoftmaxWithLoss}


def torch_optimizers() -> dict[str, type]:
    base = torch.optim.Optimizer
    return {n: c for n, c in vars(torch.optim).items() if isinstance(c, type) and issubclass(c, base) and c is not base}


def torch_schedulers() -> dict[str, type]:
    found = {n: getattr(lr_scheduler, n) for n in lr_scheduler.__all__}
    return {n: c for n, c in found.items() if n not in ("LRScheduler",)}


KINDS = [(LOSSES, losses, torch_losses()), (OPTIMIZERS, optimizers, torch_optimizers())]
KINDS += [(SCHEDULERS, schedulers, torch_schedulers())]
CLASSES = [(c, module, n, cls) for c, module, known in KINDS for n, cls in known.items() if n not in module.UNDECLARED]


@pytest.mark.parametrize(("catalogue", "module"), TABLES, ids=lambda v: getattr(v, "noun", ""))
def test_every_word_is_in_the_table(catalogue: Catalogue[Any], module: ModuleType) -> None:
    for path, words in catalogue.families.items():
        assert {w.lower() for w in words.split()} == set(catalogue.members(path))


@pytest.mark.parametrize(("catalogue", "cls"), ENTRIES, ids=lambda v: getattr(v, "__name__", ""))
def test_every_example_works(catalogue: Catalogue[Any], cls: type[Entry]) -> None:
    entry, _ = read_entry(yaml.safe_load(cls.example), ("train",), catalogue)
    assert type(entry) is cls
    assert cls.__doc__
    assert all(field.sentence for field in cls.fields.values())


@pytest.mark.parametrize(("catalogue", "module", "known"), KINDS, ids=["losses", "optimizers", "schedulers"])
def test_nothing_of_torch_is_missing(catalogue: Catalogue[Any], module: ModuleType, known: dict[str, type]) -> None:
    missing = [name for name in known if not catalogue.find(name) and name not in module.UNDECLARED]
    assert missing == []
    assert [name for name in module.UNDECLARED if name not in known] == []


@pytest.mark.parametrize(("catalogue", "module", "name", "theirs"), CLASSES, ids=[c[2] for c in CLASSES])
def test_arguments_are_those_of_torch(catalogue: Catalogue[Any], module: ModuleType, name: str, theirs: type) -> None:
    (cls,) = catalogue.find(name)
    wanted = [p for p in inspect.signature(theirs).parameters.values() if p.name not in module.OMITTED]
    fields = {n: f for n, f in cls.fields.items() if f.torch}
    assert [p.name for p in wanted] == list(fields)
    for parameter in wanted:
        field = fields[parameter.name]
        if parameter.default is not inspect.Parameter.empty:
            assert field.default == parameter.default, parameter.name
        else:
            assert field.required or field.default is None, parameter.name
