"""A spec for a folder of images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log2
from pathlib import Path
from typing import Final

from netspec.datasets.base import Part
from netspec.datasets.files import Files, show
from netspec.datasets.images import Images
from netspec.datasets.masks import NUMBERED, Masks, numbers_in
from netspec.datasets.pictures import Pictures, opened
from netspec.errors import UsageError
from netspec.proposals.network import convolutional, segmenting
from netspec.proposals.proposal import Goal, Proposal, classes, counts, one_line, quoted

LOOKED_AT = 400
"""Images that are looked at for their size and their colours."""
SIDES = (32, 64, 128, 224)
"""Sizes that images of different sizes are brought to."""
MOST_CLASSES = 64
"""Values of masks that are taken for classes; more are shades."""
KEPT = 256
"""The longest side of images of one size that are left as they are."""


MASKS: Final = re.compile(
    r"masks?|labels?|annotations?|annots?|gt|ground_?truths?|segmentations?|targets?", re.IGNORECASE
)
"""What folders of masks are called."""


def of_images(files: Files, path: str) -> Proposal:
    """For a folder that holds a folder for each class, or one of images and one of their masks.

    Raises DataError, and UsageError for data that there is no proposal for.
    """
    if (pair := _masked(files, path)) is not None:
        return _with_masks(files, path, *pair)
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


def _masked(files: Files, path: str) -> tuple[str, str] | None:
    """The folder of images and that of their masks, where a folder holds these two. Raises UsageError for its parts."""
    folder = files.find(path)
    inside = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    for part in inside:
        if pair := _pair(part):
            text = f"{show(part)} holds {pair[0].name} and {pair[1].name}, which are images and their masks"
            raise UsageError(f"{text}. Name it itself: --data {path}/{part.name}")
    pair = _pair(folder)
    return (f"{path}/{pair[0].name}", f"{path}/{pair[1].name}") if pair else None


def _pair(folder: Path) -> tuple[Path, Path] | None:
    """Two folders whose files are called alike, of which one is called as masks are."""
    inside = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    if len(inside) != 2:
        return None
    stems = [{each.stem for each in place.iterdir() if each.is_file()} for place in inside]
    named = [each for each in inside if MASKS.fullmatch(each.name)]
    if len(named) != 1 or not stems[0] or 2 * len(stems[0] & stems[1]) < len(stems[0] | stems[1]):
        return None
    return next(each for each in inside if each not in named), named[0]


def _with_masks(files: Files, path: str, images: str, masks: str) -> Proposal:
    """For images with a mask each: a class for each point. Raises DataError and UsageError."""
    found = Images(path=images, masks=masks, size=SIDES[0]).read(files).train
    assert isinstance(found.target, Masks)
    paths = found.target.paths
    values: set[int] = set()
    sizes: set[tuple[int, int]] = set()
    for row in range(0, len(paths), max(1, len(paths) // LOOKED_AT)):
        with opened(paths[row], row) as mask:
            if mask.mode not in NUMBERED:
                text = f"{Path(paths[row]).name} has colours; a mask has one number for each point, the class"
                raise UsageError(f"{text}. Save the masks in shades of grey, or with a palette.")
            values |= numbers_in(mask)
            sizes.add((mask.height, mask.width))
    height, width, resized = _size(sizes)
    shown = sorted(values)
    if len(shown) > MOST_CLASSES:
        raise UsageError(f"the masks in {masks} hold {len(shown)} values, too many for classes")
    plain = shown[-1] < 2 * len(shown)
    count = shown[-1] + 1 if plain else len(shown)
    goal = Goal(f"conv {count} k1", "cross_entropy", "accuracy")
    span = f"of {height} x {width}" if len(sizes) == 1 else "of different sizes"
    seen = [
        f"  {len(paths):,} images with a mask each, {span}",
        f"  to be learnt: a class for each point, {count} of them, for the values {', '.join(map(str, shown))}",
    ]
    data = ["source:", "  images:", f"    path: {quoted(images)}", f"    masks: {quoted(masks)}"]
    data += [] if plain else [f"    values: [{', '.join(map(str, shown))}]"]
    data += [f"    size: {height}x{width}             # to which all are brought"] if resized else []
    data += [
        "split: {val: 0.2}",
        "transform: standardize",
        f"augment: [crop {height}x{width} pad={max(1, min(height, width) // 8)}]",
    ]
    data += ["# and flip, where a mirrored image means the same"]
    network = [f"input: 3x{height}x{width}", *segmenting(height, width, goal)]
    return Proposal(path, tuple(map(one_line, seen)), tuple(network), tuple(data), goal, len(paths))


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
