"""Groups of parameters: what a line means, what it refuses, and the very bits of hand-written groups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

import netspec
from netspec.runtime.data.split import seeded
from netspec.runtime.train.optimizers import make_optimizer, param_groups
from netspec.runtime.train.run import train
from netspec.sections.param_groups import WHOLE, options_of
from netspec.text.report import report
from netspec.views.training import text, training
from netspec.vocabulary import OPTIMIZERS
from tests.train.small import DEVICE, classes, equal, stepped
from tests.train.small import section as written_section
from tests.train.test_resume import never_stopped, stopped_and_resumed

SPEC = """\
netspec: 1
input: 8
layers:
  backbone: [linear 16, layernorm, relu]
  head: linear 3
train:
  loss: ce
  optimizer: OPTIMIZER
  groups:
    norm: weight_decay=0
    "*.bias": weight_decay=0
    "backbone.*": lr=0.02
  batch: 16
  epochs: 5
"""


def spec(optimizer: str = "adamw lr=0.1 weight_decay=0.3", *overrides: str) -> netspec.Spec:
    return netspec.loads(SPEC.replace("OPTIMIZER", optimizer), overrides, "x.yaml")


def section(found: netspec.Spec) -> Any:
    assert found.experiment.train is not None
    return found.experiment.train


def over_small(wanted: Any) -> Any:
    """The section with the same lines over the small network of these tests."""
    names = {"backbone.0.bias": "0.bias", "backbone.0.weight": "0.weight", "head.bias": "2.bias"}
    known = [(group, frozenset(names[n] for n in group.parameters if n in names)) for group in wanted.groups]
    return wanted.replace(groups=tuple(replace(group, parameters=parameters) for group, parameters in known))


def groups_of(net: nn.Module) -> Iterator[dict[str, Any]]:
    """The groups of SPEC, by hand."""
    named = dict(net.named_parameters())
    yield {"params": [named["head.weight"]]}
    yield {"params": [named["backbone.0.weight"]], "lr": 0.02}
    plain = ["backbone.0.bias", "backbone.1.weight", "backbone.1.bias"]
    yield {"params": [named[name] for name in plain], "lr": 0.02, "weight_decay": 0}
    yield {"params": [named["head.bias"]], "weight_decay": 0}


def test_each_option_comes_from_the_first_line_that_matches_and_gives_it() -> None:
    groups = section(spec("adamw", "train.groups={'head.*': lr=1, '*.bias': lr=2 weight_decay=3}")).groups
    assert options_of("head.bias", groups) == {"lr": 1, "weight_decay": 3}
    assert options_of("head.weight", groups) == {"lr": 1}
    assert options_of("backbone.0.bias", groups) == {"lr": 2, "weight_decay": 3}
    assert options_of("backbone.0.weight", groups) == {}


def test_a_module_stands_for_all_that_it_holds() -> None:
    (group,) = section(spec("adamw", "train.groups={backbone: lr=1}")).groups
    assert group.parameters == {f"backbone.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")}


def test_groups_hold_where_the_spec_has_warnings() -> None:
    found = spec("adamw", "params={unused: 1}")
    assert [p.code for p in found.warnings] == ["unused-param"]
    assert all(group.parameters for group in section(found).groups)


def test_a_shared_tensor_is_matched_by_any_of_its_names() -> None:
    text = "netspec: 1\ninput: int T\nlayers: {wte: embedding 20 8, lm_head: linear 20 nobias}\n"
    text += "tie: {lm_head.weight: wte.weight}\n"
    text += "train: {loss: ce, optimizer: adamw, groups: {lm_head: lr=1, embedding: weight_decay=0}}\n"
    found = netspec.loads(text)
    groups, net = section(found).groups, found.build()
    ((name, parameter),) = net.named_parameters()
    assert options_of(name, groups) == {"lr": 1, "weight_decay": 0}
    (group,) = param_groups([(name, parameter)], groups)
    assert group["params"] == [parameter]


def test_groups_are_those_that_a_person_writes() -> None:
    found = spec()
    net = found.build()
    made = make_optimizer(section(found).optimizer, net.named_parameters(), section(found).groups)
    wanted = torch.optim.AdamW(list(groups_of(net)), lr=0.1, weight_decay=0.3)
    for mine, theirs in zip(made.param_groups, wanted.param_groups, strict=True):
        assert [id(p) for p in mine["params"]] == [id(p) for p in theirs["params"]]
        assert (mine["lr"], mine["weight_decay"]) == (theirs["lr"], theirs["weight_decay"])


@pytest.mark.parametrize("scheduler", [None, "cosine warmup=3", "step 2 gamma=0.5"])
def test_ten_steps_give_the_bits_of_hand_written_groups(scheduler: str | None) -> None:
    found = spec("adamw lr=0.1 weight_decay=0.3", *([f"train.scheduler={scheduler}"] if scheduler else []))
    torch.manual_seed(3)
    mine, theirs, data = found.build().to(DEVICE), found.build().to(DEVICE), classes().to(DEVICE)
    theirs.load_state_dict(mine.state_dict())
    train(mine, section(found).replace(max_steps=10, device=DEVICE), data)
    optimizer = torch.optim.AdamW(list(groups_of(theirs)), lr=0.1, weight_decay=0.3, fused=True)
    (x,), y = data.train.inputs, data.train.target
    warmup = 3 if scheduler and "warmup" in scheduler else 0
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule: Any = None
    if scheduler:
        made = {"cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, 7)}
        made["step"] = lambda: lr_scheduler.StepLR(optimizer, 2, gamma=0.5)  # type: ignore[assignment, return-value]
        schedule = made[scheduler.split()[0]]()
    for step in range(10):
        epoch, index = divmod(step, 4)
        order = torch.randperm(len(y), generator=seeded(0, epoch))
        rows = order[index * 16 : index * 16 + 16]
        if step < warmup:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * ((step + 1) / (warmup + 1))
        optimizer.zero_grad()
        nn.functional.cross_entropy(theirs(x[rows]), y[rows]).backward()
        stepped(optimizer)
        if step < warmup:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
        elif schedule and (warmup or index == 3):
            schedule.step()
    assert equal(mine, theirs)


def test_a_resumed_run_goes_on_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = section(spec("adamw lr=0.1", "train.scheduler=cosine warmup=3"))
    section_, data = over_small(wanted), classes()
    whole, _ = never_stopped(section_, data, tmp_path / "whole")
    parts, _ = stopped_and_resumed(section_, data, tmp_path / "parts", [3, 4, 1], monkeypatch)
    assert equal(whole, parts)


OTHERS = """\
netspec: 1
input: 8
layers: {backbone: [linear 16, layernorm, relu, linear 8], head: linear 3}
train:
  loss: ce
  optimizer: muon lr=0.02
  groups: {norm: adamw lr=0.03, head: sgd lr=0.1 momentum=0.9, "*.bias": {adamw: {lr: 0.03}}}
  scheduler: cosine warmup=2
  batch: 16
  epochs: 3
"""


def test_groups_with_an_optimizer_of_their_own_are_optimizers_side_by_side() -> None:
    found = netspec.loads(OTHERS)
    torch.manual_seed(3)
    mine, theirs, data = found.build().to(DEVICE), found.build().to(DEVICE), classes().to(DEVICE)
    theirs.load_state_dict(mine.state_dict())
    train(mine, section(found).replace(max_steps=9, device=DEVICE), data)
    named = dict(theirs.named_parameters())
    apart = {
        torch.optim.Muon: ["backbone.0.weight", "backbone.3.weight"],
        torch.optim.SGD: ["head.weight", "head.bias"],
    }
    rest = [name for name in named if not any(name in names for names in apart.values())]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon([named[n] for n in apart[torch.optim.Muon]], lr=0.02),
        torch.optim.AdamW([named[n] for n in rest], lr=0.03, fused=True),
        torch.optim.SGD([named[n] for n in apart[torch.optim.SGD]], lr=0.1, momentum=0.9, fused=True),
    ]
    schedules = [lr_scheduler.CosineAnnealingLR(each, 7) for each in optimizers]
    (x,), y = data.train.inputs, data.train.target
    for step in range(9):
        epoch, index = divmod(step, 4)
        rows = torch.randperm(len(y), generator=seeded(0, epoch))[index * 16 : index * 16 + 16]
        theirs.zero_grad()
        nn.functional.cross_entropy(theirs(x[rows]), y[rows]).backward()
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            (group,) = optimizer.param_groups
            rate = group["lr"]
            group["lr"] = rate * ((step + 1) / 3) if step < 2 else rate
            stepped(optimizer)
            group["lr"] = rate
            if step >= 2:
                schedule.step()
    assert equal(mine, theirs)


SCHEDULED = """\
netspec: 1
input: 8
layers: {backbone: [linear 16, layernorm, relu, linear 8], head: linear 3}
train:
  loss: ce
  optimizer: sgd lr=0.1 momentum=0.9
  groups:
    "backbone.0.*": {scheduler: polynomial total_iters=5 every=step}
    head: {optimizer: adamw lr=0.03, scheduler: step 1 gamma=0.5}
  scheduler: cosine warmup=2
  batch: 16
  epochs: 3
"""


def test_a_group_moves_by_a_schedule_of_its_own() -> None:
    found = netspec.loads(SCHEDULED)
    torch.manual_seed(3)
    mine, theirs, data = found.build().to(DEVICE), found.build().to(DEVICE), classes().to(DEVICE)
    theirs.load_state_dict(mine.state_dict())
    train(mine, section(found).replace(max_steps=10, device=DEVICE), data)
    named = dict(theirs.named_parameters())
    first = [p for name, p in named.items() if name.startswith("backbone.0.")]
    head = [p for name, p in named.items() if name.startswith("head.")]
    rest = [p for p in named.values() if not any(p is other for other in (*first, *head))]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.SGD(rest, lr=0.1, momentum=0.9, fused=True),
        torch.optim.SGD(first, lr=0.1, momentum=0.9, fused=True),
        torch.optim.AdamW(head, lr=0.03, fused=True),
    ]
    main = optimizers[0].param_groups[0]
    schedules = [
        lr_scheduler.CosineAnnealingLR(optimizers[0], 8),
        lr_scheduler.PolynomialLR(optimizers[1], total_iters=5),
        lr_scheduler.StepLR(optimizers[2], 1, gamma=0.5),
    ]
    (x,), y = data.train.inputs, data.train.target
    for step in range(10):
        epoch, index = divmod(step, 4)
        rows = torch.randperm(len(y), generator=seeded(0, epoch))[index * 16 : index * 16 + 16]
        theirs.zero_grad()
        nn.functional.cross_entropy(theirs(x[rows]), y[rows]).backward()
        rate = main["lr"]
        main["lr"] = rate * ((step + 1) / 3) if step < 2 else rate
        for optimizer in optimizers:
            stepped(optimizer)
        main["lr"] = rate
        for schedule, due in zip(schedules, (step >= 2, True, index == 3), strict=True):
            if due:
                schedule.step()
    assert equal(mine, theirs)


def test_a_schedule_of_a_group_is_resumed_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = netspec.loads(SCHEDULED)
    section_, data = over_small(section(found)), classes()
    whole, _ = never_stopped(section_, data, tmp_path / "whole")
    parts, _ = stopped_and_resumed(section_, data, tmp_path / "parts", [3, 4, 1], monkeypatch)
    assert equal(whole, parts)
    seen = training("x", found.graph, found.experiment, 64)
    assert seen.rates[-1].rates[1:] == pytest.approx((0, 0.0075))
    assert "scheduler=PolynomialLR every=step: backbone.0.weight" in text(seen)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.groups.head={scheduler: plateau}", "follows what is measured"),
        ("train.groups.head={lr: 1, scheduler: onecycle max_lr=1}", "sets lr for all that it moves"),
        ("train.groups.head={optimizer: adagrad lr=1, scheduler: onecycle max_lr=1}", "moves the momentum"),
        ("train.groups.head={scheduler: cosines}", "cosine"),
        ("train.groups.head={scheduler: polynomial total_iters=-1}", "total_iters"),
    ],
)
def test_what_a_schedule_of_a_group_cannot_be(override: str, told: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(SCHEDULED, [override])
    assert told in str(caught.value)


def keller_jordan(g: torch.Tensor) -> torch.Tensor:
    """The update of Jordan et al. (2024): five steps of a quintic Newton-Schulz iteration, in short floats."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    x = x / (x.norm() + 1e-7)
    x = x.T if g.size(0) > g.size(1) else x
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    found: torch.Tensor = (x.T if g.size(0) > g.size(1) else x).float()
    return found


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("rescaled", [False, True], ids=str)
def test_filters_are_rows_of_a_matrix_to_muon(layout: torch.memory_format, rescaled: bool) -> None:
    torch.manual_seed(0)
    shapes = [(6, 3, 3, 3), (40, 2, 3, 3), (5, 7)]
    mine = [nn.Parameter(torch.randn(s).to(memory_format=layout) if len(s) == 4 else torch.randn(s)) for s in shapes]
    theirs = [p.detach().clone() for p in mine]
    entry = written_section(
        optimizer=f"muon lr=0.2 momentum=0.6 weight_decay=0 rescaled={str(rescaled).lower()}"
    ).optimizer
    optimizer = make_optimizer(entry, [(str(n), p) for n, p in enumerate(mine)])
    momenta = [torch.zeros_like(p) for p in theirs]
    for _ in range(3):
        for place, p in enumerate(mine):
            g = torch.randn(p.shape)
            p.grad = g.clone()
            momenta[place].mul_(0.6).add_(g)
            direction = g.add(momenta[place], alpha=0.6).flatten(1)
            if rescaled:
                theirs[place].mul_(len(p) ** 0.5 / theirs[place].norm())
            length = max(1, direction.shape[0] / direction.shape[1]) ** 0.5
            theirs[place].add_(keller_jordan(direction).view(p.shape), alpha=-0.2 * length)
        optimizer.step()
    for p, wanted in zip(mine, theirs, strict=True):
        assert torch.allclose(p, wanted, atol=0.03), (p - wanted).abs().max()


def test_a_run_of_several_optimizers_goes_on_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = netspec.loads(OTHERS)

    def made() -> nn.Module:
        torch.manual_seed(3)
        return found.build()

    whole, _ = never_stopped(section(found), classes(), tmp_path / "whole", made)
    parts, _ = stopped_and_resumed(section(found), classes(), tmp_path / "parts", [3, 4, 1], monkeypatch, made)
    assert equal(whole, parts)


def test_another_optimizer_is_told_and_what_it_cannot_take_is_refused() -> None:
    found = netspec.loads(OTHERS)
    told = training("net", found.graph, found.experiment)
    json.dumps(told.listed())
    lines = text(told).splitlines()
    names = "backbone.0.bias, backbone.1.weight, backbone.1.bias, backbone.3.bias"
    assert f"  56 parameters by AdamW lr=0.03: {names}" in lines, lines
    with pytest.raises(netspec.SpecError, match="gives options of the optimizer to head"):
        netspec.loads(OTHERS, ["train.groups={head: adamw lr=1, '*.bias': weight_decay=0}"])
    with pytest.raises(netspec.SpecError, match="moves the momentum, adagrad has none"):
        netspec.loads(OTHERS, ["train.groups.head=adagrad", "train.scheduler=onecycle max_lr=0.1"])
    with pytest.raises(netspec.SpecError, match="muon needs whole parameters"):
        netspec.loads(OTHERS, ["train.optimizer=adamw", "train.groups={head: muon}", "train.parallel=fsdp"])
    with pytest.raises(
        netspec.SpecError, match=r"filters only, and backbone\.0\.bias, backbone\.3\.bias and head\.bias"
    ):
        netspec.loads(OTHERS, ["train.groups={norm: adamw}"])
    layers, loss = "layers={a: linear 3 nobias}", "train.loss={a: cross_entropy weight=learned}"
    found = netspec.loads(OTHERS, [layers, loss, "train.groups=null"])
    with pytest.raises(netspec.UsageError, match=r"log_variance\.a is a single number\. What a loss learns goes to"):
        train(found.build(), section(found), classes())


@pytest.mark.parametrize("cls", [c for c in OPTIMIZERS.classes() if c.takes_groups], ids=lambda c: c.__name__)
def test_torch_takes_every_option_for_a_group(cls: type[Any]) -> None:
    """What a line may give is what torch reads from a group."""
    optimizer = getattr(torch.optim, cls.__name__)([nn.Parameter(torch.zeros(2, 2))])
    assert {name for name, field in cls.fields.items() if field.torch} - set(WHOLE) <= set(optimizer.defaults)


WRONG = [
    ("nrom: weight_decay=0", "10:5", "matches no layer and no parameter", "Did you mean 'norm'?"),
    ("'bacbone.*': lr=1", "10:5", "matches no layer and no parameter", "Did you mean 'backbone.*'?"),
    ("conv: lr=1", "10:5", "no layer with parameters is a conv", ""),
    ("head: lr=-1", "10:11", "lr is -1", ""),
    ("head: rate=1", "10:11", "no argument 'rate'", "It has: lr"),
    ("head: {lr: 1, weight_decay: -1}", "10:33", "weight_decay is -1", ""),
    ("head: nesterov", "10:11", "needs a momentum", ""),
    ("head: foreach=false", "10:11", "holds for all parameters", ""),
    ("head: 0.1", "10:11", "expected options of sgd", "For example"),
    ("head: {}", "10:11", "without options", "For example"),
    ("head: lr=", "10:13", "a value is missing", ""),
    ("head: lbfgs", "10:11", "lbfgs updates all parameters", "such as adamw"),
    ("head: adamw fused=true foreach=true", "10:11", "exclude each other", ""),
]


@pytest.mark.parametrize(("line", "place", "words", "hint"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong(line: str, place: str, words: str, hint: str) -> None:
    text = SPEC.replace("OPTIMIZER", "sgd lr=0.1")
    before, after = text.index("    norm:"), text.index("  batch:")
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{text[:before]}    {line}\n{text[after:]}", name="x.yaml")
    (problem,) = caught.value.problems
    assert caught.value.source is not None
    said = report([problem], caught.value.source)
    assert said.startswith(f"x.yaml:{place} "), said
    assert words in said
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["train.optimizer=lbfgs"], "lbfgs has one set of options"),
        (["train.scheduler=onecycle max_lr=1 cycle_momentum=false"], "onecycle sets lr for all parameters"),
        (
            ["train.scheduler=onecycle max_lr=1", "train.groups={head: betas=0.8x0.9}"],
            "onecycle sets betas for all parameters",
        ),
        (["train.groups=[head]"], "groups is a mapping"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_contradictions(overrides: list[str], words: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        spec("adamw", *overrides)
    assert [words in p.message for p in caught.value.problems] == [True]


def test_a_pattern_that_yaml_takes_for_an_alias_is_told_to_be_quoted() -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads("netspec: 1\ntrain:\n  groups:\n    *.bias: weight_decay=0\n")
    assert caught.value.problems[0].hint.startswith("Quote")
