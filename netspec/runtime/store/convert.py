"""Files of torch.save as safetensors: read by `torch.load(weights_only=True)` and nothing else."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch

from netspec.errors import DataError
from netspec.files import need_file, shown
from netspec.runtime.network.weights import save_weights
from netspec.runtime.store.safetensors import DTYPES
from netspec.weights.header import METADATA
from netspec.words import few, one_line

AROUND: Final = ("state_dict", "model_state_dict", "model", "module", "weights", "params", "net", "network")
"""What others call the entry of a file that holds the weights, besides those of the optimizer and the like."""
BEFORE: Final = ("module.", "_orig_mod.")
"""What wrappers of torch's put before all names."""


def converted(source: Path, target: Path) -> Iterator[str]:
    """Write the tensors of a file of torch.save to one of safetensors, and say what became of them.

    Raises DataError where the file cannot be read without running anything, or holds no tensors, UsageError where
    none can be written.
    """
    found, around, odd = _tensors(_loaded(source), source)
    before = ""
    while prefix := next((word for word in BEFORE if all(name.startswith(word) for name in found)), ""):
        found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
        before += prefix
    whole = {name: _whole(name, tensor, source) for name, tensor in found.items()}
    save_weights(whole, target)
    yield f"wrote {shown(target)}: {len(whole):,} tensors, {sum(t.numel() for t in whole.values()):,} numbers"
    if around:
        yield f"they were under {one_line('.'.join(around))}; what else the file holds is left out"
    if odd:
        yield f"left out, for they are no tensors: {few(map(one_line, odd))}"
    if before:
        yield f"all names began with {before}, which is taken away"
    if shared := _shared(found):
        yield f"written whole, each of those that share their memory: {few(shared)}"


def _loaded(source: Path) -> Any:
    """What a file of torch.save holds, as far as torch reads it without running anything. Raises DataError."""
    need_file(source, "a file that torch.save wrote, such as weights.pth")
    _need_unpacked(source)
    try:
        with warnings.catch_warnings(), source.open("rb") as stream:  # by its name torch would choose another reader
            warnings.simplefilter("ignore")
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = _named(str(error))
        why = f"it names {named}, which is no tensor" if named else "it calls what makes no tensors"
        hint = "Nothing of it is run. Where you trust it, save the state_dict alone: torch.save(net.state_dict(), FILE)"
        raise DataError(f"{shown(source)} holds more than tensors and plain data: {why}. {hint}.") from None
    except MemoryError:
        raise
    except Exception as error:  # whatever torch meets in a file that is none of its own
        first = one_line(str(error).split("\n", 1)[0])[:200]
        raise DataError(f"{shown(source)} is no file that torch.save wrote, or is damaged: {first}") from None


def _need_unpacked(source: Path) -> None:
    """Refuse an archive that takes more memory than its file: torch's own are not compressed. Raises DataError."""
    try:
        with ZipFile(source) as archive:
            packed = [info.filename for info in archive.infolist() if info.compress_type != ZIP_STORED]
    except (BadZipFile, NotImplementedError, OSError, ValueError):  # of another form, which torch looks at
        return
    if packed:
        raise DataError(f"{shown(source)} is compressed, as no file of torch.save is: {one_line(packed[0])[:100]}")


def _named(text: str) -> str:
    """The class or function that torch says a file wants."""
    _, there, rest = text.partition("GLOBAL ")
    return one_line(rest.split(" ", 1)[0])[:100] if there else ""


def _tensors(found: Any, source: Path) -> tuple[dict[str, torch.Tensor], list[str], list[str]]:
    """The tensors by name, under which keys they were, and what beside them is none. Raises DataError."""
    around: list[str] = []
    while isinstance(found, Mapping):
        tensors = {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}
        inner = next((key for key in AROUND if isinstance(found.get(key), Mapping) and found[key]), None)
        if inner is None or len(tensors) == len(found):
            odd = [str(name) for name in found if name not in tensors]
            if not tensors or not all(isinstance(name, str) for name in tensors):
                break
            return tensors, around, odd
        if tensors:
            text = f"it holds tensors both beside {inner!r} and in it"
            raise DataError(f"{shown(source)} is no state_dict: {text}. Save the one that is meant.")
        around.append(inner)
        found = found[inner]
    held = f"keys {few(one_line(str(key)) for key in found)}" if isinstance(found, Mapping) else type(found).__name__
    raise DataError(f"{shown(source)} holds no tensors by name: found {held}")


def _whole(name: str, tensor: torch.Tensor, source: Path) -> torch.Tensor:
    """A tensor with its own memory and no more. Raises DataError for one that safetensors has no form for."""
    plain = tensor.layout == torch.strided
    if name == METADATA:
        raise DataError(f"{shown(source)} has a tensor called {METADATA}, a name that safetensors keeps for itself")
    if not plain or tensor.is_quantized or tensor.dtype not in DTYPES.values():
        what = str(tensor.dtype if plain else tensor.layout).removeprefix("torch.")
        raise DataError(f"{shown(source)}: {one_line(name)} is {what}, which safetensors has not")
    return tensor.detach().contiguous().clone()


def _shared(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of those that share their memory with another."""
    names: dict[int, list[str]] = {}
    for name, tensor in tensors.items():
        if tensor.numel():
            names.setdefault(tensor.untyped_storage().data_ptr(), []).append(name)
    return [name for group in names.values() if len(group) > 1 for name in group]
