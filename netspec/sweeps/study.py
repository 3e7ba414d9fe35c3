"""The study, what all processes of a sweep share: an optuna study in a journal file.

What is asked of the study is asked under one lock, so that two processes never take the same trial. A trial belongs to
the process that holds the lock of its folder: when that process dies, the system lets go of the lock, and whoever
comes next goes on with the trial.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import DataError, UsageError
from netspec.files import kind, need_file, saving, shown, write_text
from netspec.json_text import json_text
from netspec.optional import need
from netspec.runtime.store.locks import held
from netspec.runtime.store.notes import need_plain
from netspec.sweeps.results import End, Goal, Sweep, Trial, trial_folder
from netspec.sweeps.space import Range, Space
from netspec.words import printable

OWN: Final = ("sweep.json", "sweep.svg", "journal.log", "journal.lock", "lock", "trials")
"""What of a folder is a sweep's own."""

need("optuna", "a sweep", "sweep")

import optuna  # noqa: E402  the line above says how to install it
from optuna.storages.journal import JournalFileBackend  # noqa: E402

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from optuna.trial import FrozenTrial


class _Lock:
    """A lock that the system lets go of when its holder dies. Optuna's own stay, and are waited for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held: BaseFileLock | None = None

    def acquire(self) -> bool:
        """Wait for the lock of the study's file, and hold it."""
        self.held = held(self.path, wait=True)
        return self.held is not None

    def release(self) -> None:
        """Let the next process have it."""
        if self.held is not None:
            self.held.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _Journal(JournalFileBackend):
    """The journal, with what the disk refuses said as everywhere."""

    def __init__(self, path: Path) -> None:
        """Mend the file where a process was killed while it wrote, and open it."""
        lock = _Lock(path.with_suffix(".lock"))
        with lock:
            _mend(path)
        super().__init__(str(path), lock)  # type: ignore[arg-type]  # optuna keeps its locks' base class to itself
        self.path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write to the journal. Raises UsageError where the disk refuses."""
        with saving(self.path):
            super().append_logs(logs)


def _mend(journal: Path) -> None:
    """Drop a last line that a writer died over: optuna would refuse all that is written behind it."""
    text = journal.read_bytes() if journal.exists() else b""
    if not text.endswith(b"\n"):
        with saving(journal), journal.open("ab") as stream:
            stream.truncate(text.rfind(b"\n") + 1)


class Claim:
    """A trial that this process holds until it is closed."""

    def __init__(self, trial: optuna.Trial, tried: dict[str, str], folder: Path, lock: BaseFileLock) -> None:
        """`lock` is held for as long as this process runs the trial."""
        self.trial, self.tried, self.folder = trial, tried, folder
        self.number = trial.number + 1
        self._lock = lock
        self._reported = set(trial.study.trials[trial.number].intermediate_values)

    def note(self, **about: Any) -> None:
        """Keep what is known of the trial before it runs."""
        self.trial.set_user_attr("about", about)

    def report(self, value: float, epoch: int) -> bool:
        """Take in an epoch's value; whether the others say that the trial is not worth its time."""
        if epoch not in self._reported:
            self.trial.report(value, epoch)
            self._reported.add(epoch)
        return bool(self.trial.should_prune())

    def tell(self, end: End, value: float | None = None, **more: Any) -> End:
        """Keep how the trial ended."""
        self.trial.set_user_attr("end", {"end": end, **more})
        states = optuna.trial.TrialState
        state = states.COMPLETE if value is not None else states.FAIL if end == "failed" else states.PRUNED
        self.trial.study.tell(self.trial, value, state=state)
        return end

    def close(self) -> None:
        """Let another process have the trial, if it is not finished."""
        self._lock.release()


class Study:
    """The trials of one sweep in its folder."""

    def __init__(self, folder: Path, space: Space, goal: Goal, *, seed: int, prune: bool) -> None:
        """Open the study of a folder, or begin it; other processes may have it open too."""
        self.folder, self.space, self.seed = folder, space, seed
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
        journal = folder / "journal.log"
        self.lock = _Lock(folder / "lock")
        """Within it no other process takes a trial."""
        with self.lock:
            if kind(journal):
                need_file(journal, "the journal of a sweep")
            try:
                self._study = optuna.create_study(
                    storage=optuna.storages.JournalStorage(_Journal(journal)),
                    study_name="sweep",
                    direction="maximize" if goal == "max" else "minimize",
                    pruner=pruner,
                    load_if_exists=True,
                )
                self.sweep("", "", goal)
            except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
                text = f"{shown(journal)} is damaged: {printable(str(error)) or type(error).__name__}"
                raise DataError(f"{text}. Name a new folder, or remove this one.") from None

    def take(self, trials: int) -> Claim | None:
        """A trial that was left unfinished, else a new one while there are fewer than `trials`. Call it locked."""
        known = self._study.trials
        for left in known:
            if left.state == optuna.trial.TrialState.RUNNING and (lock := self._lock_of(left.number + 1)):
                return self._claim(optuna.Trial(self._study, left._trial_id), lock)
        size, combination = self.space.size, None
        if size is not None and size <= trials:
            tried = {tuple(other.user_attrs["about"]["tried"].values()) for other in known}
            untried = (c for c in map(self.space.combination, range(size)) if tuple(c.values()) not in tried)
            combination = next(untried, None)
        if combination is None and len(known) >= min(trials, size or trials):
            return None
        trial = self._study.ask()
        lock = self._lock_of(trial.number + 1)
        assert lock is not None
        return self._claim(trial, lock, combination)

    def _claim(self, trial: optuna.Trial, lock: BaseFileLock, combination: dict[str, str] | None = None) -> Claim:
        """The trial with a value for each axis: those that it has already, those of the combination, or drawn ones."""
        # The seed follows from the number, so that a sweep that was stopped draws what it would have drawn.
        self._study.sampler = (
            optuna.samplers.TPESampler(seed=(self.seed * 1_000_003 + trial.number) % 2**32)
            if combination is None
            else _Listed(combination, self.space)
        )
        tried = {axis.path: axis.suggest(trial) for axis in self.space.axes}
        return Claim(trial, tried, trial_folder(self.folder, trial.number + 1), lock)

    def _lock_of(self, number: int) -> BaseFileLock | None:
        """The lock of a trial's folder; None while another process holds it."""
        place = trial_folder(self.folder, number)
        with saving(place):
            place.mkdir(parents=True, exist_ok=True)
        return held(place / "claim")

    def twin(self, key: str, number: int) -> Trial | None:
        """Another trial of the very same network and training that runs, or that came to its end."""
        for other in self._study.trials:
            if other.number + 1 != number and other.user_attrs.get("about", {}).get("key") == key:
                found = _trial(other)
                if found.end in ("trained", "running", "diverged", "pruned"):
                    return found
        return None

    def sweep(self, name: str, metric: str, goal: Goal) -> Sweep:
        """All trials so far."""
        return Sweep(name, self.folder, metric, goal, self.space.axes, tuple(map(_trial, self._study.trials)))


class _Listed(optuna.samplers.BaseSampler):
    """Gives one combination of those that can be counted."""

    def __init__(self, combination: dict[str, str], space: Space) -> None:
        self.combination = combination
        self.ranges = {axis.path: axis for axis in space.axes if isinstance(axis, Range)}

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """Nothing: every value is taken by itself."""
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """Nothing: every value is taken by itself."""
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """The value that the combination at hand has for a parameter."""
        text = self.combination[param_name]
        return float(text) if param_name in self.ranges else text


def enter(folder: Path, identity: dict[str, Any]) -> None:
    """Make the folder of a sweep, or find this very sweep in it. Raises UsageError where another one is there."""
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    need_plain(folder, OWN)
    kept, text = folder / "sweep.json", json_text(identity, 1, ordered=True) + "\n"
    if not kind(kept):
        if kind(folder / "journal.log"):
            lacks = f"{shown(folder)} holds the trials of a sweep, and no sweep.json says of which"
            raise DataError(f"{lacks}. Fetch it again, or name a new folder.")
        write_text(kept, text)
        return
    need_file(kept, "what a sweep is over")
    with kept.open("rb") as stream:
        found = stream.read(len(text) * 4 + 1)
    if found != text.encode():
        raise UsageError(f"{folder} holds a sweep of another spec, other values or another metric. Name a new folder.")


def _trial(frozen: FrozenTrial) -> Trial:
    """A trial of optuna's as ours, counted from 1."""
    about, told = frozen.user_attrs.get("about", {}), frozen.user_attrs.get("end", {})
    running = frozen.state == optuna.trial.TrialState.RUNNING
    return Trial(
        frozen.number + 1,
        "running" if running else told["end"],
        tuple(about.get("overrides", ())),
        about.get("tried"),
        frozen.value if frozen.state == optuna.trial.TrialState.COMPLETE else None,
        "" if running else told.get("reason", ""),
        about.get("parameters"),
        about.get("macs"),
        told.get("epochs"),
        told.get("seconds"),
    )


def digest(value: Any) -> str:
    """A short name for plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
