"""What every room's tests share; keep it small."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # tests/strategies.py, from every room

settings.register_profile(
    "studyrun", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile(
    "thorough", settings.get_profile("studyrun"), max_examples=1000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "studyrun"))
