"""The network of a language model with a memory of what it has read, as a spec of its own."""

from netspec.views.cached.network import cached
from netspec.views.cached.writing import Cached, Memory, Uncacheable, tokens_of

__all__ = ["Cached", "Memory", "Uncacheable", "cached", "tokens_of"]
