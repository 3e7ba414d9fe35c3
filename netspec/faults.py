"""What is wrong with the values of a record, in words: each fault at its place, what was expected, what to try."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from netspec.dims import Dim
from netspec.text.scalars import ungrouped
from netspec.words import did_you_mean

if TYPE_CHECKING:
    from netspec.records import Field, Record


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one argument: its path inside the record, and the words for it."""

    loc: tuple[str | int, ...]
    """The field, and the places in its value."""
    code: str
    """Its kind in a word, `bad-argument`."""
    text: str
    """What goes on where the record's name leaves off."""
    hint: str = ""
    """What to try."""

    def told(self, word: str) -> str:
        """The whole message; `word` is what the record is called where it is written."""
        return f"{word}{self.text}"


class Invalid(ValueError):
    """Arguments that a record does not accept; `faults` holds every reason."""

    def __init__(self, faults: Sequence[Fault], name: str) -> None:
        """`name` is what the message calls the record."""
        self.faults = tuple(faults)
        self.name = name
        super().__init__("; ".join(fault.told(name) for fault in self.faults))

    def of(self, value: Any) -> ValidationError:
        """The same as pydantic's error, each fault at its path inside `value`."""
        return failed(
            self.name, [(f.code, f"{f.told(self.name)}. {f.hint}".rstrip(), f.loc) for f in self.faults], value
        )


_PYTHON: Final = {
    **dict.fromkeys(("True", "yes", "Yes", "on", "On"), ("true", "boolean")),
    **dict.fromkeys(("False", "no", "No", "off", "Off"), ("false", "boolean")),
    **dict.fromkeys(("None", "none", "nil"), ("null", "null")),
}
"""Values as Python and older YAML write them, each as a spec does, and its type."""
_EXPECTED: Final = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a word",
    "dict_type": "a mapping",
    "list_type": "a list",
}


def faults_of(error: ValidationError, cls: type[Record]) -> list[Fault]:
    """What pydantic found wrong, in our words."""
    faults = []
    for detail in error.errors(include_url=False):
        loc, kind, found = detail["loc"], detail["type"], detail["input"]
        name = ".".join(str(part) for part in loc)
        if kind == "extra_forbidden":
            hint = did_you_mean(str(loc[-1]), cls.fields) if len(loc) == 1 else ""
            hint = hint or f"It has: {', '.join(cls.fields) or 'none'}."
            faults.append(Fault(loc, "unknown-argument", f" has no {name!r}", hint))
        elif kind == "missing":
            sentence = cls.fields[str(loc[0])].sentence if len(loc) == 1 else ""
            example = getattr(cls, "example", "")
            hint = f"For example: {example}" if example else f"Write {name}= and the value behind it."
            faults.append(Fault(loc[:-1], "missing-argument", f" needs {name}: {sentence}", hint))
        else:
            text = f": {name} is {shown(found)}, {_expected(kind, detail)}"
            faults.append(
                Fault(loc, "bad-argument", text, _advice(found, _expected(kind, detail), cls.fields[str(loc[0])], cls))
            )
    return faults


def _expected(kind: str, detail: Any) -> str:
    """What would have been accepted."""
    bounds = detail.get("ctx", {})
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}"
    if kind == "greater_than_equal":
        return f"expected a number of at least {bounds['ge']:,}"
    if kind == "less_than_equal":
        return f"expected a number of at most {bounds['le']:,}"
    message = str(detail["msg"]).removeprefix("Input should be ").removeprefix("Input ")
    return message if message.startswith(("expected", "must")) else f"expected {message}"


CALLED: Final = {
    "gpu": "cuda", "nvidia": "cuda", "metal": "mps", "tpu": "auto",
    "fp16": "bf16", "float16": "bf16", "half": "bf16", "bfloat16": "bf16", "amp": "bf16", "fp32": "float32",
    "float": "float32", "double": "float32", "long": "int64", "int": "int64", "integer": "int64", "boolean": "bool",
}  # fmt: skip
"""Words of closed sets by what others call them."""


def _advice(found: Any, expected: str, field: Field[Any], cls: type[Record]) -> str:
    """What to try instead of a value that is not accepted."""
    word, kind = _PYTHON.get(found, ("", "")) if isinstance(found, str) else ("", "")
    if word and (_takes(kind, field.kind(cls)[1]) or (kind == "null" and field.default is None)):
        return f"Write {word}."
    if kind == "null" and not field.required:
        return f"Leave {field.name} out."
    if isinstance(found, int) and expected.endswith("true or false"):
        return f"Write {'true' if found else 'false'}."
    if meant := meant_word(found, field.kind(cls)[1]):
        return f"Write {meant}."
    if isinstance(found, str) and (hint := did_you_mean(found, _options(field.kind(cls)[1]))) and hint not in expected:
        return hint
    if isinstance(found, Dim):
        return "Give that axis a number in `input`."
    if isinstance(found, float) and found.is_integer() and "whole number" in expected:
        return f"Write {int(found)}."
    if isinstance(found, float) and "whole number" in expected:
        return "Write a whole number; in an expression, // divides without a rest."
    if isinstance(found, str) and "number" in expected and (plain := ungrouped(found)):
        return f"Write {plain}."
    if isinstance(found, str) and found.isidentifier() and "number" in expected and not word:
        return f"Write a number, or ${found} for a parameter of that name."
    return f"{field.name}: {field.sentence}."


def meant_word(found: Any, json: dict[str, Any]) -> str:
    """The word among those that a JSON Schema allows that others call so, `gpu` or `cuda:0`; empty where none is."""
    if not isinstance(found, str):
        return ""
    word = found.lower().partition(":")[0]
    meant = CALLED.get(word, word)
    return meant if meant in _options(json) and meant != found else ""


def _options(json: dict[str, Any]) -> list[str]:
    """The words that a JSON Schema allows."""
    own = [word for word in json.get("enum", ()) if isinstance(word, str)]
    return own + [word for each in json.get("anyOf", ()) for word in _options(each)]


def _takes(kind: str, json: dict[str, Any]) -> bool:
    """Whether a JSON Schema allows values of a type."""
    return json.get("type") == kind or any(_takes(kind, each) for each in json.get("anyOf", ()))


def shown(value: Any) -> str:
    """A value as a message tells it, near to how a spec has it."""
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        return "x".join(map(shown, value))
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def failed(title: str, faults: Iterable[tuple[str, str, Sequence[str | int]]], value: Any) -> ValidationError:
    """Pydantic's error with each fault's code, its words, and its path inside `value`."""
    details: list[InitErrorDetails] = [
        {"type": PydanticCustomError(cast("Any", code), "{text}", {"text": text}), "loc": (*path,), "input": value}
        for code, text, path in faults
    ]
    return ValidationError.from_exception_data(title, details)
