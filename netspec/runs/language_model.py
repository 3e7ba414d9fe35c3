"""What a network has to be to continue a text, seen from its spec: where tokens go in, and their scores come out.

It takes whole numbers along one open axis, the text, and gives for each of them the scores of the next, as many as
there are tokens. How long a text may be follows from its tables of positions, which have a row for each place, and
from the length that its input declares; where there is neither, it is read as far back as it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netspec.datasets.text import Text
from netspec.dims import Dim, names
from netspec.errors import UsageError
from netspec.graph.model import Graph, Step
from netspec.lint.embedding_rows import rows, short
from netspec.spec import Spec
from netspec.tensors import Tensor
from netspec.views.cached import Uncacheable, tokens_of

Array = np.ndarray[Any, Any]
ANY: Final = 2**31
"""More places than any table of positions has."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """How a network of a language model is asked."""

    inputs: tuple[str, ...]
    """What the network is called with, in order."""
    tokens: str
    """The input that takes the tokens."""
    place: int
    """The axis of that input along which they stand."""
    output: str
    """The output that has the scores of the next token."""
    at: int
    """Its place among the outputs."""
    classes: int
    """Its axis of tokens to choose from."""
    window: int | None
    """How many tokens it can see at once; None for any number."""
    exact: bool
    """Whether it takes exactly so many, and no fewer."""
    probabilities: bool
    """Whether it gives probabilities, and no scores."""
    others: Mapping[str, tuple[int, ...]]
    """The shapes of states that it takes beside the tokens, which begin with zeros."""

    def shaped(self, tokens: Sequence[int]) -> Array:
        """The tokens of one text as the network takes them."""
        return np.expand_dims(np.array(tokens, np.int64), 1 - self.place)

    def scores(self, values: Array) -> Array:
        """The logarithms of the probabilities of the token after the last, from what the network gives for one text."""
        last = np.moveaxis(values, self.classes, -1).reshape(-1, values.shape[self.classes])[-1].astype(np.float64)
        return logs(last, self.probabilities)


def logs(values: Array, probabilities: bool) -> Array:
    """Scores, or probabilities, as logarithms of probabilities."""
    with np.errstate(divide="ignore"):
        found: Array = np.log(values) if probabilities else values - values.max()
    return found if probabilities else found - np.log(np.exp(found).sum())


def language_model(spec: Spec, probabilities: bool = False) -> LanguageModel:
    """How the network of a spec is asked for the token after others. Raises UsageError where it is no language model.

    `probabilities` says that what runs gives probabilities of whatever scores the network has.
    """
    graph = spec.graph
    try:
        tokens, length = tokens_of(graph)
    except Uncacheable as error:
        raise UsageError(f"{spec.name} continues no text: {error}") from None
    section, outputs = spec.experiment.data, graph.outputs
    train = spec.experiment.train
    answered = train.answered(list(outputs)) if train is not None else {}
    output, term = next(iter(answered.items()), (next(iter(outputs), ""), None))
    x, given = outputs.get(output), graph.inputs[tokens]
    axis = -1 if term is None or x is None else term.loss.class_axis(len(x.shape))
    if x is None or x.dtype != "float32" or len(x.shape) < 2 or not isinstance(x.shape[axis], int):
        raise UsageError(f"{spec.name} gives no scores for a next token: {output} is {x}")
    source = section.source if section is not None else None
    if not isinstance(source, Text) and not _of_places(x, length):
        raise UsageError(f"{spec.name} gives {output} of {x}, which is of the whole text and no next token")
    exact = isinstance(length, int)
    known = window_of(graph) if not exact else int(str(length))
    others = {name: _state(spec.name, name, other) for name, other in graph.inputs.items() if name != tokens}
    place = next(axis for axis, size in enumerate(given.shape) if "B" not in names(size))
    ends = graph.results[output].actual.step
    likely = probabilities or (ends is not None and ends.op is not None and ends.op.makes == "probabilities")
    at = list(outputs).index(output)
    return LanguageModel(tuple(graph.inputs), tokens, place, output, at, axis, known, exact, likely, others)


def _of_places(x: Tensor, length: Any) -> bool:
    """Whether an output is of each place of a text, or of its last one."""
    if isinstance(length, Dim):
        return any(names(length) & names(size) for size in x.shape) or 1 in x.shape[1:-1]
    return length in x.shape[:-1]


def _state(network: str, name: str, x: Tensor) -> tuple[int, ...]:
    """The shape of a state of one text. Raises UsageError."""
    if x.dtype != "float32" or any(names(size) - {"B"} for size in x.shape):
        raise UsageError(f"{network} takes {name} beside the tokens, {x}, and nobody knows what that begins with")
    return tuple(1 if isinstance(size, Dim) else size for size in x.shape)


def window_of(graph: Graph) -> int | None:
    """How many places the tables of a network's positions have, the fewest of them; None where it has no such."""
    bounds: dict[int, tuple[int, int]] = {}
    for step in graph.root.walk():
        if step.op is not None and step.op.counts and isinstance(getattr(step.op, "end", None), Dim):
            bounds |= {id(step.value): (0, ANY)}
    through = {id(step): step for step in _carried(graph, bounds)}
    tables = [rows(step) for step in through.values()]
    return min([*tables, *_stretches(graph)], default=None)


def _carried(graph: Graph, bounds: dict[int, tuple[int, int]]) -> Iterator[Step]:
    """Embeddings of what counts, also where that has been given another form."""
    for step in graph.root.walk():
        formed = step.op is not None and step.inputs and step.op.family != "embedding" and step.value.tensor is not None
        if formed and step.value.tensor is not None and step.value.tensor.dtype == "int64":
            bounds |= {id(step.value): b for v in step.inputs if (b := bounds.get(id(v.actual))) is not None}
    yield from (step for step, _, _ in short(graph.root, bounds))


def _stretches(graph: Graph) -> Iterator[int]:
    """The lengths of tables of which as many places are taken as the text has."""
    for step in graph.root.walk():
        if type(step.op).__name__ not in ("Slice", "Narrow") or step.inputs[0].actual.tensor is None:
            continue
        size = step.inputs[0].actual.tensor.shape[getattr(step.op, "dim", 0)]
        stop = getattr(step.op, "stop", getattr(step.op, "length", None))
        if isinstance(size, int) and isinstance(stop, Dim):
            yield size


# --- tokens ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Between a text and its tokens."""

    encode: Callable[[str], list[int]]
    """The tokens of a text. Raises DataError for what there is no token for."""
    decode: Callable[[Sequence[int]], str]
    """The text of tokens; where it ends within a character, that is U+FFFD."""
    size: int | None
    """How many tokens there are; None where that is not known."""


def vocabulary_of(spec: Spec, learnt: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary that a run over a text has learnt; that of other runs are the numbers of tokens themselves.

    Raises DataError where what was learnt is not there.
    """
    section = spec.experiment.data
    source = section.source if section is not None else None
    if isinstance(source, Text):
        words = source.words_of(learnt)
        return Vocabulary(lambda text: words.encode(text, "the prompt").tolist(), words.decode, words.count)
    return Vocabulary(_numbers, lambda tokens: " ".join(map(str, tokens)), None)


def _numbers(text: str) -> list[int]:
    """The numbers of tokens in a text. Raises UsageError."""
    found = text.split()
    if wrong := next((word for word in found if not (word.isascii() and word.isdigit() and len(word) < 10)), None):
        way_out = "The run was not trained on a text, so the prompt is the numbers of tokens: 3 1 4"
        raise UsageError(f"the prompt has {wrong[:40]!r}, which is no number of a token. {way_out}")
    return [int(word) for word in found]
