"""The `weights` section: files that the network starts from, how they fit it, and what training leaves as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import At, Path, Problem
from netspec.sections.base import Key, Section, unknown_keys
from netspec.weights.freezing import EVER, UNITS, Freezing, Frozen, When
from netspec.weights.load import Load
from netspec.weights.patterns import keys, means
from netspec.weights.resizing import RESIZES
from netspec.words import did_you_mean, offered

if TYPE_CHECKING:
    from netspec.graph.report import Report
    from netspec.weights.renaming import Renaming

RULES: Final = ("into", "rename", "skip", "resize")
"""What is said of one place that weights come from."""
EXAMPLES: Final = {
    "load": "load: resnet18.safetensors",
    "into": "into: backbone",
    "rename": 'rename: {"layer*": "body.layer$1", "module.": ""}',
    "skip": 'skip: ["fc.*"]',
    "resize": "resize: {conv1.weight: mean, pos_embed: interpolate}",
    "freeze": 'freeze: ["conv1", "layer1.*"], or freeze: {names: [backbone], statistics: move, until: {epoch: 3}}',
    "train": "train: [head], which freezes all else but small matrices of lora",
    "unfreeze": 'unfreeze: {epoch: 3}, or by pattern: {"layer4.*": {epoch: 1}, "layer3.*": {step: 500}}',
}


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights come from, and patterns of the names of those that are not trained.

    A pattern that means the statistics of a norm, such as that of the module around it, holds them still.
    """

    loads: tuple[Load, ...] = ()
    """The files to load, in the order in which their tensors are taken."""
    freeze: Frozen = field(default=Frozen())
    """What is not trained."""

    def frozen(self, name: str) -> bool:
        """Whether this parameter is never trained: a pattern means its own name, or that of a module around it."""
        return self.freeze.frozen([name], *EVER)

    def hold(self, path: str, parameters: Iterable[str]) -> bool:
        """Whether a norm with these parameters always keeps its statistics."""
        return self.freeze.holds(path, parameters, *EVER)


_LOADED: Final = {"load": "resnet18.safetensors"}
_NAMES: Final[dict[str, Any]] = {"type": "array", "items": {"type": "string"}}
_RULES: Final[dict[str, Any]] = {
    "into": {"type": "string"},
    "rename": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    "skip": {"anyOf": [{"type": "string"}, _NAMES]},
    "resize": {"type": "object", "additionalProperties": {"enum": [*RESIZES, None]}},
}
_COUNT: Final = {"type": "integer", "minimum": 1}
_WHEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": dict.fromkeys(UNITS, _COUNT),
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_FROZEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"names": {"type": "array"}, "statistics": {"enum": ["keep", "move"]}, "until": _WHEN},
    "required": ["names"],
    "additionalProperties": False,
}
_FREEZE: Final = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"anyOf": [{"type": "string"}, _FROZEN]}}, _FROZEN]
}
_PLACE: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"load": {"type": "string"}, **_RULES}, "additionalProperties": False},
    ]
}


class Start(Section):
    """Pretrained weights to load, and parameters that are frozen."""

    key = "weights"
    after = "init"
    sentence = "weights to load and names to freeze"
    example = "weights: {load: resnet18.safetensors}"
    forms = (dict, list, str)
    keys = {
        "load": Key(
            "what the network starts from: a file, an index of several, a run's folder, or a list of such",
            "resnet18.safetensors",
            {"anyOf": [*_PLACE["anyOf"][:1], {"type": "array", "items": _PLACE}]},
        ),
        "into": Key(
            "the level of the network that the file is for; without it is all of it",
            "backbone",
            _RULES["into"],
            beside=_LOADED,
        ),
        "rename": Key(
            "other names for the file's tensors, each by the first pattern that matches it from its beginning",
            {"layer*": "body.layer$1", "module.": ""},
            _RULES["rename"],
            beside=_LOADED,
        ),
        "skip": Key(
            "names and patterns of tensors that are not loaded, there or here", ["fc.*"], _RULES["skip"], beside=_LOADED
        ),
        "resize": Key(
            f"how tensors of another size are made to fit, by name or pattern: {', '.join(RESIZES)}",
            {"conv1.weight": "mean", "pos_embed": "interpolate"},
            _RULES["resize"],
            beside=_LOADED,
        ),
        "freeze": Key(
            "names and patterns of parameters that training leaves as they are", ["conv1", "layer1.*"], _FREEZE
        ),
        "train": Key(
            "names and patterns of what alone is trained, besides the small matrices of lora", ["fc"], _RULES["skip"]
        ),
        "unfreeze": Key(
            "the epoch or the step after which what is frozen is trained, for all of it or by pattern",
            {"epoch": 3},
            {"type": "object", "additionalProperties": {"anyOf": [_WHEN["properties"]["epoch"], _WHEN]}},
            beside={"freeze": ["conv1"]},
        ),
    }

    def schema(self) -> dict[str, Any]:
        whole = {**super().schema(), "type": "object"}
        return {"anyOf": [whole, {"type": "string"}, {"type": "array", "items": _PLACE}]}


def read_weights(section: Any, names: Collection[str], report: Report, adapters: Collection[str] = ()) -> Weights:
    """The section, checked; `names` are those of the network's parameters and statistics, empty where unknown.

    Those of `adapters`, small matrices beside weights, are trained, and all others frozen where there are any.
    """
    path: Path = (Start.key,)
    if not isinstance(section, dict):
        loads = tuple(_loads(section, path, {}, report))
        return Weights(loads, _frozen({}, path, names, report, adapters))
    for problem in unknown_keys(section, Start.keys, path):
        report.add(problem)
    rules = {key: (section[key], (*path, key)) for key in RULES if section.get(key) is not None}
    if "load" not in section and rules:
        key = next(iter(rules))
        text = f"{key} is about weights that are loaded, and none are"
        report.add(Problem("unused", text, At((*path, key), on_key=True), f"For example: {EXAMPLES['load']}"))
    loads = tuple(_loads(section["load"], (*path, "load"), rules, report)) if "load" in section else ()
    return Weights(loads, _frozen(section, path, names, report, adapters))


def _frozen(
    section: dict[str, Any], path: Path, names: Collection[str], report: Report, adapters: Collection[str]
) -> Frozen:
    """What is frozen, and when what of it thaws, each pattern held against the names."""
    where = (*path, "freeze")
    rules = list(_freeze(section.get("freeze") or [], where, report))
    thaws = list(_thaws(section["unfreeze"], (*path, "unfreeze"), report)) if section.get("unfreeze") else []
    trained = list(_trained(section["train"], (*path, "train"), report)) if section.get("train") is not None else []
    alone = tuple(pattern for pattern, _ in trained) if section.get("train") is not None or adapters else None
    times = tuple((pattern, when) for pattern, when, _ in thaws)
    frozen = Frozen(tuple(rule for rule, _ in rules), times, alone, frozenset(adapters))
    if thaws and not frozen:
        text = "unfreeze is about what is frozen, and nothing is"
        report.add(Problem("unused", text, At((*path, "unfreeze"), on_key=True), f"For example: {EXAMPLES['freeze']}"))
    if not report.affords(len(rules) + len(thaws) + len(trained), len(names), At(where, on_key=True)) or not names:
        return frozen
    for rule, at in rules:
        if not any(means(rule.pattern, name) for name in names):
            report.add(_unmatched(rule.pattern, names, at))
    for pattern, at in trained:
        if not any(means(pattern, name) for name in names):
            report.add(_unmatched(pattern, names, at))
    for pattern, _, at in thaws:
        if frozen and not any(frozen.frozen([name]) and means(pattern, name) for name in names):
            text = f"{pattern!r} matches nothing that is frozen"
            report.add(
                Problem("unknown-name", text, at, offered(pattern, (name for name in names if frozen.frozen([name]))))
            )
    return frozen


def _unmatched(pattern: str, names: Collection[str], at: At) -> Problem:
    """The problem with a pattern that means none of the names; a level around some may be what it is near to."""
    hint = did_you_mean(pattern, keys(names)) or offered(pattern, names)
    return Problem("unknown-name", f"{pattern!r} matches no parameter", at, hint)


def _trained(value: Any, path: Path, report: Report) -> Iterator[tuple[str, At]]:
    """The patterns of what alone is trained, each with its place."""
    for i, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
        at = At(path if i is None else (*path, i))
        if isinstance(item, str):
            yield item, at
        else:
            _bad(report, "train", "is a list of names and patterns", at)


def _freeze(value: Any, path: Path, report: Report) -> Iterator[tuple[Freezing, At]]:
    """The rules of `freeze`: a name or pattern, a list of them, or with what else is said of them."""
    for i, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
        at = path if i is None else (*path, i)
        if isinstance(item, str):
            yield Freezing(item), At(at)
        elif isinstance(item, dict) and "names" in item:
            for wrong in unknown_keys(item, ("names", "statistics", "until"), ("freeze",)):
                report.add(replace(wrong, at=At((*at, *wrong.at.path[1:]), on_key=True)))
            until = _when(item["until"], (*at, "until"), report) if item.get("until") is not None else None
            statistics = item.get("statistics", "keep")
            if statistics not in ("keep", "move"):
                hint = "keep leaves what frozen norms have stored, move lets training change it."
                report.add(Problem("bad-value", "statistics is keep or move", At((*at, "statistics")), hint))
            named = item["names"]
            for j, name in enumerate(named) if isinstance(named, list) else [(None, named)]:
                place = (*at, "names") if j is None else (*at, "names", j)
                if isinstance(name, str):
                    yield Freezing(name, until, statistics != "move"), At(place)
                else:
                    _bad(report, "freeze", "is a list of names and patterns", At(place))
        else:
            _bad(report, "freeze", "is a list of names and patterns", At(at))


def _thaws(value: Any, path: Path, report: Report) -> Iterator[tuple[str, When, At]]:
    """Patterns of what `unfreeze` lets thaw, and when: one for everything, or each its own."""
    if not isinstance(value, dict):
        _bad(report, "unfreeze", "says the epoch or the step", At(path))
    elif value.keys() & set(UNITS) and not any(isinstance(v, dict) for v in value.values()):
        if (when := _when(value, path, report)) is not None:
            yield "*", when, At(path, on_key=True)
    else:
        for pattern, said in value.items():
            if said is not None and (when := _when(said, (*path, pattern), report)) is not None:
                yield pattern, when, At((*path, pattern), on_key=True)


def _when(value: Any, path: Path, report: Report) -> When | None:
    """After how many epochs or steps a part thaws: `{epoch: 2}`. None, with a problem, for what says no such time."""
    if isinstance(value, dict) and len(value) == 1:
        ((unit, count),) = value.items()
        if unit in UNITS and type(count) is int and count >= 1:
            return When(unit, count)
    _bad(report, "unfreeze", "says after how many epochs or steps, one of both", At(path))
    return None


Rules = dict[str, tuple[Any, Path]]
"""Rules for a place that weights come from, and where they stand."""


def _loads(value: Any, path: Path, rules: Rules, report: Report) -> Iterator[Load]:
    """The places that a value names, one or several, with the rules that each has or, where it has none, shares."""
    for i, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
        at = path if i is None else (*path, i)
        if _names(item):
            yield _load(item, At(at), rules, report)
        elif isinstance(item, dict) and i is not None and _names(item.get("load")):
            for wrong in unknown_keys(item, ("load", *RULES), at[:1]):
                report.add(replace(wrong, at=At((*at, *wrong.at.path[1:]), on_key=True)))
            own = {key: (item[key], (*at, key)) for key in RULES if item.get(key) is not None}
            yield _load(item["load"], At((*at, "load")), rules | own, report)
        else:
            _bad(report, "load", "names a file of weights, a run's folder, or several", At(at))


def _names(value: Any) -> bool:
    """Whether a value can be the name of a file."""
    return isinstance(value, str) and value != "" and "\0" not in value


def _load(file: str, at: At, rules: Rules, report: Report) -> Load:
    """One file to start from, with its rules. What cannot be one is reported."""
    into, where = rules.get("into", ("", at.path))
    if not isinstance(into, str):
        _bad(report, "into", "names a level of the network", At(where))
        into = ""
    return Load(
        file,
        at,
        into.removesuffix("."),
        At(where),
        tuple(_renamings(*rules["rename"], report)) if "rename" in rules else (),
        tuple(_skips(*rules["skip"], report)) if "skip" in rules else (),
        tuple(_resizes(*rules["resize"], report)) if "resize" in rules else (),
    )


def _renamings(value: Any, path: Path, report: Report) -> Iterator[Renaming]:
    """The rules of `rename`, in order. What cannot be one is reported."""
    from netspec.weights.expressions import NoExpression
    from netspec.weights.renaming import renaming

    if not isinstance(value, dict):
        _bad(report, "rename", "maps patterns of names to what is put there", At(path))
        return
    for pattern, put in value.items():
        if put is None:  # taken away by a spec that extends another
            continue
        try:
            if not isinstance(put, str):
                raise NoExpression("what is put there is a text")
            yield renaming(pattern, put, At((*path, pattern), on_key=True))
        except NoExpression as error:
            hint = "As in layer*: body.layer$1, where $1 is what * stands for, or with (...) in a regular expression."
            report.add(Problem("bad-value", f"rename {pattern!r}: {error}", At((*path, pattern), on_key=True), hint))


def _skips(value: Any, path: Path, report: Report) -> Iterator[tuple[str, At]]:
    """The patterns of `skip`, each with its place. What cannot be one is reported."""
    listed = enumerate(value) if isinstance(value, list) else ()
    items = [(path, value)] if isinstance(value, str) else [((*path, i), v) for i, v in listed]
    for where, pattern in items if isinstance(value, str | list) else [(path, None)]:
        if isinstance(pattern, str):
            yield pattern, At(where)
        else:
            _bad(report, "skip", "is a list of names and patterns", At(where))


def _resizes(value: Any, path: Path, report: Report) -> Iterator[tuple[str, str, At]]:
    """The patterns of `resize`, each with its way and its place. What cannot be one is reported."""
    if not isinstance(value, dict):
        _bad(report, "resize", "maps names and patterns to a way of resizing", At(path))
        return
    for pattern, word in value.items():
        if isinstance(word, str) and word in RESIZES:
            yield pattern, word, At((*path, pattern), on_key=True)
        elif word is not None:
            hint = did_you_mean(str(word), RESIZES) or f"There are: {', '.join(RESIZES)}."
            report.add(Problem("bad-value", f"there is no resize {word!r}", At((*path, pattern)), hint))


def _bad(report: Report, key: str, text: str, at: At) -> None:
    """Report a value that the key cannot take, with an example of one that it can."""
    report.add(Problem("bad-value", f"{key} {text}", at, f"For example: {EXAMPLES[key]}"))
