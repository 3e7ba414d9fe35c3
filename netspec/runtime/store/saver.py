"""Saving: what of a run is kept on the disk, and when."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from netspec.errors import DataError, UsageError
from netspec.runtime.device.process_group import World
from netspec.runtime.network.weights import loss_file, save_weights
from netspec.runtime.store.checkpoint import Checkpoints, read_state
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.store.tensorboard import Board
from netspec.runtime.train.history import Record
from netspec.runtime.train.state import Position, State, Weights
from netspec.sections.train_record import Train
from netspec.weights.fit import BASE

BETWEEN: Final = 5.0
"""Seconds. Where the spec does not say, an evaluation that ends sooner after a checkpoint writes none of its own."""


class Keeper:
    """Writes metrics, weights and checkpoints into a run's folder; without a folder it does nothing.

    Of several processes only the main one has the folder; the others give it their part of what is written.
    """

    def __init__(self, run: RunFolder | None, train: Train, warn: Callable[[str], None], world: World) -> None:
        """Without a run nothing is kept; `warn` is told of what cannot be written."""
        self.run, self.world, self.warn = run, world, warn
        self.kept = world.from_main(run is not None)
        """Whether the run has a folder."""
        self.wanted = train.checkpoint
        self.checkpoints = Checkpoints(run.checkpoints, self.wanted.keep, warn) if run else None
        self.shows = train.tensorboard
        self.board: Board | None = None
        self._best: tuple[Weights, dict[str, str]] | None = None
        self._saved_at = time.perf_counter()

    def begin(self, position: Position) -> None:
        """Make ready to go on from `position`."""
        if self.run is not None and self.shows:
            self.board = Board(self.run.board, position.measured)

    def close(self) -> None:
        """Write no more."""
        if self.board is not None:
            self.board.close()

    def record(self, record: Record, best: bool, state: State) -> None:
        """Take in an evaluation, and hold on to the weights if it is the best so far."""
        if not self.kept:
            return
        network, loss = state.weights() if best else ({}, {})
        if self.run is None:
            return
        self.run.append(record)
        if self.board is not None:
            self.board.add(record)
        if best:
            held = {k: v.clone() for k, v in network.items()}, {k: v.clone() for k, v in loss.items()}
            self._best = held, _metadata(state)

    def due(self, position: Position) -> bool:
        """Whether the end of an evaluation is a time to save."""
        if self.wanted.every is not None:
            return position.index == 0 and position.epoch % self.wanted.every == 0
        return self.world.from_main(time.perf_counter() - self._saved_at >= BETWEEN)

    def save(self, state: State) -> None:
        """Put everything on the disk that a resumed run needs.

        The best weights come first, because a checkpoint vouches for them, and the last ones behind it: where they
        are and no checkpoint is, somebody has deleted it.
        """
        if not self.kept:
            return
        weights, packed = state.weights(), state.pack()
        with self.world.all_or_none():
            if self.run and self.checkpoints:
                if self._best is not None:
                    _save(self.run.best, *self._best)
                    self._best = None
                self.run.settle()
                if self.board is not None:
                    self.board.settle()
                self.checkpoints.save(state.position.step, state.position.records, packed)
                _save(self.run.last, weights, _metadata(state))
        self._saved_at = time.perf_counter()

    def resume(self, state: State) -> list[Record]:
        """Bring `state` to the newest whole checkpoint, and return the evaluations up to there.

        The spec that goes on is from then on that of the run's folder. Raises UsageError where there is no
        checkpoint or the run began as another, DataError where none is whole.
        """
        if not self.kept:
            raise UsageError("a run without a folder cannot be resumed")
        found: tuple[Path, dict[str, Any]] | None = None
        with self.world.all_or_none():
            if self.checkpoints:
                self.checkpoints.tidy()
                found = self.checkpoints.newest()
        place = self.world.from_main(found[0].absolute() if found else None)
        if place is None:
            raise UsageError("the run has no checkpoint to go on from")
        with self.world.all_or_none():
            packed = found[1] if found else read_state(place)
            with _of_a_run(place):
                state.unpack(packed)
                before = packed["best"]["monitor"]
            if before != state.best.monitor:
                self.warn(f"the best weights, chosen by {before} before, are chosen by {state.best.monitor} anew")
        records: list[Record] = []
        with self.world.all_or_none():
            if self.run:
                self.run.renew()
                records = self.run.rewind(state.position.measured)
                if (missing := state.position.records - len(records)) > 0:
                    self.warn(f"{self.run.metrics_file} is damaged: {missing} of the records so far are lost")
        return self.world.from_main(records)

    @property
    def best(self) -> Path | None:
        """The file of the best weights, once it is written."""
        return self.run.best if self.run and self.run.best.is_file() else None


@contextlib.contextmanager
def _of_a_run(place: Path) -> Iterator[None]:
    """Within it a state is taken up, which may be whole and yet none that a run has saved. Raises DataError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        hint = "Delete it to go on from the one before, or begin another run."
        raise DataError(f"{place} does not hold the state of a run: {type(error).__name__}, {error}. {hint}") from error


def _metadata(state: State) -> dict[str, str]:
    """Where in the run a state is, as the metadata of a safetensors file."""
    where = {"epoch": str(state.position.current), "step": str(state.position.step)}
    return where | ({BASE: state.base} if state.base else {})


def _save(path: Path, weights: Weights, metadata: dict[str, str]) -> None:
    """Save the weights of the network, and beside them those of a loss that has some."""
    network, loss = weights
    if loss:
        save_weights(loss, loss_file(path), metadata)
    save_weights(network, path, metadata)
