"""Export: a file of another format, made from the network and proven equal to it before it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from torch import nn

from netspec.drafts import draft
from netspec.errors import ExportFailed, UsageError
from netspec.exporters import ONNX
from netspec.files import is_stream, need_writable, place_of, pour, saving, sync
from netspec.runtime.export import onnx_check, onnx_graph
from netspec.runtime.export.example_inputs import Examples
from netspec.runtime.export.onnx_blame import stumbled
from netspec.runtime.export.onnx_check import Inputs
from netspec.runtime.export.onnx_graph import Probabilities
from netspec.runtime.export.tolerance import Difference, difference
from netspec.runtime.network.remove_parametrizations import copied, unwrapped
from netspec.tensors import Tensor as Described

TRACED_BATCH: Final = 3
"""The batch that the network is traced with: of several samples, because a batch of one would be taken for fixed."""
INSIDE: Final = ("scale", "weights", "own")
"""What a run has learnt that whoever feeds an exported file need not know."""
ONE_FILE: Final = 2**31 - 2**20
"""What a single file of ONNX can hold."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and how far it is from the network."""

    path: Path
    bytes: int
    opset: int
    nodes: int
    inputs: dict[str, str]
    outputs: dict[str, str]
    differences: tuple[Difference, ...]

    @property
    def absolute(self) -> float:
        """The largest absolute difference."""
        return max(d.absolute for d in self.differences)

    @property
    def relative(self) -> float:
        """The largest difference relative to the largest value of its output."""
        return max(d.relative for d in self.differences)

    @property
    def trivial(self) -> bool:
        """Whether the network gave nothing but zeros, so that the comparison says little: a head not yet trained."""
        return max(d.scale for d in self.differences) == 0


def by_shape(scores: torch.Tensor) -> Probabilities:
    """What makes probabilities of scores that no loss explains: a softmax over axis 1, a sigmoid of a single class."""
    single = scores.ndim < 2 or scores.shape[1] == 1
    return Probabilities("sigmoid" if single else "softmax", 1)


def export_onnx(
    network: nn.Module,
    inputs: Mapping[str, Described],
    path: Path,
    options: ONNX,
    *,
    outputs: Sequence[str] = ("output",),
    validation: Iterable[Inputs] = (),
    name: str = "network",
    metadata: Mapping[str, str] | None = None,
    probabilities: Callable[[torch.Tensor], Probabilities] = by_shape,
    draws: Sequence[str] = (),
) -> Report:
    """Write the network in evaluation mode to the .onnx file `path`, and compare both in ONNX Runtime.

    `inputs` are the network's, as the graph describes them; sizes that only the run decides stay open, by their
    names. `outputs` name what it returns, flattened. `validation` gives batches of real inputs. With
    `options.output` of probabilities the first output becomes what `probabilities`, given an example of it, says.
    `draws` are the steps that draw random numbers outside training too, which an error may have to name. Wrapped
    weights become plain tensors in the file.

    The network's training mode and torch's random state are left as they were. The file appears only when it is
    whole and agrees; a file that was there before stays if it does not. Raises ExportFailed, ExportMismatch and
    UsageError.
    """
    if same := sorted({*inputs} & {*outputs}):
        text = f"{', '.join(same)} is both an input and an output, and ONNX takes a name once"
        raise ExportFailed(f"{text}. Give the output another in `outputs`.")
    batches = iter(validation)
    first = next(batches, None)
    examples = Examples(inputs, [x.cpu() for x in first] if first else ())
    real = chain([first] if first else [], batches)
    with _evaluating(network) as still, _beside(path) as draft:
        sizes = examples.sizes(still)
        example = examples.draw(TRACED_BATCH, sizes[0])
        results = _results(still, examples, sizes)
        scores = results[0][1][0]
        end = None
        if options.output == "probabilities":
            end = probabilities(scores)
        _need_repeatable(results[0][1], onnx_graph.tensors(still(*example)), options, draws)
        model = _traced(unwrapped(still), example, inputs, _names(outputs, len(results[0][1])), options.opset)
        onnx_graph.reopen(model, inputs, results)
        if end and end.activation != "identity":
            onnx_graph.append(model, end)
        onnx_graph.tidy(model, name, metadata or {})
        _write(model, draft)
        check = onnx_check.Check(draft, still, end, options)
        differences = (*check.made_up(examples, sizes), *check.real(real))
        onnx_check.need_agreement(differences, options)
        return _report(model, path, draft, differences)


def metadata(version: str, name: str, text: str, learnt: Mapping[str, Any]) -> dict[str, str]:
    """What a file says about where it comes from: netspec's version, the spec's name and text.

    With it, as JSON, what was `learnt` of the data, which whoever feeds the file must know: `netspec.classes`, the
    names of the classes; `netspec.positive`, the one of two whose probability a single output gives;
    `netspec.columns`, the numbers of the categories; `netspec.transform`, the means; `netspec.values`, what the inputs
    hold before any transform. The scale of a target and the weights of a loss are in the file itself, or not needed.
    """
    known = {"netspec.version": version, "netspec.name": name, "netspec.spec": text}
    taught = {key: value for key, value in learnt.items() if key not in INSIDE and value and any(value)}
    words = {f"netspec.{key}": json.dumps(value, ensure_ascii=False, allow_nan=False) for key, value in taught.items()}
    return known | words


def _results(network: nn.Module, examples: Examples, sizes: Sequence[Mapping[str, int]]) -> onnx_graph.Varied:
    """What the network gives for the example, for one more sample, and for the other sizes."""
    free = frozenset(onnx_graph.dimension_name(name) for name in examples.free)
    batch = frozenset({onnx_graph.BATCH_NAME})
    choices = [(frozenset[str](), TRACED_BATCH, sizes[0]), (batch, TRACED_BATCH + 1, sizes[0])]
    choices += [(free, TRACED_BATCH, other) for other in sizes[1:]]
    return [(names, onnx_graph.tensors(network(*examples.draw(count, each)))) for names, count, each in choices]


def _need_repeatable(
    once: Sequence[torch.Tensor], again: Sequence[torch.Tensor], options: ONNX, draws: Sequence[str]
) -> None:
    """Refuse a network that gives other results for the same inputs. Raises ExportFailed."""
    for a, b in zip(once, again, strict=True):
        if a.shape != b.shape or not difference("", a.numpy(), b.numpy(), options.atol, options.rtol).agrees:
            what = f"{', '.join(draws) or 'some step'} {'draw' if len(draws) > 1 else 'draws'}"
            hint = "Let what they change run in training alone, as in: z: add(mean noise) when training."
            raise ExportFailed(
                f"the network gives other results each time, so no file can be proven equal to it: {what} random "
                f"numbers outside training too. {hint} Or make the noise an input of the network."
            )


def _names(outputs: Sequence[str], count: int) -> list[str]:
    return list(outputs) if len(outputs) == count else [f"output_{i}" for i in range(count)]


def _traced(network: nn.Module, example: Inputs, inputs: Mapping[str, Described], names: list[str], opset: int) -> Any:
    try:
        model = onnx_graph.traced(network, example, inputs, names, opset)
    except ModuleNotFoundError as error:
        raise ExportFailed(f"export needs the package {error.name}: pip install {error.name}") from None
    except Exception as error:  # the exporter wraps whatever went wrong in types of its own
        with onnx_graph.quiet():
            step, reason = stumbled(network, example, error)
        hint = " Take steps in its place that ONNX has, or let it run in training alone: when training." if step else ""
        raise ExportFailed(f"torch cannot write {step or 'this network'} as ONNX: {reason}.{hint}") from error
    if model.opset_imports.get("") != opset:
        found = model.opset_imports.get("")
        raise ExportFailed(f"the network cannot be written with opset {opset}, only with {found}. Write opset: {found}")
    return model


def _write(model: Any, draft: Path) -> None:
    import onnx_ir as ir

    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    try:
        ir.save(model, draft, external_data=f"{draft.name}.data" if size > ONE_FILE else None)
    except OSError as error:
        raise UsageError(f"{draft.name} cannot be written: {error.strerror or error}") from None


def _report(model: Any, path: Path, draft: Path, differences: tuple[Difference, ...]) -> Report:
    def shapes(values: Any) -> dict[str, str]:
        return {v.name: " x ".join(str(getattr(s, "value", s) or "?") for s in v.shape or ()) for v in values}

    size = sum(f.stat().st_size for f in draft.parent.iterdir())
    nodes = sum(1 for _ in model.graph.all_nodes())
    graph = model.graph
    opset = model.opset_imports[""]
    return Report(path, size, opset, nodes, shapes(graph.inputs), shapes(graph.outputs), differences)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """The network on the CPU in evaluation mode, without gradients; afterwards every mode is as it was."""
    away = any(t.device.type != "cpu" for t in chain(network.parameters(), network.buffers()))
    still = copied(network).cpu() if away else network
    modes = {module: module.training for module in still.modules()}
    still.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield still
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A draft of `path` in a hidden folder next to it; moved into place if all goes well, else removed.

    A link stays one, a stream is written to.
    """
    need_writable(path)
    with saving(path):
        if is_stream(path):
            with TemporaryDirectory() as name:
                yield Path(name, "network.onnx")
                whole, *more = sorted(Path(name).iterdir())
                if more:
                    raise UsageError(f"{path} takes one file, and a network as large as this is two. Name a file.")
                pour(whole, path)
            return
        place = place_of(path)
        with draft(place) as folder:
            folder.mkdir()
            yield folder / place.name
            for file in sorted(folder.iterdir(), reverse=True):  # the data, if any, before the model that names it
                sync(file)
                file.replace(place.parent / file.name)
            sync(place.parent)
