"""Overlays: a spec laid over the one that it extends, key by key, with steps put in, moved and taken away.

Both are laid as trees whose nodes know where they stand in their files, so that places follow what they are of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.language.levels import GROUP
from netspec.language.rows import APART, AROUND
from netspec.sections.blocks import block_name
from netspec.sections.known import find
from netspec.text.reader import MAX_DIGITS
from netspec.text.report import SpecError
from netspec.text.source import Mark, Source
from netspec.vocabulary import OPERATIONS
from netspec.words import few, offered
from netspec.wraps import OPTIONS

RULES: Final[tuple[Path, ...]] = (("init",), ("defaults",), ("wrap",), ("train", "groups"))
"""Sections whose first rule that matches wins."""
SUMS: Final[tuple[Path, ...]] = (("lint", "ignore"),)
"""Lists that another one is added to, and goes before."""
KEPT: Final[tuple[Path, ...]] = (("params",),)
"""Mappings in which null is a value."""
ANCHORS: Final = ("after", "before")
"""What puts a step beside another one of the spec below."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a spec, whose parts are nodes, and where it stands in its file."""

    value: Any
    at: Path
    mark: Mark | None

    @property
    def parts(self) -> dict[str, Node]:
        """What it has by name, if it is a mapping."""
        return self.value if isinstance(self.value, dict) else {}


def merged(base: Source, top: Source) -> Source:
    """Two specs, `top` laid over `base`: mappings merge key by key, anything else is replaced.

    What is null in `top` is taken away, and a step with `after` or `before` is put beside another. Of sections whose
    first rule wins, the rules of `top` go first. Raises SpecError for a step that is not there.
    """
    laying = _Laying(base, top)
    whole = laying.lay(_grown(base, base.data, ()), _grown(top, top.data, ()), ())
    if laying.problems:
        raise SpecError(laying.problems, top)
    marks: dict[Path, Mark] = {}
    return Source(top.file, _plain(whole, (), marks), marks)


def _grown(source: Source, data: Any, at: Path) -> Node:
    """Plain data as a tree."""
    value = data
    if isinstance(data, dict):
        value = {key: _grown(source, part, (*at, key)) for key, part in data.items()}
    elif isinstance(data, list):
        value = [_grown(source, part, (*at, i)) for i, part in enumerate(data)]
    return Node(value, at, source.marks.get(at))


def _plain(node: Node, path: Path, marks: dict[Path, Mark]) -> Any:
    """A tree as plain data; its marks are noted under the paths that its nodes have now."""
    if node.mark is not None:
        marks[path] = node.mark
    if isinstance(node.value, dict):
        return {key: _plain(part, (*path, key), marks) for key, part in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(part, (*path, i), marks) for i, part in enumerate(node.value)]
    return node.value


class _Laying:
    """One spec that is being laid over another, and what of it cannot be."""

    def __init__(self, base: Source, top: Source) -> None:
        self.base = base
        self.problems: list[Problem] = []
        self.blocks = {block_name(header) for source in (base, top) for header in _headers(source)}

    def lay(self, low: Node, high: Node, path: Path) -> Node:
        """What stands at a path where `high` is laid over `low`."""
        steps = path[:1] == ("layers",) or (path[:1] == ("blocks",) and len(path) > 1)
        if steps and path != ("layers",) and self._word(high, path) is None:
            low, high = _alike(low, high)
        if path in SUMS and isinstance(low.value, list) and isinstance(high.value, list):
            said = [part.value for part in high.value]
            return replace(high, value=[*high.value, *(part for part in low.value if part.value not in said)])
        if isinstance(high.value, dict) and isinstance(low.value, list) and steps and _changes(low.value, high.parts):
            return replace(low, value=self._list(low.value, high.parts, path))
        if not isinstance(high.value, dict) or not isinstance(low.value, dict) or self._another(low, high, path):
            return high
        if steps and self._word(low, path) is None:
            return replace(high, value=self._steps(low.parts, high.parts, path))
        if path == ("blocks",):
            return replace(high, value=self._headed(low.parts, high.parts))
        return replace(high, value=self._keys(low.parts, high.parts, path))

    def _keys(self, low: Mapping[str, Node], high: Mapping[str, Node], path: Path) -> dict[str, Node]:
        """A mapping over another: rules in the place of those below, or before them."""
        order = {**high, **low} if path in RULES else {**low, **high}
        laid = {key: self._over(low.get(key), high.get(key), (*path, key)) for key in order}
        return {key: node for key, node in laid.items() if node.value is not None or key not in low or path in KEPT}

    def _over(self, low: Node | None, high: Node | None, path: Path) -> Node:
        """One of two nodes that is there, or one laid over the other."""
        if low is None or high is None:
            found = high or low
            assert found is not None
            return found
        return self.lay(low, high, path)

    def _headed(self, low: Mapping[str, Node], high: Mapping[str, Node]) -> dict[str, Node]:
        """Blocks over others of their names, under the upper header where that says more than the name."""
        mine = {block_name(header): header for header in high}
        laid: dict[str, Node] = {}
        for header, body in low.items():
            own = mine.pop(block_name(header), None)
            if own is None:
                laid[header] = body
            elif high[own].value is not None:
                key = header if own == block_name(own) else own
                laid[key] = self.lay(body, high[own], ("blocks", key)) if high[own].value != {} else body
        return laid | {header: high[header] for header in mine.values()}

    def _steps(
        self, low: Mapping[str, Node], high: Mapping[str, Node], path: Path, called: Sequence[str] = ()
    ) -> dict[str, Node]:
        """Steps by name over others: what is null goes, what has an anchor goes there, what is new stands behind.

        `called` are the names of entries of a list, which their numbers stand for too.
        """
        laid, places = dict(low), _Places(low)

        def name_of(said: str) -> str:
            number = int(said) if said.isdecimal() and len(said) < MAX_DIGITS else len(called)
            return said if said in low or number >= len(called) else called[number]

        for said, node in high.items():
            name, (anchor, step) = name_of(said), _anchored(node)
            if node.value is None:
                if self._has(low, name, At(node.at, on_key=True), f"{name} cannot be taken away"):
                    laid.pop(name, None)
                continue
            if step is not None:
                laid[name] = self._over(low.get(name), step, (*path, name))
                places.end(name)
            elif not self._has(low, name, At(node.at, on_key=True), f"{name} cannot be moved"):
                continue
            beside = name_of(str(anchor.value)) if anchor is not None else name
            if anchor is not None and self._has(laid, beside, At(anchor.at), f"{name} cannot go there"):
                places.move(name, beside, after=anchor.at[-1] == "after")
        return {name: laid[name] for name in places if name in laid}

    def _list(self, low: Sequence[Node], high: Mapping[str, Node], path: Path) -> list[Node]:
        """Steps by number, or by name where an entry has one, in a list."""
        entries = _labelled(low)
        laid = self._steps({label: _named(node) for label, node in entries.items()}, high, path, [*entries])
        plain = {label for label, node in entries.items() if _named(node) is node}
        return [node if label in plain else replace(node, value={label: node}) for label, node in laid.items()]

    def _has(self, steps: Mapping[str, Node], name: str, at: At, text: str) -> bool:
        """Whether a step is there; if not, that is a problem."""
        if name not in steps:
            where = f"{text}: {few(sorted(self.base.files))} has no {name}"
            self.problems.append(Problem("extends", where, at, offered(name, steps)))
        return name in steps

    def _another(self, low: Node, high: Node, path: Path) -> bool:
        """Whether two mappings are long forms of different entries, `{sgd: {lr: 1}}` and `{adamw: {lr: 1}}`."""
        return not high.parts.keys() <= AROUND and self._word(high, path) != self._word(low, path)

    def _word(self, node: Node, path: Path) -> str | None:
        """The word of a long form; None for any other mapping."""
        words = [key for key in node.parts if key not in AROUND]
        if not path or len(words) != 1 or not isinstance(node.parts[words[0]].value, dict):
            return None
        word, options = words[0], node.parts[words[0]].parts.keys()
        if path[0] in ("layers", "blocks"):
            if len(path) <= (1 if path[0] == "layers" else 2):
                return None
            fields = {name for cls in OPERATIONS.find(word) for name in cls.fields} | APART | OPTIONS
            return word if word in self.blocks or (OPERATIONS.find(word) and options <= fields) else None
        own = find(path[0])
        catalogue = own.entries.get(path[1:]) if own is not None else None
        return word if catalogue is not None and catalogue.find(word) else None


class _Places:
    """Names in an order that can be changed, as a ring in which each knows its neighbours."""

    def __init__(self, names: Iterable[str]) -> None:
        self.next: dict[str | None, str | None] = {None: None}
        self.last: dict[str | None, str | None] = {None: None}
        for name in names:
            self.end(name)

    def __iter__(self) -> Iterator[str]:
        name = self.next[None]
        while name is not None:
            yield name
            name = self.next[name]

    def end(self, name: str) -> None:
        """Put a name that is not there at the end."""
        if name not in self.next:
            self._between(name, self.last[None], None)

    def move(self, name: str, beside: str, *, after: bool) -> None:
        """Put a name that is there beside another."""
        if name == beside:
            return
        before, behind = self.last[name], self.next[name]
        self.next[before], self.last[behind] = behind, before
        self._between(name, *((beside, self.next[beside]) if after else (self.last[beside], beside)))

    def _between(self, name: str, before: str | None, behind: str | None) -> None:
        """Put a name between two neighbours."""
        self.next[before] = self.last[behind] = name
        self.last[name], self.next[name] = before, behind


def _headers(source: Source) -> list[str]:
    """The headers of the blocks of a spec."""
    blocks = source.data.get("blocks") if isinstance(source.data, dict) else None
    return list(blocks) if isinstance(blocks, dict) else []


def _alike(low: Node, high: Node) -> tuple[Node, Node]:
    """Two bodies, of which one has the long form of a level, `{layers: ..., outputs: ...}`, if the other has it."""
    if _is_level(high) and not _is_level(low) and isinstance(low.value, dict | list):
        return replace(low, value={"layers": low}), high
    if _is_level(low) and not _is_level(high) and not high.parts.keys() <= GROUP:
        return low, replace(high, value={"layers": high})
    return low, high


def _is_level(node: Node) -> bool:
    """Whether a body has the long form of a level: its layers beside what says something of them."""
    return len(node.parts) > 1 and "layers" in node.parts and node.parts.keys() <= GROUP


def _anchored(node: Node) -> tuple[Node | None, Node | None]:
    """What a step is put beside, and the step without that; no step where it is only moved."""
    anchor = next((node.parts[word] for word in ANCHORS if word in node.parts), None)
    if anchor is None or not isinstance(anchor.value, str | int):
        return None, node
    rest = {key: part for key, part in node.parts.items() if part is not anchor}
    if rest.keys() == {"layers"}:
        inner = rest["layers"]
        mark = replace(inner.mark, key=node.mark.key) if inner.mark and node.mark else inner.mark
        return anchor, replace(inner, mark=mark)
    return anchor, replace(node, value=rest) if rest else None


def _labelled(entries: Sequence[Node]) -> dict[str, Node]:
    """The entries of a list by their names, or by number where they have none of their own."""
    names = [next(iter(node.parts)) if _named(node) is not node else "" for node in entries]
    count = Counter(names)
    labels = [name if count[name] == 1 and name else str(i) for i, name in enumerate(names)]
    return dict(zip(labels, entries, strict=True))


def _named(node: Node) -> Node:
    """The step of an entry that has a name, `{drop: dropout 0.5}`; the entry itself of any other."""
    inner = next(iter(node.parts.values()), node)
    return inner if len(node.parts) == 1 and not isinstance(inner.value, dict) else node


def _changes(low: Sequence[Node], high: Mapping[str, Node]) -> bool:
    """Whether a mapping changes a list, and does not take its place: it names an entry, or where one goes."""
    labels = _labelled(low)
    return any(key in labels or key.isdecimal() or _anchored(node)[0] is not None for key, node in high.items())
