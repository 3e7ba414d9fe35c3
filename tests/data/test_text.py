"""Texts: windows of characters, bytes and tokens, and language models that learn them."""

from __future__ import annotations

import gzip
import json
import shutil
from math import exp
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import netspec
from netspec.api.run import Run
from netspec.datasets.files import Files
from netspec.errors import DataError
from netspec.runs.export import export
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data
from netspec.text.report import SpecError
from tests.data.writing import section

READY = Path(__file__).parents[2] / "specs" / "char_lm.yaml"
TEXT = "the cat sat on the mat. " * 12
SPEC = """
netspec: 1
input: int T
params: {vocab: 11}
layers:
  words: embedding $vocab 16
  rnn: lstm 32
  scores: linear $vocab
data: {source: text a.txt 8, split: {val: 0.2}}
train:
  loss: cross_entropy axis=-1
  optimizer: adamw lr=2e-2
  epochs: 8
  batch: 4
  metrics: [perplexity, accuracy]
"""


def read(root: Path, text: str | bytes = TEXT, **options: Any) -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    (root / "a.txt").write_bytes(content)
    return section({"source": {"text": {"path": "a.txt", **options}}}).source.read(Files(root))


def said(arrays: Any) -> str:
    return "".join(arrays.classes[i] for i in arrays.train.inputs[0].ravel())


def test_windows_of_characters_follow_one_another(tmp_path: Path) -> None:
    arrays = read(tmp_path, "abcabcabx", length=2)
    assert arrays.classes == ("a", "b", "c", "x")
    assert arrays.train.inputs[0].tolist() == [[0, 1], [2, 0], [1, 2], [0, 1]]
    assert arrays.train.target.tolist() == [[1, 2], [0, 1], [2, 0], [1, 3]]
    bytewise = read(tmp_path, "abcabcabx", length=2, units="bytes")
    source = section("text a.txt 2").source
    again = source.read_as(Files(tmp_path), {"classes": bytewise.classes, **bytewise.learnt})
    assert again.classes == arrays.classes
    assert said(read(tmp_path, gzip.compress(TEXT.encode()), length=7)) == TEXT[:287]


def test_bytes_are_bytes_whatever_they_mean(tmp_path: Path) -> None:
    content = bytes(range(256)) + b"\xff"
    arrays = read(tmp_path, content, length=16, units="bytes")
    assert bytes(arrays.train.inputs[0].ravel().tolist()) == content[:256]
    assert bytes(arrays.train.target.ravel().tolist()) == content[1:]
    assert (len(arrays.classes), arrays.classes[255]) == (256, "0xff")
    gives = section("text a.txt 16 units=bytes").gives()
    assert gives.inputs is not None
    assert (str(gives.inputs[0]), gives.classes, gives.numbers) == ("B x 16", 256, ((0, 255),))


def test_what_is_held_out_is_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(chr(ord("a") + i) for i in range(21)))
    held = {"val": 2, "test": 3}
    data = load_data(section({"source": "text a.txt 2", "split": held}), tmp_path)
    assert data.val is not None
    assert data.test is not None
    assert [part.inputs[0][:, 0].tolist() for part in (data.train, data.val, data.test)] == [
        [0, 2, 4, 6, 8],
        [10, 12],
        [14, 16, 18],
    ]
    assert data.val.origin.at(0).endswith("a.txt, window 5")


def test_other_texts_have_the_numbers_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("tac\ntac tac")
    with pytest.raises(DataError, match=r"b\.txt, line 1: '\\n' does not occur in the training text"):
        read(tmp_path, length=4, val="b.txt")
    arrays = read(tmp_path, length=4, val="b.txt", unknown=".")
    assert "".join(arrays.classes[i] for i in arrays.val.inputs[0].ravel()) == "tac.tac "
    with pytest.raises(DataError, match=r"unknown is '\?', which the training text does not have"):
        read(tmp_path, length=4, unknown="?")


def word_tokenizer(path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator([TEXT], trainers.WordLevelTrainer(special_tokens=["[UNK]"]))
    tokenizer.save(str(path))


def test_a_tokenizer_makes_the_tokens(tmp_path: Path) -> None:
    word_tokenizer(tmp_path / "words.json")
    arrays = read(tmp_path, TEXT + "a dog ran", length=7, tokenizer="words.json")
    assert arrays.classes[0] == "[UNK]"
    assert [arrays.classes[i] for i in arrays.train.inputs[0][0]] == ["the", "cat", "sat", "on", "the", "mat", "."]
    assert arrays.train.target[-1].tolist() == [*arrays.train.inputs[0][0, 1:], arrays.classes.index("[UNK]")]
    (tmp_path / "words.json").write_text("{}")
    with pytest.raises(DataError, match=r"words\.json is not a file of a tokenizer"):
        read(tmp_path, tokenizer="words.json")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("short", {}, "holds 5 tokens, too few for a window of 64 and the one after it. Take a shorter length"),
        ("", {}, "holds 0 tokens"),
        (b"caf\xe9" * 50, {}, "is not UTF-8: byte 0xe9 on line 1"),
        (gzip.compress(TEXT.encode() * 100)[:-8], {}, "is damaged"),
        (TEXT, {"val": "c.txt"}, "c.txt does not exist"),
    ],
)
def test_texts_that_do_not_fit(tmp_path: Path, text: str | bytes, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text, **options)
    assert words in str(caught.value)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "lm.yaml").write_text(SPEC)
    return tmp_path / "lm.yaml"


def test_a_recurrent_model_learns(spec: Path) -> None:
    trained = netspec.load(spec).train()
    last = trained.history.records[-1]
    assert last["val.perplexity"] == pytest.approx(exp(last["val.loss"]), rel=1e-4)
    assert last["val.perplexity"] < 2
    assert last["val.accuracy"] > 0.75


def test_the_ready_transformer_learns_another_text_and_keeps_its_characters(spec: Path) -> None:
    sizes = ["params.vocab=11", "params.context=8", "params.d=32", "params.depth=1", "params.p=0"]
    shutil.copy(READY, spec.parent / "gpt.yaml")
    loaded = netspec.load(spec.parent / "gpt.yaml", [*sizes, "data.source=text a.txt 8", "train.epochs=12"])
    trained = loaded.train(spec.parent / "run")
    assert trained.history.records[-1]["val.perplexity"] < 4
    (spec.parent / "b.txt").write_text("a mat on a mat on a mat on")
    run = Run.read(spec.parent / "run", ["data.source=text b.txt 8", "data.split.val=0"])
    assert run.evaluate("train")["perplexity"] < 40
    with pytest.raises(SpecError, match="11 classes apart, the data has 256"):
        Run.read(spec.parent / "run", ["data.source=text b.txt 8 units=bytes"])
    export(run.spec, run.module(), spec.parent / "lm.onnx", learnt=run.learnt)
    kept = {p.key: p.value for p in onnx.load(spec.parent / "lm.onnx").metadata_props}
    assert json.loads(kept["netspec.classes"]) == sorted(set(TEXT))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("params.vocab=10", ["10 classes apart, the data has 11", "11 vectors", "first met in", "a.txt, window"]),
        ("data.source=text a.txt 8 units=bytes", ["11 classes apart, the data has 256", "from 0 to 255"]),
    ],
)
def test_a_vocabulary_that_is_too_large_is_refused_before_the_first_step(
    spec: Path, override: str, words: list[str]
) -> None:
    with pytest.raises((DataError, SpecError)) as caught:
        netspec.load(spec, [override]).train(spec.parent / "run")
    for text in words:
        assert text in str(caught.value)
    assert not (spec.parent / "run").exists()


def test_windows_longer_than_the_positions_are_refused(spec: Path) -> None:
    layers = "{w: embedding $vocab 16, p: arange T, e: embedding(p) 6 16, s: add(w e), o: linear $vocab}"
    with pytest.raises(SpecError, match="e has vectors for 6 positions, windows of the data have 8"):
        netspec.load(spec, [f"layers={layers}"])
    assert netspec.load(spec, [f"layers={layers.replace(' 6 ', ' 8 ')}"]).graph


def test_the_ready_spec_reads_its_own_text() -> None:
    loaded = netspec.load(READY)
    assert loaded.experiment.data is not None
    data: Data = load_data(loaded.experiment.data, READY.parent)
    assert data.classes is not None
    assert len(data.classes) == 50
    (tokens,), _ = data.train.batch(torch.arange(2))
    assert loaded.build()(tokens).shape == (2, 32, 50)


def test_texts_are_handed_to_a_run_over_the_tokens_of_a_tokenizer(tmp_path: Path) -> None:
    """The tokenizer stays with the run: its file may be gone, or be another."""
    word_tokenizer(tmp_path / "words.json")
    (tmp_path / "book.txt").write_text(TEXT * 4)
    spec = (
        "netspec: 1\ninput: int 3\nlayers: [embedding 40 4, linear 40]\ndata: text book.txt 3 tokenizer=words.json\n"
        "train: {loss: cross_entropy axis=-1, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"
    )
    (tmp_path / "a.yaml").write_text(spec)
    netspec.load(tmp_path / "a.yaml").train(tmp_path / "run")
    (tmp_path / "words.json").unlink()
    run = netspec.Run.read(tmp_path / "run")
    words = ["the", "cat", "sat", "on", "mat"]
    (tmp_path / "new.txt").write_text(f"{' '.join(words[:5])}\n{' '.join(words[2:5])}\n")
    found = run.predict(tmp_path / "new.txt")
    assert found.first.shape == (2, 3, 40)
    assert (found.first[0] == found.first[1]).all()  # the last tokens, as many as a window has
    (tmp_path / "short.txt").write_text("a\n" + " ".join(words[:3]) + "\n")
    with pytest.raises(DataError, match=r"short\.txt, line 1 has 1 tokens, the network takes 3 and no fewer"):
        run.predict(tmp_path / "short.txt")
    assert run.evaluate("val")
