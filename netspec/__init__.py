"""One YAML file to a checked, readable, trained and exported PyTorch network."""

# `python -m netspec` comes here with the current folder still searched for modules, and `__main__` ends that: until
# then nothing is imported that Python does not have by now, not even `typing`.
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netspec.api.run import Run
    from netspec.api.spec import Spec, formatted, load, loads
    from netspec.errors import (
        DataError,
        Diverged,
        ExportFailed,
        ExportMismatch,
        Interrupted,
        NetspecError,
        Problem,
        UsageError,
    )
    from netspec.plugins import register
    from netspec.text.report import SpecError
    from netspec.version import __version__

__all__ = [
    "DataError",
    "Diverged",
    "ExportFailed",
    "ExportMismatch",
    "Interrupted",
    "NetspecError",
    "Problem",
    "Run",
    "Spec",
    "SpecError",
    "UsageError",
    "__version__",
    "formatted",
    "load",
    "loads",
    "register",
]

_HOMES = dict.fromkeys(("Spec", "formatted", "load", "loads"), "netspec.api.spec") | {
    "register": "netspec.plugins",
    "__version__": "netspec.version",
    "Run": "netspec.api.run",
    "SpecError": "netspec.text.report",
}


def __getattr__(name: str) -> "Any":
    """Public names are imported when they are first used, so that `netspec --help` costs next to nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "netspec.errors")), name)


def load_ipython_extension(shell: "Any") -> None:
    """`%load_ext netspec` in a notebook: the cell magic `%%netspec` is there from then on."""
    import_module("netspec.api.notebook").register(shell)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
