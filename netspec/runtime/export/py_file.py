"""Writes a network as the Python that it is, with its weights beside it, and loads both again."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import nn

from netspec.errors import ExportFailed
from netspec.runtime.data.scale import InOwnUnits
from netspec.runtime.export.emission import Array, End, Run
from netspec.runtime.export.emitting import ends_of
from netspec.runtime.export.onnx_emitted import writing
from netspec.runtime.export.report import Written
from netspec.runtime.export.subject import Subject, described, held, tensors
from netspec.runtime.network.printed import PACKAGE

LOADER: Final = '''

def {load}(file: str | None = None) -> {network}:
    """The network with the weights that lie beside this file, in evaluation mode; `file` are others of its weights."""
    from pathlib import Path

{needs}    from safetensors.torch import load_file

    network = {network}()
    network.load_state_dict(load_file(file or Path(__file__).with_suffix(".safetensors")))
{behind}    return network.eval()
'''
LOADS: Final = ("load", "load_network", "load_network_")
"""What that function is called: the first that the source has no class or function for."""
HOOK: Final = "    network.register_forward_hook(lambda module, inputs, output: {})\n"


def write(subject: Subject, file: Path) -> Written:
    """Write the source and the weights. Raises ExportFailed for a network that is not a printed one, and UsageError."""
    network = subject.network.network if isinstance(subject.network, InOwnUnits) else subject.network
    cls = type(network)
    if not cls.__module__.startswith(PACKAGE):
        raise ExportFailed("Python is written of a network that a spec has, and this one is of another program")
    source = "".join(linecache.getlines(cls.forward.__globals__["__file__"]))
    ends = ends_of(subject)
    if ends and len(subject.outputs) > 1:
        what = "probabilities, or in the units of their targets,"
        raise ExportFailed(
            f"the printed network gives several outputs, and those that are to be {what} are not its own"
        )
    behind = "".join(HOOK.format(_expression(end)) for end in ends.values())
    taken = set(re.findall(r"^(?:def|class) (\w+)", source, re.MULTILINE))
    load = next(name for name in LOADS if name not in taken)
    weights = {name: tensor.detach().clone().contiguous() for name, tensor in network.state_dict().items()}
    needs = "    import torch\n" if behind else ""
    loader = LOADER.format(load=load, network=cls.__name__, behind=behind, needs=needs)
    with writing(file):
        save_file(weights, file.with_suffix(".safetensors"), dict(subject.metadata))
        file.write_text(f"{source.rstrip()}\n{loader}", "utf-8")
    facts = {"parameters": sum(p.numel() for p in network.parameters())}
    return Written(*described(subject), facts)


def _expression(end: End) -> str:
    """What becomes of `output`, as Python."""
    text = "output"
    if end.mean is not None and end.deviation is not None:
        mean, deviation = (f"torch.tensor({each.tolist()})" for each in (end.mean, end.deviation))
        text = f"output * {deviation} + {mean}"
    how = f", {end.axis}" if end.activation == "softmax" else ""
    return text if end.activation == "identity" else f"torch.{end.activation}({text}{how})"


def opened(file: Path) -> Run:
    """What runs the file as a program would that imports it. Raises ExportFailed where it does not load."""
    spec = spec_from_file_location("exported", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
        network: nn.Module = next(getattr(module, n) for n in LOADS[::-1] if hasattr(module, n))()
    except Exception as error:  # whatever a program raises
        raise ExportFailed(f"the file does not load: {str(error).splitlines()[0]}") from error
    finally:
        sys.dont_write_bytecode = before

    def run(inputs: Sequence[Any]) -> list[Array]:
        with torch.no_grad():
            return [x.numpy() for x in tensors(network(*map(held, inputs)))]

    return run
