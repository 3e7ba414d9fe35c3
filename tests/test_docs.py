"""The guides say what is so: every spec in them is one, and what it shows beside one is what comes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netspec
from tests.architectures import PAGE, page

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "language.md").read_text()
TRAINING = (ROOT / "docs" / "training.md").read_text()
SPECS = re.findall(r"```yaml\n(.*?)```", GUIDE + TRAINING, re.DOTALL)


@pytest.mark.parametrize("text", SPECS, ids=range(len(SPECS)))
def test_every_spec_of_the_guides_is_one(text: str) -> None:
    head = "" if re.search(r"^inputs?:", text, re.MULTILINE) else "input: 3x32x32\n"
    spec = netspec.loads(head + text)
    assert not spec.warnings
    said = [name for comment in re.findall(r"#(.*)", text) for name in re.findall(r"[\w.]+\.weight", comment)]
    assert set(said) <= set(spec.graph.parameters())
    assert spec.source()


def test_links_lead_somewhere() -> None:
    for path in (ROOT / "docs").glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_the_error_of_the_guide_is_what_check_says() -> None:
    text = "netspec: 1\n\n\ninput: 3x32x32\nlayers:\n  stem: conv 8 k1\n  b: conv 8 k1\n\n  sum: add(stm b)\n"
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(text, name="net.yaml")
    assert str(caught.value) in GUIDE


def test_the_architectures_are_those_of_the_specs() -> None:
    assert PAGE.read_text() == page(), "renew it: python -m tests.architectures"
