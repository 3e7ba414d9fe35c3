"""Texts that the network of a run goes on with, in torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from netspec.runs.language_model import Array, LanguageModel, language_model, vocabulary_of
from netspec.runs.run import Run
from netspec.runs.sampling import Continuation, Reader, Sampling
from netspec.runtime.export.subject import tensors
from netspec.runtime.network.build import build
from netspec.spec import Spec
from netspec.text.report import SpecError
from netspec.views.cached import Cached, Uncacheable, cached

TRIED: Final = (4, 1, 1, 2, 1)
"""Numbers of tokens that both networks read one after the other before they are taken to be the same."""
NEAR: Final = 1e-4
"""How far logarithms of probabilities may be apart, by rounding."""
SHARE: Final = 1e-5
"""The same as a share of them."""


def generate(
    run: Run,
    prompt: str,
    *,
    tokens: int,
    how: Sampling,
    stop: Sequence[str],
    cache: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Continuation:
    """What the best weights of a run go on with after a prompt. Raises UsageError and DataError.

    With a `cache` what was read is kept from token to token, where the network can go on from it; where not, `tell` is
    told which step cannot.
    """
    model = language_model(run.spec)
    vocabulary = vocabulary_of(run.spec, run.learnt)
    module = run.module(fold=True)
    reader: Reader = Whole(module, model)
    kept = False
    if cache:
        try:
            reader, kept = remembering(run.spec, module, model), True
        except Uncacheable as error:
            if tell is not None:
                tell(f"each token is computed from the whole text again: {error}")
    return Continuation.of(reader, vocabulary, prompt, how=how, tokens=tokens, stop=stop, cached=kept)


class Whole:
    """A network that reads a text from its beginning for each token."""

    def __init__(self, module: nn.Module, model: LanguageModel) -> None:
        """A network in evaluation mode, and how it is asked."""
        self.module, self.model = module, model
        self._text: list[int] = []

    def forget(self) -> None:
        """Begin with a new text."""
        self._text = []

    def read(self, tokens: Sequence[int]) -> Array:
        """Read further tokens; gives the logarithms of the probabilities of the one after them."""
        self._text += tokens
        given = {name: torch.zeros(shape) for name, shape in self.model.others.items()}
        given[self.model.tokens] = torch.from_numpy(self.model.shaped(self._text))
        with torch.inference_mode():
            found = tensors(self.module(*(given[name] for name in self.model.inputs)))
        return self.model.scores(found[self.model.at].numpy())


class Remembering:
    """A network that is given what it kept of the text so far, and reads the new tokens alone."""

    def __init__(self, module: nn.Module, single: nn.Module, model: LanguageModel, spec: Cached) -> None:
        """The network with a memory, the same for a single token, and how it is asked."""
        self.module, self.single, self.model, self.spec = module, single, model, spec
        self.forget()

    def forget(self) -> None:
        """Begin with a new text."""
        self._held = [torch.zeros(begun(self.spec, memory.tensor.shape)) for memory in self.spec.memory]

    def read(self, tokens: Sequence[int]) -> Array:
        """Read further tokens; gives the logarithms of the probabilities of the one after them."""
        network = self.single if len(tokens) == 1 else self.module
        with torch.inference_mode():
            found = network(torch.from_numpy(self.model.shaped(tokens)), *self._held)
        scores, *self._held = found.values()
        return self.model.scores(scores.numpy())


def begun(spec: Cached, shape: Sequence[Any]) -> list[int]:
    """The sizes of what a network remembers at the beginning of one text: nothing of tokens before."""
    return [size if isinstance(size, int) else 0 if str(size) == spec.letter else 1 for size in shape]


def with_memory(spec: Spec, module: nn.Module, output: str, *, single: bool = False) -> tuple[Spec, nn.Module, Cached]:
    """The network of a spec with a memory, as a spec of its own and built, with the weights of `module`,
    to whose layers small matrices of lora have been added. A `single` one reads one token each time.

    Raises Uncacheable where it cannot go on from what was read before.
    """
    found = cached(spec.folded().graph if spec.graph.root.adapters() else spec.graph, output, single=single)
    try:
        own = Spec.loads(found.text, name=f"<{spec.name} with a memory>")
    except SpecError as error:
        raise Uncacheable(f"its steps are too many for one spec, {error.problems[0].message}") from None
    state = module.state_dict()
    return own, build(own, {new: state[old] for old, new in found.weights.items()}).eval(), found


def remembering(spec: Spec, module: nn.Module, model: LanguageModel) -> Remembering:
    """The network with a memory, once it was seen to give what the whole one gives. Raises Uncacheable."""
    _, own, found = with_memory(spec, module, model.output)
    _, single, _ = with_memory(spec, module, model.output, single=True)
    reader, whole = Remembering(own, _recorded(single, model, found), model, found), Whole(module, model)
    chance = np.random.default_rng(0)
    for count in TRIED if model.window is None or model.window >= sum(TRIED) else (1,):
        text = chance.integers(0, _rows(spec, model), count).tolist()
        a, b = reader.read(text), whole.read(text)
        if not np.allclose(np.maximum(a, b.min()), b, atol=NEAR, rtol=SHARE):
            raise Uncacheable("what comes after a token changes what is made of it")
    reader.forget()
    return reader


def _recorded(single: nn.Module, model: LanguageModel, spec: Cached) -> nn.Module:
    """The network of a single token as one record of what it does, which costs half of calling it step by step.

    The record is held against the whole network like that itself; where torch cannot make one, it is the network.
    """
    held = [torch.zeros([size or 1 for size in begun(spec, memory.tensor.shape)]) for memory in spec.memory]
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that sizes are taken for fixed is found out where the record is tried
            example = (torch.from_numpy(model.shaped([0])), *held)
            record = torch.jit.trace(single, example, strict=False, check_trace=False)
            found: nn.Module = torch.jit.freeze(record)
    except RuntimeError:
        return single
    return found


def _rows(spec: Spec, model: LanguageModel) -> int:
    """How many tokens the network chooses from."""
    size = spec.graph.outputs[model.output].shape[model.classes]
    assert isinstance(size, int)
    return size
