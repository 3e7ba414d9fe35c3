"""No example of a property is refused for the time it took, which is that of everything else the machine does too."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("netspec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("netspec")
