"""The reference tells what is so: every example is worked out, every form means the same, the files are fresh."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

import netspec
from netspec.cli import main
from netspec.graph.model import Graph
from netspec.language.calls import read_entry
from netspec.layers.base import Op
from netspec.sections.data import Data
from netspec.sections.known import sections
from netspec.sections.train_record import Train
from netspec.text.reader import read_text
from netspec.views.reference.examples import network
from netspec.views.reference.kinds import KINDS
from netspec.views.reference.markdown import files
from netspec.views.reference.page import Page
from netspec.views.reference.pages import pages
from netspec.views.reference.search import named, search, suggest
from netspec.views.reference.text import listing, meanings, whole
from netspec.views.reference.values import accepted
from tests.cli.test_commands import run

ROOT = Path(__file__).parent.parent.parent
PAGES = pages()
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: f"{p.kind}-{p.name}")
SCOPE = {"torch": torch, "nn": nn, "lr_scheduler": torch.optim.lr_scheduler}


def test_every_word_of_every_catalogue_has_a_page() -> None:
    for kind in KINDS:
        words = {word for page in PAGES if page.place == kind.place for word in (*page.words, *page.general)}
        assert {word.lower() for word in kind.catalogue.words()} <= words


@every_page
def test_a_page_says_what_it_is_about(page: Page) -> None:
    assert page.sentence.endswith(".")
    assert page.example.long
    assert page.words
    if page.kind in ("layers", "operations", "losses"):
        assert page.rule.endswith(".")
    if page.kind in ("layers", "operations"):
        assert page.example.outputs
        assert page.example.torch
    text = whole(page)
    assert text.startswith(f"{page.name}, {page.noun}")
    assert all(argument.name in text for argument in page.arguments)
    json.dumps(page.listed())


def test_every_section_and_every_key_has_a_page() -> None:
    keys = {word for page in PAGES if page.kind == "keys" for word in page.words if "." in word}
    assert keys == {f"{own.key}.{key}" for own in sections() for key in own.keys}
    assert keys >= {f"train.{key}" for key in Train.fields} | {f"data.{key}" for key in Data.keys}
    assert keys >= {"weights.load", "weights.freeze", "lint.ignore"}
    assert [page.name for page in PAGES if page.kind == "sections"] == [own.key for own in sections()]
    assert [argument.name for argument in named("train")[0].arguments] == list(Train.fields)


@pytest.mark.parametrize(
    ("word", "kind", "text"),
    [
        ("early_stop", "keys", "patience"),
        ("train.early_stop", "keys", "monitor"),
        ("early_stop.patience", "keys", "patience"),
        ("train.early_stop.min_delta", "keys", "patience"),
        ("early-stop", "keys", "patience"),
        ("split.val", "keys", "share or number of samples for validation"),
        ("data.split.fold", "keys", "share or number of samples for validation"),
        ("checkpoint.keep", "keys", "train: {checkpoint"),
        ("csv.missing", "datasets", "what becomes of an empty cell"),
        ("batch", "keys", "samples in a step"),
        ("split", "operations", "share or number of samples for validation"),
        ("memory", "keys", "2GB"),
        ("ignore", "keys", "lint: {ignore: [bias-before-norm]}"),
        ("data", "sections", "workers"),
        ("params", "sections", "params: {width: 64}"),
    ],
)
def test_a_section_or_a_key_answers_to_its_name(word: str, kind: str, text: str) -> None:
    pages = named(word)
    assert pages[0].kind == kind
    assert text in "\n".join(map(whole, pages)).lower().replace("2gb", "2GB")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.kind in ("sections", "keys")], ids=lambda p: p.words[-1]
)
def test_the_example_of_a_section_or_a_key_may_stand_in_a_spec(page: Page) -> None:
    example = read_text(page.example.long).data
    spec: dict[str, object] = {
        "netspec": 1,
        "name": "N",
        "input": "3x8x8",
        "layers": {"conv1": "conv 4 k3", "bn1": "bn", "fc": "fc 10"},
    }
    if "inputs" in example:
        spec["layers"] = {"a": "conv(image) 4 k3"}
        del spec["input"]
    if "train" in example:
        example["train"] = {"loss": "cross_entropy", "optimizer": "adamw", **example["train"]}
    if "data" in example:
        example["data"] = {"source": "digits", **example["data"]}
        spec["input"] = "1x32x32" if "transform" in example["data"] else "1x8x8"
    if page.name in ("extends", "use", "outputs", "order", "tie", "freeze", "weights", "blocks", "layers", "input"):
        return  # they name what the spec around them has, and other tests read them
    assert netspec.loads(json.dumps(spec | example))


@every_page
def test_short_and_long_form_mean_the_same(page: Page) -> None:
    if page.cls is None:
        return
    if issubclass(page.cls, Op):
        assert shape(network(page.cls)) == shape(network(page.cls, page.example.long))
        return
    catalogue = next(kind.catalogue for kind in KINDS if kind.name == page.kind)
    forms = [page.example.short, read_text(page.example.long).data]
    short, long = (read_entry(form or forms[1], (), catalogue)[0] for form in forms)
    assert short == long


def shape(graph: Graph) -> object:
    return [(step.op, step.value.tensor) for step in graph.root.steps], graph.parameters()


@every_page
def test_torch_understands_its_line(page: Page) -> None:
    if page.kind in ("layers", "operations", "wraps", "sections", "keys", "checks"):
        return  # printed by the code view, which has tests of its own
    weights = [nn.Parameter(torch.zeros(4, 4))]
    momentum = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
    tensor = torch.zeros(4, 4, 4) if page.name == "Dirac" else torch.zeros(4, 4)
    for line in page.example.torch:
        made = eval(line, {**SCOPE, "parameters": weights, "optimizer": momentum, "tensor": tensor})
        assert page.noun == "initialiser" or type(made).__name__ == page.name


@pytest.mark.parametrize(
    ("words", "first", "count"),
    [
        (["pool"], "MaxPool1d", 10),
        (["POOL"], "MaxPool1d", 10),
        (["MaxPool"], "MaxPool1d", 3),
        (["learning", "rate"], "SGD", 10),
        (["nothing", "of", "the", "kind"], None, 0),
    ],
    ids=str,
)
def test_search(words: list[str], first: str | None, count: int) -> None:
    found = search(words)
    assert (found[0].name if found else None) == first
    assert len(found) >= count


def test_a_name_that_rooms_share_has_several_pages() -> None:
    assert [page.kind for page in named("linear")] == ["layers", "schedulers"]
    assert [page.name for page in named("Conv2d")] == ["Conv2d"]
    assert named("conv") == []  # a word of three classes is searched for
    assert suggest(["conv2"]) == "Did you mean 'conv2d'?"


SHARED = [word for word, times in Counter(word for page in PAGES for word in page.words).items() if times > 1]


@pytest.mark.parametrize("word", SHARED)
def test_a_word_of_several_rooms_is_told_first_with_all_that_it_is(word: str) -> None:
    """`split` cuts an axis and holds out data: who asks is not left with the one that stands first."""
    pages = named(word)
    head, *kinds = meanings(word, pages).splitlines()
    assert head == f"{word} is {len(pages)} things, which follow:"
    alone = [line.partition(": netspec ops ")[2] for line in kinds if line]
    assert [named(asked) for asked in alone] == [[page] for page in pages]
    assert meanings("conv2d", named("conv2d")) == ""


def test_the_command_tells_all_that_a_word_is() -> None:
    whole = run("ops", "split").stdout
    assert whole.startswith("split is 2 things, which follow:\n  operation in layers: netspec ops layers.split\n")
    assert run("ops", "data.split").stdout.startswith("split, key, in data\n")


def test_the_list_has_a_line_for_each_page() -> None:
    lines = listing(PAGES).splitlines()
    assert sum(line.startswith("  ") for line in lines) == len(PAGES)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "whole number >= 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number > 0 and <= 1"),
        ({"enum": ["mean", "sum"]}, "mean, sum"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "true or false or null"),
        ({"type": ["string", "object"]}, "word or mapping"),
        ({"type": "array", "minItems": 2, "maxItems": 2}, "2 of them"),
        ({"type": "array"}, "list"),
        ({}, "value"),
    ],
    ids=str,
)
def test_what_an_argument_takes(schema: dict[str, object], words: str) -> None:
    assert accepted(schema) == words


def test_the_written_reference_is_fresh() -> None:
    """After a change to a record: `netspec ops --markdown docs/reference`."""
    folder = ROOT / "docs" / "reference"
    assert {path.name for path in folder.iterdir()} == set(files())
    for name, text in files().items():
        assert (folder / name).read_text(encoding="utf-8") == text, f"{name}: {main.__module__} ops --markdown {folder}"


def test_the_command() -> None:
    page = run("ops", "conv2d")
    assert "B x 3 x 32 x 32 -> B x 16 x 32 x 32" in page.stdout
    assert "448 parameters" in page.stdout
    assert json.loads(run("ops", "conv2d", "--json").stdout)[0]["name"] == "Conv2d"
    assert "layers (" in run("ops").stdout
    wrong = run("ops", "conv22d")
    assert wrong.returncode == 2
    assert "Did you mean 'conv2d'?" in wrong.stderr
