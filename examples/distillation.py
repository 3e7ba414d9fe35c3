"""A network that learns from another one: a teacher is trained on digits, and a smaller student on what it says."""

from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import netspec

HERE = Path(__file__).parent
TEACHER = """\
input: 1x8x8
layers: [conv 16 k3 same, relu, conv 32 k3 same, relu, pool 2, fc 10]
data: digits
train: {loss: cross_entropy, optimizer: adamw lr=5e-3, epochs: 2, metrics: [accuracy]}
"""


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        netspec.loads(TEACHER).train(folder / "teacher")
        spec = netspec.load(copy(HERE / "student.yaml", folder))
        last = spec.train(folder / "student").history.records[-1]
        print("the student's accuracy", round(last["val.logits.accuracy"], 3))


if __name__ == "__main__":
    main()
