"""Values that a notebook shows: what stands on any floor, and is drawn by the top one."""

from __future__ import annotations

from importlib import import_module


class Displayed:
    """Shows itself in notebooks. A notebook asks when the whole house is there, so its top floor may answer."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Itself as a piece of HTML."""
        return str(import_module("netspec.api.notebook").html(self))
