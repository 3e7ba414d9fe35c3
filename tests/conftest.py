"""Before any test: torch is given a thread for each of the processes that share the work.

No example of a property is refused for the time it took, which is that of everything else the machine does too.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("netspec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("netspec")
