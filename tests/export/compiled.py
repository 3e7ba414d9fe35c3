"""Holds the C that is written for operations against torch: many of them in one library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netspec.layers.base import Layer, Op
from netspec.runtime.export.c_library import library, running
from netspec.tensors import Misfit, Tensor
from netspec.views.c import Unwritable, emit
from tests.export.emitted import apart, graph_of, torch_gives
from tests.layers import reference as modules

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1")
SANITIZED = (*STRICT, "-fsanitize=undefined", "-fno-sanitize-recover=all")


@dataclass
class Case:
    """An operation on inputs, and what it became."""

    op: Op
    inputs: tuple[Tensor, ...]
    text: str
    file: Path | None = None
    refused: str = ""
    tensors: list[torch.Tensor] | None = None
    expected: list[Any] | None = None


def written(cases: Iterable[tuple[Op, tuple[Tensor, ...], str]], folder: Path) -> list[Case]:
    """A file for each case that is not refused."""
    found = []
    for number, (op, inputs, text) in enumerate(cases):
        case = Case(op, inputs, text)
        try:
            _write(case, number, folder)
        except Unwritable as error:
            case.refused = str(error)
            if "several sequences" in case.refused:
                case.refused = ""
                case.inputs = _one_sequence(op, inputs)
                try:
                    _write(case, number, folder)
                except (Unwritable, Misfit) as again:
                    case.refused = str(again)
        found.append(case)
    return found


def _one_sequence(op: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The same inputs with a batch of one sequence."""
    batch = inputs[0].shape[0 if op.__dict__.get("batch_first", True) else 1]
    if "Cell" not in type(op).__name__ and not op.__dict__.get("batch_first"):
        batch = inputs[0].shape[1]
    return tuple(replace(x, shape=tuple(1 if size == batch else size for size in x.shape)) for x in inputs)


def _write(case: Case, number: int, folder: Path) -> None:
    op = case.op.fitted(*case.inputs) if isinstance(case.op, Layer) else case.op
    graph = replace(graph_of(op, case.inputs), name=f"Op{number}")
    case.tensors = [modules.sample(x) for x in case.inputs]
    weights, case.expected = torch_gives(op, case.tensors)
    program = emit(graph, weights, stem=f"op{number}", outputs=list(graph.outputs), metadata={}, behind={})
    (folder / f"op{number}.h").write_text(program.header)
    case.file = folder / f"op{number}.c"
    case.file.write_text(program.source)


def differences(cases: list[Case], flags: tuple[str, ...] = STRICT) -> Iterator[str]:
    """How far each is from torch, where it is too far."""
    made = library([case.file for case in cases if case.file], flags)
    for case in cases:
        if case.file is None or case.tensors is None or case.expected is None:
            continue
        try:
            found = running(case.file, made)([x.numpy() for x in case.tensors])
        except Exception as error:
            yield f"{case.text}: {error}"
            continue
        for one, other in zip(found, case.expected, strict=True):
            if text := apart(np.asarray(one), other):
                yield f"{case.text}: {text}"
                break
