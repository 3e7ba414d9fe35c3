"""Diagnostics of the installation: versions, torch and its devices, and the extras that are there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires
from typing import Any, Final

from netspec.errors import UsageError
from netspec.optional import installed

DISTRIBUTION: Final = "netspec-torch"
MODULES: Final = {"onnx-ir": "onnx_ir", "pillow": "PIL", "pyyaml": "yaml"}
"""Packages that are imported by another name than they are installed by."""
OF_CONTRIBUTORS: Final = ("dev", "docs")
"""Extras that only work on netspec itself needs."""
_REQUIREMENT: Final = re.compile(
    r"([\w.-]+)(?:\[\w+\])?(?:<[\d.]+,)?(?:>=([\d.]+))?(?:,<[\d.]+)?(?:; extra == '(\w+)')?"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package that netspec asks for, and what was found of it."""

    name: str
    wanted: str
    """The least version; empty where any will do."""
    extra: str
    """The extra that it belongs to; empty where netspec cannot be without it."""
    found: str | None
    """Its version; None where it is not installed."""
    fault: str = ""
    """Why it cannot be used, although it is there."""

    @property
    def state(self) -> str:
        """`fine`, or what is wrong."""
        if self.found is None:
            return "missing"
        if _numbers(self.found) < _numbers(self.wanted):
            return f"too old, {self.wanted} is needed"
        return self.fault or "fine"

    @property
    def way_out(self) -> str:
        """The command that mends it; nothing where it is fine."""
        if self.state == "fine":
            return ""
        return f"pip install '{DISTRIBUTION}[{self.extra}]'" if self.extra else f"pip install '{self._asked}'"

    @property
    def _asked(self) -> str:
        """The package as pip takes it, with the version that is wanted."""
        return f"{self.name}>={self.wanted}" if self.wanted else self.name


def packages() -> list[Package]:
    """Every package that netspec's own metadata asks for; those that it cannot be without are imported.

    Raises UsageError where netspec runs without being installed, and so has none.
    """
    try:
        return list(_packages(requires(DISTRIBUTION) or ()))
    except PackageNotFoundError:
        raise UsageError(f"{DISTRIBUTION} is not installed, so what it needs is not known") from None


def healthy(found: list[Package]) -> bool:
    """Whether everything is there that netspec cannot be without."""
    return all(package.state == "fine" for package in found if not package.extra)


def torch_here() -> dict[str, Any]:
    """How torch was built and what it can compute on."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "built for": f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU",
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "devices": ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])],
    }


def _packages(lines: Iterable[str]) -> Iterator[Package]:
    """The packages that the distribution asks for, but for those of its contributors, with what is here."""
    for line in lines:
        match = _REQUIREMENT.fullmatch(line.replace('"', "'"))
        assert match is not None, line
        name, wanted, extra = (part or "" for part in match.groups())
        if extra in OF_CONTRIBUTORS:
            continue
        found = installed(name)
        yield Package(name, wanted, extra, found, "" if extra or found is None else _fault(name))


def _fault(name: str) -> str:
    """Why a package cannot be imported; nothing where it can."""
    try:
        import_module(MODULES.get(name, name))
    except Exception as error:  # whatever a broken installation raises
        return f"cannot be imported: {error}"
    return ""


def _numbers(text: str) -> list[int]:
    """`2.13.0+cpu` as [2, 13, 0]."""
    return [int(part) for part in re.findall(r"\d+", text.partition("+")[0])]
