"""Memory of this machine and its devices, told without torch."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where the system says how much memory the container around this process has."""
USAGES: Final = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
"""Where it says how much of that is in use."""
MEMINFO: Final = Path("/proc/meminfo")
"""Where Linux says how much memory of the machine is free, or could be."""
CPUINFO: Final = Path("/proc/cpuinfo")
"""Where it says what the processors can do."""
ACCELERATORS: Final = ("nvidia[0-9]*", "kfd")
"""Devices under /dev that a network may be trained on instead of the CPU."""
LARGEST_DEVICE: Final = 2**39
"""More bytes than any accelerator has."""
ADDRESSABLE: Final = 2**47
"""More bytes than any process can have: what the processors of today address."""
UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def memory(untold: int = ADDRESSABLE) -> int:
    """Bytes of memory that processes here can have, together; `untold` where the system does not tell."""
    limits = [path.read_text("utf-8").strip() for path in map(Path, LIMITS) if path.is_file()]
    there = [int(limit) for limit in limits if limit.isdecimal()]
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        there.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(there, default=untold)


def free_memory() -> int:
    """Bytes of memory that this process could have now besides its own; all where the system does not tell."""
    there = [memory()]
    told = MEMINFO.read_text("utf-8") if MEMINFO.is_file() else ""
    if found := re.search(r"^MemAvailable:\s+(\d+) kB", told, re.MULTILINE):
        there.append(int(found[1]) * 1024)
    for limit, usage in zip(LIMITS, USAGES, strict=True):
        if Path(limit).is_file() and Path(usage).is_file():
            most, now = (Path(name).read_text("utf-8").strip() for name in (limit, usage))
            if most.isdecimal() and now.isdecimal():
                there.append(max(0, int(most) - int(now)))
    return min(there)


def computes_bf16() -> bool:
    """Whether torch's library for the CPU has convolutions in bfloat16 here; yes where the system does not tell."""
    told = CPUINFO.read_text("utf-8") if CPUINFO.is_file() else ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", told, re.MULTILINE)
    flags = set(found[1].split()) if found else {"bf16"}
    return "bf16" in flags or flags >= {"avx512bw", "avx512vl", "avx512dq"}


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_accelerator() -> bool:
    """Whether there is a device that a network may be trained on instead of the CPU."""
    return any(next(Path("/dev").glob(name), None) for name in ACCELERATORS)


def room_on(device: str) -> int:
    """Bytes that the values of a network can take on `device` at the most; `auto` is an accelerator if one is there."""
    if device == "auto":
        device = "other" if has_accelerator() else "cpu"
    return memory() if device == "cpu" else max(memory(), LARGEST_DEVICE)


_BYTES: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([KMGT]?)B?", re.IGNORECASE)


def bytes_of(text: str) -> int | None:
    """A number of bytes, as in 500MB or 2G; None for a text that is none."""
    found = _BYTES.fullmatch(text)
    return int(float(found[1]) * UNITS[found[2].upper()]) if found else None


def shown_bytes(count: int) -> str:
    """A number of bytes as a person would say it."""
    size, units = float(count), ["bytes", "KB", "MB", "GB", "TB", "PB", "EB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.3g} {units[0]}"
