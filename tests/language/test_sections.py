"""A section is one file: its check, its schema, its pages, its sites of fmt and its overrides follow from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import netspec
from netspec import sections as folder
from netspec.sections.base import Section
from netspec.sections.known import find, sections
from netspec.text.reader import read_text
from netspec.views.format import formatted
from netspec.views.reference.keys import key_pages, section_pages
from netspec.views.schema import schema

FILE = '''
"""The `probe` section: what is measured while nobody trains."""

from netspec.sections.base import Key, Section
from netspec.vocabulary import METRICS


class Probe(Section):
    key = "probe"
    after = "train"
    sentence = "what is measured while nobody trains"
    example = "probe: {metric: topk 3}"
    forms = (dict,)
    network = False
    meant = ("inspection",)
    keys = {
        "metric": Key("what is measured", "topk 3", {"type": "string"}),
        "every": Key("seconds from one measurement to the next", 5, {"type": "integer"}, required=True),
    }
    entries = {("metric",): METRICS}
'''
SPEC = "input: 4\nlayers: [fc 2]\n"


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "probe.py").write_text(FILE)
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    sections.cache_clear()
    yield
    monkeypatch.delitem(sys.modules, "netspec.sections.probe", raising=False)
    sections.cache_clear()


def test_sections_are_found_by_their_key_and_told_in_order() -> None:
    keys = [own.key for own in sections()]
    assert keys[:3] == ["netspec", "name", "input"]
    assert keys[-3:] == ["data", "train", "export"]
    assert [find(key) is not None for key in ("train", "base", "document", "no.such", 3, "")] == [True, *[False] * 5]


@pytest.mark.parametrize("own", sections(), ids=lambda own: str(own.key))
def test_each_is_described_whole(own: Section) -> None:
    assert own.sentence
    assert not own.sentence.endswith(".")
    example = read_text(own.example).data[own.key]
    assert isinstance(example, own.forms)
    Draft202012Validator.check_schema(own.schema())
    assert Draft202012Validator({"$defs": schema()["$defs"], **own.schema()}).is_valid(example)


@pytest.mark.usefixtures("probe")
def test_a_new_section_is_one_file() -> None:
    assert [own.key for own in sections()][-2:] == ["export", "probe"]
    spec = netspec.loads(SPEC + "probe: {metric: topk 3, every: 5}\n")
    assert spec.experiment.said["probe"] == {"metric": "topk 3", "every": 5}
    known = Draft202012Validator(schema())
    assert known.is_valid({"input": 4, "layers": "fc 2", "probe": {"every": 5}})
    assert not known.is_valid({"input": 4, "layers": "fc 2", "probe": {"metric": "topk 3"}})
    assert not known.is_valid({"input": 4, "layers": "fc 2", "probe": {"every": 5, "evrey": 5}})
    page = next(page for page in section_pages() if page.name == "probe")
    assert [argument.name for argument in page.arguments] == ["metric", "every"]
    written = [page.written for page in key_pages() if page.place == "probe"]
    assert written == ["probe: {metric: topk 3}", "probe: {every: 5}"]


@pytest.mark.usefixtures("probe")
def test_its_entries_are_formatted_and_overridden() -> None:
    text = f"{SPEC}probe:\n  metric: {{topk: {{k: 3}}}}\n"
    assert formatted(read_text(text)).endswith("probe:\n  metric: topk 3\n")
    spec = netspec.loads(SPEC + "probe: {metric: topk 3, every: 5}\n", ["probe.metric.k=4"])
    assert spec.experiment.said["probe"]["metric"] == "topk 4"


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prob: {every: 5}", "Did you mean 'probe'?"),
        ("inspection: {every: 5}", "Did you mean 'probe'?"),
        ("probe: 3", "probe holds what is measured while nobody trains; 3 is found"),
        ("probe: {evry: 5}", "Did you mean 'every'?"),
    ],
)
def test_its_mistakes_are_told(text: str, told: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{SPEC}{text}\n")
    assert told in str(caught.value)


def test_sections_that_are_not_there_are_not_imported() -> None:
    """A spec pays for its own sections."""
    code = "import netspec, sys; netspec.loads('input: 4\\nlayers: fc 2'); print('netspec.sections.tie' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
