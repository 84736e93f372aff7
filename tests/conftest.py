"""What every room's tests share; keep it small."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a run does, before torch is imported

settings.register_profile("studyrun", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("studyrun"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "studyrun"))
