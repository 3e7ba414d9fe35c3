"""A thing is added by one file: put into a copy of the tree, it is a word, checked, described and used."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FILES = {
    "layers/passing.py": '''
"""Layers that pass numbers on."""

from netspec.layers.base import Layer
from netspec.tensors import Tensor


class Passing(Layer):
    """Gives its numbers back."""

    keeps_numbers = True
    functional = True
    example, example_input = "passing", "8"

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]
''',
    "lint/halved_last.py": '''
"""Halves at the end."""

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class HalvedLast(Rule):
    """A network does not end in a half.

    The other half would be missing.
    """

    code = "halved-last"
    severity = "warning"
    about = ("keeps_numbers",)
    example = "input: 8\\nlayers: [fc 2, identity]\\n"

    def check(self, facts: Facts) -> Iterator[Problem]:
        for value in facts.results:
            for step in facts.flow.makers(value):
                if step.op is not None and step.op.keeps_numbers:
                    yield self.problem(f"{step.name} ends it", step.at)
''',
    "datasets/halves.py": '''
"""Halves of numbers."""

from netspec.datasets.base import Arrays, Dataset, Part
from netspec.datasets.files import Files
from netspec.records import Int


class Halves(Dataset):
    """Numbers and their halves."""

    example = "halves 10"

    count = Int("how many there are", ge=1)

    def read(self, files: Files) -> Arrays:
        import numpy as np

        numbers = np.arange(self.count, dtype="f4")
        return Arrays(Part((numbers[:, None],), numbers[:, None] / 2), names=("number",))
''',
    "sections/notes.py": '''
"""The `notes` section: what a person wants to remember."""

from typing import Any

from netspec.errors import At, Path, Problem
from netspec.sections.base import Around, Key, Section, unknown_keys


class Notes(Section):
    key = "notes"
    after = "lint"
    sentence = "what a person wants to remember"
    example = "notes: {author: Ada}"
    forms = (dict,)
    network = False
    keys = {"author": Key("who wrote it", "Ada", {"type": "string"})}

    def read(self, value: Any, path: Path, around: Around) -> tuple[str | None, list[Problem]]:
        problems = unknown_keys(value, self.keys, path)
        author = value.get("author")
        if not isinstance(author, str):
            problems.append(Problem("bad-value", "author is a name", At((*path, "author")), self.advice(value)))
        return author, problems
''',
    "runtime/export/formats/texts.py": '''
"""Text: the weights of a network, in lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netspec.exporters.base import Exporter


class Texts(Exporter):
    """A file of text that says the outputs of a network that has no weights but one matrix."""

    extension = ".txt"
    example = "texts"

    def write(self, subject: Any, file: Path) -> Any:
        from netspec.runtime.export.report import Written

        (weight,) = subject.network.state_dict().values()
        file.write_text("\\n".join(" ".join(map(repr, row)) for row in weight.tolist()))
        return Written(facts={"lines": len(weight)})

    def check(self, subject: Any, file: Path) -> Iterator[Any]:
        import numpy as np

        weight = np.array([[float(n) for n in line.split()] for line in file.read_text().splitlines()], "f4")
        return subject.differences(lambda inputs: [inputs[0].numpy() @ weight.T])
''',
}
"""What a person would write to add a thing."""
SEEN = """
import json
from netspec.lint import rules
from netspec.spec import Spec
from netspec.views.schema import schema
from netspec.vocabulary import DATASETS, EXPORTERS, OPERATIONS

said = Spec.loads("netspec: 1\\ninput: 8\\nlayers: [fc 4, passing, fc 2, identity]\\n")
text = json.dumps(schema())
print(json.dumps({
    "words": [bool(c.find(w)) for c, w in ((OPERATIONS, "passing"), (DATASETS, "halves"), (EXPORTERS, "texts"))],
    "schema": [word in text for word in ("Passing", "halved-last", '"halves"', '"texts"')],
    "warnings": [problem.code for problem in said.warnings],
    "shape": str(list(said.graph.outputs.values())[0]),
}))
"""
NOTED = """
import json
from netspec.spec import Spec
from netspec.text.report import SpecError
from netspec.views.schema import schema

text = "netspec: 1\\ninput: 8\\nlayers: [fc 4]\\nnotes: {author: Ada, when: 3}\\n"
try:
    Spec.loads(text)
except SpecError as error:
    refused = [problem.code for problem in error.problems]
said = Spec.loads(text.replace(", when: 3", "")).experiment.said
keys = schema()["properties"]["notes"]["properties"]
print(json.dumps({"refused": refused, "said": said["notes"], "keys": list(keys)}))
"""
EXPORTED = """
import json
import netspec

trained = netspec.loads(
    "netspec: 1\\ninput: 1\\nlayers: [linear 1]\\ndata: halves 10\\n"
    "train: {loss: mse, optimizer: sgd lr=0.01, epochs: 1, device: cpu}\\n"
).train()
assert trained.history.epochs == 1, trained.history
spec = netspec.loads("netspec: 1\\ninput: 3\\nlayers: [linear 2 nobias]\\nexport: texts atol=0.001\\n")
report = spec.export("net.txt")
print(json.dumps({"facts": dict(report.facts), "agrees": all(d.agrees for d in report.differences)}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a file more for each kind of thing, and the derived tables written anew."""
    place = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "netspec", place / "netspec", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "tests").mkdir()
    for file in ("__init__.py", "families.py"):
        shutil.copy(ROOT / "tests" / file, place / "tests" / file)
    for name, text in FILES.items():
        added = place / "netspec" / name
        assert not added.exists()
        added.write_text(text.lstrip())
    ran(place, "-m", "tests.families")
    return place


def ran(place: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def seen(tree: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(tree, "-c", SEEN))
    return found


def test_a_layer_a_check_a_dataset_and_a_format_are_one_file_each(seen: dict[str, Any]) -> None:
    assert seen["words"] == [True] * 3
    assert seen["warnings"] == ["linear-into-linear", "halved-last"]  # the first goes by the trait of the layer
    assert seen["shape"] == "B x 2"


def test_a_section_is_one_file(tree: Path) -> None:
    assert json.loads(ran(tree, "-c", NOTED)) == {"refused": ["unknown-key"], "said": "Ada", "keys": ["author"]}


def test_the_schema_has_them(seen: dict[str, Any]) -> None:
    assert seen["schema"] == [True] * 4


def test_the_reference_has_them(tree: Path) -> None:
    ran(tree, "-m", "netspec", "ops", "--markdown", "reference")
    for name, words in {
        "layers.md": "Gives its numbers back.",
        "checks.md": "A network does not end in a half.",
        "datasets.md": "Numbers and their halves.",
        "formats.md": "A file of text that says",
        "sections.md": "What a person wants to remember.",
        "keys.md": "Who wrote it.",
    }.items():
        assert words in (tree / "reference" / name).read_text(), name


def test_a_network_is_exported_to_a_new_format(tree: Path) -> None:
    assert json.loads(ran(tree, "-c", EXPORTED)) == {"facts": {"lines": 2}, "agrees": True}


def test_the_command_knows_a_new_format(tree: Path) -> None:
    (tree / "spec.yaml").write_text("netspec: 1\ninput: 3\nlayers: [linear 2 nobias]\nexport: texts atol=0.001\n")
    said = ran(tree, "-m", "netspec", "export", "--help")
    assert "--texts" in said
    done = subprocess.run(
        [sys.executable, "-m", "netspec", "export", "spec.yaml", "-o", "net.pt"],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert re.search(r"net\.pt is not called \.onnx or .*\.txt", done.stderr), done.stderr
