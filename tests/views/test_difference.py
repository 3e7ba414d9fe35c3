"""Two networks side by side, and what of the weights really loads."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from netspec.api.spec import loads
from netspec.cli.group import LazyGroup
from netspec.views.difference import difference, text

HEAD = "netspec: 1\ninput: 1x32x32\nlayers:\n"
BEFORE = HEAD + "  - conv 6 k5, relu, pool 2\n  - conv 16 k5, relu, pool 2\n  - fc 120->84->10 between=relu\n".replace(
    "fc 120", "fc ->120"
)
AFTER = HEAD + "  - conv 8 k5, bn, relu, pool 2\n  - conv 16 k5, relu, pool 2, dropout\n  - fc ->120->84 between=relu\n"

TEXT = """\
~ conv1     Conv2d(1, 6, 5) -> Conv2d(1, 8, 5)    6 x 28 x 28 -> 8 x 28 x 28
+ bn1       BatchNorm2d(8)                        8 x 28 x 28
~ relu1     ReLU()                                6 x 28 x 28 -> 8 x 28 x 28
~ pool1     MaxPool2d(2)                          6 x 14 x 14 -> 8 x 14 x 14
~ conv2     Conv2d(6, 16, 5) -> Conv2d(8, 16, 5)  16 x 10 x 10
+ dropout1  Dropout()                             16 x 5 x 5
- relu4     ReLU()                                84
- fc3       Linear(84, 10)                        10

parameters  61,706 -> 61,724 (+18)
MACs        416,520 -> 534,880 (+118,360)
weights     5 of 13 tensors still load
  ~ conv1.weight  6 x 1 x 5 x 5 -> 8 x 1 x 5 x 5
  ~ conv1.bias  6 -> 8
  ~ conv2.weight  16 x 6 x 5 x 5 -> 16 x 8 x 5 x 5
  + bn1.weight  8
  + bn1.bias  8
  + bn1.running_mean  8
  + bn1.running_var  8
  + bn1.num_batches_tracked  a single number
  - fc3.weight  10 x 84
  - fc3.bias  10"""


def test_as_text() -> None:
    assert text(difference(loads(BEFORE).graph, loads(AFTER).graph)) == TEXT


def test_the_same_network_has_no_difference() -> None:
    found = difference(loads(BEFORE).graph, loads(BEFORE).graph)
    assert not found.changes
    assert text(found).startswith("the steps and their shapes are the same")


def test_an_inserted_step_changes_no_other() -> None:
    inserted = BEFORE.replace("relu, pool 2\n  - conv 16", "relu, relu, pool 2\n  - conv 16")
    found = difference(loads(BEFORE).graph, loads(inserted).graph)
    assert [(c.before, c.after and c.after.op) for c in found.changes] == [(None, "ReLU()")]


def test_what_is_said_to_load_is_what_torch_loads() -> None:
    before, after = loads(BEFORE), loads(AFTER)
    weights = difference(before.graph, after.graph).weights
    old, module = before.build().state_dict(), after.build()
    found = module.load_state_dict({name: old[name] for name in weights.loads}, strict=False)
    assert not found.unexpected_keys
    wanting = {*weights.misfits, *weights.new}
    assert set(found.missing_keys) == {name for name in wanting if not name.endswith("num_batches_tracked")}
    assert set(old) == {*weights.loads, *weights.misfits, *weights.dropped}
    for name in weights.misfits:
        with pytest.raises(RuntimeError, match="size mismatch"):
            module.load_state_dict({name: old[name]}, strict=False)


def test_the_command(tmp_path: Path) -> None:
    for name, spec in (("a.yaml", BEFORE), ("b.yaml", AFTER)):
        (tmp_path / name).write_text(spec)
    command = LazyGroup().get_command(None, "diff")  # type: ignore[arg-type]
    assert command is not None
    result = CliRunner().invoke(command, [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--json"])
    assert result.exit_code == 0
    assert '"misfit"' in result.stdout
