"""`netspec generate`: how tokens are chosen, where a text ends, and what a run, a file and a command give."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import netspec
from netspec.api.run import Run
from netspec.errors import DataError, UsageError
from netspec.runs.generate_file import generate as generate_file
from netspec.runs.language_model import LanguageModel, Vocabulary, language_model
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.sampling import Continuation, Sampling, tokens_after
from tests.train.test_handed import ended, trained

BOOK = "the cat sat on the mat. a dog\nran to the cat. " * 12
TEXT = """\
netspec: 1
input: int T
layers:
  e: embedding $(V) 16
  i: arange T
  p: embedding(i) 12 16
  x: add(e p)
  a: attention 2 is_causal
  y: add(x a)
  out: linear $(V)
params: {V: 20}
data: text book.txt 12
train: {loss: cross_entropy axis=-1, optimizer: adamw lr=0.02, epochs: 2, device: cpu}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "book.txt").write_text(BOOK)
    return trained(folder, TEXT)


@pytest.fixture(scope="module")
def files(run: Path) -> dict[str, Path]:
    """Files of the run: plain, with probabilities, with a memory, and with both."""
    found = {}
    for name, words in {
        "plain": [], "likely": ["export.onnx.output=probabilities"], "kept": ["export.onnx.cache=true"],
        "both": ["export.onnx.cache=true", "export.onnx.output=probabilities"],
    }.items():  # fmt: skip
        found[name] = run.parent / f"{name}.onnx"
        Run.read(run, words).export(found[name])
    return found


# --- choosing -------------------------------------------------------------------------------------


LOGS = np.log(np.array([0.1, 0.5, 0.15, 0.25]))


def chosen(how: Sampling) -> set[int]:
    return {how.choose(LOGS, drawn) for drawn in np.linspace(0, 0.999, 200)}


def test_which_tokens_may_be_chosen() -> None:
    assert chosen(Sampling()) == {0, 1, 2, 3}
    assert chosen(Sampling(temperature=0)) == {1}
    assert chosen(Sampling(top_k=2)) == {1, 3}
    assert chosen(Sampling(top_p=0.7)) == {1, 3}  # 0.5 alone is too little
    assert chosen(Sampling(top_p=0.5)) == {1}
    assert chosen(Sampling(top_p=1.0)) == {0, 1, 2, 3}
    assert chosen(Sampling(top_k=3, top_p=0.8)) == {1, 3}  # of the three that are left, 0.83 is in two


def test_tokens_are_as_likely_as_they_are_said_to_be() -> None:
    for how, shares in ((Sampling(), [0.1, 0.5, 0.15, 0.25]), (Sampling(0.5), np.array([1, 25, 2.25, 6.25]) / 34.5)):
        drawn = [how.choose(LOGS, x) for x in (np.arange(2000) + 0.5) / 2000]
        assert np.allclose(np.bincount(drawn) / 2000, shares, atol=1e-3)


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"temperature": float("nan")}, {"top_k": 0}, {"top_p": 0.0},
                                   {"top_p": 1.5}, {"seed": -1}])  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} is"):
        Sampling(**wrong)


# --- texts ----------------------------------------------------------------------------------------


class Told:
    """A reader that says certain tokens, one after the other, and keeps what it was given to read."""

    def __init__(self, tokens: Sequence[int], window: int | None = None, exact: bool = False) -> None:
        self.tokens, self.read_so_far, self.texts = list(tokens), 0, list[list[int]]()
        self.model: Any = SimpleNamespace(window=window, exact=exact, tokens="x")

    def forget(self) -> None:
        self.texts.append([])

    def read(self, tokens: Sequence[int]) -> Any:
        self.texts[-1] += tokens
        logs = np.full(300, -50.0)
        logs[self.tokens[self.read_so_far]] = 0
        self.read_so_far += 1
        return logs


def letters(text: str, stop: Sequence[str] = (), count: int | None = None, raw: bytes | None = None) -> Continuation:
    """What follows where the network says certain bytes."""
    told = list(raw if raw is not None else text.encode())
    words = Vocabulary(lambda text: list(text.encode()), lambda ids: bytes(ids).decode(errors="replace"), 256)
    tokens = len(told) if count is None else count
    return Continuation.of(Told(told), words, "go", how=Sampling(0), tokens=tokens, stop=stop, cached=False)


def test_a_text_ends_before_a_stop_word() -> None:
    found = letters("to be or not", ["or", "not"])
    assert [*found] == ["t", "o ", "b", "e", " "]  # an o may begin a stop word
    assert (found.text, found.ended, len(found.tokens)) == ("to be ", "or", 8)
    assert letters("to be or not", ["xyz"]).read() == "to be or not"
    assert letters("abcabd", ["abd"]).read() == "abc"


def test_what_may_be_a_stop_word_is_held_back() -> None:
    pieces = [*letters("a STOX b", ["STOP"])]
    assert pieces == ["a", " ", "STOX", " ", "b"]
    assert letters("a STO", ["STOP"]).read() == "a STO"  # it never came


def test_half_a_character_is_held_back() -> None:
    assert [*letters("aéß€😀z")] == ["a", "é", "ß", "€", "😀", "z"]
    assert letters("", raw=b"a\xffb").read() == "a\ufffdb"
    assert letters("é", count=1).read() == "\ufffd"  # it ended within one


def test_the_older_half_of_a_full_window_is_forgotten() -> None:
    reader = Told([5, 6, 7, 8, 9, 10, 11], window=4)
    tokens = tokens_after(reader, [1, 2, 3], Sampling(0), None)
    assert [next(tokens) for _ in range(7)] == [5, 6, 7, 8, 9, 10, 11]
    assert reader.texts == [[1, 2, 3, 5], [5, 6, 7, 8], [8, 9, 10]]


def test_a_network_of_so_many_tokens_sees_the_last_of_them() -> None:
    reader = Told([5, 6, 7], window=3, exact=True)
    tokens = tokens_after(reader, [0, 1, 2, 3], Sampling(0), None)
    assert [next(tokens) for _ in range(3)] == [5, 6, 7]
    assert reader.texts == [[1, 2, 3], [2, 3, 5], [3, 5, 6]]
    with pytest.raises(DataError, match="2 tokens, the network takes 3 and no fewer"):
        next(tokens_after(Told([], window=3, exact=True), [1, 2], Sampling(), None))


# --- runs and files -------------------------------------------------------------------------------


def test_a_run_goes_on_with_a_text(run: Path) -> None:
    read = Run.read(run)
    found = read.generate("the c", tokens=40, seed=1)
    text = "".join(found)
    assert found.cached
    assert len(found.tokens) == 40 == len(text)
    assert text == found.text == read.generate("the c", tokens=40, seed=1, cache=False).read()
    assert text != read.generate("the c", tokens=40, seed=2).read()
    greedy = read.generate("the c", tokens=30, temperature=0)
    assert greedy.read() == read.generate("the c", tokens=30, temperature=0, seed=9).read()
    assert set(text) <= set(BOOK)  # the network has more numbers than the book has letters
    with pytest.raises(DataError, match="'Q' does not occur in the training text"):
        read.generate("Queen")


@pytest.mark.parametrize("name", ["plain", "likely", "kept", "both"])
def test_a_file_goes_on_as_its_run(run: Path, files: dict[str, Path], name: str) -> None:
    told: list[str] = []
    about: dict[str, Any] = {"tokens": 30, "stop": (), "how": Sampling(seed=4)}
    found = generate_file(OnnxModel.read(files[name]), "the c", tell=told.append, **about)
    assert found.read() == Run.read(run).generate("the c", tokens=30, seed=4).read()
    assert found.cached == (name in ("kept", "both")) == (not told)


def test_what_a_file_remembers_are_named_inputs_and_outputs(files: dict[str, Path]) -> None:
    file = OnnxModel.read(files["kept"])
    (past, present), *_ = file.memory.items()
    assert (past, present) == (past, past.replace("past", "present"))
    assert file.inputs[past] == ("batch", "P", 16)
    assert file.outputs[0] == "scores"


def test_a_file_is_run_without_torch(files: dict[str, Path]) -> None:
    code = "import sys; sys.modules['torch'] = None; from netspec.cli import main; main()"
    words = ["generate", str(files["kept"]), "the c", "--tokens", "3", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["cached"] is True


def test_the_command_line(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended("generate", run, "the c", "--tokens", 20, "--temperature", 0, "--stop", "q") == 0
    text = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"the c\n"), isatty=lambda: False))
    assert ended("generate", run, "--tokens", 20, "--temperature", 0, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["text"].removesuffix("\n") == text.removesuffix("\n")
    assert {name: said[name] for name in ("prompt", "ended", "seed", "cached")} == {
        "prompt": "the c", "ended": None, "seed": 0, "cached": True}  # fmt: skip
    assert ended("generate", run, "", "--tokens", 5) == 4
    assert "no token to begin with" in capsys.readouterr().err
    assert ended("generate", run, "a", "--top-k", 0) == 2
    assert ended("generate", run, "a", "--stop", "") == 2
    assert ended("generate", run.parent / "no_run", "a") == 2


def test_a_stranger_cannot_steer_a_terminal() -> None:
    from netspec.cli.generate import _for_terminal

    assert _for_terminal("a\x1b[31m\tb\n") == "a\\u001b[31m\tb\n"


@pytest.mark.parametrize(("layers", "said"), {
    "input: 1x8x8\nlayers: [fc 3]": "continues no text: none of its inputs is a text",
    "inputs: {a: int T, b: int T}\nlayers: {x: add(a b), e: embedding 5 4}": "2 of its inputs are a text",
    "input: int T\nlayers: [embedding 20 8, mean 1, linear 3]": "is of the whole text and no next token",
    "input: int T\nlayers: [embedding 20 8, argmax -1]": "gives no scores for a next token",
    "inputs: {x: int T, h: Sx3}\nlayers: {e: embedding(x) 5 3, m: mean(h) 1 keepdim, y: add(e m), o: linear 5}":
        "takes h beside the tokens",
}.items())  # fmt: skip
def test_other_networks_are_refused(layers: str, said: str) -> None:
    with pytest.raises(UsageError) as found:
        language_model(netspec.Spec.loads(f"netspec: 1\nname: Net\n{layers}\n"))
    assert said in str(found.value)


def test_a_run_over_numbers_is_given_numbers(tmp_path: Path) -> None:
    x = np.tile(np.arange(6), 40).reshape(-1, 8)
    np.savez(tmp_path / "data.npz", x=x, y=np.roll(x, -1, 1))
    text = (
        "netspec: 1\ninput: int T\nlayers: [embedding 6 8, gru 8 batch_first, linear 6]\ndata: npz data.npz\n"
        "train: {loss: cross_entropy axis=-1, optimizer: adamw lr=0.1, epochs: 4, device: cpu}\n"
    )
    run = Run.read(trained(tmp_path, text))
    found = run.generate("0 1 2", tokens=4, temperature=0)
    assert [*found] == ["3", " 4", " 5", " 0"]
    with pytest.raises(UsageError, match="the prompt has 'two', which is no number of a token"):
        run.generate("1 two")


# --- strangers' files -----------------------------------------------------------------------------


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert ended("generate", path, "the c", "--tokens", 2) == 4
    return capsys.readouterr().err


def test_what_is_no_file_of_onnx_is_refused(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.onnx"
    for content in (b"", b"hello, world", bytes(1000), files["plain"].read_bytes()[:3000]):
        path.write_bytes(content)
        assert "is no file of ONNX" in refused(path, capsys)
    with path.open("wb") as stream:
        stream.truncate(2**31)
    assert "which no file of ONNX can have" in refused(path, capsys)
    assert ended("generate", tmp_path / "none.onnx", "a") == 2


def test_tensors_outside_of_the_folder_are_not_read(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(bytes(10**5))
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    for place, said in {"../secret": "outside its folder", str(tmp_path / "secret"): "outside its folder",
                        "link": "outside its folder", "gone": "which is not there"}.items():  # fmt: skip
        model = onnx.load(files["plain"])
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)
        path = tmp_path / "in" / "x.onnx"
        path.write_bytes(model.SerializeToString())
        assert said in refused(path, capsys)


@pytest.mark.parametrize(("name", "value", "said"), [
    ("netspec.spec", None, "does not say which spec"), ("netspec.spec", "netspec: 1\nlayers: [oops]", "is none here"),
    ("netspec.classes", "{", "that is not what netspec writes"), ("netspec.classes", "[1]", "classes is not what"),
    ("netspec.classes", '["ab"]', "as a character, which it is not"), ("netspec.cache", "[]", "what it remembers"),
    ("netspec.cache", '{"x": "y"}', "which it does not take or give"),
])  # fmt: skip
def test_what_a_file_says_of_itself_is_checked(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str], name: str, value: str | None, said: str
) -> None:
    import onnx

    model = onnx.load(files["kept"])
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != name}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept | ({name: value} if value is not None else {}))
    path = tmp_path / "x.onnx"
    path.write_bytes(model.SerializeToString())
    assert said in refused(path, capsys)


def test_a_window_is_kept_by_both(run: Path) -> None:
    """Past the 12 positions the text goes on, with the memory and without it alike."""
    model: LanguageModel = language_model(Run.read(run).spec)
    assert model.window == 12
    long = "the cat sat on the mat. "
    found = [Run.read(run).generate(long, tokens=30, seed=5, cache=cache).read() for cache in (True, False)]
    assert found[0] == found[1]
    assert found[0] == Run.read(run).generate(long[-12:], tokens=30, seed=5).read()  # no more is seen of it
