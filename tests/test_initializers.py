"""The initialisers and wraps are those of the installed torch, with its arguments, and fill as torch does."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from netspec.graph.wrapping import SENTENCES, WRAPS
from netspec.initializers import Initializer
from netspec.language.calls import read_entry
from netspec.vocabulary import INITIALIZERS

OF_TORCH = {
    name: function
    for name, function in vars(nn.init).items()
    if name.endswith("_") and not name.startswith("_") and inspect.isfunction(function)
}
OWN = {cls.function: cls for cls in INITIALIZERS.classes() if cls.function}


def test_every_initialiser_of_torch_is_here() -> None:
    assert set(OWN) == set(OF_TORCH)


@pytest.mark.parametrize("name", OWN)
def test_arguments_are_those_of_torch(name: str) -> None:
    (_, *wanted) = inspect.signature(OF_TORCH[name]).parameters.values()
    wanted = [p for p in wanted if p.name != "generator"]  # the run has one for all
    fields = OWN[name].fields
    assert sorted(p.name for p in wanted) == sorted(fields)
    for parameter in wanted:
        given = parameter.default is not inspect.Parameter.empty
        assert fields[parameter.name].default == parameter.default if given else fields[parameter.name].required


@pytest.mark.parametrize("cls", OWN.values(), ids=lambda cls: cls.__name__)
def test_what_is_printed_fills_as_torch_does(cls: type[Initializer]) -> None:
    entry, _ = read_entry(cls.example, (), INITIALIZERS)
    shape = (4, 4, 3) if cls.__name__ == "Dirac" else (4, 4)
    mine, theirs = torch.empty(shape), torch.empty(shape)
    torch.manual_seed(0)
    eval(entry.call("mine"), {"nn": nn, "mine": mine})
    torch.manual_seed(0)
    OF_TORCH[cls.function](theirs, **entry.given)
    assert torch.equal(mine, theirs)


def test_every_parametrisation_of_torch_is_here() -> None:
    known = {f"nn.utils.parametrizations.{name}" for name in parametrizations.__all__}
    assert known == {path for path in WRAPS.values() if "parametrizations" in path}
    assert set(SENTENCES) == set(WRAPS)
