"""Runs the printed source: the module that trains is the text that `netspec build` shows.

Its lines are compiled as they stand, but for pools that come before relus, which changes no bit.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from netspec.errors import DataError
from netspec.paths import real
from netspec.runtime.network.checked import need_as_checked
from netspec.runtime.network.freezing import freeze
from netspec.runtime.network.printed import module_class
from netspec.runtime.network.skip_init import Undrawn
from netspec.runtime.network.weights import Weights, give_weights, load_weights

if TYPE_CHECKING:
    from netspec.spec import Spec


def build(spec: Spec, weights: Weights | Path | None = None, *, undrawn: bool = False) -> nn.Module:
    """The network with these weights or those in this file, with those of the file that its spec loads, or initialised.

    An `undrawn` one has no weights yet, because those of a checkpoint are to come: none are drawn, and no file is read.
    What the spec freezes has no gradients, and norms in it keep their statistics. Raises DataError where weights
    cannot be read, do not fit, or lie outside the spec's folder.
    """
    section = spec.graph.weights
    if weights is None and section.load and not undrawn:
        path = spec.root / section.load
        if not real(path).is_relative_to(spec.root):
            raise DataError(f"the weights {section.load} lie outside {spec.root}, the folder of the spec")
        weights = path
    if weights is None and not undrawn:
        module = _made(spec)
    else:
        with Undrawn():
            module = _made(spec)
        if isinstance(weights, Path):
            load_weights(module, weights)
        elif weights is not None:
            give_weights(module, weights)
    if section.freeze:
        freeze(module, section)
    return module


def _made(spec: Spec) -> nn.Module:
    """An instance of the printed network, which owns what its graph says. Tracebacks and debuggers show its lines."""
    with warnings.catch_warnings():
        # torch would rather have weight_norm_hook's newer form; a spec that names the older one means it
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch.nn.utils")
        warnings.filterwarnings("ignore", ".*weight_norm.*", FutureWarning)
        module = module_class(spec.source(), spec.name)()
    need_as_checked(module, spec.graph)
    return module
