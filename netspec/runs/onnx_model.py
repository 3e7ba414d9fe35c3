"""An exported file as a model of its own: what it says about itself, and what runs it. Needs no torch.

The file may come from anyone. It is looked through before it is run: its tensors lie in it or beside it, nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from netspec.errors import DataError, UsageError
from netspec.exporters.base import Exporter, NeedsTorch
from netspec.files import need_file, shown
from netspec.optional import need
from netspec.runs.formats import ahead_of, exporter_of
from netspec.runs.given import of_network
from netspec.runs.learnt import fault
from netspec.runtime.export.emission import Ahead
from netspec.runtime.store.notes import plain, texts
from netspec.spec import Spec
from netspec.text.report import SpecError
from netspec.words import printable

Array = np.ndarray[Any, Any]
ENDING: Final = ".onnx"
OWN: Final = "netspec."
"""What the names of its metadata begin with, where netspec wrote it."""
ABOUT: Final = ("version", "name", "spec")
LARGEST: Final = 2**31
"""Bytes that a file of ONNX can have; what is larger has its tensors beside it."""
CACHE: Final = "netspec.cache"
"""What a file says by which output each of its inputs of tokens before goes on, as JSON by the names of these."""
KINDS: Final = {"float": np.float32, "double": np.float64, "float16": np.float16, "int64": np.int64}
"""What inputs are made of, by ONNX Runtime's names."""
BYTE_SLACK: Final = 1e-3
"""How far a number may be from a byte that it stands for."""
LARGEST_BYTE: Final = 255
MORE_KINDS: Final = {"int32": np.int32, "uint8": np.uint8, "bool": np.bool_, "string": np.object_}


class NoBytes(DataError):
    """A file takes bytes, and some of the numbers that it is given are none."""

    def __init__(self, message: str, wrong: Array) -> None:
        """`wrong` is true where a number is no byte; it has the shape of the numbers."""
        super().__init__(message)
        self.wrong = wrong


@dataclass(frozen=True)
class OnnxModel:
    """A file that ONNX Runtime runs."""

    path: Path
    session: Any
    metadata: Mapping[str, str]

    @classmethod
    def read(cls, path: str | Path, threads: int | None = None) -> OnnxModel:
        """The model in a file, to be run in so many `threads`, or in as many as there are processors.

        Raises DataError for what is no model of ONNX, or whose tensors lie elsewhere, and UsageError.
        """
        path = Path(path)
        _look_through(path)
        session = _session(path, threads)
        return cls(path, session, dict(session.get_modelmeta().custom_metadata_map))

    @cached_property
    def spec(self) -> Spec:
        """The spec that it was written from. Raises DataError where it says none."""
        text = self.metadata.get("netspec.spec")
        if text is None:
            way_out = "`netspec export RUN` writes files that say it"
            raise DataError(f"{shown(self.path)} does not say which spec it was written from: {way_out}")
        try:
            return Spec.loads(text, name=f"{shown(self.path)}: netspec.spec")
        except SpecError as error:
            first = printable(error.problems[0].message)
            raise DataError(f"the spec that {shown(self.path)} was written from is none here: {first}") from None

    @cached_property
    def learnt(self) -> dict[str, Any]:
        """What training taught of the data, as far as the file says it. Raises DataError."""
        own = {name.removeprefix(OWN): text for name, text in self.metadata.items() if name.startswith(OWN)}
        found: dict[str, Any] = {}
        try:
            for name in LEARNT:
                if name in own:
                    found[name] = plain(own[name])
        except ValueError as error:
            raise DataError(f"{shown(self.path)} says {name} that is not what netspec writes: {error}") from None
        if wrong := fault(found):
            raise DataError(f"{shown(self.path)} does not say what netspec writes: {wrong}")
        return found

    @cached_property
    def measures(self) -> dict[str, Any]:
        """The same, and what only a measurement needs: the scale of a target, weights of a loss. Raises DataError."""
        try:
            found = plain(self.metadata.get("netspec.measures", "{}"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or {*found} - {"scale", "weights"} or fault(found):
            raise DataError(f"{shown(self.path)} does not say what measuring it needs as netspec writes it")
        return {**self.learnt, **found}

    @cached_property
    def exporter(self) -> Exporter:
        """How it was written."""
        exporter = exporter_of(self.spec, ENDING)
        assert exporter is not None
        return exporter

    @cached_property
    def memory(self) -> dict[str, str]:
        """By which output each input of what was read before goes on; none where it has no such. Raises DataError."""
        try:
            found = plain(self.metadata.get(CACHE, "{}"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or not texts(list(found.values())):
            raise DataError(f"{shown(self.path)} does not say what it remembers as netspec writes it")
        unknown = ({*found} - {*self.inputs}) | ({*found.values()} - {*self.outputs})
        if unknown:
            raise DataError(f"{shown(self.path)} remembers {printable(min(unknown))}, which it does not take or give")
        return found

    @property
    def inputs(self) -> dict[str, tuple[Any, ...]]:
        """The sizes of its inputs by name; a text stands for one that is open."""
        return {x.name: tuple(x.shape) for x in self.session.get_inputs()}

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it gives, by name."""
        return tuple(x.name for x in self.session.get_outputs())

    def dtype(self, name: str) -> Any:
        """What an input is made of. Raises DataError."""
        kind = next(x.type for x in self.session.get_inputs() if x.name == name)
        known = {f"tensor({word})": dtype for word, dtype in {**KINDS, **MORE_KINDS}.items()}
        if kind not in known:
            raise DataError(f"{shown(self.path)} takes {printable(name)} as {printable(kind)}, which is no array here")
        return known[kind]

    @cached_property
    def ahead(self) -> Mapping[str, Ahead]:
        """What it takes in place of inputs of the network, by their names; none where it takes these.

        Raises DataError where it does not say what becomes of samples in it.
        """
        if "netspec.spec" not in self.metadata:
            return {}
        try:
            return ahead_of(self.spec, self.exporter, {"transform": [], **of_network(self.spec, self.learnt)})[0]
        except NeedsTorch:
            raise DataError(f"{shown(self.path)} does not say what the data is that it takes") from None

    def taken(self, name: str, x: Array, peak: int) -> Array:
        """Samples as an input takes them: bytes of which `peak` is 1.0, or the numbers that they stand for.

        Where a table is in the file, the texts that stand for its numbers. Raises NoBytes for numbers that no bytes
        stand for.
        """
        wanted = np.dtype(self.dtype(name))
        if name in self.ahead and (cells := self.ahead[name].cells) is not None:
            x = cells.of(x)
        if wanted == np.uint8 and x.dtype.kind == "f":
            numbers = x.astype(np.float64) * peak
            whole = np.rint(numbers)
            right = (np.abs(numbers - whole) < BYTE_SLACK) & (whole >= 0) & (whole <= LARGEST_BYTE)
            if not right.all():
                text = f"{shown(self.path)} takes {printable(name)} as bytes, which some of the numbers are not"
                way_out = "Give bytes, as images of 8 bits have, or export with input: float32 under export.onnx."
                raise NoBytes(f"{text}. {way_out}", ~right)
            x = whole
        elif wanted.kind == "f" and x.dtype == np.uint8:
            x = x.astype(np.float32) / np.float32(peak)
        return np.ascontiguousarray(x, wanted)

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None) -> list[Array]:
        """What it gives for these inputs: all of its outputs, or those named. Raises DataError."""
        try:
            return list(self.session.run(None if outputs is None else list(outputs), dict(inputs)))
        except Exception as error:  # the runtime has types of its own for each reason
            reason = printable(str(error).splitlines()[0][:300])
            raise DataError(f"{shown(self.path)} does not run on what it was given: {reason}") from None


LEARNT: Final = (
    *("classes", "inputs", "values", "transform", "places", "columns", "tokenizer", "units", "positive", "targets"),
    "losses",
)
"""What of the data a file says, as a run has learnt it."""


def is_model(path: Path) -> bool:
    """Whether a path is meant to be an exported file and no run: by its ending."""
    return path.suffix.lower() == ENDING and not path.is_dir()


# --- looking through ------------------------------------------------------------------------------


def _look_through(path: Path) -> None:
    """Refuse what is no model, and one whose tensors do not lie in the folder of its file. Raises DataError."""
    if not path.exists():
        raise UsageError(f"there is no file {shown(path)}")
    need_file(path, "a file of ONNX")
    if path.stat().st_size >= LARGEST:
        raise DataError(f"{shown(path)} has {path.stat().st_size:,} bytes, which no file of ONNX can have")
    onnx = need("onnx", "reading a file of ONNX")
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    except Exception:  # whatever protobuf makes of other bytes
        raise DataError(f"{shown(path)} is no file of ONNX") from None
    if not model.graph.node and not model.graph.output:
        raise DataError(f"{shown(path)} is no file of ONNX, or one of nothing")
    folder = path.parent.resolve()
    for tensor in _tensors(model):
        if tensor.data_location == tensor.EXTERNAL:
            place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            _need_beside(path, folder, place)


def _need_beside(path: Path, folder: Path, place: str) -> None:
    """Refuse a file of tensors that is not a plain file in the model's folder. Raises DataError."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    found = Path(folder, place)
    outside = not place or ".." in parts or parts[:1] == ("/",) or ":" in place or Path(place).is_absolute()
    if outside or not found.resolve().is_relative_to(folder):
        raise DataError(f"{shown(path)} has tensors in {printable(place)!r}, which is outside its folder")
    if not found.is_file():
        raise DataError(f"{shown(path)} has tensors in {printable(place)}, which is not there beside it")


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of a model, at whatever depth."""
    todo: list[Any] = [model.graph, *model.functions]
    while todo:
        graph = todo.pop()
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
                todo += [attribute.g] if attribute.HasField("g") else []
                todo += attribute.graphs


def _session(path: Path, threads: int | None) -> Any:
    """An ONNX Runtime session of a file, on the CPU. Raises DataError where the file does not load."""
    runtime = need("onnxruntime", "running a file of ONNX")
    settings = runtime.SessionOptions()
    settings.log_severity_level = 4
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        settings.intra_op_num_threads = settings.inter_op_num_threads = threads
    try:
        return runtime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has types of its own for each reason
        reason = printable(str(error).splitlines()[0][:300])
        raise DataError(f"ONNX Runtime does not take {shown(path)}: {reason}") from None
