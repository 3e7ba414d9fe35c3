"""Tokenization of a text column: words, characters, or what a tokenizer of the package tokenizers makes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.columns import Table
from netspec.datasets.files import show
from netspec.datasets.holes import Holes
from netspec.datasets.kinds import Kind
from netspec.errors import DataError
from netspec.optional import need
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np

    from netspec.datasets.kinds import Taught

    Array = np.ndarray[Any, Any]

PADDING: Final = 0
"""The number that fills a text up to its length."""
UNKNOWN: Final = 1
"""The number of every token that is not in the vocabulary, and of a text without any."""
UNITS: Final = ("words", "characters")
MAX_TOKENS: Final = 10_000_000
"""More than any tokenizer knows."""
MASKS: Final = ("none", "padding", "tokens")
_WORD: Final = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """One column of texts: an input of `B x length` whole numbers, and with a mask a second one of booleans."""

    name: str
    tokenizer: str
    """A word of UNITS, or the content of a tokenizer's file."""
    length: int
    vocabulary: int
    mask: str
    holes: Holes

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.name,) if self.mask == "none" else (self.name, f"{self.name}_mask")

    def read(self, table: Table) -> Array:
        import numpy as np

        hole = (
            f"Write missing: {self.holes.written(self.name, 'category')} to take empty cells for texts without a word."
        )
        cells = table.filled(self.name, "a text", hole) if self.holes.refused(self.name) else table.texts(self.name)
        found = np.empty(len(cells), object)
        found[:] = cells
        return found

    def learn(self, raw: Array, name: str) -> dict[str, Any]:
        if self.tokenizer not in UNITS:
            return {"texts": {self.name: {"tokenizer": "file", "file": self.tokenizer}}}
        counts = Counter[str]()
        for text, cells in Counter(raw).items():
            for token, count in Counter(_cut(text, self.tokenizer)).items():
                counts[token] += count * cells
        # The commonest first, those that are as common by the alphabet: the same in every process.
        known = sorted(counts, key=lambda token: (-counts[token], token))[: self.vocabulary - UNKNOWN - 1]
        return {"texts": {self.name: {"tokenizer": self.tokenizer, "tokens": known}}}

    def seen(self, raw: Array, taught: Taught) -> list[Array]:
        import numpy as np

        known, texts = taught["texts"][self.name], list(dict.fromkeys(raw))  # each once, however many cells hold it
        if known["tokenizer"] == "file":
            tokens, padding = _encoded(known["file"], texts, self.length, self.name)
        else:
            tokens, padding = _numbered(texts, known, self.length), PADDING
        numbers = dict(zip(texts, tokens, strict=True))
        found = np.full((len(raw), self.length), padding, np.int64)
        counts = np.array([len(numbers[text]) for text in raw], np.int64)
        places = np.arange(self.length) < counts[:, None]
        for row, text in zip(found, raw, strict=True):
            row[: len(numbers[text])] = numbers[text]
        return [found] if self.mask == "none" else [found, places if self.mask == "tokens" else ~places]

    def lines(self, raw: Array, taught: Taught) -> Iterator[str]:
        known = taught["texts"][self.name]
        yield f"text: {printable(self.name)}, {self.length} tokens each, shorter texts are filled up"
        if known["tokenizer"] == "file":
            count, padding = _size(known["file"])
            rows = max(count, padding + 1)
            yield f"  its tokenizer knows {count:,} tokens, {padding} is padding: an embedding of {rows:,} rows"
            return
        count = len(known["tokens"]) + UNKNOWN + 1
        units = known["tokenizer"]
        yield f"  {units}: an embedding of {count:,} rows, {PADDING} is padding, {UNKNOWN} any other of them"
        long = sum(n for text, n in Counter(raw).items() if len(_cut(text, self.tokenizer)) > self.length)
        if long:
            yield f"  {long:,} of {len(raw):,} texts are longer, and cut; length= says how long they may be"


def tokenizer_of(path: Path) -> str:
    """The content of a tokenizer's file, read by its package and written again. Raises DataError."""
    package = need("tokenizers", "a tokenizer")
    try:
        found: str = package.Tokenizer.from_file(str(path)).to_str()
    except Exception as error:  # the package raises nothing more special
        raise DataError(f"{show(path)} is not a file of a tokenizer: {reason(error)}") from None
    return found


def _cut(text: str, units: str) -> Sequence[str]:
    """A text in its characters, or in its words, lower case."""
    return text if units == "characters" else _WORD.findall(text.lower())


def _numbered(texts: list[str], known: Taught, length: int) -> list[list[int]]:
    """The tokens of texts, at most so many of each, as numbers."""
    numbers = {token: UNKNOWN + 1 + i for i, token in enumerate(known["tokens"])}
    cut = (_cut(text, known["tokenizer"])[:length] for text in texts)
    return [[numbers.get(token, UNKNOWN) for token in tokens] or [UNKNOWN] for tokens in cut]


def _encoded(content: str, texts: Sequence[str], length: int, name: str) -> tuple[list[list[int]], int]:
    """The tokens of texts, cut as the tokenizer cuts them, and the number of its padding."""
    tokenizer = need("tokenizers", "a tokenizer").Tokenizer.from_str(content)
    _, padding = _size(content)
    try:
        tokenizer.no_padding()
        tokenizer.enable_truncation(length)
        return [found.ids or [padding] for found in tokenizer.encode_batch(texts)], padding
    except Exception as error:
        raise DataError(f"{printable(name)} cannot be turned into tokens: {reason(error)}") from None


def _size(content: str) -> tuple[int, int]:
    """How many numbers a tokenizer has for tokens, and which one is padding: its own, or the next that is free."""
    tokenizer = need("tokenizers", "a tokenizer").Tokenizer.from_str(content)
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    count = size_of(vocabulary)
    own = (tokenizer.padding or {}).get("pad_id")
    named = (vocabulary[word] for word in ("[PAD]", "<pad>", "<|pad|>") if word in vocabulary)
    return count, own if own is not None else next(named, count)


def size_of(vocabulary: Mapping[str, int]) -> int:
    """How many numbers the tokens of a vocabulary take. Raises DataError for more than any tokenizer knows."""
    highest = max(vocabulary.values(), default=0)
    if highest > MAX_TOKENS:
        raise DataError(f"the tokenizer numbers a token {highest:,}, at most {MAX_TOKENS:,} are expected")
    return 1 + highest


def reason(error: Exception) -> str:
    """What a package says of its error, in a line."""
    return printable(str(error).splitlines()[0])
