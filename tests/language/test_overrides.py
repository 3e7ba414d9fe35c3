"""Overrides that go into rows: what the row becomes, and what cannot be set."""

from __future__ import annotations

from pathlib import Path
from sys import setprofile
from types import FrameType

import pytest

import netspec
from netspec.errors import At
from netspec.language.rows import parse
from netspec.sections.overrides import overridden
from netspec.text.reader import read_text

SPEC = """
blocks: {basic c s=1 wide=no: {conv: conv $c k3 s$s}}
layers:
  - conv(in) 6 5 nobias, relu, pool 2
  - basic 64 s2 x3
  - fc 400->120->84 between=relu
  - relu
data: {source: npz a.npz, transform: [resize 28, normalize 0.13 0.3]}
train:
  loss: {cross_entropy: {label_smoothing: 0.1}}
  optimizer: adamw 2e-3 weight_decay=0.1
  early_stop: val.loss patience=5
  metrics: [accuracy, topk 5]
"""


def at(data: object, path: str) -> object:
    for part in path.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]  # type: ignore[index]
    return data


@pytest.mark.parametrize(
    ("assignment", "place", "row"),
    [
        ("train.optimizer.lr=1e-3", "train.optimizer", "adamw 1e-3 weight_decay=0.1"),
        ("train.optimizer.adamw.lr=1e-3", "train.optimizer", "adamw 1e-3 weight_decay=0.1"),
        ("train.optimizer.weight_decay=0", "train.optimizer", "adamw 2e-3 weight_decay=0"),
        ("train.optimizer.betas=[0.9, 0.99]", "train.optimizer", "adamw 2e-3 weight_decay=0.1 betas=0.9x0.99"),
        ('train.optimizer.lr="1e-3"', "train.optimizer", "adamw 1e-3 weight_decay=0.1"),
        ("data.source.path=x3", "data.source", "npz path=x3"),
        ("train.optimizer.lr=", "train.optimizer", "adamw null weight_decay=0.1"),
        ("train.early_stop.patience=7", "train.early_stop", "val.loss patience=7"),
        ("train.metrics.1.k=3", "train.metrics.1", "topk 3"),
        ("data.source.path=b.npz", "data.source", "npz b.npz"),
        ("data.transform.0.size=32", "data.transform.0", "resize 32"),
        ("data.transform.1.mean=0.5", "data.transform.1", "normalize 0.5 0.3"),
        ("layers.0.out_channels=$(2 * w)", "layers.0", "conv(in) $(2 * w) 5 nobias, relu, pool 2"),
        ("layers.0.bias=true", "layers.0", "conv(in) 6 5 bias=true, relu, pool 2"),
        ("layers.0.pool.kernel_size=3", "layers.0", "conv(in) 6 5 nobias, relu, pool 3"),
        ("layers.0.groups=2", "layers.0", "conv(in) 6 5 nobias groups=2, relu, pool 2"),
        ("layers.1.c=32", "layers.1", "basic 32 s2 x3"),
        ("layers.1.s=1", "layers.1", "basic 64 s1 x3"),
        ("layers.1.wide=true", "layers.1", "basic 64 s2 wide=true x3"),
        ("layers.3.inplace=true", "layers.3", "relu inplace=true"),
    ],
)
def test_one_argument_is_set_and_the_others_stay(assignment: str, place: str, row: str) -> None:
    source = overridden(read_text(SPEC), [assignment])
    assert at(source.data, place) == row


def test_a_flag_of_a_block_is_set_by_its_name() -> None:
    source = overridden(read_text("blocks: {b wide=no: relu}\nlayers: [b wide x3]"), ["layers.0.wide=false"])
    assert at(source.data, "layers.0") == "b wide=false x3"


@pytest.mark.parametrize("path", ["train.loss.label_smoothing", "train.loss.cross_entropy.label_smoothing"])
def test_the_long_form_has_the_same_paths(path: str) -> None:
    source = overridden(read_text(SPEC), [f"{path}=0.2"])
    assert at(source.data, "train.loss") == {"cross_entropy": {"label_smoothing": 0.2}}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("train.loss.smoothing=0.2", "Did you mean train.loss.label_smoothing=0.2?"),
        ("train.loss.beta=1", "Set it whole: train.loss=..."),
    ],
)
def test_what_a_long_form_does_not_take(assignment: str, words: str) -> None:
    with pytest.raises(netspec.SpecError, match=r"train\.loss is 'cross_entropy', which takes no") as caught:
        overridden(read_text(SPEC), [assignment])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("train.optimizer.sgd.lr=3", "To take sgd, write 'train.optimizer=sgd lr=3'"),
        ("train.optimizer.sgd=", "To take sgd, write train.optimizer=sgd"),
        ("train.loss.mse.reduction=sum", "To take mse, write 'train.loss=mse reduction=sum'"),
        ("data.source.csv={path: a b.csv}", "To take csv, write 'data.source={csv: {path: a b.csv}}'"),
        ("train.metrics.1.f1.average=micro", "To take f1, write 'train.metrics.1=f1 average=micro'"),
    ],
)
def test_another_word_over_an_entry_is_not_put_beside_it(assignment: str, words: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        overridden(read_text(SPEC), [assignment])
    assert words in str(caught.value)
    overridden(read_text(SPEC), [words.partition("write ")[2].strip("'")])  # which is taken


@pytest.mark.parametrize(
    ("assignment", "meant"),
    [
        ("device=gpu", "train.device=cuda"),
        ("epochs=3", "train.epochs=3"),
        ("batch_size=32", "train.batch=32"),
        ("lr=0.1", "train.optimizer.lr=0.1"),
        ("learning_rate=0.1", "train.optimizer.lr=0.1"),
        ("label_smoothing=0.2", "train.loss.label_smoothing=0.2"),
        ("patience=9", "train.early_stop.patience=9"),
        ("split.val=0.2", "data.split.val=0.2"),
        ("optimizer=sgd lr=1", "'train.optimizer=sgd lr=1'"),
        ("width=9", "params.width=9"),
    ],
)
def test_a_key_without_its_section_is_told_with_it(assignment: str, meant: str) -> None:
    text = SPEC.replace("layers:", "input: 1x9x9\nparams: {width: 3}\nlayers:")
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(text, [assignment])
    assert f"\n  Did you mean {meant}?" in str(caught.value)
    assert meant.strip("'").partition("=")[0] not in str(caught.value).replace(f"mean {meant}?", "")


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("train.optimizer.lrr=3", "Did you mean train.optimizer.lr=3?"),
        ("train.optimizer.learning_rate=3", "Did you mean train.optimizer.lr=3?"),
        ("train.optimizer.weight-decay=0 # a", "Did you mean 'train.optimizer.weight_decay=0 # a'?"),
        ("layers.0.filters=9", "Did you mean layers.0.conv.out_channels=9?"),
        ("train.optimizer.lr.x=1", "takes no 'lr.x'"),
        ("train.optimizer.lr=1, relu", "cannot be set as 'lr'"),
        ("train.optimizer.lr=1 2", "cannot be set as 'lr'"),
        ("train.optimizer.lr={a: 1}", "cannot be set as 'lr'"),
        ("layers.0.kernel_size=3", "as in layers.0.conv.kernel_size=3"),
        ("layers.2.out_features=9", "Set it whole: layers.2=..."),
        ("layers.0.c=1", "takes no 'c'"),
    ],
)
def test_what_a_row_does_not_take(assignment: str, words: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        overridden(read_text(SPEC), [assignment])
    assert words in str(caught.value)
    assert str(caught.value).startswith("command line:1:1  error[override]")


def test_problems_point_into_the_row_as_it_became() -> None:
    source = overridden(read_text(SPEC, "s.yaml"), ["train.optimizer.lr=-1"])
    place = source.place(At(("train", "optimizer"), (6, 8)))
    assert (str(place), place.text) == ("command line:1:23", "train.optimizer=adamw -1 weight_decay=0.1")


def test_a_spec_is_checked_with_the_argument_that_was_set() -> None:
    text = "input: 4\nlayers: [fc 2]\ntrain: {loss: cross_entropy, optimizer: sgd lr=0.1}\n"
    spec = netspec.loads(text, ["train.optimizer.momentum=0.9", "train.optimizer.lr=0.2"])
    assert spec.experiment.train is not None
    assert spec.experiment.train.optimizer.given == {"lr": 0.2, "momentum": 0.9}


def test_an_override_goes_through_few_files() -> None:
    """From the command line to the record that it ends in: those whose functions see the row, or the value."""
    root, seen = str(Path(netspec.__file__).parent), set()
    text = "input: 4\nlayers: [fc 2]\ntrain: {loss: cross_entropy, optimizer: sgd lr=0.1}\n"

    def note(frame: FrameType, event: str, _: object) -> None:
        values = frame.f_locals.values()
        handles = any(isinstance(value, str) and "lr=0.2" in value for value in values) or {"lr": 0.2} in values
        if event == "call" and handles and frame.f_code.co_filename.startswith(root):
            seen.add(frame.f_code.co_filename.removeprefix(root))

    parse.cache_clear()
    setprofile(note)
    try:
        netspec.loads(text, ["train.optimizer.lr=0.2"])
    finally:
        setprofile(None)
    assert {"/sections/overrides.py", "/language/rows.py", "/sections/train.py", "/records.py"} <= seen
    assert len(seen) <= 6, sorted(seen)


def test_a_word_that_is_empty_is_refused_as_any_other() -> None:
    with pytest.raises(netspec.SpecError, match="there is no dataset ''"):
        netspec.loads("input: 4\nlayers: [fc 2]\ndata: {source: {'': {path: a.csv}}}\n")
