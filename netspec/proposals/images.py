"""A spec for a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from netspec.datasets.base import Part
from netspec.datasets.files import Files
from netspec.datasets.images import Images
from netspec.datasets.pictures import Pictures, opened
from netspec.proposals.network import convolutional
from netspec.proposals.proposal import Proposal, classes, counts, one_line, quoted

LOOKED_AT = 400
"""Images that are looked at for their size and their colours."""
SIDES = (32, 64, 128, 224)
"""Sizes that images of different sizes are brought to."""
KEPT = 256
"""The longest side of images of one size that are left as they are."""


def of_images(files: Files, path: str) -> Proposal:
    """For a folder that holds a folder for each class. Raises DataError."""
    found = Images(path=path, size=SIDES[0]).read(files)
    assert found.classes is not None
    sizes, grey = _looked_at(found.train)
    height, width, resized = _size(sizes)
    goal = classes(len(found.classes))
    own = [name for name, part in (("val", found.val), ("test", found.test)) if part]
    (h, w), (most_h, most_w) = min(sizes), max(sizes)
    span = f"of {h} x {w}" if len(sizes) == 1 else f"of different sizes, {h} x {w} to {most_h} x {most_w} among them"
    names = [found.classes[label] for label in found.train.target[:].tolist()]
    seen = [
        f"  {len(found.train):,} images {'in shades of grey' if grey else 'in colour'}, {span}",
        f"  {len(found.classes)} classes: {counts(names)}",
        *(f"  a folder for its own {name} part" for name in own),
    ]
    data = ["source:", "  images:", f"    path: {quoted(path)}"]
    data += [f"    size: {height}x{width}             # to which all are brought"] if resized else []
    data += ["    grey: true"] if grey else []
    data += ["split: {val: 0.2}"] if "val" not in own else []
    data += ["transform: standardize", f"augment: [crop {height}x{width} pad={max(1, min(height, width) // 8)}]"]
    data += ["# and flip, where a mirrored image means the same"]
    network = [f"input: {1 if grey else 3}x{height}x{width}", *convolutional(height, width, goal)]
    return Proposal(path, tuple(map(one_line, seen)), tuple(network), tuple(data), goal, len(found.train))


def _looked_at(part: Part) -> tuple[set[tuple[int, int]], bool]:
    """The sizes of some images, height first, and whether none of them has colours."""
    (images,) = part.inputs
    assert isinstance(images, Pictures)
    step = max(1, len(images.paths) // LOOKED_AT)
    sizes, grey = set(), True
    for row in range(0, len(images.paths), step):
        with opened(images.paths[row], row) as image:
            sizes.add((image.height, image.width))
            grey = grey and image.mode in ("1", "L", "LA")
    return sizes, grey


def _size(sizes: Sequence[tuple[int, int]] | set[tuple[int, int]]) -> tuple[int, int, bool]:
    """Height and width to train on, and whether images must be brought to it."""
    if len(sizes) == 1:
        ((height, width),) = sizes
        if max(height, width) <= KEPT:
            return height, width, False
    sides = sorted(min(size) for size in sizes)
    middle = sides[len(sides) // 2]
    side = min(SIDES, key=lambda each: abs(log2(each / middle)))
    return side, side, True
