"""The network of a language model with a memory of what it has read, as a spec of its own."""

from netspec.views.cached.writing import Cached, Uncacheable, cached, tokens_of

__all__ = ["Cached", "Uncacheable", "cached", "tokens_of"]
