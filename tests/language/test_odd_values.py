"""Whatever value stands at a place, the answer is a network or a SpecError that says where."""

from __future__ import annotations

from random import Random

import pytest
import yaml

import netspec
from netspec import SpecError, loads
from netspec.text.reader import read_text
from netspec.views.format import formatted
from tests.language import odd
from tests.language.campaign import Child, campaign, outcome
from tests.language.fuzz import KINDS

CASES = [
    (which, path, value)
    for which, text in enumerate(odd.RICH)
    for path in odd.places(yaml.safe_load(text))
    for value in odd.VALUES
]
DATA = [yaml.safe_load(text) for text in odd.RICH]


@pytest.mark.parametrize("text", odd.RICH, ids=["network", "experiment"])
def test_the_rich_specs_are_networks(text: str) -> None:
    compile(loads(text).source(), "printed", "exec")


def test_any_value_at_any_place_is_read_or_refused() -> None:
    for which, path, value in Random(0).sample(CASES, 150):
        spec = odd.written(odd.replaced(DATA[which], path, value))
        found = outcome(spec)
        assert found in ("network", "refused"), f"{path}, {value!r}: {found}"


@pytest.mark.parametrize(
    ("rest", "place"),
    [
        ("layers: [fc 2]\ndata: {source: {npz: true}}", "3:22"),
        ("layers: [fc 2]\ndata: {source: {npz: [a.npz]}}", "3:22"),
        ("layers: [fc 2]\ninit: {linear: {normal: true}}", "3:25"),
        ("layers: [fc 2]\ninit: {linear: {weight: {normal: [1]}}}", "3:34"),
        ("layers: [fc 2]\ndata: digits\ntrain: {loss: cross_entropy, optimizer: {adam: [1]}}", "4:48"),
        ("layers: [fc 2]\ndata: digits\ntrain: {loss: {cross_entropy: false}, optimizer: adam}", "4:31"),
        ("blocks: {b k: [relu]}\nlayers: [{b: {k: {a: 1}}}, fc 2]", "3:18"),
        ("blocks: {b k: [relu]}\nlayers: [{b: {k: [1, {a: 1}]}}, fc 2]", "3:22"),
        ("blocks: {b k: [relu]}\nlayers: [{b: {k: .nan}}, fc 2]", "3:18"),
        ("blocks: {b k: [relu]}\nlayers: [{b: {k: [[-.inf]]}}, fc 2]", "3:20"),
        ("params: {a: {b: 1}}\nlayers: [fc 2]", "2:13"),
        ("lint: {ignore: [[1], {a: 1}]}\nlayers: [fc 2]", "2:17"),
    ],
)
def test_a_value_of_another_kind_is_told_where_it_stands(rest: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(f"input: 8\n{rest}\n", name="net.yaml")
    assert f"net.yaml:{place} " in str(caught.value)


@pytest.mark.parametrize(
    "piece", ["[[1, 2]]", "[3]", "[null]", "[{}]", "[{a: [1], b: {c: 2}}]", "[{relux: {inplace: true}}]"]
)
def test_a_chain_with_something_else_than_calls_is_formatted_or_refused(piece: str) -> None:
    for long in (False, True):
        try:
            formatted(read_text(f"input: 8\nlayers: [{{chain: {piece}}}]"), long=long)
        except SpecError as error:
            assert "error[row]" in str(error)


def test_a_short_campaign_finds_nothing() -> None:
    counts, faults = campaign(80, 7, list(KINDS))
    assert not faults
    assert counts["grammar network"] >= 1
    assert counts["bytes refused"] > 5


def test_the_campaign_sees_what_runs_what_hangs_and_what_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.language.campaign.SECONDS", 1)
    for text, found in {
        "__import__('os').system('true')": "ran os.system",
        "[].nothing": "AttributeError",
        "any(iter(int, 1))": "s of CPU",
        "' ' * 2**31": "MemoryError",
        "__import__('os')._exit(3)": "the process died",
    }.items():
        child = Child(eval)
        assert found in child.outcome(text)
        child.close()


def test_limits_are_kept_from_python() -> None:
    text = "input: 8\nlayers: [fc 10]"
    assert netspec.loads(text, max_params=90, max_memory=400).graph.parameter_count == 90
    with pytest.raises(SpecError, match="at most 89 are allowed"):
        netspec.loads(text, max_params=89)
    with pytest.raises(SpecError, match="399 bytes are allowed"):
        netspec.loads(text, max_memory=399)
