"""The `weights` section: a file that the network starts from, and what training leaves as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import At, Problem
from netspec.sections.base import Key, Section, unknown_keys
from netspec.words import offered

if TYPE_CHECKING:
    from netspec.graph.report import Report

WILD: Final = frozenset("*?[")
"""Characters that make a name a pattern."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights come from, and patterns of the names of those that are not trained.

    A pattern that means the statistics of a norm, such as that of the module around it, holds them still.
    """

    load: str = ""
    freeze: tuple[str, ...] = ()

    def frozen(self, name: str) -> bool:
        """Whether a pattern means this parameter, by its own name or by that of a module around it."""
        return any(means(pattern, name) for pattern in self.freeze)

    def hold(self, path: str, parameters: Iterable[str]) -> bool:
        """Whether a norm with these parameters keeps its statistics: all that it has is frozen, or they are."""
        frozen = [self.frozen(f"{path}.{name}") for name in parameters]
        return self.frozen(f"{path}.running_mean") or (bool(frozen) and all(frozen))


def means(pattern: str, name: str) -> bool:
    """Whether a pattern is that of a parameter's name, or of a module around it."""
    if WILD.isdisjoint(pattern):
        return name == pattern or name.startswith(f"{pattern}.")
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def meets(pattern: str, other: str) -> bool:
    """Whether a name may be meant by both patterns, one of which is perhaps a plain name."""
    return fnmatchcase(other, pattern) or fnmatchcase(pattern, other)


def means_part(pattern: str, path: str) -> bool:
    """Whether a pattern may be that of a parameter of the module at a path, itself a pattern, or of one inside it."""
    around = ".".join(pattern.split(".")[: path.count(".") + 1])
    return meets(around, path) or meets(pattern, f"{path}.weight")


class Start(Section):
    key = "weights"
    after = "init"
    sentence = "weights to load and names to freeze"
    example = "weights: {load: resnet18.safetensors}"
    forms = (dict,)
    keys = {
        "load": Key("a file of weights that the network starts from", "resnet18.safetensors", {"type": "string"}),
        "freeze": Key(
            "names and patterns of parameters that training leaves as they are",
            ["conv1", "layer1.*"],
            {"type": "array", "items": {"type": "string"}},
        ),
    }


def read_weights(section: dict[str, Any], names: Collection[str], report: Report) -> Weights:
    """The section, checked; `names` are those of the network's parameters and statistics, empty where unknown."""
    for problem in unknown_keys(section, Start.keys, (Start.key,)):
        report.add(problem)
    load, freeze = section.get("load", ""), section.get("freeze", [])
    if not isinstance(load, str) or "\0" in load or ("load" in section and not load):
        text = "load names a file of weights"
        report.add(Problem("bad-value", text, At(("weights", "load")), "For example: resnet18.safetensors"))
        load = ""
    if not isinstance(freeze, list) or not all(isinstance(pattern, str) for pattern in freeze):
        text = "freeze is a list of names and patterns"
        report.add(Problem("bad-value", text, At(("weights", "freeze")), 'For example: ["conv1", "layer1.*"]'))
        freeze = []
    affordable = report.affords(len(freeze), len(names), At(("weights", "freeze"), on_key=True))
    for i, pattern in enumerate(freeze if affordable else ()):
        if names and not any(means(pattern, name) for name in names):
            hint = offered(pattern, names)
            report.add(Problem("unknown-name", f"{pattern!r} matches no parameter", At(("weights", "freeze", i)), hint))
    return Weights(load, tuple(freeze))
