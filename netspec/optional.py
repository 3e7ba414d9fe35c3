"""Optional dependencies: packages that only some specs need, and that are installed by their extra."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from netspec.errors import UsageError


def need(package: str, user: str, extra: str = "") -> Any:
    """The module of a package that `user` needs. Raises UsageError, which says how to install it."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package.split(".")[0]:
            raise
        way_out = f"pip install 'netspec-torch[{extra or package}]'"
        raise UsageError(f"{user} needs the package {package}, which is not installed: {way_out}") from None


def installed(package: str) -> str | None:
    """The version of a package that is installed; None where it is not."""
    from importlib.metadata import PackageNotFoundError, version  # only a few commands tell versions

    try:
        return version(package)
    except PackageNotFoundError:
        return None
