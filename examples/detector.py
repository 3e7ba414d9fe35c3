"""A network with two heads: which shape an image shows, and the box that it lies in. The images are made up."""

from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import numpy as np

import netspec

HERE = Path(__file__).parent
SIZE = 32


def shapes(count: int) -> dict[str, np.ndarray]:
    """Images of a square, a disc or a cross, its number and its box: left, top, right and bottom as shares."""
    random = np.random.RandomState(0)
    kinds, half = random.randint(3, size=count), random.randint(4, 9, count)
    x, y = (random.randint(9, SIZE - 9, count) for _ in range(2))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images = []
    for kind, h, i, j in zip(kinds, half, x, y, strict=True):
        across, down = np.abs(columns - i), np.abs(rows - j)
        within = np.maximum(across, down) <= h
        drawn = [within, across**2 + down**2 <= h * h, within & (np.minimum(across, down) <= h // 4)][kind]
        images.append(255 * drawn[None] - random.randint(40, size=(1, SIZE, SIZE)) * drawn[None])
    boxes = np.stack([x - half, y - half, x + half, y + half], 1) / SIZE
    return {"x": np.array(images, np.uint8), "shapes": kinds, "boxes": boxes.astype(np.float32)}


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "shapes.npz", **shapes(400))
        spec = netspec.load(copy(HERE / "detector.yaml", folder))
        last = spec.train(folder / "run").history.records[-1]
        print("accuracy", round(last["val.cls.accuracy"], 3), "boxes off by", round(last["val.box.mae"], 3))
        np.savez(folder / "new.npz", x=shapes(3)["x"])
        found = netspec.Run.read(folder / "run").predict(folder / "new.npz")
        print("outputs in use:", ", ".join(f"{name} {values.shape}" for name, values in found.outputs.items()))


if __name__ == "__main__":
    main()
