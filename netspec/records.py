"""Fields and the records made of them: what a layer, an optimizer or a section may say.

A record is a class whose attributes are fields. Each field knows its pydantic-core schema,
its JSON Schema, its default and one sentence; validation is pydantic's, strict and with
unknown names refused. The schemas are built from this table, and pydantic's class
machinery is left out, because importing it would cost more than checking a spec does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, ClassVar, Final, Generic, Self, TypeGuard, TypeVar, cast, overload

from pydantic_core import PydanticCustomError, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from netspec.dims import Dim
from netspec.faults import Invalid, faults_of, meant_word
from netspec.words import did_you_mean

T = TypeVar("T")
Kind = Callable[[Any], tuple[cs.CoreSchema, dict[str, Any]]]
"""What a field accepts, as pydantic-core's schema and as JSON Schema, given the class that owns it."""

REQUIRED: Final = object()
MAX_INT: Final = 2**53
Sizes = int | tuple[int, ...]


class Field(Generic[T]):
    """One argument: its sentence, its default, and what it accepts."""

    def __init__(
        self,
        sentence: str,
        kind: Kind,
        default: Any = REQUIRED,
        *,
        axis: int | None = None,
        torch: bool = True,
        torch_default: Any = REQUIRED,
        keyword: bool = False,
        rest: bool = False,
        textual: bool = False,
        symbols: bool = False,
        places: bool = False,
    ) -> None:
        self.sentence = sentence
        self.kind = kind
        self.default = default
        self.axis = axis
        """The axis of the first input that this size is inferred from."""
        self.torch = torch
        """Whether it is an argument of torch's, and not only of the spec's."""
        self.torch_default = default if torch_default is REQUIRED else torch_default
        """What torch takes where nothing is said, if that is not the spec's own default."""
        self.keyword = keyword
        """Whether it can only be given by name."""
        self.rest = rest
        """Whether it takes all positional arguments that are left."""
        self.textual = textual
        """Whether it takes words, so that `3x3` would stay a text."""
        self.symbols = symbols
        """Whether it takes sizes that are known only at run time, such as `B` and `T`."""
        self.places = places
        """Whether it is a formula, which is computed for each place of a tensor."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Field[T] | T:
        if instance is None:
            return self
        value: T = instance.__dict__[self.name]
        return value

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED


class Record:
    """Base of everything that is described by fields. Immutable once made."""

    fields: ClassVar[dict[str, Field[Any]]] = {}
    """Every field by name, inherited ones among them."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Gather the fields of the class and of those above it, in order."""
        super().__init_subclass__(**kwargs)
        own = {name: field for name, field in vars(cls).items() if isinstance(field, Field)}
        inherited = {n: f for base in reversed(cls.__mro__[1:]) for n, f in vars(base).get("fields", {}).items()}
        cls.fields = cls.ordered({**inherited, **own})

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        """The fields in the order in which positional arguments fill them."""
        return fields

    def __init__(self, **values: Any) -> None:
        """A record of these values, each checked against its field. Raises Invalid with every fault."""
        try:
            self.__dict__.update(_validator(type(self)).validate_python(values))
        except ValidationError as error:
            raise Invalid(faults_of(error, type(self)), type(self).__name__) from None

    def replace(self, **values: Any) -> Self:
        """A copy with other values, which are taken as they are."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, **values)
        return copy

    @property
    def given(self) -> dict[str, Any]:
        """The values that differ from their defaults, by field."""
        return {
            name: self.__dict__[name]
            for name, field in self.fields.items()
            if field.required or not same(self.__dict__[name], field.default)
        }

    @property
    def given_to_torch(self) -> dict[str, Any]:
        """Those of them that are arguments of torch's class too, by its names."""
        return {name: value for name, value in self.given.items() if self.fields[name].torch}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), repr(self.__dict__)))  # values may be lists and mappings, which have none

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.given.items())})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> cs.CoreSchema:
        """How a pydantic model takes one: made already, or as a mapping of its fields, which it is dumped as."""

        def taken(value: Any) -> Record:
            if isinstance(value, cls):
                return value
            if getattr(cls, "example", None) == "":  # a family, of which a mapping would not say the member
                raise refuse(f"an instance of a class of {cls.__name__}")
            if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
                raise refuse(f"{cls.__name__} or a mapping of its fields")
            try:
                return cls(**value)
            except Invalid as invalid:
                raise invalid.of(value) from None

        dumped = cs.plain_serializer_function_ser_schema(lambda record: record.given)
        return cs.no_info_plain_validator_function(taken, serialization=dumped)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"title": cls.__name__, **cls.json_schema(computed=False)}

    @classmethod
    def json_schema(cls, *, computed: bool = True) -> dict[str, Any]:
        """The JSON Schema of the long form; values may be `computed` by the expressions of a spec."""
        properties = {
            name: {"description": field.sentence, **(_or_computed if computed else dict)(field.kind(cls)[1])}
            | ({} if field.required or field.default is None else {"default": field.default})
            for name, field in cls.fields.items()
        }
        required = [name for name, field in cls.fields.items() if field.required]
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**schema, "required": required} if required else schema


class Entry(Record):
    """A record that a row can name: a layer, a loss, an optimizer, a source of data."""

    __slots__ = ("_word",)  # beside the values: two words for one thing make equal entries

    words: ClassVar[tuple[str, ...]] = ()
    """Short words for this very class, next to its own name."""
    general: ClassVar[tuple[str, ...]] = ()
    """Words that several classes share; what the word meets decides among them."""
    letters: ClassVar[dict[str, str]] = {}
    """One-letter arguments: `k3` is kernel_size=3."""
    flags: ClassVar[dict[str, tuple[str, Any]]] = {}
    """Bare words that set an argument: `nobias` is bias=False. A boolean field is a flag of its own."""
    arrow: ClassVar[tuple[str, str] | None] = None
    """The two fields that `in->out` sets."""
    bare: ClassVar[int | None] = None
    """How many values good style gives without their names; None is as many as in the example."""
    example: ClassVar[str] = ""
    """A row that works."""
    origin: ClassVar[str] = ""
    """The module of the plugin that has the class; empty for what is here."""
    extra: ClassVar[tuple[str, ...]] = ()
    """Arguments of its row that are no fields, but are said of where it stands."""
    rule: ClassVar[str] = ""
    """What goes in and what comes out, in words, where that is not the same for all entries of a catalogue."""

    @classmethod
    def called(cls) -> str:
        """The word that a spec names this very class by."""
        return cls.words[0] if cls.words else cls.__name__.lower()

    @classmethod
    def written(cls) -> str:
        """The word that good style has for this very class: that of its example, or else the first."""
        word = cls.example.partition(" ")[0].partition("(")[0]
        return word if word in (cls.__name__.lower(), *cls.words) else cls.called()

    @property
    def said(self) -> str:
        """The word that the spec has for it; for one that was made in Python, that of good style."""
        return getattr(self, "_word", "") or self.written()

    def under(self, word: str) -> Self:
        """This entry, which the spec calls `word`."""
        self._word = word
        return self

    def replace(self, **values: Any) -> Self:
        return super().replace(**values).under(self.said)

    @classmethod
    def positional(cls) -> list[str]:
        """Fields that a row's bare values fill, in order, without the inferred ones."""
        return [name for name, field in cls.fields.items() if field.axis is None and not field.keyword]

    @classmethod
    def instead_of(cls, argument: str) -> str:
        """What to write for an argument that it does not have; empty where nothing is known."""
        return ""


_COMPUTED: Final = {
    "type": "string",
    "pattern": r"\$|^-?\.?[0-9]",
    "description": "an expression, or a tuple as a row has it: $width, $(2*c), 3x5",
}


def _or_computed(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema, or a text that becomes such a value, also in the places of a list."""
    kinds = [_with_computed_items(kind) for kind in schema.get("anyOf", [schema])]
    return {"anyOf": [*kinds, _COMPUTED]}


def _with_computed_items(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema whose items may be computed."""
    return {**schema, "items": _or_computed(schema["items"])} if isinstance(schema.get("items"), dict) else schema


def same(value: Any, other: Any) -> bool:
    """Whether two values are equal and of one type, a whole number in any of its types: 1 is neither 1.0 nor True."""
    alike = type(value) is type(other) or (is_whole(value) and is_whole(other))
    return alike and bool(value == other)


_validators: dict[type, SchemaValidator] = {}


def _validator(cls: type[Record]) -> SchemaValidator:
    """The class's validator, made when it is first needed."""
    if cls not in _validators:
        fields = {name: _typed(field, cls) for name, field in cls.fields.items()}
        _validators[cls] = SchemaValidator(cs.typed_dict_schema(fields, extra_behavior="forbid", strict=True))
    return _validators[cls]


def _typed(field: Field[Any], cls: type[Record]) -> cs.TypedDictField:
    """A field as pydantic-core checks it in a record."""
    schema = field.kind(cls)[0]
    if field.required:
        return cs.typed_dict_field(schema, required=True)
    schema = cs.nullable_schema(schema) if field.default is None else schema
    return cs.typed_dict_field(cs.with_default_schema(schema, default=field.default), required=False)


# --- the kinds of field -----------------------------------------------------------------------


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number, and not true or false."""
    return isinstance(value, int) and not isinstance(value, bool)


def refuse(expected: str) -> PydanticCustomError:
    """The error that a field's own check raises: what was expected instead."""
    return PydanticCustomError("expected", "{text}", {"text": f"expected {expected}"})


def Checked(
    sentence: str, check: Callable[[Any], Any], json: dict[str, Any], default: Any = REQUIRED, **more: Any
) -> Field[Any]:
    """A field with its own check, which returns the value or raises `refuse(...)`."""
    return Field(sentence, lambda _: (cs.no_info_plain_validator_function(check), json), default, **more)


def Int(sentence: str, default: Any = REQUIRED, *, ge: int = -MAX_INT, le: int = MAX_INT, **more: Any) -> Field[int]:
    """A whole number within bounds."""
    json = {"type": "integer"} | ({"minimum": ge} if ge > -MAX_INT else {}) | ({"maximum": le} if le < MAX_INT else {})
    return Field(sentence, lambda _: (cs.int_schema(ge=ge, le=le, strict=True), json), default, **more)


def Float(
    sentence: str,
    default: Any = REQUIRED,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    **more: Any,
) -> Field[float]:
    """A finite number within bounds; a whole number is welcome and kept as it is."""
    bounds = {"minimum": ge, "exclusiveMinimum": gt, "maximum": le, "exclusiveMaximum": lt}
    words = {"at least": ge, "greater than": gt, "at most": le, "less than": lt}
    expected = "a number" + ",".join(f" {word} {limit}" for word, limit in words.items() if limit is not None)

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise refuse(expected)
        low = (ge is None or value >= ge) and (gt is None or value > gt)
        if not (low and (le is None or value <= le) and (lt is None or value < lt)):
            raise refuse(expected)
        return value

    json = {"type": "number"} | {k: v for k, v in bounds.items() if v is not None}
    return Checked(sentence, check, json, default, **more)


def Duration(sentence: str, default: Any = REQUIRED, **more: Any) -> Field[float]:
    """A stretch of time in seconds, written as a number of them or with units: `45s`, `30m`, `1h30m`, `2d`."""
    expected = "a time such as 45s, 30m, 2h or 1h30m"

    def check(value: Any) -> float:
        if isinstance(value, str):
            value = seconds(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MAX_INT:
            raise refuse(expected)
        return value

    words = {"type": "string", "pattern": f"^{_DURATION.pattern}$"}
    json = {"anyOf": [words, {"type": "number", "exclusiveMinimum": 0}]}
    return Checked(sentence, check, json, default, textual=True, **more)


def seconds(text: str) -> int | None:
    """A time such as `1h30m` in seconds; None for what is none."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in _PIECE.findall(text))


_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PIECE: Final = re.compile(r"(\d+)([dhms])", re.ASCII)
_DURATION: Final = re.compile(r"([0-9]{1,9}[dhms])+")


def Bool(sentence: str, default: Any = REQUIRED, **more: Any) -> Field[bool]:
    """true or false."""
    return Field(sentence, lambda _: (cs.bool_schema(strict=True), {"type": "boolean"}), default, **more)


def Text(sentence: str, default: Any = REQUIRED, **more: Any) -> Field[str]:
    """A word or a short text."""
    return Field(
        sentence,
        lambda _: (cs.str_schema(strict=True, max_length=4096), {"type": "string"}),
        default,
        textual=True,
        **more,
    )


def Choice(sentence: str, options: Sequence[str], default: Any = REQUIRED, **more: Any) -> Field[str]:
    """One word of a closed set."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in options:
            return value
        hint = did_you_mean(value, options) if isinstance(value, str) and not meant_word(value, schema) else ""
        raise refuse(f"one of {', '.join(options)}" + (f". {hint}" if hint else ""))

    schema = {"enum": list(options)}
    return Checked(sentence, check, schema, default, textual=True, **more)


def Numbers(
    sentence: str,
    default: Any = REQUIRED,
    *,
    ge: int = 0,
    axes: int | None = None,
    sides: int = 1,
    optional: bool = False,
    words: Sequence[str] = (),
    **more: Any,
) -> Field[Any]:
    """One whole number, or one for each axis (`3`, `3x5`): `axes` of them, else as many as the owner's `dims`.

    `sides=2` takes two for each axis; `optional` allows null for an axis; `words` are allowed in place of numbers.
    """
    expected = f"a whole number of at least {ge}" if ge > -MAX_INT else "a whole number"

    def kind(owner: Any) -> tuple[cs.CoreSchema, dict[str, Any]]:
        count = (axes or owner.dims) * sides

        def one(value: Any) -> Any:
            if value is None and optional:
                return None
            if isinstance(value, Dim):
                raise refuse(f"a size that is known, {value} is known only at run time")
            if isinstance(value, bool) or not isinstance(value, int) or not ge <= value <= MAX_INT:
                raise refuse(", ".join([expected, *words]))
            return value

        def check(value: Any) -> Any:
            if isinstance(value, str) and value in words:
                return value
            if isinstance(value, list | tuple):
                if len(value) != count:
                    each = "two" if sides > 1 else "one"
                    raise refuse(f"one number or {count}, {each} an axis" if count > 1 else "one number")
                return tuple(one(v) for v in value)
            if value is None:
                raise refuse(", ".join([expected, *words]))
            return one(value)

        number = {"type": "integer", "minimum": ge}
        item = {**number, "type": ["integer", "null"]} if optional else number
        choices = [number, {"type": "array", "items": item, "minItems": count, "maxItems": count}]
        json = {"anyOf": [*choices, *([{"enum": list(words)}] if words else [])]}
        return cs.no_info_plain_validator_function(check), json

    return Field(sentence, kind, default, **more)


def Maybe(field: Field[T]) -> Field[T | None]:
    """The same field, with null allowed next to a default that is not null."""
    bare = field.kind

    def kind(owner: Any) -> tuple[cs.CoreSchema, dict[str, Any]]:
        schema, json = bare(owner)
        return cs.nullable_schema(schema), {"anyOf": [json, {"type": "null"}]}

    field.kind = kind
    return cast("Field[T | None]", field)
