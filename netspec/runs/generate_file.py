"""Texts that an exported file goes on with, in ONNX Runtime. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netspec.errors import DataError
from netspec.files import shown
from netspec.runs.language_model import Array, LanguageModel, language_model, vocabulary_of
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.sampling import Continuation, Sampling


def generate(
    file: OnnxModel,
    prompt: str,
    *,
    tokens: int,
    how: Sampling,
    stop: Sequence[str],
    cache: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Continuation:
    """What the model in a file goes on with after a prompt. Raises UsageError and DataError.

    What was read is kept where the file has inputs for it, and there is to be a `cache`; `tell` is told where not.
    """
    model = language_model(file.spec, file.exporter.output == "probabilities")
    _need_inputs(file, model)
    kept = cache and bool(file.memory)
    if cache and not kept and tell is not None:
        way_out = "a file with a memory is written with export: {onnx: {cache: true}}"
        tell(
            f"each token is computed from the whole text again, as the file has no inputs for what was read: {way_out}"
        )
    vocabulary = vocabulary_of(file.spec, file.learnt)
    reader = FileReader(file, model, kept)
    return Continuation.of(reader, vocabulary, prompt, how=how, tokens=tokens, stop=stop, cached=kept)


def _need_inputs(file: OnnxModel, model: LanguageModel) -> None:
    """Refuse a file that does not take what its spec says. Raises DataError."""
    wanted = {model.tokens, *(file.memory or model.others)}
    if {*file.inputs} != wanted or not file.outputs:
        raise DataError(f"{shown(file.path)} does not take what the spec in it says: {', '.join(sorted(wanted))}")


class FileReader:
    """A model in a file that reads a text: its new tokens alone where it keeps what it has read, else all of it."""

    def __init__(self, file: OnnxModel, model: LanguageModel, kept: bool) -> None:
        """The model, how it is asked, and whether what was read is kept."""
        self.file, self.model, self.kept = file, model, kept
        places = [i for i, name in enumerate(file.outputs) if name not in file.memory.values()]
        self.scores = file.outputs[places[0] if file.memory else model.at]
        self.forget()

    def forget(self) -> None:
        """Begin with a new text."""
        self._text: list[int] = []
        self._held: dict[str, Array] = {name: np.zeros(self._begun(name), np.float32) for name in self.file.memory}
        self._held |= {name: np.zeros(shape, np.float32) for name, shape in self._others.items()}

    @property
    def _others(self) -> dict[str, Any]:
        """The shapes of states that are given beside the tokens and kept by nobody."""
        return {} if self.file.memory else dict(self.model.others)

    def _begun(self, name: str) -> list[int]:
        """The sizes of what is remembered at the beginning of one text: of open ones the batch is 1, the others 0."""
        sizes = self.file.inputs[name]
        return [size if isinstance(size, int) else int(size == "batch") for size in sizes]

    def read(self, tokens: Sequence[int]) -> Array:
        """Read further tokens; gives the logarithms of the probabilities of the one after them."""
        self._text += tokens
        given = tokens if self.kept else self._text
        wanted = [self.scores, *(self.file.memory.values() if self.kept else ())]
        taken = self.file.taken(self.model.tokens, self.model.shaped(given), 1)
        found = self.file.run({self.model.tokens: taken, **self._held}, wanted)
        if self.kept:
            self._held = dict(zip(self.file.memory, found[1:], strict=True))
        return self.model.scores(found[0])
