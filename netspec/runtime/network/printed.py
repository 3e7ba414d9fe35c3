"""Printed source as classes of Python's: what it says is what runs, can be read, copied, pickled and sent away.

A class stands in a module of its own, which is no file. Its instances are pickled as the text that made them and what
they hold; where they are unpickled, the text is looked at like one that has just been printed, and run.
"""

from __future__ import annotations

import linecache
import sys
import weakref
from collections import OrderedDict
from hashlib import blake2b
from types import ModuleType
from typing import Any, Final

from torch import nn
from torch.nn.utils import parametrize

from netspec.errors import UsageError
from netspec.python.allowlist import Disallowed, check
from netspec.runtime.network.peephole import pools_first
from netspec.views.code.closed import catalogue
from netspec.vocabulary import OPERATIONS

PACKAGE: Final = "netspec.built"
_classes: weakref.WeakValueDictionary[str, type[nn.Module]] = weakref.WeakValueDictionary()
"""The classes of networks that are in use, by the names of their modules."""


def module_class(source: str, name: str, reorder: bool = False) -> type[nn.Module]:
    """The class called `name` in printed source; the same for the same text, as long as it is in use.

    Its lines are compiled as they stand, or to `reorder` them, with max pools called before relus.
    """
    place = _place(source, name, reorder)
    found = _classes.get(place)
    if found is None:
        found = _classes[place] = _defined(source, name, place, reorder)
    return found


def _place(source: str, name: str, reorder: bool) -> str:
    """The module that the classes of a text stand in: another where a plugin that it imports was loaded anew."""
    plugins = [id(sys.modules.get(origin)) for origin in sorted(_plugins()) if f"import {origin}\n" in source]
    told = f"{source}{plugins}{'reordered' if reorder else ''}"
    return f"{PACKAGE}.{name}_{blake2b(told.encode(), digest_size=6).hexdigest()}"


def _plugins() -> set[str]:
    """The modules of plugins that have layers."""
    return {origin for cls in OPERATIONS.added() if (origin := getattr(cls, "origin", ""))}


def _defined(source: str, name: str, place: str, reorder: bool) -> type[nn.Module]:
    """Run the text, which is our own and was checked before it was printed."""
    filename = f"<netspec {place.removeprefix(f'{PACKAGE}.')}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {"__name__": place, "__file__": filename}
    exec(compile(pools_first(source) if reorder else source, filename, "exec"), scope)  # noqa: S102
    for cls in scope.values():
        if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == place:
            cls.__reduce_ex__ = _reduced(source, name, place, reorder)  # type: ignore[method-assign]
    found = scope[name]
    assert isinstance(found, type)
    assert issubclass(found, nn.Module)
    sys.modules[place] = Printed(place, filename, found)
    weakref.finalize(found, _forget, place, filename)
    return found


class Printed(ModuleType):
    """The module of printed classes, by which inspect, pickle and torch's compiler find them. It keeps none alive."""

    def __init__(self, name: str, filename: str, root: type[nn.Module]) -> None:
        """The module of Python that the text of `root` was run in; it lives as long as that class."""
        super().__init__(name)
        self.__file__ = filename
        self._root = weakref.ref(root)

    def __getattr__(self, name: str) -> Any:
        """What the text defines. Raises AttributeError once the class is gone."""
        root = self.__dict__["_root"]()
        scope = root.forward.__globals__ if root is not None else {}
        if name not in scope:
            raise AttributeError(f"{self.__name__} has no {name!r}")
        return scope[name]


def _forget(place: str, filename: str) -> None:
    """Drop what is known of classes that are no longer in use."""
    sys.modules.pop(place, None)
    linecache.cache.pop(filename, None)


def _reduced(source: str, name: str, place: str, reorder: bool) -> Any:
    """The `__reduce_ex__` of all classes of a text."""

    def reduce(self: nn.Module, protocol: Any) -> Any:
        cls = type(self)
        for module in self.modules():
            if parametrize.is_parametrized(module):
                type(module).__reduce_ex__ = _reduced_wrapped  # type: ignore[method-assign, assignment]
        if cls.__module__ != place:  # a class that somebody has derived
            return nn.Module.__reduce_ex__(self, protocol)
        return _blank, (source, name, cls.__name__, reorder), self.__dict__

    return reduce


def _known(source: str, name: str, reorder: bool) -> type[nn.Module]:
    """The class called `name` in a text that may come from anywhere. Raises UsageError."""
    if _place(source, name, reorder) not in _classes:
        try:
            check(source, catalogue(_plugins()))
        except (Disallowed, SyntaxError) as error:
            hint = "If it has layers of a plugin, load that first."
            raise UsageError(f"the network {name} was pickled with source that is not run: {error}. {hint}") from None
    return module_class(source, name, reorder)


def _blank(source: str, root: str, name: str, reorder: bool = False) -> nn.Module:
    """An instance of the class called `name`, which is about to be given all that it holds."""
    held = _known(source, root, reorder)  # keeps the module while it is asked
    cls = getattr(sys.modules[held.__module__], name)
    made: nn.Module = cls.__new__(cls)
    return made


def _reduced_wrapped(self: nn.Module, protocol: Any) -> Any:
    """The `__reduce_ex__` of a wrapped layer, whose class torch has made for it alone and pickles none of."""
    names = tuple(self.get_submodule("parametrizations")._modules)
    plain: Any = type(self).__mro__[1]
    state: Any = plain.__getstate__(self)
    # weight_norm's translator of older state_dicts is a function that no pickle takes.
    hooks = state["_load_state_dict_pre_hooks"].items()
    kept = {key: hook for key, hook in hooks if "<locals>" not in getattr(hook.hook, "__qualname__", "")}
    return _wrapped, (plain, names), {**state, "_load_state_dict_pre_hooks": OrderedDict(kept)}


def _wrapped(cls: type[nn.Module], names: tuple[str, ...]) -> nn.Module:
    """A layer whose tensors of these `names` are computed, and that is about to be given all that it holds."""
    made: nn.Module = cls.__new__(cls)
    parametrize._inject_new_class(made)
    for name in names:
        parametrize._inject_property(made, name)
    return made
