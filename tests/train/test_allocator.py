"""Memory that a step frees stays for the next one, and goes back to the system after training."""

from __future__ import annotations

import subprocess
import sys

import pytest

STEPS = """
import resource
from pathlib import Path
import torch
from netspec.runtime.device.allocator import kept_memory

torch.set_num_threads(1)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        pieces = [torch.ones(1 << 20) for _ in range(20)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

first = faults()
with kept_memory():
    faults()
    kept, held = faults(), resident()
print(first, kept, held - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has these settings")
def test_freed_memory_is_kept_while_training_and_given_back_afterwards() -> None:
    # 80 MB a step in a process of its own: what malloc does depends on all that was freed before.
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    first, kept, given_back = map(int, done.stdout.split())
    assert kept * 10 < first
    assert given_back > 70e6
