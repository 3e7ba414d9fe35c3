"""Runs the printed source: the module that trains is the text that `netspec build` shows.

Its lines are compiled as they stand, but for pools that come before relus, which changes no bit.
"""

from __future__ import annotations

import linecache
import warnings
from typing import TYPE_CHECKING, Any

from torch import nn

from netspec.errors import DataError
from netspec.runtime.freezing import freeze
from netspec.runtime.peephole import pools_first
from netspec.runtime.undrawn import Undrawn
from netspec.runtime.weights import Weights, give_weights, read_weights

if TYPE_CHECKING:
    from netspec.spec import Spec


def build(spec: Spec, weights: Weights | None = None, origin: str = "the weights") -> nn.Module:
    """The network with these weights, or those of the file that its spec loads, or initialised.

    What the spec freezes has no gradients, and norms in it keep their statistics. Raises DataError where weights cannot be read, do not fit, or lie
    outside the spec's folder; `origin` says whose they are.
    """
    section = spec.graph.weights
    if weights is None and section.load:
        path = spec.root / section.load
        if not path.resolve().is_relative_to(spec.root):
            raise DataError(f"the weights {section.load} lie outside {spec.root}, the folder of the spec")
        weights, origin = read_weights(path)[0], f"the weights in {path}"
    if weights is None:
        module = _made(spec)
    else:
        with Undrawn():
            module = _made(spec)
        give_weights(module, weights, origin)
    if section.freeze:
        freeze(module, section)
    return module


def _made(spec: Spec) -> nn.Module:
    """An instance of the printed network. Tracebacks and debuggers show the lines of that text."""
    with warnings.catch_warnings():
        # torch would rather have weight_norm_hook's newer form; a spec that names the older one means it
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch.nn.utils")
        warnings.filterwarnings("ignore", ".*weight_norm.*", FutureWarning)
        return module_class(spec.source(), spec.name)()


def module_class(source: str, name: str) -> type[nn.Module]:
    """The class called `name` in printed source."""
    filename = f"<netspec {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {"__name__": f"netspec.built.{name}"}
    exec(compile(pools_first(source), filename, "exec"), scope)  # noqa: S102  the text is our own, checked before it is printed
    found = scope[name]
    assert isinstance(found, type)
    assert issubclass(found, nn.Module)
    return found
