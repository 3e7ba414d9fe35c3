"""`netspec doctor`: whether everything is here that netspec needs."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import click

import netspec
from netspec.cli.common import as_json, show, show_json

if TYPE_CHECKING:
    from netspec.runtime.device.doctor import Package


@click.command()
@as_json
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Look at the surroundings: versions, torch and its devices, optional extras.

    Ends with 1 where a package is missing, too old or broken that netspec cannot be without.
    """
    from netspec.runtime.device.doctor import healthy, packages, torch_here

    found = packages()
    usable = any(package.name == "torch" and package.state == "fine" for package in found)
    torch = torch_here() if usable else {}
    if as_json:
        show_json(_listed(found, torch))
    else:
        show("\n".join(_lines(found, torch)))
    context.exit(0 if healthy(found) else 1)


def _head() -> dict[str, str]:
    """The versions of netspec, Python and the system."""
    return {"netspec": netspec.__version__, "python": platform.python_version(), "system": platform.platform()}


def _lines(found: list[Package], torch: dict[str, Any]) -> list[str]:
    """What was found, in lines for a person."""
    lines = [f"{name:22}{text}" for name, text in _head().items()]
    for title, extra in (("needed", False), ("extras", True)):
        listed = [_line(package) for package in found if bool(package.extra) == extra]
        lines += ["", title, *listed] if listed else []
    about = {name: ", ".join(value) if isinstance(value, list) else value for name, value in torch.items()}
    return [*lines, "", "torch", *(f"  {name:20}{value}" for name, value in about.items())] if torch else lines


def _line(package: Package) -> str:
    """One package in a line."""
    state = "" if package.state == "fine" else f"{package.state}: {package.way_out}"
    return f"  {package.name:20}{package.found or '':12}{state}".rstrip()


def _listed(found: list[Package], torch: dict[str, Any]) -> dict[str, Any]:
    """What was found, for a machine."""
    rows = {
        package.name: {"found": package.found, "state": package.state, "extra": package.extra or None}
        for package in found
    }
    return {**_head(), "packages": rows, "torch": torch}
