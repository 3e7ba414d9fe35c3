"""The networks beside the one that is trained: where a spec names their files, and what of those files is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from netspec.errors import Path as PathTo
from netspec.text.source import Source

NETWORK: Final = (
    *(
        "netspec",
        "name",
        "params",
        "defaults",
        "input",
        "inputs",
        "blocks",
        "layers",
        "outputs",
        "tie",
        "order",
        "init",
    ),
    "weights",
)
"""The sections of a spec that make its network."""


def network_places(data: Any) -> Iterator[PathTo]:
    """Where the plain data of a spec has the networks of a teacher and of players."""
    train = data.get("train") if isinstance(data, dict) else None
    if not isinstance(train, dict):
        return
    if isinstance(teacher := train.get("teacher"), dict) and "spec" in teacher:
        yield "train", "teacher", "spec"
    players = train.get("players")
    for name, player in players.items() if isinstance(players, dict) else ():
        if isinstance(player, dict) and "spec" in player:
            yield "train", "players", name, "spec"


def in_network(path: PathTo) -> bool:
    """Whether a path leads into such a network, and not only to it."""
    match path:
        case ("train", "teacher", "spec", _, *_) | ("train", "players", _, "spec", _, *_):
            return True
    return False


def network_of(source: Source, folder: Path, run: str = "") -> Source:
    """The network of a spec alone; files of weights that it names stand in `folder`, from where the other spec is.

    That of a `run`, which is its folder, has the weights that the run ended with.
    """
    if not isinstance(source.data, dict):
        return source
    data = {key: value for key, value in source.data.items() if key in NETWORK}
    if run:
        data["weights"] = run
    elif "weights" in data:
        data["weights"] = _from(data["weights"], folder)
    return Source(source.file, data, source.marks)


def _from(weights: Any, folder: Path) -> Any:
    """The places that weights come from, as they are called from another folder."""
    if isinstance(weights, str):
        return str(folder / weights)
    if isinstance(weights, list):
        return [_from(each, folder) for each in weights]
    if isinstance(weights, dict) and "load" in weights:
        return {**weights, "load": _from(weights["load"], folder)}
    return weights
