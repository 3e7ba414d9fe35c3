"""Texts for language models: windows of characters, bytes or tokens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec import records as fields
from netspec.datasets.base import Arrays, Dataset, Gives, Origin, Part
from netspec.datasets.files import Budget, Files, content_of, show, text_of
from netspec.datasets.tokens import reason, size_of, tokenizer_of
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.optional import need
from netspec.records import Choice, Int, Maybe
from netspec.tensors import Tensor
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_TEXT: Final = 1 << 30
TOO_LONG: Final = "Train on a part of it"
MORE: Final = f"{TOO_LONG}, or allow more memory in the spec: data.memory=16GB."
EACH: Final = 13
"""Bytes of memory for a byte of text, at most: itself, a character of four, a number of eight."""
PIECE: Final = 1 << 20
BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Words:
    """Between texts and their tokens."""

    encode: Callable[[str, str], Array]
    """The tokens of a text, given what messages call it. Raises DataError for what there is no token for."""
    decode: Callable[[Sequence[int]], str]
    """The text of tokens, with U+FFFD for bytes that are no character yet."""
    count: int
    """How many tokens there are."""


class Text(Dataset):
    """A text, raw or gzipped, as windows of tokens; the target is each window's next tokens.

    Input and target are `B x length` whole numbers, and go with `cross_entropy axis=-1`. A token is a character of
    UTF-8, a byte, or what a `tokenizer` makes of the text. The characters of the text are numbered in the order of
    the alphabet; their numbers are kept with the run, and used wherever it is evaluated or exported. Windows follow one
    another without overlap; what is held out for validation and test is the text's end.
    """

    example = "text data/book.txt 64"

    path = fields.Text("the file")
    length = Int("tokens in a window", 64, ge=1)
    units = Choice("what a token is, without a tokenizer", ("characters", "bytes"), "characters")
    tokenizer = Maybe(
        fields.Text("file of a tokenizer of the package tokenizers: pip install 'netspec-torch[tokenizers]'", None)
    )
    unknown = Maybe(
        fields.Text("character that stands for those that the training text does not have; null refuses them", None)
    )
    val = Maybe(fields.Text("file of the validation part", None))
    test = Maybe(fields.Text("file of the test part", None))

    def gives(self) -> Gives:
        windows = Tensor((BATCH, self.length), "int64")
        if self.units == "characters" or self.tokenizer:
            return Gives((windows,), windows)
        return Gives((windows,), windows, BYTES, numbers=((0, BYTES - 1),))

    def read(self, files: Files) -> Arrays:
        return self.read_as(files, {})

    def read_as(self, files: Files, learnt: Mapping[str, Any]) -> Arrays:
        paths = {"train": self.path, "val": self.val, "test": self.test}
        found = {part: files.file(path) for part, path in paths.items() if path}
        encode: Callable[[Path, Budget], Array]
        kept = {"units": "tokens" if self.tokenizer else self.units}
        if self.tokenizer:
            kept["tokenizer"] = learnt.get("tokenizer") or tokenizer_of(files.file(self.tokenizer))
            names, number = _tokenizer(kept["tokenizer"])

            def encode(path: Path, budget: Budget) -> Array:
                return number(_text(path, budget), show(path), budget)

        elif self.units == "bytes":
            names, encode = tuple(f"0x{i:02x}" for i in range(BYTES)), _bytes
        else:
            known = (
                learnt["classes"]
                if learnt.get("units") == self.units
                else sorted(set(_text(found["train"], files.budget)))
            )
            names = _letters(known)
            spell = self._characters(names)

            def encode(path: Path, budget: Budget) -> Array:
                return spell(_text(path, budget), show(path), budget)

        parts = {part: self._windows(encode(path, files.budget), path) for part, path in found.items()}
        return Arrays(parts["train"], parts.get("val"), parts.get("test"), ("text",), names, ordered=True, learnt=kept)

    def lines(
        self, texts: Sequence[str], names: Sequence[str], learnt: Mapping[str, Any], taken: int | None = None
    ) -> Array:
        """The last tokens of new texts, as many of each as a window has; `names` are theirs, in messages.

        Raises DataError for texts of fewer tokens that are not all of one length, and for fewer than are `taken`, where
        the network takes no other number.
        """
        import numpy as np

        encode = self.words_of(learnt).encode
        found = [encode(text, name) for text, name in zip(texts, names, strict=True)]
        windows = [tokens[-self.length :] for tokens in found]
        shortest = min(range(len(windows)), key=lambda i: len(windows[i]))
        longest = max(map(len, windows))
        if taken is not None and len(windows[shortest]) < taken:
            text = f"{names[shortest]} has {len(windows[shortest]):,} tokens, the network takes {taken:,} and no fewer"
            way_out = "Give longer texts, whose last tokens count; a network with input: int T, which takes any number"
            raise DataError(f"{text}. {way_out}, has to be trained anew.")
        if len(windows[shortest]) < longest or not longest:
            raise uneven(names[shortest], len(windows[shortest]), longest or 1)
        return np.stack(windows)

    def words_of(self, learnt: Mapping[str, Any]) -> Words:
        """Between texts and tokens, as a run has learnt it. Raises DataError where it was not."""
        import numpy as np

        budget = Budget()
        if self.tokenizer:
            if "tokenizer" not in learnt:
                raise DataError("the run was trained by an older version, which did not keep its tokenizer")
            known, number = _tokenizer(learnt["tokenizer"])
            spoken = need("tokenizers", "a tokenizer").Tokenizer.from_str(learnt["tokenizer"]).decode
            return Words(lambda text, label: number(text, label, budget), lambda ids: str(spoken([*ids])), len(known))
        if self.units == "bytes":
            return Words(
                lambda text, _: np.frombuffer(text.encode(), np.uint8).astype(np.int64),
                lambda ids: bytes(ids).decode(errors="replace"),
                BYTES,
            )
        if not learnt.get("classes"):
            raise DataError("the run does not keep the characters that it was trained on")
        letters = _letters(learnt["classes"])
        spell = self._characters(letters)
        return Words(
            lambda text, label: spell(text, label, budget), lambda ids: "".join(letters[i] for i in ids), len(letters)
        )

    def _characters(self, names: tuple[str, ...]) -> Callable[[str, str, Budget], Array]:
        """What turns a text into the numbers of its characters, and raises DataError at the first that has none.

        It is given what messages call the text, too.
        """
        import numpy as np

        if self.unknown is not None and self.unknown not in names:
            raise DataError(f"text: unknown is {printable(self.unknown)!r}, which the training text does not have")
        other = -1 if self.unknown is None else names.index(self.unknown)
        numbers = np.full(sys.maxunicode + 1, other, np.int64)
        need_characters(names)
        numbers[[ord(name) for name in names]] = np.arange(len(names))

        def encode(text: str, label: str, budget: Budget) -> Array:
            budget.take(8 * len(text), label, TOO_LONG)
            found = np.empty(len(text), np.int64)
            for start in range(0, len(text), PIECE):
                piece = text[start : start + PIECE].encode("utf-32-le")
                found[start : start + PIECE] = numbers[np.frombuffer(piece, np.uint32)]
            for place in np.flatnonzero(found < 0)[:1]:
                line = text.count("\n", 0, int(place)) + 1
                where = f"{label}, line {line}" if "\n" in text else label
                shown = f"{where}: {printable(text[place])!r}"
                like = next((name for name in "?._-" if name in names), names[-1])
                hint = f"Write unknown={like} to take it for that, or units=bytes."
                raise DataError(f"{shown} does not occur in the training text. {hint}")
            return found

        return encode

    def _windows(self, tokens: Array, path: Path) -> Part:
        """A text's tokens as windows and the windows one token further, both of the same memory."""
        count = (len(tokens) - 1) // self.length
        if count < 1:
            text = (
                f"{show(path)} holds {len(tokens):,} tokens, too few for a window of {self.length} and the one after it"
            )
            raise DataError(f"{text}. Take a shorter length.")
        end = count * self.length
        inputs, target = tokens[:end].reshape(count, -1), tokens[1 : end + 1].reshape(count, -1)
        return Part((inputs,), target, Origin((show(path),), noun="window"))


def uneven(name: str, count: int, expected: int) -> DataError:
    """What is said of a text of fewer tokens than others that are given with it."""
    text = f"{name} has {count:,} tokens, expected {expected:,} as in others"
    return DataError(f"{text}: nothing fills up what is shorter. Give texts of one length at a time.")


def _letters(known: Sequence[str]) -> tuple[str, ...]:
    """The characters that a run knows. Raises DataError."""
    if wrong := next((name for name in known if len(name) != 1), None):
        raise DataError(f"the run has learnt {printable(wrong[:40])!r} as a character, which it is not")
    return tuple(known)


def _text(path: Path, budget: Budget) -> str:
    """The text of a file, in bounds. Raises DataError."""
    return text_of(path, _limit(budget), MORE)


def _bytes(path: Path, budget: Budget) -> Array:
    """The bytes of a file as int64, in bounds. Raises DataError."""
    import numpy as np

    content = content_of(path, _limit(budget), MORE)
    budget.take(8 * len(content), show(path), TOO_LONG)
    return np.frombuffer(content, np.uint8).astype(np.int64)


def _limit(budget: Budget) -> int:
    """Bytes of text that there is memory for, with the numbers that they become."""
    return min(MAX_TEXT, budget.left // EACH)


def _tokenizer(content: str) -> tuple[tuple[str, ...], Callable[[str, str, Budget], Array]]:
    """The tokens that a tokenizer knows, by number, and what turns a text into their numbers.

    That is given what messages call the text, too. Raises DataError.
    """
    import numpy as np

    tokenizer = need("tokenizers", "a tokenizer").Tokenizer.from_str(content)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    names = [""] * size_of(vocabulary)
    for name, number in vocabulary.items():
        names[number] = name

    def encode(text: str, label: str, budget: Budget) -> Array:
        budget.take(8 * len(text), label, TOO_LONG)
        try:
            return np.array(tokenizer.encode(text, add_special_tokens=False).ids, np.int64)
        except Exception as error:
            raise DataError(f"{label} cannot be turned into tokens: {reason(error)}") from None

    return tuple(names), encode


def need_characters(names: Sequence[str]) -> None:
    """Refuse what is kept for the characters of a text and is none. Raises DataError."""
    if wrong := [name for name in names if len(name) != 1]:
        raise DataError(f"{printable(wrong[0])!r} is kept for a character of the text, and is none")
