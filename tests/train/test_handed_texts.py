"""Lines of text for a run over texts: as many tokens as its network takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.api.run import Run
from netspec.errors import DataError
from tests.train.test_handed import trained


def test_texts_shorter_than_the_window_of_a_network(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("the cat sat on the mat. " * 40)
    text = (
        "netspec: 1\ninput: int 12\nlayers: [embedding 16 8, linear 11]\ndata: text book.txt 12\n"
        "train: {loss: cross_entropy axis=-1, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"
    )
    fixed = Run.read(trained(tmp_path, text))
    assert fixed.predict("the cat sat on the mat.").first.shape == (1, 12, 11)
    with pytest.raises(DataError, match=r"1 has 7 tokens, the network takes 12 and no fewer\. Give longer .*: int T"):
        fixed.predict("the cat")
    (tmp_path / "any").mkdir()
    (tmp_path / "any" / "book.txt").write_text("the cat sat on the mat. " * 40)
    free = Run.read(trained(tmp_path / "any", text.replace("int 12", "int T")))  # as advised
    assert free.predict("the cat").first.shape == (1, 7, 11)
