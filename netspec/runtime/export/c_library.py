"""A C file as a program: compiled into a library by whatever compiler is here, and run on tensors sample by sample.

The interface is read from the file itself, from the comment at its end, and held against the arrays before any call: C
checks nothing. The library lies in a folder of its own, which is gone once it is loaded. $CC names another compiler.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from netspec.errors import ExportFailed, ExportMismatch
from netspec.runtime.export.emission import Run
from netspec.views.c.program import interface

COMPILERS: Final = ("cc", "gcc", "clang")
FLAGS: Final = ("-std=c99", "-O2")
"""What the proof is compiled with."""
KINDS: Final = {"float32": np.float32, "int64": np.int32, "bool": np.uint8}
TORCH: Final = {"float32": np.float32, "int64": np.int64, "bool": np.bool_}
WHOLE: Final = 2**31
Array = np.ndarray[Any, Any]


def compiler() -> list[str]:
    """The command that compiles C: that of $CC, else the first that is found; none where there is none."""
    named = shlex.split(os.environ.get("CC", ""))
    if named and shutil.which(named[0]):
        return named
    return next(([name] for name in COMPILERS if shutil.which(name)), [])


def compiled(file: Path, flags: Sequence[str] = FLAGS) -> Run:
    """What runs a C file that netspec has written, on arrays of the inputs with the samples along their own axis.

    It gives arrays of the outputs, as torch has them. Raises ExportFailed where the file cannot be compiled; running
    raises ExportMismatch for what the file refuses.
    """
    return running(file, library([file], flags))


def library(files: Sequence[Path], flags: Sequence[str] = FLAGS) -> ctypes.CDLL:
    """The files compiled into one library, which is loaded into this process. Raises ExportFailed."""
    command = [*compiler(), *flags, "-shared", "-fPIC"]
    if len(command) == len(flags) + 2:
        text = f"there is no C compiler here to prove the file with: {', '.join(COMPILERS)}, or what $CC names"
        raise ExportFailed(f"{text}. Install one, or write the file with --unproven.")
    with TemporaryDirectory() as folder:
        made = Path(folder, "network.so")
        command += ["-o", str(made), *(str(file.absolute()) for file in files), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            reason = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:300])
            raise ExportFailed(f"{command[0]} does not compile the file: {reason}")
        return ctypes.CDLL(str(made))


def running(file: Path, within: ctypes.CDLL) -> Run:
    """What runs a file that is part of a library."""
    function, said = _opened(file, within)
    return lambda inputs: _run(function, said, inputs)


def repeated(file: Path, flags: Sequence[str] = FLAGS) -> Callable[[Sequence[Array]], Callable[[], None]]:
    """The same for who runs it on the same arrays again and again: what is given them makes what runs on all samples.

    Nothing is done then but the calls. Raises as `compiled` does.
    """
    function, said = _opened(file, library([file], flags))

    def ready(inputs: Sequence[Array]) -> Callable[[], None]:
        samples = list(_laid_out(said, inputs))
        held = [[*map(_address, (*arrays, *made))] for arrays, made in samples]

        def run(samples: object = samples) -> None:  # which keeps what stands at these addresses
            for addresses in held:
                _call(function, addresses)

        return run

    return ready


def _opened(file: Path, within: ctypes.CDLL) -> tuple[Any, Any]:
    """The function of a file that is part of a library, and what it takes and gives."""
    said = interface(file.read_text("utf-8"))
    return getattr(within, said["function"]), said


def _run(function: Any, said: Any, inputs: Sequence[Array]) -> list[Array]:
    """All samples, one after the other."""
    given = said["outputs"]
    results: list[list[Array]] = [[] for _ in given]
    for arrays, made in _laid_out(said, inputs):
        _call(function, map(_address, (*arrays, *made)))
        for row, (_, dtype, _, _), array in zip(results, given, made, strict=True):
            row.append(array.astype(TORCH[dtype]))
    return [
        row[0] if axis is None else np.concatenate(row, axis) for row, (*_, axis) in zip(results, given, strict=True)
    ]


def _laid_out(said: Any, inputs: Sequence[Array]) -> Iterator[tuple[list[Array], list[Array]]]:
    """The arrays of each sample: those that it takes, and those that it fills. Raises ExportMismatch."""
    taken, arrays = said["inputs"], [np.asarray(x) for x in inputs]
    counts = {x.shape[axis] for x, (*_, axis) in zip(arrays, taken, strict=True) if axis is not None}
    for sample in range(max(counts, default=1)):
        made = [np.empty(shape, KINDS[dtype]) for _, dtype, shape, _ in said["outputs"]]
        yield [_sample(x, each, sample) for x, each in zip(arrays, taken, strict=True)], made


def _address(array: Array) -> ctypes.c_void_p:
    """Where an array stands."""
    return ctypes.c_void_p(array.ctypes.data)


def _call(function: Any, addresses: Iterable[ctypes.c_void_p]) -> None:
    """Run one sample. Raises ExportMismatch for what the file refuses."""
    if function(*addresses):
        raise ExportMismatch("the file refuses a whole number of its input, which stands for no row of a table")


def _sample(x: Array, described: Any, at: int) -> Array:
    """One sample of an input, in the type that C takes. Raises ExportMismatch for other sizes than the file has."""
    name, dtype, shape, axis = described
    one = x if axis is None else np.take(x, [at], axis)
    if list(one.shape) != shape:
        raise ExportMismatch(f"the file takes {name} as {shape}, not {list(one.shape)}")
    if dtype == "int64" and one.size and max(abs(int(one.min())), abs(int(one.max()))) >= WHOLE:
        raise ExportMismatch(f"{name} holds whole numbers of more than 32 bits, which C does not take here")
    return np.ascontiguousarray(one, KINDS[dtype])
