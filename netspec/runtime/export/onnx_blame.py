"""Export errors: the step that torch's exporter stumbled over, by what it says and by a trace of the network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import torch
from torch import nn

_NODE: Final = re.compile(r"%(\w+) : .*?target=torch\.ops\.(\w+\.\w+)")
"""How an operation of torch's own graph is named in a message."""
_LINE: Final = re.compile(r'File "<netspec [^>]*>", line \d+, in \w+\s+(.*)')
"""A line of the printed network in a traceback."""


def stumbled(network: nn.Module, example: tuple[torch.Tensor, ...], error: BaseException) -> tuple[str, str]:
    """The step that could not be written, and the reason; the step is empty where it cannot be told."""
    said = _said(error)
    reason = next((line.strip() for line in said[-1].splitlines() if line.strip()), type(error).__name__)
    found = next((match for each in said if (match := _NODE.search(each))), None)
    if found is None:
        return "", reason
    lines = [line for each in said for line in _LINE.findall(each)]
    for node in _nodes(network, example):
        if node.name == found[1]:
            lines = _LINE.findall(node.meta.get("stack_trace") or "") or lines
            path, made = list((node.meta.get("nn_module_stack") or {"": ("", "")}).values())[-1]
            kind = made if isinstance(made, str) else made.__qualname__
            if path and kind.startswith("torch.nn."):
                return f"{path} ({kind.rpartition('.')[2]})", f"it has nothing for {found[2]}"
    step = lines[-1].partition("  #")[0].removeprefix("return ").strip() if lines else ""
    return (f"the step `{step}`" if step else ""), f"it has nothing for {found[2]}"


def _said(error: BaseException) -> list[str]:
    """What an error says, and the one that it comes from: the exporter's own first, with all that is behind it."""
    return [str(each) for each in (error, error.__cause__) if each is not None]


def _nodes(network: nn.Module, example: tuple[torch.Tensor, ...]) -> Iterable[Any]:
    """The operations of a network, as torch traces them; as far as it can."""
    found: list[Any] = []
    with suppress(Exception):  # torch has failed at this network before, in whatever way
        program = torch.export.export(network, example, strict=False)
        found += program.graph.nodes
        found += program.run_decompositions().graph.nodes
    return found
