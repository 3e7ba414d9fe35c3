"""The training state: everything that changes in the course of a run, and that a resumed run takes up again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import isfinite
from typing import Any, cast

import torch
from torch import nn

from netspec.errors import DataError, UsageError
from netspec.runtime.data.split import Data
from netspec.runtime.device.cuda_graph import changeable, unrecordable
from netspec.runtime.device.parallel import Whole
from netspec.runtime.device.process_group import ALONE, World
from netspec.runtime.network.base import base_of, checksum
from netspec.runtime.network.freezing import changing, freeze, frozen_then, later
from netspec.runtime.network.weights import need_same
from netspec.runtime.train.epoch_losses import Losses
from netspec.runtime.train.forms import need_alike, need_held, need_tensor, need_tensors
from netspec.runtime.train.history import Goal, Watch
from netspec.runtime.train.lookahead import Slow
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.networks import MAIN, Networks
from netspec.runtime.train.optimizers import gives_sparse, make_optimizer, restore_optimizer
from netspec.runtime.train.schedules import Schedule
from netspec.runtime.train.turns import owner, turns_of
from netspec.sections.beside import Teacher
from netspec.sections.param_groups import options_of
from netspec.sections.train_record import Lookahead, Train
from netspec.views.meaning import differences, parameter_words, refusal, train_words, worded
from netspec.weights.freezing import EVER, UNFROZEN, Frozen

Weights = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]
"""The weights of the network, and those of a loss that has some."""


@dataclass(slots=True)
class Position:
    """How far a run has come: whole epochs, steps of the one after them, steps in all."""

    epoch: int = 0
    """How many whole epochs are behind."""
    index: int = 0
    """How many steps of the next one."""
    step: int = 0
    """How many steps in all."""
    measured: int = 0
    """The step behind which the newest record was made."""
    records: int = 0
    """How many evaluations have been recorded."""

    @property
    def current(self) -> int:
        """The epoch that the newest step belongs to, counted from 1."""
        return self.epoch + (self.index > 0)

    @property
    def unmeasured(self) -> int:
        """The steps of this epoch that no record has taken in."""
        return self.step - self.measured

    def close_record(self) -> None:
        """Go on behind a record of all steps so far."""
        self.measured = self.step
        self.records += 1

    def close_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1
        self.index = 0


class State:
    """The network with all that trains it, where the run stands, and what was best so far."""

    def __init__(
        self,
        spread: Whole,
        train: Train,
        data: Data,
        world: World = ALONE,
        meaning: Mapping[str, str] | None = None,
        frozen: Frozen = UNFROZEN,
        outputs: Sequence[str] = (),
        networks: Networks | None = None,
    ) -> None:
        """The state before the first step; `outputs` names what the network gives one after the other.

        `networks` are those that a step has besides it.
        """
        self.wanted, self.world, self.seed = train, world, train.seed
        self.spread, self.module = spread, spread.module
        self.device = next(self.module.parameters()).device
        self.count, self.samples = len(data.train), train.samples
        self.per_epoch, self.total = train.per_epoch(self.count), train.steps(self.count)
        self.frozen, self.thaws, self.thawed = frozen, frozen.whens, 0
        self.kept = changing(self.module, frozen) if frozen.adapters else None
        """The names of what is saved where the rest is the base of adapters; None where all is."""
        self.base = self._checksum_of_base()
        if self.thaws:  # the optimizer is made for all that it is to train one day
            freeze(self.module, frozen, *EVER)
        self.objective = Objective(train.all_terms if train.players else train.loss, self.device, data.learnt, outputs)
        self.networks = networks
        if networks is not None:
            self._hold(networks)
        whole = [*self.module.named_parameters(), *self.objective.module.named_parameters("loss")]
        self.named = [(name, p) for name, p in whole if not owner(name, train)]
        self.trained = [p for _, p in whole if p.requires_grad]
        self.slow = self._slow(train.lookahead, whole) if train.lookahead is not None else None
        """The weights that training looks back to every few steps."""
        self.unrecordable = self._unrecordable()
        """Why steps cannot be recorded; nothing where they can."""
        self.optimizer = self._optimizer()
        if self.thaws:
            self._freeze_at_first()
        fallback = "val.loss" if data.val else "train.loss"
        scheduled = partial(Schedule, train.scheduler, steps=self.total, epochs=train.epochs, monitor=fallback)
        self.schedule = scheduled(self.optimizer, groups=train.groups)
        self.turns = turns_of(train, whole, self.optimizer, self.schedule, scheduled)
        """Who moves in a step, in order, where several do."""
        self.schedules = tuple(turn.schedule for turn in self.turns) or (self.schedule,)
        """Those of all who move."""
        self.average = spread.average(train.ema) if train.ema is not None else None
        teacher = networks.averaged if networks is not None else None
        self.averages = [each for each in (self.average, teacher) if each is not None]
        """What follows the weights of the network step by step."""
        self.validates = data.val is not None and any(map(train.measures, train.terms))
        """Whether there is something to measure on validation data."""
        self.best, self.early = _watches(train, self.validates)
        self.position = Position()
        self.losses = Losses(self.objective, self.per_epoch, self.samples, self.count, self.device)
        self.norm = torch.full((), torch.inf, device=self.device)
        """Of the gradient of the newest step before a record, not clipped; infinite where there is none."""
        self._before, self._began = 0.0, time.perf_counter()
        self.origin = self._origin(_words(train, self.named) if meaning is None else meaning)
        self.fingerprint = data.fingerprint()
        self._taken_up: set[torch.Tensor] | None = None
        """The parameters of which the optimizer held something when the run went on, until the step after that."""

    def _unrecordable(self) -> str:
        """Why the steps of a run cannot be recorded."""
        if self.thaws:
            return "what is frozen thaws on the way"
        teacher = self.networks.teacher if self.networks is not None and self.networks.averaged is None else None
        reason = unrecordable(self.module, self.wanted, self.device, self.world)
        return reason or (changeable(teacher) if teacher is not None else "")

    def _checksum_of_base(self) -> str:
        """What tells the base of adapters from another, in the main process; empty where there are no adapters."""
        base = self.spread.gather({} if self.kept is None else base_of(self.module, self.frozen))
        return checksum(base) if self.kept is not None and self.world.main else ""

    def _hold(self, networks: Networks) -> None:
        """Make ready the networks that a step has besides this one: the teacher, and those of players."""
        teacher = self.wanted.teacher
        if teacher is not None and teacher.averaged:
            networks.teacher = _following(self.spread, teacher)
        networks.to(self.device)
        self.objective.hold(networks.players)

    def _slow(self, wanted: Lookahead, whole: Iterable[tuple[str, nn.Parameter]]) -> Slow:
        """The slow weights beside all that a step may change, buffers of numbers among it."""
        measured = ((name, b) for name, b in self.module.named_buffers() if b.is_floating_point())
        followed = {name: tensor for name, tensor in (*whole, *measured) if _moves(tensor)}
        return Slow(wanted, followed, self.total)

    def _optimizer(self) -> torch.optim.Optimizer:
        """That of the network, with what thaws later among its parameters."""
        sparse = any(map(gives_sparse, self.module.modules()))
        how = {"sparse": sparse, "capturable": not self.unrecordable}
        thawing = later(self.module, self.frozen)
        return make_optimizer(self.wanted.optimizer, self.named, self.wanted.groups, later=thawing, **how)

    def _freeze_at_first(self) -> None:
        """Freeze what the run begins without. Raises UsageError where nothing is left to train."""
        freeze(self.module, self.frozen)
        if not any(p.requires_grad for p in self.trained):
            raise UsageError("nothing is trained before something thaws. Freeze less, or unfreeze some at once.")

    def _origin(self, meaning: Mapping[str, str]) -> dict[str, str]:
        """What may not change between a stop and a resume, in words."""
        found = dict(meaning)
        for each in (self.schedule, *self.schedule.own):
            if each.entry and each.entry.stretches(each.length):
                name = "scheduler" if each is self.schedule else f"scheduler {worded(each.entry)}"
                found[name] = f"{found.get(name, '')} over {each.length:,} {each.entry.unit}s".strip()
        if self.wanted.lookahead is not None:
            found["lookahead"] += f" over {self.total:,} steps"
        return found | ({"the base of lora": self.base[:16]} if self.base else {})

    def thaw(self) -> None:
        """Let go of what is frozen no longer, where the run stands."""
        if not self.thaws:
            return
        epoch, step = self.position.epoch, self.position.step
        passed = sum(when.passed(epoch, step) for when in self.thaws)
        if passed != self.thawed:
            self.thawed = passed
            freeze(self.module, self.frozen, epoch, step)

    @property
    def seconds(self) -> float:
        """Since the run began, without the time between a stop and a resume."""
        return self._before + time.perf_counter() - self._began

    @property
    def shown(self) -> nn.Module:
        """The network as it is measured and saved: averaged, where the spec averages."""
        return self.average.module if self.average is not None else self.module

    def weights(self) -> Weights:
        """What is saved for use: the network's weights, and those of a loss that has some."""
        return self.spread.gather(self._saved(self.shown)), self.objective.parameters()

    def _saved(self, module: nn.Module) -> dict[str, torch.Tensor]:
        """What of the network, or of its average, is saved: all of it, but the base of adapters."""
        held = module.state_dict()
        if self.kept is None:
            return held
        before = "module." if module is self.average else ""
        base = {f"{before}{name}" for name in self.module.state_dict() if name not in self.kept}
        return {name: tensor for name, tensor in held.items() if name not in base}

    def newest_loss(self) -> float:
        """The loss of the newest step of this epoch."""
        return self.losses.newest(self.position.index)

    def not_finite(self) -> tuple[int, float] | None:
        """The first step of this epoch whose loss is not finite, counted from 0, and that loss."""
        return self.losses.not_finite(self.position.index)

    def mean_losses(self) -> dict[str, float]:
        """The mean losses of this epoch's unmeasured steps: `loss`, and of several each: `aux.loss`."""
        return self.losses.means(self.position.index - self.position.unmeasured, self.position.index)

    def finite(self) -> bool:
        """Whether every weight that is trained is finite, in all processes."""
        held = [p.to_local() if hasattr(p, "to_local") else p for p in self.trained]  # of a DTensor, its part
        return not self.world.maximum(not torch.stack([p.isfinite().all() for p in held]).all())

    def note_norm(self, norm: torch.Tensor | None) -> None:
        """Note the norm of the newest step's gradient, on the device; infinite where there is none."""
        norm = torch.full_like(self.norm, torch.inf) if norm is None else norm.detach()
        self.norm = norm.nan_to_num(torch.inf, torch.inf)

    def told_norm(self) -> dict[str, float]:
        """That norm, as a record has it; nothing where there is none that is finite."""
        norm = float(self.norm)
        return {"grad_norm": norm} if isfinite(norm) else {}

    def pack(self) -> dict[str, Any]:
        """All of it, as plain data and tensors. Every process calls it, the main one gets it whole."""
        gather = self.spread.gather
        return {
            "position": asdict(self.position),
            "samples": self.count,
            "origin": self.origin,
            "fingerprint": self.fingerprint,
            "module": gather(self._saved(self.module)),
            "loss": self.objective.module.state_dict(),
            "optimizer": gather(self.optimizer.state_dict()),
            "schedule": self.schedule.state(),
            "average": gather(self._saved(self.average)) if self.average is not None else None,
            **({"slow": self.slow.held} if self.slow is not None else {}),
            **({"players": self._players()} if self.turns else {}),
            **({"teacher": self._teacher()} if self.networks is not None and self.networks.teacher is not None else {}),
            "random": self.world.gathered(self._random()),
            "norm": self.norm,
            **self.losses.state(self.position.index),
            "best": self.best.state(),
            "seconds": self.seconds,
        }

    def _players(self) -> dict[str, Any]:
        """What is kept of the players, by their names."""
        return {
            turn.name: {"optimizer": turn.optimizer.state_dict(), "schedule": turn.schedule.state()}
            for turn in self.turns
            if turn.name != MAIN
        }

    def _teacher(self) -> dict[str, Any]:
        """What is kept of the teacher: all of one that moves, else what another one could not have."""
        assert self.networks is not None
        averaged = self.networks.averaged
        if averaged is not None:
            return averaged.state_dict()
        found = hashlib.blake2b(digest_size=8)
        for tensor in self.networks.teacher.state_dict().values():
            found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return {"digest": found.hexdigest()}

    def unpack(self, state: dict[str, Any]) -> None:
        """Take up what `pack` gave. Raises DataError or UsageError where the run is not the same."""
        if state["samples"] != self.count:
            text = f"the run was trained on {state['samples']:,} samples, now there are {self.count:,}"
            raise DataError(f"{text}. Resume it with the data it began with.")
        if state["fingerprint"] != self.fingerprint:
            text = "the run began with other data: other samples, another split, or transforms that differ"
            raise DataError(f"{text}. Resume it with the data it began with, or begin another.")
        need_same(self._saved(self.module), state["module"], "the weights of the checkpoint")
        if found := differences(state["origin"], self.origin):
            raise UsageError(refusal(found))
        self._need_alike(state)
        self.position = Position(**state["position"])
        whole = self.kept is None
        self.module.load_state_dict(self.spread.scatter(state["module"], self.module.state_dict()), strict=whole)
        self.objective.module.load_state_dict(state["loss"])
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        restore_optimizer(self.optimizer, self.spread.scatter_optimizer(state["optimizer"], parameters))
        self.schedule.load(state["schedule"])
        if self.average is not None:
            averaged = self.spread.scatter(state["average"], self.average.state_dict())
            self.average.load_state_dict(averaged, strict=whole)
        if self.slow is not None:
            self.slow.load(state["slow"])
        for turn in self.turns:
            if turn.name != MAIN:
                kept = state["players"][turn.name]
                restore_optimizer(turn.optimizer, kept["optimizer"])
                turn.schedule.load(kept["schedule"])
        if self.networks is not None and self.networks.averaged is not None:
            self.networks.averaged.load_state_dict(state["teacher"])
        self._set_random(state["random"])
        self.losses.load(state, self.position.index)
        self.norm = state.get("norm", self.norm).to(self.device)
        self.best.load(state["best"])
        self._before, self._began = state["seconds"], time.perf_counter()
        # What was still frozen in the newest step has no state yet, and may thaw with the next one.
        before = self.position.epoch - (self.position.index == 0), self.position.step - 1
        self._taken_up = {*self.optimizer.state, *frozen_then(self.module, self.frozen, *before)}

    def need_taken_up(self) -> None:
        """Refuse, behind the first step of a run that went on, what had to begin anew in it. Raises DataError.

        Gradients come to the same parameters in every step, and what an optimizer holds of them is there by then.
        """
        if self._taken_up is None:
            return
        more, self._taken_up = self.optimizer.state.keys() - self._taken_up, None
        if more:
            first = next(name for name, p in self.named if p in more)
            text = f"the checkpoint lacks what the optimizer held of {first}"
            raise DataError(
                f"{text}, and a run saves it. Delete it to go on from the one before, or begin another run."
            )

    def _need_alike(self, state: dict[str, Any]) -> None:
        """Refuse a state that is not of the form of the run's own. Raises ValueError."""
        position, own = state["position"], self.optimizer.state_dict()
        for name, mine in (
            ("position", asdict(self.position)),
            ("best", self.best.state()),
            ("schedule", self.schedule.state()),
            ("seconds", self.seconds),
        ):
            need_alike(state[name], mine, name)
        whole = position["epoch"] * self.per_epoch + position["index"] == position["step"]
        if min(position.values()) < 0 or not whole or position["index"] > self.per_epoch:
            raise ValueError("the position is not one of this run")
        average = self._saved(self.average) if self.average is not None else None
        if (average is None) != (state["average"] is None):
            raise ValueError("average is there without train.ema, or missing with it")
        owns = {
            "module": self._saved(self.module),
            "loss": self.objective.module.state_dict(),
            "average": average or {},
            "slow": self.slow.held if self.slow is not None else {},
        }
        for name, tensors in owns.items():
            need_tensors(state.get(name) or {}, tensors, name)
        need_alike(state["optimizer"]["param_groups"], own["param_groups"], "param_groups")
        if [each["params"] for each in state["optimizer"]["param_groups"]] != [
            g["params"] for g in own["param_groups"]
        ]:
            raise ValueError("the optimizer's groups are not of these parameters")
        need_held(state["optimizer"]["state"], self.optimizer, self.wanted, self.named)
        self._need_others_alike(state)
        need_tensor(state.get("norm", self.norm), (), self.norm.dtype, "norm")
        self.losses.need_alike(state, position["index"])
        if not isinstance(state["random"], list) or not state["random"]:
            raise ValueError("random holds the state of no process")
        for each in state["random"]:
            need_alike(each, self._random(), "random")

    def _need_others_alike(self, state: dict[str, Any]) -> None:
        """The same for players and a teacher. Raises ValueError, and DataError for another teacher."""
        own = self._players() if self.turns else {}
        kept = state.get("players", {})
        if kept.keys() != own.keys():
            raise ValueError("players has others than the run's")
        for turn in self.turns:
            if turn.name != MAIN:
                mine, saved = own[turn.name], kept[turn.name]
                need_alike(saved["schedule"], mine["schedule"], f"players.{turn.name}.schedule")
                groups = saved["optimizer"]["param_groups"], mine["optimizer"]["param_groups"]
                need_alike(*groups, f"players.{turn.name}.param_groups")
                need_held(saved["optimizer"]["state"], turn.optimizer, turn.wanted, turn.named)
        if self.networks is None or self.networks.teacher is None:
            return
        mine = self._teacher()
        if self.networks.averaged is not None:
            need_tensors(state["teacher"], mine, "teacher")
        elif state["teacher"] != mine:
            raise DataError("the run began with another teacher: its weights are not the same. Resume it with those.")

    def _random(self) -> dict[str, torch.Tensor | None]:
        """The state of this process's own random numbers."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda}

    def _set_random(self, states: list[dict[str, torch.Tensor | None]]) -> None:
        """Go on with this process's random numbers; a process that was not there before begins its own."""
        if self.world.rank >= len(states):
            torch.manual_seed(self.world.seed(self.seed) + self.position.step)
            return
        own = states[self.world.rank]
        assert own["cpu"] is not None
        torch.set_rng_state(own["cpu"])
        if own["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(own["cuda"], self.device)


def _moves(tensor: torch.Tensor) -> bool:
    """Whether a step may change a tensor: a parameter that is trained, or what is no parameter."""
    return tensor.requires_grad or not isinstance(tensor, nn.Parameter)


def _following(spread: Whole, teacher: Teacher) -> Any:
    """A copy of the network that begins as it does, and follows its weights."""
    assert teacher.decay is not None
    average = spread.average(teacher.decay)
    average.n_averaged.fill_(1)  # the update after 0 copies the network, whatever the decay
    return average.eval().requires_grad_(False)


def _words(train: Train, parameters: Iterable[tuple[str, nn.Parameter]]) -> dict[str, str]:
    """What is known of a run whose network has no spec."""
    found = train_words(train)
    for name, p in parameters:
        found[f"{name}:"] = parameter_words(not p.requires_grad, options_of(name, train.groups))
    return found


def _watches(train: Train, validated: bool) -> tuple[Watch, Watch | None]:
    """What chooses the best weights, and what stops early. Raises UsageError for a value that is never measured."""
    early = train.early_stop
    best = train.best if validated or train.checkpoint.best or train.players else "train.loss"
    for monitor in (best, early and early.monitor, getattr(train.scheduler, "monitor", None)):
        if monitor and monitor.startswith("val.") and not validated:
            raise UsageError(f"{monitor} is watched, but there is no validation data. Write data.split.val=0.1.")
    watch = Watch(best, cast("Goal", train.goal(best)))
    if early is None:
        return watch, None
    return watch, Watch(early.monitor, cast("Goal", train.goal(early.monitor)), early.min_delta)
