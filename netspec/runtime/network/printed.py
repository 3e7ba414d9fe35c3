"""Printed source as classes of Python's: what it says is what runs, can be read, copied, pickled and sent away.

A class stands in a module of its own, which is no file. Its instances are pickled as the text that made them and what
they hold; where they are unpickled, the text is looked at like one that has just been printed, and run.
"""

from __future__ import annotations

import linecache
import sys
import weakref
from hashlib import blake2b
from types import ModuleType
from typing import Any, Final

from torch import nn
from torch.nn.utils import parametrize

from netspec.errors import UsageError
from netspec.python.allowlist import Disallowed, check
from netspec.runtime.network.freezing import hold, is_held
from netspec.runtime.network.peephole import pools_first
from netspec.runtime.network.skip_init import Undrawn
from netspec.views.code.closed import catalogue
from netspec.vocabulary import OPERATIONS

PACKAGE: Final = "netspec.built"
_classes: weakref.WeakValueDictionary[str, type[nn.Module]] = weakref.WeakValueDictionary()
"""The classes of networks that are in use, by the names of their modules."""


def module_class(source: str, name: str) -> type[nn.Module]:
    """The class called `name` in printed source; the same for the same text, as long as it is in use."""
    place = _place(source, name)
    found = _classes.get(place)
    if found is None:
        found = _classes[place] = _defined(source, name, place)
    return found


def _place(source: str, name: str) -> str:
    """The module that the classes of a text stand in: another where a plugin that it imports was loaded anew."""
    plugins = [id(sys.modules.get(origin)) for origin in sorted(_plugins()) if f"import {origin}\n" in source]
    return f"{PACKAGE}.{name}_{blake2b(f'{source}{plugins}'.encode(), digest_size=6).hexdigest()}"


def _plugins() -> set[str]:
    """The modules of plugins that have layers."""
    return {origin for cls in OPERATIONS.added() if (origin := getattr(cls, "origin", ""))}


def _defined(source: str, name: str, place: str) -> type[nn.Module]:
    """Run the text, which is our own and was checked before it was printed."""
    filename = f"<netspec {place.removeprefix(f'{PACKAGE}.')}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {"__name__": place, "__file__": filename}
    exec(compile(pools_first(source), filename, "exec"), scope)  # noqa: S102
    for cls in scope.values():
        if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == place:
            cls.__reduce_ex__ = _reduced(source, name, place)  # type: ignore[method-assign]
    found = scope[name]
    assert isinstance(found, type)
    assert issubclass(found, nn.Module)
    sys.modules[place] = Printed(place, filename, found)
    weakref.finalize(found, _forget, place, filename)
    return found


class Printed(ModuleType):
    """The module of printed classes, by which inspect, pickle and torch's compiler find them. It keeps none alive."""

    def __init__(self, name: str, filename: str, root: type[nn.Module]) -> None:
        super().__init__(name)
        self.__file__ = filename
        self._root = weakref.ref(root)

    def __getattr__(self, name: str) -> Any:
        root = self.__dict__["_root"]()
        scope = root.forward.__globals__ if root is not None else {}
        if name not in scope:
            raise AttributeError(f"{self.__name__} has no {name!r}")
        return scope[name]


def _forget(place: str, filename: str) -> None:
    """Drop what is known of classes that are no longer in use."""
    sys.modules.pop(place, None)
    linecache.cache.pop(filename, None)


def _reduced(source: str, name: str, place: str) -> Any:
    """The `__reduce_ex__` of all classes of a text."""

    def reduce(self: nn.Module, protocol: Any) -> Any:
        cls = type(self)
        if cls.__module__ != place:  # a class that somebody has derived
            return nn.Module.__reduce_ex__(self, protocol)
        if cls.__name__ == name and any(map(parametrize.is_parametrized, self.modules())):
            return _rebuilt, (source, name, _state(self))  # torch pickles no wrapped module as such
        return _blank, (source, name, cls.__name__), self.__dict__

    return reduce


def _known(source: str, name: str) -> type[nn.Module]:
    """The class called `name` in a text that may come from anywhere. Raises UsageError."""
    if _place(source, name) not in _classes:
        try:
            check(source, catalogue(_plugins()))
        except (Disallowed, SyntaxError) as error:
            hint = "If it has layers of a plugin, load that first."
            raise UsageError(f"the network {name} was pickled with source that is not run: {error}. {hint}") from None
    return module_class(source, name)


def _blank(source: str, root: str, name: str) -> nn.Module:
    """An instance of the class called `name`, which is about to be given all that it holds."""
    held = _known(source, root)  # keeps the module while it is asked
    cls = getattr(sys.modules[held.__module__], name)
    made: nn.Module = cls.__new__(cls)
    return made


def _state(network: nn.Module) -> dict[str, Any]:
    """What a network holds, by names."""
    named = list(network.named_modules(remove_duplicate=False))
    return {
        "tensors": network.state_dict(),
        "frozen": [name for name, p in network.named_parameters(remove_duplicate=False) if not p.requires_grad],
        "training": [name for name, module in named if module.training],
        "held": [name for name, module in named if is_held(module)],
    }


def _rebuilt(source: str, name: str, state: dict[str, Any]) -> nn.Module:
    """A network that is made anew and holds what another held."""
    cls = _known(source, name)
    with Undrawn():
        network = cls()
    network.load_state_dict(state["tensors"], assign=True)
    for path, parameter in network.named_parameters(remove_duplicate=False):
        parameter.requires_grad_(path not in state["frozen"])
    for path, module in network.named_modules(remove_duplicate=False):
        module.training = path in state["training"]
        if path in state["held"]:
            hold(module)
    return network
