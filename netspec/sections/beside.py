"""What a step of training runs besides the network once: further passes, a teacher, and players that take turns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import At, Path, Problem
from netspec.faults import Invalid
from netspec.language.calls import (
    Arguments,
    Lookup,
    arguments,
    bare_call,
    construct,
    long_arguments,
    long_value,
    raise_all,
    read_entry,
)
from netspec.language.refusals import Refused
from netspec.records import Checked, Entry, Float, Int, Record, Text, refuse
from netspec.sections.objective import Term, read_terms
from netspec.text.source import Source
from netspec.vocabulary import OPTIMIZERS
from netspec.words import did_you_mean

if TYPE_CHECKING:
    from netspec.sections.train_record import Train

AUGMENTED: Final = "augmented"
"""Stands in the place of what a pass is over: the inputs of the network once more, augmented by other draws."""
TEACHER: Final = "teacher"
"""What the outputs of a teacher begin with."""
OWN: Final = "outputs"
"""What the network's own outputs begin with, where they are targets."""
EMA: Final = "ema"
EXAMPLE: Final = {
    "passes": "passes: {view: augmented}, or passes: {other: right} over an input of the data",
    TEACHER: "teacher: {spec: resnet50.yaml, weights: resnet50.safetensors}, or teacher: ema decay=0.999",
    "players": "players: {critic: {spec: critic.yaml, passes: {real: photo, fake: picture}, loss: {real: bce target=1, "
    "fake: bce target=0}, optimizer: adam lr=2e-4}}",
}


def _names(value: Any) -> tuple[str, ...]:
    """The check of a field that takes names."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise refuse("names")
    return tuple(value)


def _plain(value: Any) -> Any:
    """The check of a field that takes what another reader has read."""
    return value


class Pass(Record):
    """One more pass of a network in a step, by what its outputs are called before the dot."""

    name = Text("what its outputs begin with")
    over = Checked("what the network is given, by name; nothing for its own inputs", _names, {}, ())

    @property
    def augmented(self) -> bool:
        """Whether it sees the network's own inputs, augmented by other draws."""
        return not self.over


class Teacher(Record):
    """A network that is not trained, whose outputs are targets."""

    spec = Checked("the network, as its spec has it; null for an average of the one that is trained", _plain, {}, None)
    weights = Checked("what it knows, as the `weights` of a spec", _plain, {}, None)
    decay = Float("the share of the averaged weights that each step keeps", None, gt=0, lt=1)

    @property
    def averaged(self) -> bool:
        """Whether it is an average of the network that is trained."""
        return self.spec is None


class _Ema(Entry):
    """An average of the network's weights along the steps."""

    words = (EMA,)
    example = "ema decay=0.999"

    decay = Float("the share of the averaged weights that each step keeps", 0.999, gt=0, lt=1)


class Player(Record):
    """Who takes turns with the network: a network of its own or some of the parameters, with losses and optimizer."""

    name = Text("what its losses and outputs begin with")
    spec = Checked("its network, as its spec has it; null where it trains a part of the one network", _plain, {}, None)
    weights = Checked("what its network begins with, as the `weights` of a spec", _plain, {}, None)
    passes = Checked("what its network is run over, by name", _plain, {}, ())
    trains = Checked("patterns of the parameters that it trains, of the one network", _names, {}, ())
    terms = Checked("its losses", _plain, {}, ())
    optimizer = Checked("how its parameters move", _plain, {}, None)
    every = Int("steps from one of its turns to the next", 1, ge=1)

    def owns(self, parameter: str) -> bool:
        """Whether it trains a parameter of the one network, by its name."""
        from netspec.weights.patterns import means

        return any(means(pattern, parameter) for pattern in self.trains)


def spelt(prefix: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What losses may call the outputs of a pass, each with the output's own name: of one output the pass does."""
    names = [*names]
    yield from ((f"{prefix}.{name}", name) for name in names)
    if len(names) == 1:
        yield prefix, names[0]


def called(passes: Iterable[Pass], prefix: str, names: Collection[str], plain: bool) -> Iterator[tuple[str, str, str]]:
    """What losses may call the outputs of a network beside: the name, the pass (empty for the plain one), the output.

    `prefix` is what the network is called; empty for the one that is trained, which has a plain pass of its own.
    """
    if plain:
        yield from ((name, "", own) for name, own in spelt(prefix, names))
    for each in passes:
        whole = f"{prefix}.{each.name}" if prefix else each.name
        yield from ((name, each.name, own) for name, own in spelt(whole, names))


def place_of(name: str) -> Path:
    """Where the spec has a teacher, or the player of that name."""
    return ("train", TEACHER) if name == TEACHER else ("train", "players", name)


def part_of(source: Source, path: Path) -> Source:
    """What stands at a path of a source, as a source of its own."""
    data = source.data
    for key in path:
        data = data[key]
    depth = len(path)
    marks = {place[depth:]: mark for place, mark in source.marks.items() if place[:depth] == path}
    return Source(source.file_of(path), data, marks)


def moved(problem: Problem, path: Path) -> Problem:
    """A problem of a part of a spec, which stands at that path of the whole."""

    def under(at: At) -> At:
        return replace(at, path=(*path, *at.path))

    used, takes = (tuple(map(under, places)) for places in (problem.used_at, problem.takes))
    return replace(problem, at=under(problem.at), used_at=used, takes=takes)


def settled(train: Train) -> Train:
    """The same with every loss told apart by whether it compares with something of the step or of the data."""
    known = {TEACHER, OWN, *(each.name for each in train.passes), *train.beside}

    def told(term: Term) -> Term:
        within = term.constant is not None or term.named_target.partition(".")[0] in known
        return term.replace(within=True) if within else term

    if not isinstance(train.loss, tuple):
        return train
    players = tuple(player.replace(terms=tuple(map(told, player.terms))) for player in train.players)
    return train.replace(loss=tuple(map(told, train.loss)), players=players)


def in_turns(train: Train, path: Path) -> Iterator[Problem]:
    """What does not go with players that take turns, with a teacher, or with further passes."""
    if train.players:
        refused = {
            "loss": not all(term.name for term in train.terms) and "of several players each loss has a name",
            "optimizer": train.optimizer.needs_closure and f"{train.optimizer.said} runs a step several times",
            "accumulate": train.accumulate > 1 and "a turn is taken with one batch",
            "parallel": train.parallel != "ddp" and "fsdp parts the network",
            "lookahead": train.lookahead is not None and "lookahead follows the network alone",
            "compile": train.compile and "compile takes a step of one network",
            "cuda_graph": train.cuda_graph and "a step of several turns is not recorded",
        }
        for key, text in refused.items():
            if text:
                hint = {
                    "loss": "Name it, as in {fooled: bce of=critic.fake target=1}.",
                    "optimizer": "Take another, such as adam.",
                }.get(key, "Leave it out.")
                yield Problem("contradiction", f"{text}, and players take turns", At((*path, key)), hint)
    elif train.every > 1:
        text = "every says how often the network takes its turn, and no players take turns with it"
        yield Problem("unused", text, At((*path, "every")), EXAMPLE["players"])
    if train.composed and train.parallel == "fsdp" and not train.players:
        text = "fsdp parts the network, which further passes and a teacher need whole"
        yield Problem("contradiction", text, At((*path, "parallel")), "Write parallel: ddp.")
    names = [each.name for each in train.passes] + [each.name for each in train.players]
    names += [TEACHER] * (train.teacher is not None)
    for name in {name for name in names if names.count(name) > 1}:
        text = f"{name!r} is what two of passes, teacher and players are called"
        yield Problem("twice", text, At((*path, "passes"), on_key=True), "Call one of them otherwise.")


# --- reading ------------------------------------------------------------------------------------


def read_passes(value: Any, path: Path) -> tuple[Pass, ...]:
    """The passes of a network, from a mapping of their names to what they are over. Raises Refused."""
    if not isinstance(value, dict) or not value:
        raise _refused("passes is a mapping of names to what the network is given", path, EXAMPLE["passes"])
    found, refusals = list[Pass](), list[Refused]()
    for name, over in value.items():
        names = over if isinstance(over, list) else [over]
        if not names or not all(isinstance(each, str) and each for each in names):
            text = f"the pass {name} is over {AUGMENTED}, or an input of the data by its name, or several"
            refusals.append(_refused(text, (*path, name), EXAMPLE["passes"]))
        elif "." in name:
            refusals.append(_refused(f"the name of a pass has no dot: {name!r}", (*path, name), EXAMPLE["passes"]))
        else:
            found.append(Pass(name=name, over=() if names == [AUGMENTED] else tuple(names)))
    raise_all(refusals)
    return tuple(found)


def read_teacher(value: Any, path: Path, lookup: Lookup) -> Teacher:
    """A teacher: `ema decay=0.999`, or a mapping with a spec and its weights. Raises Refused."""
    if isinstance(value, str) and value.partition(" ")[0] == EMA:
        call = bare_call(value.partition(" ")[2], path) if " " in value else None
        given = arguments(call, _Ema, lookup, path) if call is not None else Arguments()
        return Teacher(decay=construct(_Ema, given, At(path)).decay)
    if isinstance(value, dict) and [*value] == [EMA]:
        options = value[EMA] if isinstance(value[EMA], dict) else {"decay": value[EMA]} if value[EMA] else {}
        given = long_arguments(options, _Ema, lookup, (*path, EMA), EMA)
        return Teacher(decay=construct(_Ema, given, At((*path, EMA))).decay)
    if not isinstance(value, dict) or "spec" not in value:
        raise _refused("a teacher is another spec with its weights, or ema of the network", path, EXAMPLE[TEACHER])
    _need_known(value, ("spec", "weights"), path)
    return Teacher(spec=_network(value["spec"], (*path, "spec")), weights=value.get("weights"))


def read_players(value: Any, path: Path, lookup: Lookup) -> tuple[Player, ...]:
    """The players, from a mapping of their names. Raises Refused with every problem."""
    if not isinstance(value, dict) or not value:
        raise _refused("players is a mapping of names to networks with losses and optimizers", path, EXAMPLE["players"])
    found, refusals = list[Player](), list[Refused]()
    for name, said in value.items():
        try:
            found.append(_player(name, said, (*path, name), lookup))
        except Refused as refused:
            refusals.append(refused)
    raise_all(refusals)
    return tuple(found)


def _player(name: str, said: Any, path: Path, lookup: Lookup) -> Player:
    """One player. Raises Refused."""
    if not isinstance(said, dict):
        raise _refused(f"the player {name} has losses and an optimizer", path, EXAMPLE["players"])
    if "." in name or name == TEACHER:
        raise _refused(f"a player cannot be called {name!r}", path, "Call it critic, or discriminator.")
    _need_known(said, ("spec", "weights", "passes", "trains", "loss", "optimizer", "every"), path)
    refusals, held = list[Refused](), dict[str, Any]()

    def take(key: str, read: Any) -> None:
        if said.get(key) is None:
            return
        try:
            held[key] = read(said[key], (*path, key))
        except Refused as refused:
            refusals.append(refused)

    take("spec", _network)
    take("passes", read_passes)
    take("trains", _patterns)
    take("loss", lambda value, place: _terms(name, value, place, held.get("passes", ()), lookup))
    take("optimizer", lambda value, place: read_entry(value, place, OPTIMIZERS, lookup)[0])
    take("every", lambda value, place: long_value(value, lookup, At(place)))
    raise_all(refusals)
    for key in ("loss", "optimizer"):
        if key not in held:
            raise _refused(f"the player {name} needs {key}", path, EXAMPLE["players"], on_key=True)
    if ("spec" in held) == ("trains" in held):
        text = f"the player {name} has a network of its own, its spec, or trains a part of the one that is there"
        raise _refused(text, path, 'Write spec: FILE, or trains: ["discriminator.*"], one of both.', on_key=True)
    if ("spec" in held) != ("passes" in held):
        text = f"the passes of {name} say what its own network is run over"
        raise _refused(text, path, EXAMPLE["players"], on_key=True)
    if held["optimizer"].needs_closure:
        text = f"{held['optimizer'].said} runs a step several times, and players take turns in it"
        raise _refused(text, (*path, "optimizer"), "Take another optimizer, such as adam.")
    try:
        return Player(name=name, weights=said.get("weights"), terms=held.pop("loss"), **held)
    except Invalid as invalid:
        at = At((*path, "every"))
        raise Refused(*(Problem(f.code, f.told(name), at, f.hint) for f in invalid.faults)) from None


def _terms(name: str, value: Any, path: Path, passes: tuple[Pass, ...], lookup: Lookup) -> tuple[Term, ...]:
    """The losses of a player, which may leave its name out before those of its own passes. Raises Refused."""
    if not isinstance(value, dict) or not value:
        text = f"the losses of {name} are by the names of outputs"
        raise _refused(text, path, EXAMPLE["players"])
    own = {each.name for each in passes}

    def whole(text: Any) -> Any:
        return f"{name}.{text}" if isinstance(text, str) and text.partition(".")[0] in own else text

    terms = read_terms(value, path, lookup)
    return tuple(
        term.replace(
            name=f"{name}.{term.name}",
            of=tuple(map(whole, term.of or (term.name,))),
            target=whole(term.target),
            player=name,
        )
        for term in terms
    )


def _network(value: Any, path: Path) -> Any:
    """The spec of a network beside, in place of whose file what stands in it has been laid. Raises Refused."""
    if isinstance(value, str):
        text = "no file can be named here: this spec holds the networks of its step itself"
        raise _refused(text, path, "Name it in the file of the spec, and begin a new run with that.")
    if not isinstance(value, dict):
        raise _refused("expected a spec: the name of its file", path, EXAMPLE[TEACHER])
    for key in value:
        if key in ("data", "train", "export", "lint"):
            text = f"{key} is of no use here, where a spec is a network and no experiment"
            raise _refused(text, (*path, key), "Leave it out.", on_key=True)
    return value


def _patterns(value: Any, path: Path) -> tuple[str, ...]:
    """Patterns of names, one or several. Raises Refused."""
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(each, str) and each for each in found):
        raise _refused("trains is a list of names and patterns of parameters", path, 'As in trains: ["critic.*"]')
    return tuple(found)


def _need_known(said: Mapping[str, Any], known: Collection[str], path: Path) -> None:
    """Refuse keys that are none. Raises Refused."""
    refusals = []
    for key in said:
        if key not in known:
            hint = did_you_mean(key, known) or f"There are: {', '.join(known)}."
            problem = Problem("unknown-key", f"{path[-1]} has no {key!r}", At((*path, key), on_key=True), hint)
            refusals.append(Refused(problem))
    raise_all(refusals)


def _refused(text: str, path: Path, example: str, *, on_key: bool = False) -> Refused:
    """What is said of a value that cannot be read."""
    hint = example if example.endswith(".") or example.startswith("As ") else f"For example: {example}"
    return Refused(Problem("bad-value", text, At(path, on_key=on_key), hint))
