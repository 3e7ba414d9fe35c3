"""Runs the printed source: the module is the text that `netspec build` shows, line for line as it stands.

Only a run that is to `reorder` has pools computed before relus, which changes no bit.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from netspec.runtime.network.base import is_partial, put_together
from netspec.runtime.network.checked import need_as_checked
from netspec.runtime.network.freezing import freeze
from netspec.runtime.network.printed import module_class
from netspec.runtime.network.skip_init import Undrawn
from netspec.runtime.network.weights import Weights, give_weights, load_weights, start

if TYPE_CHECKING:
    from netspec.spec import Spec


def build(
    spec: Spec,
    weights: Weights | Path | None = None,
    *,
    undrawn: bool = False,
    reorder: bool = False,
    folder: Path | None = None,
) -> nn.Module:
    """The network with these weights or those in this file, with those of the file that its spec loads, or initialised.

    An `undrawn` one has no weights yet, because those of a checkpoint are to come: none are drawn, and no file is read.
    Where small matrices stand beside its weights, what a run saved is what was trained alone; the rest then comes from
    where the spec loads it and from the run's `folder`. It calls a max pool that stands behind a relu before it where
    it is to `reorder`. What the spec freezes has no gradients, and norms in it keep their statistics. Raises DataError
    where weights cannot be read, do not fit, or lie outside the spec's folder.
    """
    frozen = spec.graph.weights.freeze
    partial = bool(frozen.adapters) and (undrawn or (isinstance(weights, Path) and is_partial(weights)))
    given = weights is not None or undrawn
    fit = None if given and not partial else spec.fitted()
    with contextlib.nullcontext() if not given and (fit is None or fit.fresh) else Undrawn():
        module = _made(spec, reorder)
    if partial:
        freeze(module, frozen)
        file = weights if isinstance(weights, Path) else None
        put_together(module, frozen, fit, file.parent if file else folder or spec.root, file)
    elif isinstance(weights, Path):
        load_weights(module, weights)
    elif weights is not None:
        give_weights(module, weights)
    elif fit is not None:
        start(module, fit)
    if frozen:
        freeze(module, frozen)
    return module


def _made(spec: Spec, reorder: bool) -> nn.Module:
    """An instance of the printed network, which owns what its graph says. Tracebacks and debuggers show its lines."""
    with warnings.catch_warnings():
        # torch would rather have weight_norm_hook's newer form; a spec that names the older one means it
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch.nn.utils")
        warnings.filterwarnings("ignore", ".*weight_norm.*", FutureWarning)
        module = module_class(spec.source(), spec.name, reorder)()
    need_as_checked(module, spec.graph)
    return module
