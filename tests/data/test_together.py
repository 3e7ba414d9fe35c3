"""What belongs together is moved together: masks with their images, and the images of a pair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netspec
from netspec.errors import DataError
from netspec.language.calls import read_entry
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data, seeded
from netspec.runtime.train.loss import Objective
from netspec.sections.data import read_data
from netspec.tensors import Tensor
from netspec.transforms.base import Augmentation, Maps, Moving
from netspec.transforms.route import Written
from netspec.vocabulary import AUGMENTATIONS, LOSSES, TRANSFORMS
from tests.data.writing import section

COUNT, SIZE = 24, 12
MOVING = ["crop 12 pad=3", "crop 9", "crop 8x10 pad=1x2", "flip", "flip vertical p=0.3", "rotate 40", "rotate 180"]
STILL = ["erase p=1", "jitter 0.4 0.4 0.2"]
TRANSFORMED = [
    "resize 18",
    "resize 7",
    "resize 7 mode=nearest",
    "resize 8x10 mode=area",
    "resize 15",
    "pad 2",
    "pad 1x3",
    "crop 7",
    "crop 6x9",
]


def test_every_step_of_the_catalogue_is_tried_here() -> None:
    """And says whether it moves points."""
    tried = {row.split()[0] for row in (*MOVING, *STILL)} | {"mixup", "cutmix"}
    assert tried == {cls.called() for cls in AUGMENTATIONS.classes()}
    moving = {cls.called() for cls in TRANSFORMS.classes() if issubclass(cls, Moving)}
    assert moving == {row.split()[0] for row in TRANSFORMED}
    for cls in (*TRANSFORMS.classes(), *(c for c in AUGMENTATIONS.classes() if issubclass(c, Augmentation))):
        assert cls.moves is not None


COLOURS = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
"""What each class looks like; black is what comes in from outside, and no mixture looks like any of them."""


def write(folder: Path) -> None:
    """Masks of blocks of the classes 1 to 4, and images that show each in its colour."""
    random = np.random.RandomState(0)
    mask = np.kron(random.randint(1, 5, (COUNT, 4, 4)), np.ones((3, 3), int))
    image = np.moveaxis(COLOURS.numpy()[mask], -1, 1).astype(np.uint8) * 255
    more = np.stack([image[:, 0] / 51.0, image[:, 1] / 5.0], 1).astype(np.float32)
    np.savez(folder / "a.npz", x=image, left=image, right=image, y=mask, more=more, labels=mask[:, 0, 0])


def load(folder: Path, augment: Any = (), transform: Any = (), source: Any = "npz a.npz", **more: Any) -> Data:
    written = {"source": source, "augment": augment, "transform": transform, "split": {"val": 4}, **more}
    return load_data(section({k: v for k, v in written.items() if v != ()}), folder)


def agree(image: torch.Tensor, mask: torch.Tensor) -> bool:
    """Whether an image shows what its mask says, wherever it shows one class alone, which is often."""
    colours = COLOURS.float()[mask.clamp_min(0)].movedim(-1, 1)
    pure = ((image - image.round()).abs() < 1e-4).all(1)
    same = (image - colours).abs().amax(1) < 1e-3
    return bool((same | ~pure).all() and pure.float().mean() > 0.2)


@pytest.mark.parametrize("row", MOVING)
def test_a_mask_goes_where_its_image_goes(row: str, tmp_path: Path) -> None:
    write(tmp_path)
    data = load(tmp_path, row)
    rows = torch.arange(len(data.train))
    _, before = data.train.batch(rows)
    (image,), mask = data.train.batch(rows, seeded(3))
    assert mask.shape == (len(rows), *image.shape[-2:])
    assert mask.dtype == torch.int64
    assert set(mask.unique().tolist()) <= {-100, 1, 2, 3, 4}
    assert agree(image, mask)
    assert mask.shape != before.shape or not torch.equal(mask, before)


@pytest.mark.parametrize("row", TRANSFORMED)
def test_a_mask_is_transformed_as_its_image(row: str, tmp_path: Path) -> None:
    write(tmp_path)
    data = load(tmp_path, transform=row)
    assert data.val is not None
    for part in (data.train, data.val):
        (image,), mask = part.batch(torch.arange(len(part)))
        assert mask.shape == (len(part), *image.shape[-2:])
        assert agree(image, mask)
        assert set(mask.unique().tolist()) <= {-100, 1, 2, 3, 4}
        assert ((mask == -100).any().item()) == row.startswith("pad")


def test_the_mode_of_a_resize_is_no_matter_of_masks(tmp_path: Path) -> None:
    write(tmp_path)
    _, wanted = load(tmp_path, transform="resize 15").train.batch(torch.arange(9))
    for mode in ("bicubic", "nearest", "area"):
        _, mask = load(tmp_path, transform=f"resize 15 mode={mode}").train.batch(torch.arange(9))
        assert torch.equal(mask, wanted)


@pytest.mark.parametrize("row", STILL)
def test_what_moves_no_points_leaves_the_mask(row: str, tmp_path: Path) -> None:
    write(tmp_path)
    train = load(tmp_path, row).train
    rows = torch.arange(len(train))
    (image,), mask = train.batch(rows, seeded(3))
    (still,), before = train.batch(rows)
    assert torch.equal(mask, before)
    assert not torch.equal(image, still)


@pytest.mark.parametrize("row", [*MOVING, "erase p=1"])
def test_both_pictures_of_a_pair_meet_the_same_chance(row: str, tmp_path: Path) -> None:
    write(tmp_path)
    data = load(tmp_path, row, source={"npz": {"path": "a.npz", "inputs": ["left", "right"], "target": "labels"}})
    (left, right), target = data.train.batch(torch.arange(20), seeded(3))
    (plain, _), labels = data.train.batch(torch.arange(20))
    assert torch.equal(left, right)
    assert left.shape != plain.shape or not torch.equal(left, plain)
    assert torch.equal(target, labels)


def test_maps_of_numbers_are_moved_as_images_are(tmp_path: Path) -> None:
    write(tmp_path)
    more = {"npz": {"path": "a.npz", "target": "more"}}
    data = load(tmp_path, ["rotate 30", "flip"], ["resize 16"], source=more)
    (image,), maps = data.train.batch(torch.arange(20), seeded(1))
    assert maps.shape == (20, 2, 16, 16)
    held = section({"source": more, "augment": ["rotate 30"], "transform": "resize 16"})
    assert held.maps.classes  # without a loss nothing says that floats are no classes
    read, _ = read_data(
        {"source": more, "augment": ["rotate 30", "flip"], "transform": "resize 16", "split": 4}, maps=NUMBERS
    )
    assert read is not None
    (image,), maps = load_data(read, tmp_path).train.batch(torch.arange(20), seeded(1))
    assert torch.allclose(maps[:, 0], image[:, 0] * 5, atol=1e-4)
    assert torch.allclose(maps[:, 1], image[:, 1] * 51, atol=1e-4)


NUMBERS = Maps(classes=False)
CHAIN: dict[str, Any] = {
    "augment": ["crop 14 pad=1", "flip", "rotate 20", "jitter 0.2", "erase"],
    "transform": ["pad 1", "resize 14", "normalize 0.4 0.2"],
}


def test_streamed_and_held_give_the_same_bits(tmp_path: Path) -> None:
    write(tmp_path)
    for source in ({"npz": {"path": "a.npz"}}, {"npz": {"path": "a.npz", "inputs": ["left", "right"]}}):
        held, streamed = (
            load(tmp_path, source=source, **CHAIN, **more) for more in ({}, {"memory": "1KB", "workers": 1})
        )
        assert type(held.train) is not type(streamed.train)
        assert held.fingerprint() == streamed.fingerprint()
        for generator in (lambda: None, lambda: seeded(5)):
            a, b = (part.train.batch(torch.arange(3, 17), generator()) for part in (held, streamed))
            assert all(torch.equal(x, y) for x, y in zip((*a[0], a[1]), (*b[0], b[1]), strict=True))
        assert held.val is not None
        assert streamed.val is not None
        for (xs, y), (others, other) in zip(held.val.batches(3), streamed.val.batches(3), strict=True):
            assert torch.equal(y, other)
            assert all(map(torch.equal, xs, others))
        assert torch.equal(torch.cat([*held.train.targets()]), torch.cat([*streamed.train.targets()]))


def test_a_process_that_takes_its_share_sees_what_one_alone_sees(tmp_path: Path) -> None:
    write(tmp_path)
    train = load(tmp_path, **CHAIN).train
    (image,), mask = train.batch(torch.arange(10), seeded(2))
    (part,), piece = train.batch(torch.arange(10), seeded(2), slice(4, 7))
    assert torch.equal(part, image[4:7])
    assert torch.equal(piece, mask[4:7])


def test_a_name_says_which_input(tmp_path: Path) -> None:
    write(tmp_path)
    source = {"npz": {"path": "a.npz", "inputs": ["left", "right"], "target": "labels"}}
    data = load(tmp_path, source=source, transform=["pad 1", {"left": ["scale 2", "resize 7"], "right": "scale 3"}])
    (left, right), _ = data.train.batch(torch.arange(5))
    assert (left.shape[-1], right.shape[-1]) == (7, 14)
    assert left.max() > 1.5
    assert right.max() > 2
    data = load(tmp_path, source=source, augment={"right": "flip p=1"})
    (left, right), _ = data.train.batch(torch.arange(5), seeded(0))
    assert torch.equal(left.flip(-1), right)
    twice = load(tmp_path, source=source, augment={"left": "flip", "right": "flip"}).train
    (left, right), _ = twice.batch(torch.arange(20), seeded(0))
    assert not torch.equal(left, right)


def test_each_input_is_standardized_by_its_own_numbers(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    a, b = random.randn(40, 3), random.randn(40, 3) * 9 + 5
    np.savez(tmp_path / "b.npz", a=a, b=b, c=random.randint(0, 9, (40, 2)), y=np.arange(40) % 2)
    source = {"npz": {"path": "b.npz", "inputs": ["a", "b", "c"]}}
    data = load(tmp_path, source=source, transform="standardize")
    (x, y, whole), _ = data.train.batch(torch.arange(36))
    for given in (x, y):
        assert torch.allclose(given.mean(0), torch.zeros(3), atol=1e-5)
        assert torch.allclose(given.std(0, correction=0), torch.ones(3), atol=1e-5)
    assert whole.dtype == torch.int64
    read = section({"source": source, "transform": "standardize", "split": {"val": 20}})
    again = load_data(read, tmp_path, learnt=data.learnt)
    assert again.steps == data.steps


HEAD = "netspec: 1\ninputs: {left: 3x12x12, right: 3x12x12}\nlayers: {a: add(left right), b: fc 5}\n"
PAIR = "source: {npz: {path: a.npz, inputs: [left, right], target: labels}}"


@pytest.mark.parametrize(
    ("steps", "message", "hint"),
    [
        ("transform: {lft: pad 2}", "the network has no input 'lft'", "Did you mean 'left'?"),
        ("augment: {left: [flip, mixup]}", "mixup mixes whole samples", "without the name"),
        ("transform: {left: flip}", "there is no transform 'flip'", "It belongs under augment."),
        ("transform: {left: padd 2}", "there is no transform 'padd'", "pad"),
        ("transform: [{pad: 2, resize: 3}]", "expected the name of a transform", "Several are a list"),
    ],
)
def test_names_that_are_wrong_are_told_where_they_stand(steps: str, message: str, hint: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{HEAD}data: {{{PAIR}, {steps}}}\n")
    (problem,) = caught.value.problems
    assert message in problem.message
    assert hint in problem.hint
    assert problem.at.path[:1] == ("data",)


@pytest.mark.parametrize(
    ("arrays", "inputs", "augment", "words"),
    [
        ({"y": (4, 4)}, ["x"], "flip", r"flip moves images of 12 x 12, and cannot move a target of 4 x 4"),
        ({"y": (17, 2)}, ["x"], "rotate 5", r"cannot move a target of 17 x 2"),
        ({"z": (3, 6, 6), "y": ()}, ["x", "z"], "flip", r"moves all images alike, and they are 12 x 12 and 6 x 6"),
        ({"z": (12, 12), "y": ()}, ["x", "z"], "crop 8", r"not the input of 12 x 12 of float32 on the same grid"),
        ({"y": (3, 12, 12)}, ["x"], "cutmix", r"the target is a map of 3 x 12 x 12"),
    ],
)
def test_what_cannot_be_moved_together_is_refused(
    arrays: dict[str, tuple[int, ...]], inputs: list[str], augment: str, words: str, tmp_path: Path
) -> None:
    made: dict[str, Any] = {name: np.zeros((8, *shape), np.float32) for name, shape in arrays.items()}
    np.savez(tmp_path / "c.npz", x=np.zeros((8, 3, 12, 12), np.uint8), **made)
    source = {"npz": {"path": "c.npz", "inputs": inputs}}
    with pytest.raises(DataError, match=words):
        load(tmp_path, augment, source=source)
    if augment != "cutmix":
        assert load(tmp_path, {"x": augment}, source=source)  # as the message says


def test_the_fill_is_that_of_the_loss_or_the_one_that_is_declared(tmp_path: Path) -> None:
    write(tmp_path)
    text = "netspec: 1\ninput: 3x12x12\nlayers: [conv 5 k1]\ndata: {source: npz a.npz, transform: PAD}\n"
    text += "train: {loss: LOSS, optimizer: adam}\n"

    def corner(pad: str, loss: str) -> int:
        spec = netspec.loads(text.replace("PAD", pad).replace("LOSS", loss).replace("12x12", "16x16"))
        assert spec.experiment.data is not None
        _, mask = load_data(spec.experiment.data, tmp_path).train.batch(torch.tensor([0]))
        return int(mask[0, 0, 0])

    assert corner("pad 2", "cross_entropy") == -100
    assert corner("pad 2", "cross_entropy ignore_index=255") == 255
    assert corner("pad 2 mask_fill=0", "cross_entropy") == 0
    with pytest.raises(DataError, match="pad brings points into the target from outside, and the loss skips no class"):
        corner("pad 2", "bce_logits one_hot")


def test_a_fill_that_is_no_class_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    text = "netspec: 1\ninput: 3x12x12\nlayers: [conv 5 k1]\n"
    text += (
        "data: {source: npz a.npz, augment: rotate 9 mask_fill=200}\ntrain: {loss: ce, optimizer: adam, epochs: 1}\n"
    )
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(
        DataError, match="mask_fill is 200, a class of 0 to 4 is expected, or -100, which the loss skips"
    ):
        netspec.load(tmp_path / "a.yaml").train()


SEGMENT = """netspec: 1
input: 3x12x12
layers: [conv 16 k3 same, relu, conv 5 k3 same]
data: {source: npz a.npz, augment: [crop 12 pad=2, flip, rotate 20], split: {val: 4}}
train: {loss: cross_entropy, optimizer: adamw lr=0.02, epochs: 30, batch: 8, metrics: [accuracy]}
"""


def test_a_segmentation_learns_with_augmentation(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "a.yaml").write_text(SEGMENT)
    last = netspec.load(tmp_path / "a.yaml").train().history.records[-1]
    assert last["train.loss"] < 0.2
    assert last["val.accuracy"] > 0.95


def test_channels_go_with_those_of_a_target_of_the_same_order(tmp_path: Path) -> None:
    x = np.random.RandomState(0).rand(8, 6, 5, 3).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=x)
    (given,), target = load(tmp_path, transform="channels_first", source="npz d.npz").train.batch(torch.arange(3))
    assert given.shape == (3, 3, 6, 5)
    assert torch.equal(given, target)


def test_a_plugin_that_does_not_say_whether_it_moves_is_refused(tmp_path: Path) -> None:
    class Unsaid(Augmentation):
        example = "unsaid"

    write(tmp_path)
    read = section({"source": "npz a.npz"})
    inputs, target = (Tensor((2, 3, 12, 12)),), Tensor((2, 12, 12), "int64")
    assert not read.ways(inputs, target, ("x",)).training.faults
    ((_, misfit),) = replace(read, augment=(Written(Unsaid()),)).ways(inputs, target, ("x",)).training.faults
    assert "does not say whether it moves points" in misfit.message


def test_an_input_may_be_called_as_a_step_is(tmp_path: Path) -> None:
    write(tmp_path)
    source = {"npz": {"path": "a.npz", "inputs": ["left", "right"], "target": "labels"}}
    read, problems = read_data({"source": source, "transform": {"crop": "pad 2"}}, names=("crop", "right"))
    assert not problems
    assert read is not None
    (left, right), _ = load_data(read, tmp_path).train.batch(torch.tensor([0]))
    assert (left.shape[-1], right.shape[-1]) == (16, 12)


RUN = """netspec: 1
inputs: {left: 3x10x10, right: 3x10x10}
layers: {both: concat(left right), c: conv 8 k3 same, r: relu, out: conv 5 k1}
data:
  source: {npz: {path: a.npz, inputs: [left, right]}}
  transform: [crop 10, {left: standardize}]
  augment: [crop 10, flip, rotate 15, {right: jitter 0.2}]
  split: {val: 8}
train: {loss: cross_entropy, optimizer: adamw lr=0.01, epochs: EPOCHS, batch: 5, metrics: [accuracy]}
"""


def test_a_run_that_is_resumed_measured_and_asked_moves_the_same(tmp_path: Path) -> None:
    write(tmp_path)

    def train(name: str, epochs: int, **more: Any) -> Any:
        (tmp_path / "a.yaml").write_text(RUN.replace("EPOCHS", str(epochs)))
        return netspec.load(tmp_path / "a.yaml").train(tmp_path / name, **more)

    whole = train("whole", 4)
    train("parts", 2)
    parts = train("parts", 4, resume=True)
    assert all(map(torch.equal, whole.module.state_dict().values(), parts.module.state_dict().values()))
    run = netspec.Run.read(tmp_path / "whole")
    assert run.evaluate("val")["accuracy"] == whole.history.best
    data = load_data(run.spec.experiment.data, tmp_path, learnt=run.learnt)  # type: ignore[arg-type]
    assert data.val is not None
    inputs, mask = data.val.batch(torch.arange(8))
    assert mask.shape == (8, 10, 10)
    with np.load(tmp_path / "a.npz") as arrays:
        np.savez(tmp_path / "new.npz", left=arrays["left"], right=arrays["right"])
    found = run.predict(tmp_path / "new.npz").first
    with torch.inference_mode():
        wanted = run.module().eval()(*inputs).softmax(1).numpy()
    same = np.abs(found[:, None] - wanted[None]).reshape(COUNT, 8, -1).max(2) < 1e-5
    assert same.any(0).all()


def test_channels_that_are_last_are_not_taken_for_the_width(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((8, 12, 12, 3), np.uint8), y=np.arange(8) % 2)
    for steps in ({"augment": "flip"}, {"transform": "resize 9"}, {"transform": "pad 1"}, {"augment": "erase"}):
        with pytest.raises(DataError, match=r"with the channels last\. Write the transform channels_first before it"):
            load(tmp_path, source="npz d.npz", **steps)
    assert load(tmp_path, "flip", "channels_first", source="npz d.npz")


@pytest.mark.parametrize(("row", "uneven"), [("flip", False), ("rotate 30", True), ("rotate 30 mask_fill=1", False)])
def test_points_that_come_in_from_outside_count_for_nothing(row: str, uneven: bool, tmp_path: Path) -> None:
    """Batches then count for as many points as are not skipped, where steps are made of several."""
    write(tmp_path)
    train = load(tmp_path, row).train
    loss, _ = read_entry("cross_entropy", (), LOSSES)
    objective = Objective(loss)
    (image,), mask = train.batch(torch.arange(20), seeded(0))
    objective.check(torch.zeros(20, 5, SIZE, SIZE), mask, {"train": train})
    assert objective.uneven == uneven
    assert objective.criteria[0].share(mask) == ((mask != -100).sum() if uneven else 20)
    assert image.shape == (20, 3, SIZE, SIZE)
