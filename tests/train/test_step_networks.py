"""Steps of several networks and passes: the bits of a hand-written loop, resumed to the bit, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

import netspec
from netspec.errors import Interrupted, NetspecError
from netspec.runs.data import data_of
from netspec.runtime.data.split import Data, seeded
from netspec.runtime.train.networks import DRAWN
from netspec.views.training import text, training
from tests.train.small import equal
from tests.train.test_resume import StopAfter

HEAD = "netspec: 1\nname: Net\n"
SIAMESE = """\
input: 8
layers: {body: [fc 16, relu, dropout 0.3], embed: fc 4}
data: {source: {npz: {path: d.npz, inputs: [x, other], target: alike}}, split: {val: 8}}
train:
  passes: {second: other}
  loss: {alike: {cosine_embedding: margin=0.2, of: [embed, second]}}
  optimizer: sgd lr=0.1
  epochs: 3
  batch: 16
"""
VIEWS = """\
input: 1x4x4
layers: {body: [conv 4 k3 same nobias, bn, relu], embed: [gap, fc 4]}
data: {source: {npz: {path: d.npz, inputs: image, target: y}}, augment: [crop 4 pad=1, flip], split: {val: 0}}
train:
  passes: {view: augmented}
  loss: {pairs: {nt_xent: temperature=0.3, of: [embed, view]}}
  optimizer: sgd lr=0.1
  epochs: 3
  batch: 16
"""
TAUGHT = """\
input: 8
layers: {body: "fc 8, relu", dropped: dropout 0.3, fc: fc 3}
data: {source: {npz: {path: d.npz, target: y}}, split: {val: 8}}
train:
  teacher: {spec: big.yaml, weights: big.safetensors}
  loss:
    fc: cross_entropy weight=0.3
    soft: {distillation: temperature=4, of: fc, target: teacher.fc2, weight: 0.7}
  optimizer: adamw lr=0.01
  epochs: 3
  batch: 16
"""
MEAN = """\
input: 8
layers: {body: [fc 8, bn, relu, dropout 0.3], fc: fc 3}
data: {source: {npz: {path: d.npz, target: y}}, split: {val: 8}}
train:
  teacher: ema decay=0.9
  loss:
    fc: cross_entropy
    agree: {mse: , of: fc, target: teacher.fc, weight: 2}
  optimizer: sgd lr=0.1 momentum=0.9
  epochs: 3
  batch: 16
"""
TOWERS = """\
inputs: {image: 1x4x4, text: int 5}
layers:
  vision: [fc(image) 4]
  words: ["embedding(text) 10 8", dropout 0.2, mean 1, linear 4 nobias]
outputs: {image: vision, text: words}
data: {source: {npz: {path: d.npz, inputs: [image, text], target: y}}, split: {val: 8}}
train:
  loss: {pairs: {info_nce: temperature=0.07 learned, of: [image, text]}}
  optimizer: adamw lr=0.01
  epochs: 3
  batch: 16
"""
DCGAN = """\
input: 6x1x1
layers:
  main:
    - conv_transpose 8 k2 nobias, bn, relu
    - conv_transpose 1 k4 s2 p1 nobias, tanh
init: {conv_transpose: normal std=0.02, bn: {weight: normal mean=1.0 std=0.02, bias: zeros}}
data: {source: {npz: {path: d.npz, inputs: image, target: y}}, split: {val: 0}, draw: normal}
train:
  players:
    critic:
      spec: critic.yaml
      passes: {real: image, fake: main}
      loss: {real: bce target=1, fake: bce target=0}
      optimizer: adam lr=2e-3 betas=0.5x0.999
  loss: {fooled: bce of=critic.fake target=1}
  optimizer: adam lr=1e-3 betas=0.5x0.999
  epochs: 3
  batch: 16
"""
CRITIC = """\
netspec: 1
input: 1x4x4
layers:
  main:
    - conv 4 k4 s2 p1 nobias, bn, leaky_relu 0.2
    - conv 1 k2 nobias, sigmoid
  score: reshape -1 1, squeeze 1
init: {conv: normal std=0.02, bn: {weight: normal mean=1.0 std=0.02, bias: zeros}}
"""
PARTS = """\
input: 8
layers: {encoder: [fc 4, relu], decoder: [fc 8], adversary: [fc(encoder) 3]}
outputs: {decoder: decoder, adversary: adversary when training}
data: {source: {npz: {path: d.npz, target: {decoder: x, adversary: y}}}, split: {val: 8}}
train:
  players:
    adversary: {trains: adversary, loss: {adversary: cross_entropy target=adversary}, optimizer: sgd lr=0.5}
  loss: {decoder: mse}
  optimizer: adam lr=0.01
  every: 2
  epochs: 3
  batch: 16
"""
RECIPES = {"siamese": SIAMESE, "views": VIEWS, "distillation": TAUGHT, "mean teacher": MEAN, "two towers": TOWERS}
RECIPES |= {"DCGAN": DCGAN, "players of one network": PARTS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data, a teacher with weights, and a critic."""
    random = np.random.RandomState(0)
    x = random.randn(56, 8).astype("f4")
    arrays = {"other": x[::-1].copy(), "alike": np.where(x[:, 0] * x[::-1, 0] > 0, 1, -1).astype("f4")}
    arrays |= {"image": random.randn(56, 1, 4, 4).astype("f4"), "text": random.randint(10, size=(56, 5))}
    known: dict[str, Any] = {"x": x, "y": (x[:, 0] > 0).astype("i8") + (x[:, 1] > 0), **arrays}
    np.savez(tmp_path / "d.npz", **known)
    (tmp_path / "big.yaml").write_text("netspec: 1\ninput: 8\nlayers: [fc 16, bn, relu, dropout 0.5, fc 3]\n")
    (tmp_path / "critic.yaml").write_text(CRITIC)
    torch.manual_seed(9)
    save_file(netspec.load(tmp_path / "big.yaml").build().state_dict(), tmp_path / "big.safetensors")
    return tmp_path


def written(folder: Path, recipe: str, *changes: tuple[str, str]) -> netspec.Spec:
    """The spec of a recipe, with some of its text changed."""
    for old, new in changes:
        assert old in recipe
        recipe = recipe.replace(old, new)
    (folder / "net.yaml").write_text(HEAD + recipe)
    return netspec.load(folder / "net.yaml")


Batch = tuple[tuple[torch.Tensor, ...], Any, tuple[int, int]]


def batches(data: Data, epochs: int = 3) -> Iterator[Batch]:
    """Inputs, target and the place of each step, in the order of the seed 0, from the seed that dropout has."""
    torch.manual_seed(0)
    for epoch in range(epochs):
        for index, rows in enumerate(torch.randperm(len(data.train), generator=seeded(0, epoch)).split(16)):
            yield (*data.train.batch(rows), (epoch, index))


def fresh(spec: netspec.Spec) -> nn.Module:
    """The network as a run begins with it."""
    torch.manual_seed(0)
    return spec.build()


def plain(
    spec: netspec.Spec, net: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[..., torch.Tensor]
) -> None:
    """The loop of one loss over the inputs and the target of a batch."""
    for x, y, _ in batches(data_of(spec, allow_outside=False)):
        optimizer.zero_grad()
        loss(net, x, y).backward()
        optimizer.step()


def arranged(net: nn.Module) -> None:
    """Store its weights pixel by pixel, as a run does."""
    for p in net.parameters():
        if p.dim() == 4:
            p.data = p.data.to(memory_format=torch.channels_last)


def siamese(net: nn.Module, x: tuple[torch.Tensor, ...], y: torch.Tensor) -> torch.Tensor:
    return functional.cosine_embedding_loss(net(x[0]), net(x[1]), y, margin=0.2)


def towers(net: nn.Module, x: tuple[torch.Tensor, ...], scale: torch.Tensor) -> torch.Tensor:
    """CLIP's loss, as its paper has it."""
    found = net(*x)
    image, words = (functional.normalize(found[name], dim=1) for name in ("image", "text"))
    logits = scale.exp() * image @ words.t()
    own = torch.arange(len(image))
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.t(), own)) / 2


def test_a_siamese_network_is_that_of_a_hand_written_loop(folder: Path) -> None:
    spec = written(folder, SIAMESE)
    mine, theirs = spec.train().module, fresh(spec)
    plain(spec, theirs, torch.optim.SGD(theirs.parameters(), 0.1, fused=True), siamese)
    assert equal(mine, theirs)


def test_two_views_are_those_of_a_hand_written_loop(folder: Path) -> None:
    spec = written(folder, VIEWS)
    mine, theirs = spec.train().module, fresh(spec)
    arranged(theirs)
    optimizer = torch.optim.SGD(theirs.parameters(), 0.1, fused=True)
    data = data_of(spec, allow_outside=False)
    for epoch in range(3):
        for index, rows in enumerate(torch.randperm(56, generator=seeded(0, epoch)).split(16)):
            one, other = (
                theirs(data.train.batch(rows, seeded(0, epoch, index, 0, *view))[0][0]) for view in ((), (1,))
            )
            z = functional.normalize(torch.cat([one, other]), dim=1)
            scores = (z @ z.t() / 0.3).masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
            optimizer.zero_grad()
            functional.cross_entropy(scores, torch.arange(len(z)).roll(len(one))).backward()
            optimizer.step()
    assert equal(mine, theirs)


def test_a_taught_network_is_that_of_a_hand_written_loop(folder: Path) -> None:
    spec = written(folder, TAUGHT)
    mine, theirs, teacher = spec.train().module, fresh(spec), netspec.load(folder / "big.yaml").build()
    teacher.load_state_dict(load_file(folder / "big.safetensors"))
    teacher.eval()

    def loss(net: nn.Module, x: tuple[torch.Tensor, ...], y: torch.Tensor) -> torch.Tensor:
        scores = net(*x)
        with torch.no_grad():
            soft = functional.log_softmax(teacher(*x) / 4, 1)
        taught = (
            functional.kl_div(functional.log_softmax(scores / 4, 1), soft, reduction="batchmean", log_target=True)
            * 4**2
        )
        return functional.cross_entropy(scores, y) * 0.3 + taught * 0.7

    plain(spec, theirs, torch.optim.AdamW(theirs.parameters(), 0.01, fused=True), loss)
    assert equal(mine, theirs)


def test_an_averaged_teacher_is_that_of_a_hand_written_loop(folder: Path) -> None:
    spec = written(folder, MEAN)
    mine, theirs = spec.train().module, fresh(spec)
    teacher = copy.deepcopy(theirs).eval().requires_grad_(False)
    optimizer = torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, fused=True)
    for x, y, _ in batches(data_of(spec, allow_outside=False)):
        optimizer.zero_grad()
        scores = theirs(*x)
        (functional.cross_entropy(scores, y) + functional.mse_loss(scores, teacher(*x)) * 2).backward()
        optimizer.step()
        for slow, fast in zip(teacher.state_dict().values(), theirs.state_dict().values(), strict=True):
            slow.copy_(slow.lerp(fast, 1 - 0.9) if slow.is_floating_point() else fast)
    assert equal(mine, theirs)


def test_two_towers_are_those_of_a_hand_written_loop(folder: Path) -> None:
    spec = written(folder, TOWERS)
    mine, theirs = spec.train(folder / "run").module, fresh(spec)
    scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))
    optimizer = torch.optim.AdamW([*theirs.parameters(), scale], 0.01, fused=True)
    plain(spec, theirs, optimizer, lambda net, x, y: towers(net, x, scale))
    assert equal(mine, theirs)
    (learned,) = load_file(folder / "run" / "last.loss.safetensors").values()
    assert learned.item() == scale.item() != pytest.approx(np.log(1 / 0.07))


def test_a_gan_is_that_of_the_loop_of_its_tutorial(folder: Path) -> None:
    """Statistics of norms included: the critic sees photos, pictures, and the pictures once more; noise comes once."""
    spec = written(folder, DCGAN)
    mine = spec.train(folder / "run").module
    net_g = fresh(spec)
    net_d = netspec.load(folder / "critic.yaml").build()
    arranged(net_g)
    optimizer_d = torch.optim.Adam(net_d.parameters(), lr=2e-3, betas=(0.5, 0.999), fused=True)
    optimizer_g = torch.optim.Adam(net_g.parameters(), lr=1e-3, betas=(0.5, 0.999), fused=True)
    criterion = nn.BCELoss()
    for (real,), _, place in batches(data_of(spec, allow_outside=False)):
        net_d.zero_grad()
        label = torch.full((len(real),), 1.0)
        criterion(net_d(real), label).backward()
        noise = torch.randn(len(real), 6, 1, 1, generator=seeded(0, *place, 0, DRAWN))
        fake = net_g(noise)
        label.fill_(0)
        criterion(net_d(fake.detach()), label).backward()
        optimizer_d.step()
        net_g.zero_grad()
        label.fill_(1)
        criterion(net_d(fake), label).backward()
        optimizer_g.step()
    assert equal(mine, net_g)
    kept = load_file(folder / "run" / "last.loss.safetensors")
    assert kept.keys() == {f"players.critic.{name}" for name in net_d.state_dict()}
    for name, value in net_d.state_dict().items():
        torch.testing.assert_close(kept[f"players.critic.{name}"], value, rtol=0, atol=0)


def test_players_of_one_network_train_their_own_parameters(folder: Path) -> None:
    spec = written(folder, PARTS)
    mine, theirs = spec.train().module, fresh(spec)
    named = dict(theirs.named_parameters())
    other = [p for name, p in named.items() if name.startswith("adversary")]
    own = [p for name, p in named.items() if not name.startswith("adversary")]
    first, second = torch.optim.SGD(other, 0.5, fused=True), torch.optim.Adam(own, 0.01, fused=True)
    for step, (x, y, _) in enumerate(batches(data_of(spec, allow_outside=False))):
        theirs.zero_grad()
        functional.cross_entropy(theirs(*x)["adversary"], y["adversary"]).backward()
        first.step()
        if step % 2 == 0:
            theirs.zero_grad()
            functional.mse_loss(theirs(*x)["decoder"], y["decoder"]).backward()
            second.step()
    assert equal(mine, theirs)


@pytest.mark.parametrize("title", RECIPES)
def test_resumed_to_the_bit(title: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = written(folder, RECIPES[title])
    whole = spec.train(folder / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
        for number, stop in enumerate([2, 4]):
            StopAfter.left = stop
            with pytest.raises(Interrupted):
                spec.train(folder / "parts", resume=bool(number))
    parts = spec.train(folder / "parts", resume=True)
    assert equal(whole.module, parts.module)
    for name in ("last", "last.loss", "best"):
        one, other = (folder / each / f"{name}.safetensors" for each in ("whole", "parts"))
        assert one.exists() == other.exists()
        if one.exists():
            assert all(
                torch.equal(a, b) for a, b in zip(load_file(one).values(), load_file(other).values(), strict=True)
            )
    timeless = [[{**r, "seconds": 0, "samples_per_s": 0} for r in t.history.records] for t in (whole, parts)]
    assert timeless[0] == timeless[1]


TOO = "{trains: 'adv*', loss: {adversary: cross_entropy target=adversary}, optimizer: adam}"
WRONG: dict[str, tuple[str, tuple[tuple[str, str], ...], str]] = {
    "a teacher that is not there": (TAUGHT, (("big.yaml", "bog.yaml"),), "'bog.yaml' is not a file"),
    "a player of another name": (DCGAN, (("of=critic.fake", "of=critc.fake"),), "Did you mean 'critic.fake'"),
    "a teacher's broken spec": (TAUGHT, (("spec: big.yaml", "spec: {input: 8, layers: [fcc 3]}"),), "'fcc'"),
    "a teacher of other inputs": (
        TAUGHT,
        (("{spec: big.yaml", "{spec: {input: 9, layers: {fc2: fc 3}}"),),
        "the teacher sees what",
    ),
    "a teacher of other classes": (TAUGHT, (("{spec: big.yaml", "{spec: {input: 8, layers: {fc2: fc 5}}"),), "B x 5"),
    "a teacher that knows nothing": (TAUGHT, ((", weights: big.safetensors", ""),), "the teacher has no weights"),
    "an output that it lacks": (TAUGHT, (("teacher.fc2", "teacher.fc9"),), "Did you mean 'teacher.fc2'"),
    "a key that it lacks": (TAUGHT, (("weights: big", "wieghts: big"),), "Did you mean 'weights'"),
    "an average that stands still": (MEAN, (("decay=0.9", "decay=1"),), "less than 1"),
    "a pass over nothing": (SIAMESE, (("second: other", "second: otter"),), "Did you mean 'other'"),
    "a pass over itself": (DCGAN, (("fake: main", "fake: critic.fake"),), "runs behind it or is itself"),
    "a critic of other pictures": (DCGAN, (("conv_transpose 1 k4 s2 p1", "conv_transpose 2 k4 s2 p1"),), "2 x 4 x 4"),
    "a drawn input that is none": (DCGAN, (("draw: normal", "draw: {nose: normal}"),), "no input 'nose'"),
    "a way of drawing that is none": (DCGAN, (("draw: normal", "draw: gaussian"),), "no way of drawing 'gaussian'"),
    "a loss without a name": (DCGAN, (("{fooled: bce of=critic.fake target=1}", "mse"),), "each loss has a name"),
    "turns of several batches": (DCGAN, (("epochs: 3", "accumulate: 2"),), "a turn is taken with one batch"),
    "turns of several calls": (DCGAN, (("adam lr=1e-3 betas=0.5x0.999\n  epochs", "lbfgs\n  epochs"),), "Take another"),
    "nobody takes turns": (MEAN, (("epochs: 3", "every: 2"),), "no players take turns"),
    "patterns of nothing": (PARTS, (("trains: adversary", "trains: adversity"),), "matches no parameter"),
    "a player of what is frozen": (
        PARTS,
        (("train:\n", "weights: {freeze: [adversary]}\ntrain:\n"),),
        "all that the player adversary trains is frozen",
    ),
    "a critic of what nothing is called": (DCGAN, (("fake: main", "fake: mian"),), "Did you mean 'main'"),
    "a teacher misspelt": (TAUGHT, (("target: teacher.fc2", "target: techer.fc2"),), "Did you mean 'teacher.fc2'"),
    "all parameters taken": (PARTS, (("trains: adversary", "trains: '*'"),), "none is left"),
    "two of one parameter": (
        PARTS,
        (("  players:\n", f"  players:\n    too: {TOO}\n"),),
        "is trained by too and adversary",
    ),
    "an output as a target of the data": (
        TAUGHT,
        (("fc: cross_entropy weight=0.3", "fc: {mse: , target: fc}"),),
        "target=outputs.fc",
    ),
    "mixed samples": (VIEWS, (("flip]", "flip, mixup]"),), "mixes samples, each pass by other draws"),
}


@pytest.mark.parametrize("title", WRONG)
def test_what_is_wrong_is_told_where_it_stands(title: str, folder: Path) -> None:
    recipe, changes, said = WRONG[title]
    with pytest.raises(NetspecError) as caught:
        written(folder, recipe, *changes)
    assert said in str(caught.value)
    assert str(caught.value).count("error[") == 1
    assert "warning[" not in str(caught.value)
    assert "net.yaml:" in str(caught.value)


def test_weights_of_a_teacher_are_held_against_it_before_training(folder: Path) -> None:
    spec = written(folder, TAUGHT, ("big.safetensors", "small.safetensors"))
    save_file({"fc1.weight": torch.zeros(2, 2)}, folder / "small.safetensors")
    with pytest.raises(NetspecError, match=r"net\.yaml:7:38"):
        spec.fitted()


def test_a_run_that_goes_on_has_the_same_teacher(folder: Path) -> None:
    spec = written(folder, TAUGHT)
    spec.train(folder / "run")
    torch.manual_seed(10)
    save_file(netspec.load(folder / "big.yaml").build().state_dict(), folder / "big.safetensors")
    with pytest.raises(NetspecError, match="another teacher"):
        spec.over(["train.epochs=4"]).train(folder / "run", resume=True)


def test_a_run_teaches_by_its_folder(folder: Path) -> None:
    """A teacher is called by the folder of its run, which has both its spec and its weights."""
    written(folder, MEAN).train(folder / "runs")
    spec = written(
        folder, TAUGHT, ("{spec: big.yaml, weights: big.safetensors}", "{spec: runs}"), ("teacher.fc2", "teacher")
    )
    spec.train(folder / "student")
    assert netspec.Run.read(folder / "student").evaluate()["soft.loss"] >= 0


def test_a_teacher_by_the_folder_of_a_run_is_offered_and_not_named_to_a_run(folder: Path) -> None:
    written(folder, MEAN).train(folder / "runs" / "first")
    taught = [("{spec: big.yaml, weights: big.safetensors}", "{spec: runs/frist}"), ("teacher.fc2", "teacher")]
    with pytest.raises(NetspecError, match="Did you mean 'runs/first'"):
        written(folder, TAUGHT, *taught)
    written(folder, TAUGHT, *taught, ("frist", "first")).train(folder / "student")
    with pytest.raises(NetspecError, match="begin a new run with that"):
        netspec.Run.read(folder / "student", ["train.teacher.spec=runs/first"])


def test_noise_that_the_data_lacks_is_to_be_drawn(folder: Path) -> None:
    with pytest.raises(NetspecError, match=r"data: \{\.\.\., draw: \{input: normal\}\}"):
        written(folder, DCGAN, (", draw: normal", "")).train(folder / "run")


def test_a_summary_tells_what_a_step_runs(folder: Path) -> None:
    def told(recipe: str) -> str:
        spec = written(folder, recipe)
        beside = {name: each.graph for name, each in spec.beside.items()}
        return text(training(spec.name, spec.graph, spec.experiment, 48, beside))

    assert "pass       view: the inputs, augmented anew\n" in told(VIEWS)
    assert "teacher    an average of the network, of which each step keeps 0.9\n" in told(MEAN)
    found = told(DCGAN)
    assert "loss       fooled: BCELoss of critic.fake against 1\n" in found
    assert "player     critic: critic.real: BCELoss against 1, critic.fake: BCELoss against 0\n" in found
    assert "turns      critic, then the network\n" in found
    found = told(PARTS)
    assert "turns      adversary, then the network, every 2 steps\n" in found
    assert "  76 parameters: encoder.0.weight, encoder.0.bias, decoder.0.weight, decoder.0.bias\n" in found
    assert "  15 parameters by SGD lr=0.5: adversary.0.weight, adversary.0.bias\n" in found


@pytest.mark.parametrize("title", ["siamese", "DCGAN"])
def test_a_run_is_measured_asked_and_exported(title: str, folder: Path) -> None:
    spec = written(folder, RECIPES[title])
    run = folder / "run"
    last = spec.train(run).history.records[-1]
    read = netspec.Run.read(run)
    part: Any = "val" if title == "siamese" else "train"
    if part == "train":
        with pytest.raises(NetspecError, match="It has train, as in --part train"):
            read.evaluate("val")
    found = read.evaluate(part)
    assert {f"{part}.{name}" for name in found} <= last.keys()
    shape: Any = next(iter(spec.graph.inputs.values())).shape[1:]
    given = np.random.RandomState(1).randn(3, *shape).astype("f4")
    np.save(folder / "new.npy", given)
    with torch.no_grad():
        wanted = read.module()(torch.from_numpy(given))
    torch.testing.assert_close(torch.from_numpy(read.predict(folder / "new.npy").first), wanted)


def test_a_generator_is_exported(folder: Path) -> None:
    spec = written(folder, DCGAN)
    spec.train(folder / "run")
    report = netspec.Run.read(folder / "run").export(folder / "net.onnx")
    assert report.path.exists()


def test_what_a_pass_is_over_is_held_against_the_network_once_it_is_read(folder: Path) -> None:
    spec = written(folder, SIAMESE, ("inputs: [x, other]", "inputs: [x, image]"), ("second: other", "second: image"))
    with pytest.raises(NetspecError, match="the pass second is over image: it is 1 x 4 x 4, input takes 8"):
        spec.train()
