"""The catalogue against the installed torch: no class, no argument and no default is missing or different."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest
from torch import nn
from torch.nn.modules import loss

from netspec import layers
from netspec.emit.torch import torch_class
from netspec.layers.base import Layer
from tests.families import TABLES, Table
from tests.layers.examples import CLASSES, LAYERS

LEFT_OUT = {
    **dict.fromkeys(("Module", "Container", "Sequential"), "a container: levels of the spec take its place"),
    **dict.fromkeys(("ModuleList", "ModuleDict", "ParameterList", "ParameterDict"), "a container, which runs nothing"),
    **dict.fromkeys(("RNNBase", "RNNCellBase"), "a base that cannot run"),
    "DataParallel": "a way to run on several devices, replaced by DistributedDataParallel",
    "AdaptiveLogSoftmaxWithLoss": "a loss",
    "LinearCrossEntropyLoss": "a loss",
    "Parameter": "no module",
}
"""Classes of torch.nn that are no layers here, with the reason. Lazy classes are left out as a family: sizes are
inferred before anything is built."""

OMITTED = {
    **dict.fromkeys(("device", "dtype"), "the run decides"),
    **dict.fromkeys(("_weight", "_freeze", "_random_samples"), "private"),
    "process_group": "torch.distributed's own default is used",
    **dict.fromkeys(("min_value", "max_value"), "deprecated by torch"),
    **dict.fromkeys(("custom_encoder", "custom_decoder"), "a module, not a value"),
    **dict.fromkeys(("args", "kwargs"), "ignored by Identity"),
}
"""Arguments that a spec cannot give, with the reason."""

COMPOSED = {
    "TransformerEncoder": nn.TransformerEncoderLayer,
    "TransformerDecoder": nn.TransformerDecoderLayer,
}
"""Classes that take the arguments of the layer that they repeat."""


def torch_layers() -> dict[str, type[nn.Module]]:
    found = {name: cls for name, cls in vars(nn).items() if isinstance(cls, type) and issubclass(cls, nn.Module)}
    return {name: cls for name, cls in found.items() if not name.startswith("Lazy") and name not in LEFT_OUT}


def named_like_torch() -> list[type[Layer]]:
    return [cls for cls in CLASSES if torch_class(cls) == f"nn.{cls.__name__}" and hasattr(nn, cls.__name__)]


def test_every_layer_of_torch_is_here() -> None:
    losses = {name for name, cls in vars(loss).items() if isinstance(cls, type)}
    here = {cls.__name__ for cls in CLASSES}
    assert set(torch_layers()) - losses - here == set()


def test_what_is_here_is_torch_or_a_word_for_it() -> None:
    own = {cls.__name__ for cls in CLASSES} - set(torch_layers())
    assert own == {"FC", "GAP", "Attention"}


def torch_arguments(cls: type[Layer]) -> dict[str, Any]:
    """torch's arguments of a class by name, in order, with their defaults."""
    signature = inspect.signature(COMPOSED.get(cls.__name__) or getattr(nn, cls.__name__))
    if issubclass(getattr(nn, cls.__name__), nn.RNNBase):
        return recurrent_arguments(cls)
    return {name: p.default for name, p in signature.parameters.items() if name not in OMITTED}


def recurrent_arguments(cls: type[Layer]) -> dict[str, Any]:
    """RNN, GRU and LSTM hide their arguments behind *args: those of RNNBase, RNN's own one in its place."""
    found = {name: p.default for name, p in inspect.signature(nn.RNNBase).parameters.items()}
    for name in ("mode", *OMITTED, *(() if cls.__name__ == "LSTM" else ("proj_size",))):
        found.pop(name, None)
    if cls.__name__ != "RNN":
        return found
    names = list(found)
    at = names.index("num_layers") + 1
    return {name: found.get(name, "tanh") for name in (*names[:at], "nonlinearity", *names[at:])}


@pytest.mark.parametrize("cls", named_like_torch(), ids=lambda c: c.__name__)
def test_arguments_are_those_of_torch(cls: type[Layer]) -> None:
    wanted = torch_arguments(cls)
    fields = {name: field for name, field in cls.fields.items() if field.torch}
    assert list(fields) == list(wanted)
    for name, field in fields.items():
        default = wanted[name]
        if callable(default) and default is not inspect.Parameter.empty:
            default = default.__name__
        if field.axis is not None:
            assert default is inspect.Parameter.empty or name == "d_model", f"{name} is inferred, torch has a default"
        elif field.required:
            assert default is inspect.Parameter.empty, name
        else:
            assert (field.torch_default, type(field.torch_default)) == (default, type(default)), name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.package.__name__}.{table.name}")
def test_a_table_is_what_its_files_say(table: Table) -> None:
    assert table.derived() == table.held, "run python -m tests.families"


def test_no_word_stands_in_two_families() -> None:
    words = [w.lower() for family in layers.FAMILIES.values() for w in dict.fromkeys(family.lower().split())]
    assert len(words) == len(set(words))


def test_a_word_of_its_own_means_one_class() -> None:
    for cls in CLASSES:
        for word in (cls.__name__, *cls.words):
            assert LAYERS.find(word) == (cls,), word


def test_what_is_left_out_exists() -> None:
    assert {name for name in LEFT_OUT if not hasattr(nn, name)} == set()


def test_a_general_word_chooses_one_class_by_rank() -> None:
    for word in {w for cls in CLASSES for w in cls.general}:
        ranks = [r for cls in LAYERS.find(word) for r in (cls.rank if isinstance(cls.rank, tuple) else (cls.rank,))]
        assert len(ranks) == len(set(ranks)), word
        assert None not in ranks, word


@pytest.mark.parametrize("family", layers.FAMILIES)
def test_a_family_imports_neither_torch_nor_pydantic(family: str) -> None:
    code = f"import sys, netspec.layers.{family}; print(*{{m.split('.')[0] for m in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pydantic", "yaml"} & set(run.stdout.split())
