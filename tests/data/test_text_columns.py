"""Columns of texts: tokens learnt from the training part, padding, masks, and networks that train from them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import netspec
from netspec.datasets.files import Files
from netspec.datasets.kinds import are_learnt
from netspec.errors import DataError
from netspec.runtime.data.loading import load_data
from tests.data.writing import section

SPECS = Path(netspec.__file__).parents[1] / "specs"
FILMS = "review,label\nA fine film!,good\nNot fine,bad\nfine FINE,good\nA dull film,bad\n"


def read(root: Path, text: str = FILMS, **options: Any) -> Any:
    (root / "films.csv").write_text(text)
    given = {"path": "films.csv", "target": "label", "text": "review", "length": 4, **options}
    source = section({"source": {"csv": given}}).source
    return source.fitted(source.read(Files(root)), {})


def write_films(path: Path, count: int = 160, seed: int = 0) -> None:
    """Reviews of films, of different lengths, whose label is told by a few of their words."""
    draw = random.Random(seed)
    rows = ["id,review,label"]
    for i in range(count):
        label = draw.choice(("good", "bad"))
        words = draw.choices(["the", "a", "film", "plot", "of", "and", "it", "was", "story"], k=draw.randint(3, 8))
        words.insert(
            draw.randrange(len(words)), draw.choice({"good": ["fine", "moving"], "bad": ["dull", "flat"]}[label])
        )
        rows.append(f'r{i},"{" ".join(words).capitalize()}, they say",{label}')
    path.write_text("\n".join(rows) + "\n")


def test_words_are_numbered_by_how_often_they_occur(tmp_path: Path) -> None:
    arrays = read(tmp_path)
    assert arrays.names == ("review",)
    assert arrays.learnt["columns"]["texts"]["review"]["tokens"] == ["fine", "a", "film", "!", "dull", "not"]
    assert arrays.train.inputs[0].tolist() == [[3, 2, 4, 5], [7, 2, 0, 0], [2, 2, 0, 0], [3, 6, 4, 0]]
    assert arrays.train.target.tolist() == [1, 0, 1, 0]
    assert "    words: an embedding of 8 rows, 0 is padding, 1 any other of them" in arrays.told


def test_characters_lengths_and_a_small_vocabulary(tmp_path: Path) -> None:
    arrays = read(tmp_path, tokenizer="characters", length=3)
    known = arrays.learnt["columns"]["texts"]["review"]["tokens"]
    assert [known[i - 2] for i in arrays.train.inputs[0][1]] == ["N", "o", "t"]
    few = read(tmp_path, vocabulary=3)
    assert few.learnt["columns"]["texts"]["review"]["tokens"] == ["fine"]
    assert few.train.inputs[0][0].tolist() == [1, 2, 1, 1]
    assert "    1 of 4 texts are longer, and cut; length= says how long they may be" in read(tmp_path, length=3).told


@pytest.mark.parametrize(
    ("mask", "row"), [("padding", [False, False, True, True]), ("tokens", [True, True, False, False])]
)
def test_a_mask_is_an_input(mask: str, row: list[bool], tmp_path: Path) -> None:
    arrays = read(tmp_path, mask=mask)
    assert arrays.names == ("review", "review_mask")
    assert arrays.train.inputs[1][1].tolist() == row
    gives = section({"source": f"csv a.csv y text=review length=4 mask={mask}"}).gives()
    assert gives.inputs is not None
    assert [(str(x), x.dtype) for x in gives.inputs] == [("B x 4", "int64"), ("B x 4", "bool")]


def test_the_vocabulary_is_learnt_from_the_training_part_and_kept(tmp_path: Path) -> None:
    rows = [f"word{i},{'good' if i % 2 else 'bad'}" for i in range(20)]
    (tmp_path / "films.csv").write_text("\n".join(["review,label", *rows]))
    source = "csv films.csv label text=review length=2"
    data = load_data(section({"source": source, "split": {"val": 6}}), tmp_path)
    assert data.val is not None
    assert set(data.val.inputs[0].flatten().tolist()) == {0, 1}
    assert len(data.learnt["columns"]["texts"]["review"]["tokens"]) == 14
    learnt = json.loads(json.dumps(data.learnt))
    (tmp_path / "films.csv").write_text("review,label\nnone of it,bad\n")
    again = load_data(section({"source": source, "split": {"val": 0}}), tmp_path, learnt=learnt)
    assert again.train.inputs[0].tolist() == [[1, 1]]


def test_empty_texts(tmp_path: Path) -> None:
    text = FILMS.replace("Not fine", "")
    with pytest.raises(DataError, match=r"line 3: review is empty, expected a text\. Write missing: category"):
        read(tmp_path, text)
    arrays = read(tmp_path, text, missing="category", mask="padding")
    assert arrays.train.inputs[0][1].tolist() == [1, 0, 0, 0]
    assert not arrays.train.inputs[1][1].all()


def test_a_tokenizer_of_its_own_is_kept_with_the_run(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "fine": 3, "film": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 2)])
    tokenizer.save(str(tmp_path / "words.json"))
    arrays = read(tmp_path, tokenizer="words.json", length=5)
    assert arrays.train.inputs[0].tolist() == [[2, 1, 3, 4, 1], [2, 1, 3, 0, 0], [2, 3, 1, 0, 0], [2, 1, 1, 4, 0]]
    (tmp_path / "words.json").unlink()
    given = {"path": "films.csv", "target": "label", "text": "review", "length": 5, "tokenizer": "words.json"}
    source = section({"source": {"csv": given}}).source
    (tmp_path / "new.csv").write_text("review\nfilm fine\n")
    kept = json.loads(json.dumps(arrays.learnt))
    assert source.samples([tmp_path / "new.csv"], kept)[0][:].tolist() == [[2, 4, 3, 0, 0]]
    (tmp_path / "words.json").write_text("{}")
    with pytest.raises(DataError, match=r"words\.json is not a file of a tokenizer"):
        read(tmp_path, tokenizer="words.json")


DATA = "data: {{source: csv films.csv label text=review length=12{more}, split: {{val: 0.25}}}}\n"
TRAIN = "train: {{loss: cross_entropy, optimizer: adamw lr=5e-3, epochs: {epochs}, batch: 8, metrics: [accuracy]}}\n"
TRANSFORMER = """netspec: 1
inputs: {tokens: int 12, padding: bool 12}
layers:
  embed: embedding(tokens) 40 16 padding_idx=0
  encode: TransformerEncoder(embed src_key_padding_mask=padding) nhead=2 num_layers=1 dim_feedforward=32 batch_first
  head: amax 1, fc 2
"""


@pytest.mark.parametrize(("network", "more", "epochs"), [("textcnn_kim", "", 2), ("transformer", " mask=padding", 8)])
def test_networks_train_from_texts(network: str, more: str, epochs: int, tmp_path: Path) -> None:
    write_films(tmp_path / "films.csv")
    text = TRANSFORMER if network == "transformer" else (SPECS / f"{network}.yaml").read_text()
    (tmp_path / "net.yaml").write_text(text + DATA.format(more=more) + TRAIN.format(epochs=epochs))
    spec = netspec.load(tmp_path / "net.yaml")
    assert spec.look()[1].startswith("  text: review, 12 tokens each")
    trained = spec.train(tmp_path / "run")
    assert max(record["val.accuracy"] for record in trained.history.records) > 0.9
    run = netspec.Run.read(tmp_path / "run")
    write_films(tmp_path / "new.csv", 40, seed=1)
    found = run.predict(tmp_path / "new.csv")
    assert found.classes == ("bad", "good")
    labels = [line.rsplit(",", 1)[1] for line in (tmp_path / "new.csv").read_text().splitlines()[1:]]
    best = found.best(1)
    assert best is not None
    assert sum(name == label for ((name, _),), label in zip(best, labels, strict=True)) > 36
    assert run.evaluate()["accuracy"] > 0.9


@pytest.mark.parametrize(
    "broken",
    [
        {"texts": {"review": {"tokenizer": "words", "tokens": [1]}}},
        {"texts": {"review": {"tokenizer": "file"}}},
        {"dates": {"since": {"way": "iso", "start": "x", "fills": []}}},
        {"dates": {"since": ["iso"]}},
        {"ids": "id"},
        {"more": {}},
    ],
)
def test_what_a_run_keeps_of_its_columns_is_looked_at(broken: dict[str, Any]) -> None:
    kept: dict[str, Any] = {"numbers": {"size": None}, "categories": {"city": ["Rome"]}}
    whole = {"dates": {"since": {"way": "iso", "start": 1.0, "fills": [None]}}, "ids": ["id"]}
    assert are_learnt(kept | whole | {"texts": {"review": {"tokenizer": "words", "tokens": ["a"]}}})
    assert not are_learnt(kept | broken)
