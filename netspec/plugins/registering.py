"""`register`: a class becomes a word of the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, overload

from netspec.catalogue import Catalogue
from netspec.datasets.base import Dataset
from netspec.layers.base import Layer
from netspec.losses.base import Loss
from netspec.metrics.base import Metric
from netspec.python.reserved import RESERVED
from netspec.records import Entry
from netspec.tensors import Tensor
from netspec.transforms.base import Augmentation, Transform
from netspec.vocabulary import AUGMENTATIONS, DATASETS, LOSSES, METRICS, OPERATIONS, TRANSFORMS

C = TypeVar("C", bound=type)
Rule = Callable[..., Tensor]

CATALOGUES: Final[dict[type[Entry], Catalogue[Any]]] = {
    Layer: OPERATIONS,
    Loss: LOSSES,
    Dataset: DATASETS,
    Metric: METRICS,
    Transform: TRANSFORMS,
    Augmentation: AUGMENTATIONS,
}
"""Where the records of each kind belong."""


@overload
def register(cls: C) -> C: ...
@overload
def register(
    *,
    words: Sequence[str] = (),
    inferred: Mapping[str, int] | None = None,
    shape: Rule | None = None,
    example: str = "",
    example_input: str = "",
    loss: bool = False,
) -> Callable[[C], C]: ...
def register(cls: Any = None, **options: Any) -> Any:
    """Make a class a word of the language, under its own name and its `words`; the class is given back as it is.

    A record (a Layer, Loss, Dataset, Metric, Transform or Augmentation of `netspec.plugins`) is taken in as it is. Of
    a plain `nn.Module` the arguments are read from its constructor: `inferred={"channels": 1}` says which are sizes of
    an axis of the input, `shape=` gives the shape of its result from those of its inputs, batch first, and without it
    the module is measured on the CPU; with `loss=True` it is a loss, called with prediction and target.

    Raises TypeError for what is neither, and ValueError where a word is taken.
    """
    if cls is None:
        return lambda cls: register(cls, **options) if not options else _register(cls, options)
    return _register(cls, options)


def _register(cls: Any, options: dict[str, Any]) -> Any:
    """Add a class to the catalogue that it belongs to, as a record if it is none. Raises TypeError."""
    record = cls
    if not (isinstance(cls, type) and issubclass(cls, Entry)):
        from netspec.plugins.described import described

        record = described(cls, **options)
    elif options:
        raise TypeError(f"{cls.__name__} is a record and says these itself: {', '.join(options)}")
    catalogue = next((known for kind, known in CATALOGUES.items() if issubclass(record, kind)), None)
    if catalogue is None:
        raise TypeError(f"{cls.__name__} is none of: nn.Module, {', '.join(kind.__name__ for kind in CATALOGUES)}")
    if not record.example:
        record.example = record.__name__.lower()
    record.origin = record.origin or record.__module__
    if issubclass(record, Layer):
        RESERVED.add(record.origin.partition(".")[0])
    catalogue.add(record)
    return cls
