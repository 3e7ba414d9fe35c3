"""How fast a network runs in what can run it: latency and throughput, side by side.

All ways take turns, so that whatever slows the machine for a while slows all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from netspec.dims import names
from netspec.errors import DataError, ExportFailed, NetspecError, UsageError
from netspec.files import shown
from netspec.graph.model import Graph
from netspec.machine import cores
from netspec.runs.formats import output_names
from netspec.runs.onnx_model import OnnxModel
from netspec.runtime.export.made_up import drawn as made
from netspec.runtime.export.made_up import made_up
from netspec.spec import Spec
from netspec.vocabulary import EXPORTERS

Array = np.ndarray[Any, Any]
Run = Callable[[], object]
"""Runs the network once."""
TORCH: Final = "torch"
COMPILED: Final = "torch, compiled"
ONNX: Final = "ONNX Runtime"
C: Final = "C"
C_FLAGS: Final = ("-std=c99", "-O3", "-march=native")
"""What the file of C is compiled with for this machine."""
WARM: Final = 3
"""Runs of each way before any that is timed."""
LEAST: Final = 5
"""Runs that are timed, at least."""
FREE: Final = 16
"""The size of an open dimension where none is named."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a network."""

    name: str
    threads: int
    ready: Callable[[Mapping[str, Array]], Run]
    """What runs it on inputs by their names, which it gets ready first."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way took for batches of one size."""

    way: str
    threads: int
    batch: int
    seconds: tuple[float, ...]
    """Each run's time, in the order of running."""

    @property
    def p50(self) -> float:
        """Half of the runs took at most so many seconds."""
        return float(np.percentile(self.seconds, 50))

    @property
    def p90(self) -> float:
        """Nine of ten runs took at most so many seconds."""
        return float(np.percentile(self.seconds, 90))

    @property
    def throughput(self) -> float:
        """Samples in a second, over all runs."""
        return self.batch * len(self.seconds) / sum(self.seconds)


@dataclass(frozen=True, slots=True)
class Bench:
    """All that was measured."""

    results: tuple[Measured, ...]
    sizes: Mapping[str, int]
    """The sizes of open dimensions."""
    left_out: Mapping[str, str]
    """Ways that do not run here, and why."""


def bench(
    target: Spec | OnnxModel,
    module: Any = None,
    *,
    batches: Sequence[int] = (1, 8, 64),
    sizes: Mapping[str, int] | None = None,
    seconds: float = 1.0,
    compiled: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Bench:
    """Time a network in all ways that it can be run, each about so many `seconds` for each batch size.

    `module` is that of a spec, in evaluation mode; a file needs no torch. `sizes` say how large open dimensions are.
    Raises UsageError for a size that the network has not, DataError where it does not run on such inputs.
    """
    if isinstance(target, OnnxModel):
        known = _open_in(target)
        chosen = _chosen(known, sizes or {})
        found = {f"{ONNX} {n}": _of_file(target.path, n) for n in _threads()}
        return _measured(found, lambda batch: _for_file(target, batch, chosen), batches, seconds, chosen, tell)
    graph = target.graph
    chosen = _chosen(_open(graph), sizes or {}, _fitting(target, module))
    with TemporaryDirectory() as folder:
        makers: dict[str, Callable[[], Way]] = {TORCH: lambda: _of_module(TORCH, module, graph)}
        if compiled:
            makers[COMPILED] = lambda: _of_module(COMPILED, _compiled(module), graph)
        for n in _threads():
            makers[f"{ONNX} {n}"] = _of_export(target, module, Path(folder, "network.onnx"), n)
        makers[C] = lambda: _of_c(target, module, Path(folder, "network.c"))
        none = [None] * len(graph.inputs)

        def inputs(batch: int) -> dict[str, Array]:
            return dict(zip(graph.inputs, made_up(graph.inputs, none, batch, chosen, batch), strict=True))

        return _measured(makers, inputs, batches, seconds, chosen, tell)


def interleaved(
    ways: Sequence[Callable[[], object]], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> list[list[float]]:
    """The times of each way, which take turns and begin in turns, until each had so many seconds or a few runs."""
    times: list[list[float]] = [[] for _ in ways]
    turn = 0
    while len(times[0]) < LEAST or min(map(sum, times)) < seconds:
        for place in range(len(ways)):
            at = (place + turn) % len(ways)
            start = clock()
            ways[at]()
            times[at].append(clock() - start)
        turn += 1
    return times


def _measured(
    makers: Mapping[str, Callable[[], Way]],
    inputs: Callable[[int], Mapping[str, Array]],
    batches: Sequence[int],
    seconds: float,
    sizes: Mapping[str, int],
    tell: Callable[[str], None] | None,
) -> Bench:
    """Make each way, warm it up at each batch size, and time those that run. Raises DataError where none does."""
    ways, left_out, results = list[Way](), dict[str, str](), list[Measured]()
    for name, make in makers.items():
        try:
            way = make()
            for batch in batches:
                if tell is not None:
                    tell(f"warming up {name} at batch {batch}")
                run = way.ready(inputs(batch))
                for _ in range(WARM):
                    run()
            ways.append(way)
        except (NetspecError, RuntimeError) as error:
            left_out[name] = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    if not ways:
        raise DataError(f"the network runs in no way: {'; '.join(f'{n}: {why}' for n, why in left_out.items())}")
    for batch in batches:
        given = inputs(batch)
        found = interleaved([way.ready(given) for way in ways], seconds)
        results += [Measured(w.name, w.threads, batch, tuple(x)) for w, x in zip(ways, found, strict=True)]
    return Bench(tuple(results), dict(sizes), left_out)


# --- ways -----------------------------------------------------------------------------------------


def _threads() -> tuple[int, ...]:
    """One thread, and as many as there are cores here."""
    return (1,) if cores() == 1 else (1, cores())


def _of_file(path: Path, threads: int) -> Callable[[], Way]:
    """What makes the way of a file in ONNX Runtime, with so many threads."""

    def make() -> Way:
        model = OnnxModel.read(path, threads)
        return Way(ONNX, threads, lambda given: lambda: model.run(given))

    return make


def _of_export(spec: Spec, module: Any, path: Path, threads: int) -> Callable[[], Way]:
    """The same of a file that is written first, where it is not there."""

    def make() -> Way:
        if not path.exists():
            _written(spec, module, path)
        return _of_file(path, threads)()

    return make


def _of_c(spec: Spec, module: Any, path: Path) -> Way:
    """The way of the file of C that is written of a network, on one thread. Raises ExportFailed."""
    from netspec.runtime.export.c_library import COMPILERS, compiler, repeated

    if not compiler():
        raise ExportFailed(f"there is no C compiler here: {', '.join(COMPILERS)}, or what $CC names")
    _written(spec, module, path)
    ready = repeated(path, C_FLAGS)
    return Way(C, 1, lambda given: ready([given[name] for name in spec.graph.inputs]))


def _of_module(name: str, module: Any, graph: Graph) -> Way:
    """The way of a module of torch, with the threads that torch has."""
    import torch

    def ready(given: Mapping[str, Array]) -> Run:
        tensors = [torch.from_numpy(given[name]) for name in graph.inputs]

        def run() -> object:
            with torch.inference_mode():
                return module(*tensors)

        return run

    return Way(name, torch.get_num_threads(), ready)


def _compiled(module: Any) -> Any:
    """The module as torch compiles it when it first runs."""
    import torch

    return torch.compile(module, dynamic=False)


def _written(spec: Spec, module: Any, path: Path) -> None:
    """Write the network as it is to a file, compared with nothing. Raises ExportFailed."""
    from netspec.runtime.export.export import export_network

    (cls,) = (cls for cls in EXPORTERS.classes() if cls.extension == path.suffix)
    exporter, names = cls(), output_names(spec.graph)
    about: dict[str, Any] = {"outputs": names, "graph": spec.graph, "probabilities": {}, "proven": False}
    export_network(module, spec.graph.inputs, path, exporter, **about)


# --- inputs ---------------------------------------------------------------------------------------


def _open(graph: Graph) -> set[str]:
    """The names of the open dimensions of a network."""
    return {n for x in graph.inputs.values() for size in x.shape for n in names(size)} - {"B"}


def _open_in(model: OnnxModel) -> set[str]:
    """The names of the open dimensions of a file."""
    return {str(size) for shape in model.inputs.values() for size in shape if not isinstance(size, int)} - {"batch"}


def _chosen(known: set[str], given: Mapping[str, int], fitting: Mapping[str, int] | None = None) -> dict[str, int]:
    """The size of each open dimension. Raises UsageError for one that is not there."""
    if unknown := sorted({*given} - known):
        there = f"There are: {', '.join(sorted(known))}." if known else "All of its sizes are known."
        raise UsageError(f"the network has no open dimension {unknown[0]}. {there}")
    return {name: given.get(name, (fitting or {}).get(name, FREE)) for name in sorted(known)}


def _fitting(spec: Spec, module: Any) -> Mapping[str, int]:
    """Sizes of open dimensions that the network runs on."""
    if not _open(spec.graph):
        return {}
    from netspec.runtime.export.example_inputs import Examples

    found: Mapping[str, int] = Examples(spec.graph.inputs, ()).sizes(module)[0]
    return found


def _for_file(model: OnnxModel, batch: int, sizes: Mapping[str, int]) -> dict[str, Array]:
    """Random inputs of a file: normal floats, whole numbers of 0 and 1, and texts of its tables. Raises DataError."""
    chance, found = np.random.RandomState(batch), dict[str, Array]()
    for name, shape in model.inputs.items():
        dtype = np.dtype(model.dtype(name))
        whole = [size if isinstance(size, int) else batch if size == "batch" else sizes[str(size)] for size in shape]
        drawn = chance.standard_normal(whole) if dtype.kind == "f" else chance.randint(2, size=whole)
        cells = model.ahead[name].cells if name in model.ahead else None
        if cells is not None and cells.tables:
            (drawn,) = map(cells.of, made(((whole, "int64", None),), (cells.pool(),), batch))
        found[name] = np.asarray(drawn, dtype)
    if not found:
        raise DataError(f"{shown(model.path)} takes nothing")
    return found
